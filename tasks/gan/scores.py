"""How good a generator is, measured with few images and without downloaded weights."""

import zlib
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from tasks.dataset.ranges import to_signed

Features = NDArray[np.floating[Any]]
_AT_ONCE = 512


def kid(real: Features, fake: Features) -> float:
    """Kernel inception distance of features (n, d) and (m, d): unbiased MMD² with the kernel (a·b/d + 1)³.

    Best 0 (equal distributions; an estimate may fall below), worse upwards without bound. Bińkowski et al. 2018,
    "Demystifying MMD GANs", section 4; the diagonals are left out, so that it is unbiased at any n and m.
    """
    n, m = len(real), len(fake)
    same_real, same_fake, cross = _kernel(real, real), _kernel(fake, fake), _kernel(real, fake)
    within_real = (same_real.sum() - np.trace(same_real)) / (n * (n - 1))
    within_fake = (same_fake.sum() - np.trace(same_fake)) / (m * (m - 1))
    return float(within_real + within_fake - 2 * cross.mean())


def diversity(fake: Features, real: Features) -> float:
    """Mean distance between two different generated images over that between two different real ones, of one class.

    Best 1 (as varied as real images), worst 0 (all alike: collapsed); above 1 it is more varied, as noise would be.
    """
    return _mean_distance(fake) / _mean_distance(real)


def diversities(
    fake: NDArray[np.uint8], fake_labels: NDArray[np.int32], real: NDArray[np.uint8], real_labels: NDArray[np.int32]
) -> NDArray[np.float64]:
    """Diversity of each class, (classes,), on pixels of images uint8 (n, h, w, c), two or more of each class."""
    flat_fake, flat_real = (images.reshape(len(images), -1).astype(np.float64) for images in (fake, real))
    kinds = range(int(real_labels.max()) + 1)
    return np.array([diversity(flat_fake[fake_labels == kind], flat_real[real_labels == kind]) for kind in kinds])


def random_network(size_px: int, channels: int, seed: int) -> Callable[[NDArray[np.uint8]], Features]:
    """A function from images uint8 (n, size_px, size_px, channels) to features (n, 512) of a network that never learnt.

    Random convolutions tell distributions of images apart nearly as well as trained ones and favour no data set
    (arXiv 2208.09218). Use several: they have to agree.
    """
    images = keras.Input((size_px, size_px, channels), name="images")
    x = images
    for number, strides in enumerate([1, *[2] * (size_px.bit_length() - 3)]):
        start = keras.initializers.HeNormal(seed=zlib.crc32(f"{seed}/{number}".encode()) >> 1)
        x = keras.layers.Conv2D(
            32, 3, strides, "same", activation="relu", kernel_initializer=start, name=f"random_{number}"
        )(x)
    model = keras.Model(images, keras.layers.Flatten(name="features")(x), name="random_network")

    def extract(values: NDArray[np.uint8]) -> Features:
        parts = np.array_split(values, -(-len(values) // _AT_ONCE))
        return np.concatenate([model(to_signed(tf.cast(part, tf.float32)), training=False).numpy() for part in parts])

    return extract


def _kernel(a: Features, b: Features) -> NDArray[np.float64]:
    return np.asarray((a.astype(np.float64) @ b.T.astype(np.float64) / a.shape[1] + 1) ** 3)


def _mean_distance(images: Features) -> float:
    squares = (images**2).sum(axis=1)
    distances = np.sqrt(np.maximum(squares[:, None] + squares - 2 * images @ images.T, 0))
    return float(distances.sum() / (len(images) * (len(images) - 1)))
