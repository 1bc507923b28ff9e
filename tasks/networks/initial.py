"""Initial weights that depend on one seed and on names, and on nothing else."""

import zlib
from collections.abc import Iterable

import keras

from .weights import Weights


def initialiser(seed: int, layer: str) -> keras.initializers.Initializer:
    """He's initialiser of a layer's kernel.

    Seeded by the layer's name: layers differ from each other and do not depend on what was built before.
    """
    return keras.initializers.HeNormal(seed=zlib.crc32(f"{seed}/{layer}".encode()) >> 1)


def assign_initial(variables: Iterable[keras.Variable], seed: int, loaded: Weights) -> None:
    """Give trainable variables their weights in `loaded`, by path, and all others those of a fresh network."""
    for variable in variables:
        layer, _, kind = variable.path.rpartition("/")
        if variable.path in loaded:
            variable.assign(loaded[variable.path])
        elif kind == "kernel":
            variable.assign(keras.ops.reshape(initialiser(seed, layer)(_drawn_shape(variable.shape)), variable.shape))
        else:
            variable.assign((keras.ops.ones_like if kind == "gamma" else keras.ops.zeros_like)(variable))


def _drawn_shape(shape: tuple[int, ...]) -> tuple[int, ...]:
    """A depthwise kernel, (height, width, channels, 1), has filters that see one channel each: He's rule asks that."""
    return (*shape[:2], 1, shape[2]) if len(shape) == 4 and shape[3] == 1 else tuple(shape)
