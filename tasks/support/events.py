"""What happens while a stage runs: commands and flows hand a listener in, which is told, and stages know none."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray


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
