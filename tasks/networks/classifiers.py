"""Networks that classify or compare images: the small classifier, and random features."""

import zlib
from collections.abc import Callable, Iterable

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from .arrays import Weights, halvings, set_weights, to_signed


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


OfImages = Callable[[NDArray[np.uint8]], NDArray[np.float32]]  # from images (n, h, w, c) to (n, ...)
_AT_ONCE = 256
_AT_ONCE_PX = 2**20  # in all images together: what a network makes of more could fill the memory


def compile_outputs(model: keras.Model, activation: Callable[[tf.Tensor], tf.Tensor]) -> OfImages:
    """A function from images uint8 (n, h, w, c) to what `activation` makes of the model's outputs, float32 (n, ...)."""

    @tf.function(input_signature=[tf.TensorSpec([None, *model.input_shape[1:]], tf.uint8)])
    def some(images):  # type: ignore[no-untyped-def]
        return activation(model(to_signed(tf.cast(images, tf.float32)), training=False))

    compiled = some.get_concrete_function()

    def every(images: NDArray[np.uint8]) -> NDArray[np.float32]:
        size = min(_AT_ONCE, max(1, _AT_ONCE_PX // (images.shape[1] * images.shape[2])))
        starts = range(0, len(images), size)
        return np.concatenate([compiled(tf.constant(images[at : at + size])).numpy() for at in starts])

    return every


def predict(model: keras.Model, weights: list[Weights], images: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Probabilities float32 (trainings, n, classes) of images uint8 (n, h, w, c) for each of several weights."""
    probabilities = compile_outputs(model, tf.nn.softmax)
    predicted = []
    for each in weights:
        set_weights(model, each, trainable=True)
        predicted.append(probabilities(images))
    return np.stack(predicted)


def random_network(size_px: int, channels: int, seed: int) -> OfImages:
    """A function from images uint8 (n, size_px, size_px, channels) to features of a network that never learnt.

    Random convolutions tell distributions of images apart nearly as well as trained ones and favour no data set
    (arXiv 2208.09218). Use several: they have to agree. Features are 32 maps of 4 to 8 pixels a side: (n, 512) for
    sides that are powers of two.
    """
    images = keras.Input((size_px, size_px, channels), name="images")
    x = images
    for number, strides in enumerate([1, *[2] * (size_px.bit_length() - 3)]):
        start = keras.initializers.HeNormal(seed=zlib.crc32(f"{seed}/{number}".encode()) >> 1)
        x = keras.layers.Conv2D(
            32, 3, strides, "same", activation="relu", kernel_initializer=start, name=f"random_{number}"
        )(x)
    model = keras.Model(images, keras.layers.Flatten(name="features")(x), name="random_network")
    return compile_outputs(model, tf.identity)
