"""What images are compared by where nothing has been learnt: features of random networks."""

import zlib

import keras
import tensorflow as tf

from .outputs import OfImages, compile_outputs


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
