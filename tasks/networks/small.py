"""The small network, and the layers that it shares with the plain one."""

import keras

from .initial import initialiser
from .resolution import halvings


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
