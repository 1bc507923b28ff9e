"""The classifier's network, with initial weights that depend on one seed and on nothing else."""

import zlib

import keras

from tasks.dataset.resolution import halvings


def build_classifier(size_px: int, channels: int, classes: int, width: int, seed: int) -> keras.Model:
    """Model from images float32 (n, size_px, size_px, channels) in [-1, 1] to logits float32 (n, classes).

    VGG-like (Simonyan & Zisserman 2015): blocks of two 3x3 convolutions with max pooling between them while the side is
    even and its half has at least 4 pixels, then one dense layer. `width` counts the filters of the first block; later
    ones have 2, 4, 4, ... times as many. Neither dropout nor batch statistics: a step depends on its batch and its
    weights alone.

    Args:
        size_px: a multiple of 8 up to 128.
    """
    images = keras.Input((size_px, size_px, channels), name="images")
    x = images
    for block in range(halvings(size_px) + 1):
        if block:
            x = keras.layers.MaxPooling2D(name=f"pool_{block}")(x)
        for half in "ab":
            name = f"conv_{block + 1}{half}"
            x = keras.layers.Conv2D(
                width * min(2**block, 4),
                3,
                padding="same",
                activation="relu",
                kernel_initializer=_initialiser(seed, name),
                name=name,
            )(x)
    x = keras.layers.Flatten(name="flat")(x)
    logits = keras.layers.Dense(classes, kernel_initializer=_initialiser(seed, "logits"), name="logits")(x)
    return keras.Model(images, logits, name="classifier")


def reset(model: keras.Model, seed: int) -> None:
    """Give a model of `build_classifier` exactly the weights that a fresh build with this seed has.

    Functions compiled for the model stay valid, so that all seeds share one trace.
    """
    for layer in model.layers:
        if layer.weights:
            layer.kernel.assign(_initialiser(seed, layer.name)(layer.kernel.shape))
            layer.bias.assign(keras.ops.zeros_like(layer.bias))


def _initialiser(seed: int, name: str) -> keras.initializers.Initializer:
    # Seeded by the layer's name: layers differ from each other and do not depend on what was built before.
    return keras.initializers.HeNormal(seed=zlib.crc32(f"{seed}/{name}".encode()) >> 1)
