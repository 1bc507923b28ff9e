"""The two networks of a class-conditional GAN, of stock Keras layers, with weights that depend on one seed alone."""

import math
import zlib

import keras

_LEAST_WIDTH = 16
_SLOPE = 0.2  # of LeakyReLU, as in DCGAN (Radford et al. 2016)


def build_generator(size_px: int, channels: int, classes: int, latent: int, width: int, seed: int) -> keras.Model:
    """Model from latents float32 (n, latent) and labels int32 (n,) to images float32 (n, size_px, size_px, channels).

    The 4x4 layer is shared by all classes and knows no label: rare classes borrow the variety of the common ones. From
    8x8 on, batch norm is conditional on the class (de Vries et al. 2017), and a label can never replace the latents,
    which it would if it entered beside them (Shahbazi et al. 2022 on collapse by conditioning). Nearest upsampling with
    3x3 convolutions stands for transposed ones: no checkerboard at 8x8. Images are in [-1, 1].
    """
    latents = keras.Input((latent,), name="latents")
    labels = keras.Input((), dtype="int32", name="labels")
    dense = keras.layers.Dense(16 * width, use_bias=False, kernel_initializer=_he(seed, "g_dense"), name="g_dense")
    x = keras.layers.Reshape((4, 4, width), name="g_square")(dense(latents))
    x = keras.layers.BatchNormalization(name="g_shared_norm")(x)
    x = keras.layers.ReLU(name="g_shared_relu")(x)
    for block in range(_halvings(size_px)):
        filters = max(width >> (block + 1), _LEAST_WIDTH)
        x = keras.layers.UpSampling2D(name=f"g_up_{block}")(x)
        for half in "ab":
            name = f"g_conv_{block}{half}"
            x = _conv(x, filters, 3, name, seed, use_bias=False)
            x = _conditional_norm(x, labels, classes, filters, name, seed)
            x = keras.layers.ReLU(name=f"{name}_relu")(x)
    x = _conv(x, channels, 3, "g_pixels", seed)
    return keras.Model([latents, labels], keras.layers.Activation("tanh", name="g_tanh")(x), name="generator")


def build_discriminator(size_px: int, channels: int, classes: int, width: int, seed: int) -> keras.Model:
    """Model from images, labels int32 (n,) and ramp float32 (n,) to logits float32 (n,), positive for real.

    logit = w·f(x) + ramp · e(label)·f(x): the projection (Miyato & Koyama 2018) is multiplied by a ramp from 0 to 1, so
    that the networks learn what images look like before they learn classes. No batch norm: gradient penalties need
    each logit to depend on its own image.
    """
    halvings = _halvings(size_px)
    images = keras.Input((size_px, size_px, channels), name="images")
    labels = keras.Input((), dtype="int32", name="labels")
    ramp = keras.Input((), name="ramp")
    x = _leaky(_conv(images, max(width >> halvings, _LEAST_WIDTH), 3, "d_first", seed), "d_first")
    for block in range(halvings):
        filters = max(width >> (halvings - 1 - block), _LEAST_WIDTH)
        x = _leaky(_conv(x, filters, 4, f"d_conv_{block}", seed, strides=2), f"d_conv_{block}")
    x = _leaky(_conv(x, width, 3, "d_last", seed), "d_last")
    x = keras.layers.Flatten(name="d_flat")(x)
    features = _leaky(keras.layers.Dense(width, kernel_initializer=_he(seed, "d_dense"), name="d_dense")(x), "d_dense")
    plain = keras.layers.Dense(1, kernel_initializer=_he(seed, "d_plain"), name="d_plain")(features)
    embedded = _embedding(classes, width, 1 / math.sqrt(width), "d_projection", seed)(labels)
    projected = keras.layers.Dot(axes=1, name="d_dot")([features, embedded])
    ramped = keras.layers.Multiply(name="d_ramp")([projected, keras.layers.Reshape((1,), name="d_ramp_column")(ramp)])
    logits = keras.layers.Flatten(name="d_logits")(keras.layers.Add(name="d_sum")([plain, ramped]))
    return keras.Model([images, labels, ramp], logits[:, 0], name="discriminator")


def _halvings(size_px: int) -> int:
    return int(math.log2(size_px)) - 2


def _conv(
    x: keras.KerasTensor, filters: int, kernel_px: int, name: str, seed: int, *, strides: int = 1, use_bias: bool = True
) -> keras.KerasTensor:
    return keras.layers.Conv2D(
        filters,
        kernel_px,
        strides=strides,
        padding="same",
        use_bias=use_bias,
        kernel_initializer=_he(seed, name),
        name=name,
    )(x)


def _leaky(x: keras.KerasTensor, name: str) -> keras.KerasTensor:
    return keras.layers.LeakyReLU(_SLOPE, name=f"{name}_leaky")(x)


def _conditional_norm(
    x: keras.KerasTensor, labels: keras.KerasTensor, classes: int, filters: int, name: str, seed: int
) -> keras.KerasTensor:
    """Batch norm whose scale 1 + gamma(label) and offset beta(label) are learnt for each class."""
    x = keras.layers.BatchNormalization(center=False, scale=False, name=f"{name}_norm")(x)
    gamma, beta = (
        keras.layers.Reshape((1, 1, filters), name=f"{name}_{kind}_map")(
            _embedding(classes, filters, 0.1, f"{name}_{kind}", seed)(labels)
        )
        for kind in ("gamma", "beta")
    )
    scaled = keras.layers.Multiply(name=f"{name}_scaled")([x, gamma])
    return keras.layers.Add(name=f"{name}_conditional")([x, scaled, beta])


def _embedding(classes: int, size: int, stddev: float, name: str, seed: int) -> keras.layers.Embedding:
    start = keras.initializers.RandomNormal(stddev=stddev, seed=_seed(seed, name))
    return keras.layers.Embedding(classes, size, embeddings_initializer=start, name=name)


def _he(seed: int, name: str) -> keras.initializers.Initializer:
    return keras.initializers.HeNormal(seed=_seed(seed, name))


def _seed(seed: int, name: str) -> int:
    # By the layer's name: layers differ from each other and do not depend on what was built before.
    return zlib.crc32(f"{seed}/{name}".encode()) >> 1
