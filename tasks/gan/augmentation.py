"""DiffAugment (Zhao et al. 2020): the same kind of differentiable change to real and to generated images.

Translation and cutout only: they suit grey and colour images alike. Drawing is apart from applying.
"""

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from tasks.dataset.shifting import shift

_FILL = -1.0


def draw_augmentation(
    shape: tuple[int, ...], size_px: int, translation: float, cutout: float, rng: np.random.Generator
) -> NDArray[np.int32]:
    """Draws int32 (*shape, 4): pixels down and right, and the first row and column of the square that is cut out.

    Args:
        translation, cutout: shares of the side; a translation of more than 0 is at least one pixel.
    """
    most = max(1, round(translation * size_px)) if translation else 0
    offsets = rng.integers(-most, most, (*shape, 2), np.int32, endpoint=True)
    side = round(cutout * size_px)
    corners = rng.integers(0, size_px, (*shape, 2), np.int32, endpoint=True) - side // 2
    return np.concatenate([offsets, corners], axis=-1)


def augment(images: tf.Tensor, draws: tf.Tensor, cutout: float) -> tf.Tensor:
    """Images float32 (n, size_px, size_px, channels), shifted and cut out as the draws int32 (n, 4) say."""
    size_px = images.shape[1]
    shifted = shift(images, draws[:, :2], _FILL)
    side = round(cutout * size_px)
    places = tf.range(size_px)[None]
    rows = tf.logical_and(places >= draws[:, 2:3], places < draws[:, 2:3] + side)  # (n, size_px)
    columns = tf.logical_and(places >= draws[:, 3:], places < draws[:, 3:] + side)
    cut = tf.logical_and(rows[:, :, None], columns[:, None, :])[..., None]
    return tf.where(cut, tf.constant(_FILL, images.dtype), shifted)
