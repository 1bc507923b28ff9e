"""What networks make of many images: probabilities of classifiers, and features of networks that never learnt."""

import zlib
from collections.abc import Callable

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from .pixels import to_signed
from .weights import Weights, set_weights

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
