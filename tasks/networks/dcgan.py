"""The networks of kind `dcgan`: the DCGAN (Radford et al. 2016) that practitioners train for one rare class.

Latents of 100 numbers, a dense layer to an eighth of the side with 256 channels and three transposed convolutions with
128, against a narrow discriminator of 16, 8, 16 and 8; those are the channels for `width` 128. Neither has a pooling or
a hidden dense layer. Any side that is a multiple of 8.
"""

import keras

from .layers import Layers

_DOUBLINGS = 3


def build_generator(
    size_px: int, channels: int, latent: int, width: int, batch_norm: bool, dropout: float, seed: int, policy: str
) -> keras.Model:
    """Model from latents float32 (n, latent) to images float32 (n, size_px, size_px, channels) in [-1, 1]."""
    make = Layers(seed, policy)
    latents = keras.Input((latent,), name="latents")
    side_px = size_px >> _DOUBLINGS
    x = make.square(make.dense(latents, side_px * side_px * 2 * width, "g_dense"), side_px, 2 * width, "g_square")
    x = make.leaky(make.norm(x, "g_dense") if batch_norm else x, "g_dense")
    for block in range(_DOUBLINGS):
        name = f"g_up_{block}"
        x = make.up_conv(x, width, name, use_bias=True)
        x = make.leaky(make.norm(x, name) if batch_norm else x, name)
        x = make.dropout(x, dropout, name)
    x = make.conv(x, channels, 3, "g_pixels")
    return keras.Model(latents, keras.layers.Activation("tanh", name="g_tanh", dtype="float32")(x), name="generator")


def build_discriminator(
    size_px: int, channels: int, width: int, batch_norm: bool, dropout: float, seed: int, policy: str
) -> keras.Model:
    """Model from images float32 (n, size_px, size_px, channels) to logits float32 (n,), positive for real.

    The original ends in a sigmoid; here that is part of the loss, where it cannot saturate.
    """
    make = Layers(seed, policy)
    images = keras.Input((size_px, size_px, channels), name="images")
    x = make.leaky(make.conv(images, width // 8, 3, "d_first"), "d_first")
    for block, share in enumerate((16, 8, 16)):
        name = f"d_conv_{block}"
        x = make.conv(x, width // share, 3, name, strides=2)
        x = make.leaky(make.norm(x, name) if batch_norm else x, name)
    x = make.dropout(make.flat(x, "d_flat"), dropout, "d_flat")
    logits = keras.layers.Reshape((), name="d_logits", dtype="float32")(make.dense(x, 1, "d_plain"))
    return keras.Model(images, logits, name="discriminator")
