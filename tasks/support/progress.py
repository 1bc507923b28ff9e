"""What a run tells while it goes on: lines, bars, and events to whoever listens.

Commands and flows hand a listener in; stages know none."""

import logging
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray
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


class Listener(Protocol):
    """Receives metrics and samples of a running stage."""

    def metrics(self, values: Mapping[str, float], step: int) -> None:
        """Numbers by name at a step."""

    def samples(self, name: str, images: NDArray[np.uint8], row_names: Sequence[str]) -> None:
        """Images uint8 (rows, columns, height, width, channels) under a name such as `seed_0/all/00010`."""


_LISTENER: ContextVar[Listener | None] = ContextVar("listener", default=None)


@contextmanager
def listening(listener: Listener) -> Iterator[None]:
    """Hand the events of the block, in this thread, to a listener."""
    token = _LISTENER.set(listener)
    try:
        yield
    finally:
        _LISTENER.reset(token)


def tell_metrics(values: Mapping[str, Any], step: int) -> None:
    """Tell numbers by name at a step."""
    if listener := _LISTENER.get():
        listener.metrics({name: float(value) for name, value in values.items()}, step)


def tell_samples(name: str, images: NDArray[np.uint8], row_names: Sequence[str]) -> None:
    """Tell a grid of images uint8 (rows, columns, height, width, channels)."""
    if listener := _LISTENER.get():
        listener.samples(name, images, row_names)
