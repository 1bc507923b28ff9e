"""Arrays as files and networks have them: weights by name, and pixels in their two ranges."""

from pathlib import Path
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

Weights = dict[str, NDArray[np.float32]]


def get_weights(model: keras.Model, trainable: bool = False) -> Weights:
    """Copies of a model's weights, or of the trainable ones alone, by `layer/variable`."""
    return {variable.path: variable.value.numpy() for variable in _variables(model, trainable)}


def set_weights(model: keras.Model, weights: Weights, trainable: bool = False) -> None:
    """Put weights, or the trainable ones alone, into a model of the same layers.

    Raises:
        ValueError: names or shapes are not the model's.
    """
    have = {name: array.shape for name, array in weights.items()}
    expected = {variable.path: tuple(variable.shape) for variable in _variables(model, trainable)}
    if have != expected:
        raise ValueError(f"weights are {have}, the model has {expected}: use the model they were taken from")
    for variable in _variables(model, trainable):
        variable.assign(weights[variable.path])


def _variables(model: keras.Model, trainable: bool) -> list[keras.Variable]:
    return list(model.trainable_weights if trainable else model.weights)


def save_weights(path: Path, weights: list[Weights]) -> None:
    """Write the weights of several trainings of one network, stacked by name, as npz.

    A .keras file holds a save date and .weights.h5 automatic layer names; numpy dates all members 1980-01-01.
    """
    with path.open("wb") as file:
        np.savez(file, allow_pickle=False, **{name: np.stack([each[name] for each in weights]) for name in weights[0]})


def load_weights(path: Path) -> list[Weights]:
    """What `save_weights` wrote."""
    with np.load(path, allow_pickle=False) as file:
        stacked = {name: file[name] for name in file.files}
    return [{name: array[seed] for name, array in stacked.items()} for seed in range(len(next(iter(stacked.values()))))]


_LEAST_SIDE_PX = 4


def to_signed(images: Any) -> Any:
    """Images in [-1, 1] from floating-point images in [0, 255]; arrays and tensors of any shape."""
    return images / 127.5 - 1.0


def to_bytes(images: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Images uint8 [0, 255] from images float32 [-1, 1], rounded and clipped; any shape."""
    return np.asarray(np.clip(np.rint((images + 1.0) * 127.5), 0, 255), np.uint8)


def halvings(size_px: int) -> int:
    """How often a side can be halved while even and to at least 4 pixels: 8 once, 24 twice, 128 5 times.

    Args:
        size_px: a multiple of 8.
    """
    count = 0
    while size_px % 2 == 0 and size_px // 2 >= _LEAST_SIDE_PX:
        size_px //= 2
        count += 1
    return count
