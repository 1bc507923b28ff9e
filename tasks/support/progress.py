"""What people see while a run goes on: one line per stage, bars for long work."""

import logging
import sys
from collections.abc import Iterable
from typing import TypeVar

from tqdm import tqdm

T = TypeVar("T")
log = logging.getLogger("equipoise")


class _BarFriendlyHandler(logging.Handler):
    """Not that of tqdm.contrib.logging: in a flow it would take Prefect's format, and Prefect's handlers away."""

    def emit(self, record: logging.LogRecord) -> None:
        tqdm.write(self.format(record), file=sys.stderr)


def show() -> None:
    """Print the lines of `log` to stderr, without breaking the bars."""
    log.setLevel(logging.INFO)
    log.propagate = False
    if not any(isinstance(handler, _BarFriendlyHandler) for handler in log.handlers):
        log.addHandler(_BarFriendlyHandler())


def bar(items: Iterable[T], name: str, unit: str, total: int | None = None) -> Iterable[T]:
    """`items`, counted on a bar where a person looks at a terminal; plain lines otherwise."""
    return tqdm(items, desc=name, unit=unit, total=total, disable=None, leave=False)
