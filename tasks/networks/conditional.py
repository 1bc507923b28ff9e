"""The networks of kind `conditional`: one GAN for all classes, which share what they can."""

from dataclasses import dataclass
from typing import Any, ClassVar

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from .arrays import halvings
from .layers import Layers

_LEAST_WIDTH = 16
_SHARED_PX = 8  # up to this side classes share what they look like, unless images are no larger


@dataclass(frozen=True)
class Conditional:
    """Shape of the networks of this kind.

    Attributes:
        size_px: a multiple of 8.
        latent: numbers from which an image is made.
        width: channels at the lowest resolution; half as many at each higher one, and 16 at least.
        depth: 1, one convolution at each resolution; or 2, two of them, with a dense layer at the end of D.
        for_one_class: whether a network makes one class alone.
        grid: rows for each class and columns in which images of a training are shown.
    """

    size_px: int
    channels: int
    latent: int
    width: int
    depth: int
    for_one_class: ClassVar[bool] = False
    grid: ClassVar[tuple[int, int]] = (1, 10)

    def build_generator(self, classes: int, dropout: float, seed: int, policy: str) -> keras.Model:
        return _build_generator(self, classes, dropout, Layers(seed, policy))

    def build_discriminator(self, classes: int, dropout: float, seed: int, policy: str) -> keras.Model:
        return _build_discriminator(self, classes, dropout, Layers(seed, policy))

    @staticmethod
    def condition(labels: NDArray[np.int32], ramp: NDArray[np.float32]) -> tuple[NDArray[Any], ...]:
        """What networks take beside latents and images: the label of each and the weight of its projection."""
        return labels, ramp

    @staticmethod
    def make(generator: keras.Model, latents: tf.Tensor, condition: tuple[Any, ...], training: bool) -> tf.Tensor:
        """Images float32 (n, size_px, size_px, channels) in [-1, 1]."""
        return generator([latents, condition[0]], training=training)

    @staticmethod
    def rate(discriminator: keras.Model, images: tf.Tensor, condition: tuple[Any, ...]) -> tf.Tensor:
        """Logits float32 (n,) in training."""
        return discriminator([images, *condition], training=True)


def _build_generator(spec: Conditional, classes: int, dropout: float, make: Layers) -> keras.Model:
    """Model from latents float32 (n, latent) and labels int32 (n,) to images float32 (n, size_px, size_px, channels).

    The lowest resolutions are shared by all classes and know no label: rare classes borrow the variety of the common
    ones. Above, batch norm is conditional on the class, and a label can never replace the latents, which it would if it
    entered beside them (Shahbazi et al. 2022 on collapse by conditioning). Images are in [-1, 1].

    Of depth 1 it has a transposed convolution at each resolution, of depth 2 nearest upsampling and two 3x3 ones.
    """
    latents = keras.Input((spec.latent,), name="latents")
    labels = keras.Input((), dtype="int32", name="labels")
    width, blocks = spec.width, halvings(spec.size_px)
    side_px = spec.size_px >> blocks
    x = make.dense(latents, side_px * side_px * width, "g_dense", use_bias=False)
    x = make.square(x, side_px, width, "g_square")
    x = make.relu(make.norm(x, "g_dense"), "g_dense")
    for block in range(blocks):
        side_px *= 2
        filters = max(width >> (block + 1), _LEAST_WIDTH)
        shared = side_px <= _SHARED_PX < spec.size_px
        for half in "ab"[: spec.depth]:
            name = f"g_conv_{block}{half}"
            if spec.depth == 1:
                x = make.up_conv(x, filters, name, use_bias=False)
            else:
                x = make.conv(make.double(x, f"g_up_{block}") if half == "a" else x, filters, 3, name, use_bias=False)
            x = make.norm(x, name) if shared else make.conditional_norm(x, labels, classes, name)
            x = make.relu(x, name)
        x = make.dropout(x, dropout, f"g_block_{block}")
    x = make.conv(x, spec.channels, 3, "g_pixels")
    images = keras.layers.Activation("tanh", name="g_tanh", dtype="float32")(x)
    return keras.Model([latents, labels], images, name="generator")


def _build_discriminator(spec: Conditional, classes: int, dropout: float, make: Layers) -> keras.Model:
    """Model from images, labels int32 (n,) and ramp float32 (n,) to logits float32 (n,), positive for real.

    logit = w·f(x) + ramp · e(label)·f(x): the projection is multiplied by a ramp from 0 to 1, so that the networks
    learn what images look like before they learn classes. No batch norm: gradient penalties need each logit to depend
    on its own image.

    Of depth 1 it has a 4x4 convolution with stride 2 at each resolution, of depth 2 also 3x3 ones and a dense layer.
    """
    width, blocks = spec.width, halvings(spec.size_px)
    images = keras.Input((spec.size_px, spec.size_px, spec.channels), name="images")
    labels = keras.Input((), dtype="int32", name="labels")
    ramp = keras.Input((), name="ramp")
    x = images
    if spec.depth == 2:
        x = make.leaky(make.conv(x, max(width >> blocks, _LEAST_WIDTH), 3, "d_first"), "d_first")
    for block in range(blocks):
        filters = max(width >> (blocks - 1 - block), _LEAST_WIDTH)
        x = make.leaky(make.conv(x, filters, 4, f"d_conv_{block}", strides=2), f"d_conv_{block}")
    if spec.depth == 2:
        x = make.leaky(make.conv(x, width, 3, "d_last"), "d_last")
    features = make.flat(x, "d_flat")
    if spec.depth == 2:
        features = make.leaky(make.dense(features, width, "d_dense"), "d_dense")
    features = make.dropout(features, dropout, "d_features")
    plain = make.dense(features, 1, "d_plain")
    both = keras.layers.Add(name="d_sum", dtype="float32")([plain, make.projection(features, labels, ramp, classes)])
    logits = keras.layers.Reshape((), name="d_logits", dtype="float32")(both)
    return keras.Model([images, labels, ramp], logits, name="discriminator")
