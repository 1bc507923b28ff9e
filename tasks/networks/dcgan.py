"""The networks of kind `dcgan`: the DCGAN (Radford et al. 2016) that practitioners train for one rare class.

Latents of 100 numbers, a dense layer to an eighth of the side with 256 channels and three transposed convolutions with
128, against a narrow discriminator of 16, 8, 16 and 8; those are the channels for `width` 128. Neither has a pooling or
a hidden dense layer. Any side that is a multiple of 8.
"""

from dataclasses import dataclass
from typing import Any, ClassVar

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from .layers import Layers

_DOUBLINGS = 3


@dataclass(frozen=True)
class Dcgan:
    """Shape of the networks of this kind.

    Attributes:
        size_px: a multiple of 8.
        latent: numbers from which an image is made.
        width: channels of the generator.
        batch_norm: whether it follows the layers, but for G's last and D's first.
        for_one_class: whether a network makes one class alone.
        grid: rows for each class and columns in which images of a training are shown.
    """

    size_px: int
    channels: int
    latent: int
    width: int
    batch_norm: bool
    for_one_class: ClassVar[bool] = True
    grid: ClassVar[tuple[int, int]] = (7, 7)

    def build_generator(self, classes: int, dropout: float, seed: int, policy: str) -> keras.Model:  # noqa: ARG002
        return _build_generator(self, dropout, Layers(seed, policy))

    def build_discriminator(self, classes: int, dropout: float, seed: int, policy: str) -> keras.Model:  # noqa: ARG002
        return _build_discriminator(self, dropout, Layers(seed, policy))

    @staticmethod
    def condition(labels: NDArray[np.int32], ramp: NDArray[np.float32]) -> tuple[NDArray[Any], ...]:  # noqa: ARG004
        """Nothing: the networks take latents and images alone."""
        return ()

    @staticmethod
    def make(generator: keras.Model, latents: tf.Tensor, condition: tuple[Any, ...], training: bool) -> tf.Tensor:  # noqa: ARG004
        """Images float32 (n, size_px, size_px, channels) in [-1, 1]."""
        return generator(latents, training=training)

    @staticmethod
    def rate(discriminator: keras.Model, images: tf.Tensor, condition: tuple[Any, ...]) -> tf.Tensor:  # noqa: ARG004
        """Logits float32 (n,) in training."""
        return discriminator(images, training=True)


def _build_generator(spec: Dcgan, dropout: float, make: Layers) -> keras.Model:
    """Model from latents float32 (n, latent) to images float32 (n, size_px, size_px, channels) in [-1, 1]."""
    latents = keras.Input((spec.latent,), name="latents")
    width, batch_norm, side_px = spec.width, spec.batch_norm, spec.size_px >> _DOUBLINGS
    x = make.square(make.dense(latents, side_px * side_px * 2 * width, "g_dense"), side_px, 2 * width, "g_square")
    x = make.leaky(make.norm(x, "g_dense") if batch_norm else x, "g_dense")
    for block in range(_DOUBLINGS):
        name = f"g_up_{block}"
        x = make.up_conv(x, width, name, use_bias=True)
        x = make.leaky(make.norm(x, name) if batch_norm else x, name)
        x = make.dropout(x, dropout, name)
    x = make.conv(x, spec.channels, 3, "g_pixels")
    return keras.Model(latents, keras.layers.Activation("tanh", name="g_tanh", dtype="float32")(x), name="generator")


def _build_discriminator(spec: Dcgan, dropout: float, make: Layers) -> keras.Model:
    """Model from images float32 (n, size_px, size_px, channels) to logits float32 (n,), positive for real.

    The original ends in a sigmoid; here that is part of the loss, where it cannot saturate.
    """
    width, batch_norm = spec.width, spec.batch_norm
    images = keras.Input((spec.size_px, spec.size_px, spec.channels), name="images")
    x = make.leaky(make.conv(images, width // 8, 3, "d_first"), "d_first")
    for block, share in enumerate((16, 8, 16)):
        name = f"d_conv_{block}"
        x = make.conv(x, width // share, 3, name, strides=2)
        x = make.leaky(make.norm(x, name) if batch_norm else x, name)
    x = make.dropout(make.flat(x, "d_flat"), dropout, "d_flat")
    logits = keras.layers.Reshape((), name="d_logits", dtype="float32")(make.dense(x, 1, "d_plain"))
    return keras.Model(images, logits, name="discriminator")
