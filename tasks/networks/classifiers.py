"""The small classifier, layers that it shares with the plain one, and initial weights by seed and name alone."""

import zlib
from collections.abc import Iterable

import keras

from .pixels import halvings
from .weights import Weights


def build_small(width: int, size_px: int, channels: int, classes: int, seed: int) -> keras.Model:
    """Model from images float32 (n, size_px, size_px, channels) in [-1, 1] to logits float32 (n, classes).

    VGG-like (Simonyan & Zisserman 2015): blocks of two 3x3 convolutions with max pooling between them while the side
    is even and its half has at least 4 pixels. `width` counts the filters of the first block; later ones have 2, 4, 4,
    ... times as many.
    """
    x = images = keras.Input((size_px, size_px, channels), name="images")
    for block in range(halvings(size_px) + 1):
        if block:
            x = keras.layers.MaxPooling2D(name=f"pool_{block}")(x)
        for half in "ab":
            x = convolution(x, width * min(2**block, 4), f"conv_{block + 1}{half}", seed)
    return with_logits(images, keras.layers.Flatten(name="flat")(x), classes, seed)


def convolution(x: keras.KerasTensor, filters: int, name: str, seed: int) -> keras.KerasTensor:
    """Maps of a 3x3 convolution of the same side, above 0."""
    return keras.layers.Conv2D(
        filters, 3, padding="same", activation="relu", kernel_initializer=initialiser(seed, name), name=name
    )(x)


def with_logits(images: keras.KerasTensor, x: keras.KerasTensor, classes: int, seed: int) -> keras.Model:
    """Model from images to the logits of classes that a dense layer makes of their features (n, d)."""
    logits = keras.layers.Dense(classes, kernel_initializer=initialiser(seed, "logits"), name="logits")(x)
    return keras.Model(images, logits, name="classifier")


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
