"""DiffAugment (Zhao et al. 2020): the same kind of differentiable change to real and to generated images.

Drawing is apart from applying.
"""

from dataclasses import dataclass

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from .shifting import shift

_FILL = -1.0  # black, where the original has mid-grey: nothing around a digit


@dataclass(frozen=True)
class Augmentation:
    """How strong it is: translation and cutout as shares of the side, and whether brightness and colours change.

    A translation of more than 0 is at least one pixel.
    """

    translation: float
    cutout: float
    colour: bool

    def draw(self, shape: tuple[int, ...], size_px: int, rng: np.random.Generator) -> NDArray[np.float32]:
        """Draws float32 (*shape, 7) of whole numbers and shares.

        Pixels down and right, first row and column of the square that is cut out, brightness that is added, and the
        factors of saturation and contrast.
        """
        most = max(1, round(self.translation * size_px)) if self.translation else 0
        offsets = rng.integers(-most, most, (*shape, 2), endpoint=True)
        corners = rng.integers(0, size_px, (*shape, 2), endpoint=True) - round(self.cutout * size_px) // 2
        tones = rng.random((*shape, 3)) * [1, 2, 1] + [-0.5, 0, 0.5] if self.colour else np.zeros((*shape, 3))
        return np.concatenate([offsets, corners, tones], axis=-1).astype(np.float32)

    def apply(self, images: tf.Tensor, draws: tf.Tensor) -> tf.Tensor:
        """Images float32 (n, size_px, size_px, channels) in [-1, 1], changed as the draws float32 (n, 7) say.

        Colours may leave [-1, 1] as in the original.
        """
        if self.colour:
            images = _tone(images, draws[:, 4:])
        if self.translation:
            images = shift(images, tf.cast(draws[:, :2], tf.int32), _FILL)
        return self._cut(images, tf.cast(draws[:, 2:4], tf.int32)) if self.cutout else images

    def _cut(self, images: tf.Tensor, corners: tf.Tensor) -> tf.Tensor:
        side = round(self.cutout * images.shape[1])
        places = tf.range(images.shape[1])[None]
        rows = tf.logical_and(places >= corners[:, :1], places < corners[:, :1] + side)  # (n, size_px)
        columns = tf.logical_and(places >= corners[:, 1:], places < corners[:, 1:] + side)
        cut = tf.logical_and(rows[:, :, None], columns[:, None, :])[..., None]
        return tf.where(cut, tf.constant(_FILL, images.dtype), images)


def _tone(images: tf.Tensor, tones: tf.Tensor) -> tf.Tensor:
    brightness, saturation, contrast = (tones[:, kind, None, None, None] for kind in range(3))
    images = images + brightness
    grey = tf.reduce_mean(images, axis=3, keepdims=True)
    images = (images - grey) * saturation + grey if images.shape[3] > 1 else images
    mean = tf.reduce_mean(images, axis=[1, 2, 3], keepdims=True)
    return (images - mean) * contrast + mean
