"""The error that is shown to people without a traceback, and second attempts at what may pass by itself."""

import time
from collections.abc import Callable, Sequence
from typing import TypeVar

T = TypeVar("T")


class BadInput(Exception):
    """Says in one sentence what was found, what was expected and what to do."""


def retried(
    action: Callable[[], T], may_pass: Callable[[Exception], bool], pauses_s: Sequence[float], within_s: float
) -> T:
    """What `action` returns; while it raises an error that may pass, it is called again after each of the pauses.

    Args:
        within_s: seconds after which it is not called again, as a call may have waited for a server by itself.
    """
    start = time.monotonic()
    for pause_s in pauses_s:
        try:
            return action()
        except Exception as error:
            if not may_pass(error) or time.monotonic() - start > within_s:
                raise
        time.sleep(pause_s)
    return action()


def first_line(error: Exception) -> str:
    """What an error says first, or what it is called."""
    return str(error).splitlines()[0][:200] if str(error) else type(error).__name__
