"""The networks of kind `conditional`: one GAN for all classes, which share what they can."""

import keras

from .layers import Layers
from .pixels import halvings

_LEAST_WIDTH = 16
_SHARED_PX = 8  # up to this side classes share what they look like, unless images are no larger


def build_generator(
    size_px: int,
    channels: int,
    classes: int,
    latent: int,
    width: int,
    depth: int,
    dropout: float,
    seed: int,
    policy: str,
) -> keras.Model:
    """Model from latents float32 (n, latent) and labels int32 (n,) to images float32 (n, size_px, size_px, channels).

    The lowest resolutions are shared by all classes and know no label: rare classes borrow the variety of the common
    ones. Above, batch norm is conditional on the class, and a label can never replace the latents, which it would if it
    entered beside them (Shahbazi et al. 2022 on collapse by conditioning). Images are in [-1, 1].

    Args:
        depth: 1, a transposed convolution at each resolution; or 2, nearest upsampling with two 3x3 convolutions.
    """
    make = Layers(seed, policy)
    latents = keras.Input((latent,), name="latents")
    labels = keras.Input((), dtype="int32", name="labels")
    blocks = halvings(size_px)
    side_px = size_px >> blocks
    x = make.dense(latents, side_px * side_px * width, "g_dense", use_bias=False)
    x = make.square(x, side_px, width, "g_square")
    x = make.relu(make.norm(x, "g_dense"), "g_dense")
    for block in range(blocks):
        side_px *= 2
        filters = max(width >> (block + 1), _LEAST_WIDTH)
        shared = side_px <= _SHARED_PX < size_px
        for half in "ab"[:depth]:
            name = f"g_conv_{block}{half}"
            if depth == 1:
                x = make.up_conv(x, filters, name, use_bias=False)
            else:
                x = make.conv(make.double(x, f"g_up_{block}") if half == "a" else x, filters, 3, name, use_bias=False)
            x = make.norm(x, name) if shared else make.conditional_norm(x, labels, classes, name)
            x = make.relu(x, name)
        x = make.dropout(x, dropout, f"g_block_{block}")
    x = make.conv(x, channels, 3, "g_pixels")
    images = keras.layers.Activation("tanh", name="g_tanh", dtype="float32")(x)
    return keras.Model([latents, labels], images, name="generator")


def build_discriminator(
    size_px: int, channels: int, classes: int, width: int, depth: int, dropout: float, seed: int, policy: str
) -> keras.Model:
    """Model from images, labels int32 (n,) and ramp float32 (n,) to logits float32 (n,), positive for real.

    logit = w·f(x) + ramp · e(label)·f(x): the projection is multiplied by a ramp from 0 to 1, so that the networks
    learn what images look like before they learn classes. No batch norm: gradient penalties need each logit to depend
    on its own image.

    Args:
        depth: 1, a 4x4 convolution with stride 2 at each resolution; or 2, with 3x3 ones and a dense layer around them.
    """
    make = Layers(seed, policy)
    blocks = halvings(size_px)
    images = keras.Input((size_px, size_px, channels), name="images")
    labels = keras.Input((), dtype="int32", name="labels")
    ramp = keras.Input((), name="ramp")
    x = images
    if depth == 2:
        x = make.leaky(make.conv(x, max(width >> blocks, _LEAST_WIDTH), 3, "d_first"), "d_first")
    for block in range(blocks):
        filters = max(width >> (blocks - 1 - block), _LEAST_WIDTH)
        x = make.leaky(make.conv(x, filters, 4, f"d_conv_{block}", strides=2), f"d_conv_{block}")
    if depth == 2:
        x = make.leaky(make.conv(x, width, 3, "d_last"), "d_last")
    features = make.flat(x, "d_flat")
    if depth == 2:
        features = make.leaky(make.dense(features, width, "d_dense"), "d_dense")
    features = make.dropout(features, dropout, "d_features")
    plain = make.dense(features, 1, "d_plain")
    both = keras.layers.Add(name="d_sum", dtype="float32")([plain, make.projection(features, labels, ramp, classes)])
    logits = keras.layers.Reshape((), name="d_logits", dtype="float32")(both)
    return keras.Model([images, labels, ramp], logits, name="discriminator")
