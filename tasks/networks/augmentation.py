"""Changes of images inside a compiled graph: affine ones, brightness, shifts by whole pixels, and DiffAugment.

Drawing is apart from applying: numpy draws, TensorFlow applies.
"""

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

_BLACK = -1.0  # DiffAugment's original fills with mid-grey: nothing around a digit
IDENTITY = np.array([1, 0, 0, 0, 1, 0, 0, 0], np.float32)


def affine_transforms(
    rotation_deg: NDArray[np.floating[Any]],
    shifts_px: NDArray[np.floating[Any]],
    shear: NDArray[np.floating[Any]],
    zooms: NDArray[np.floating[Any]],
    flips: NDArray[np.bool_],
    size_px: int,
) -> NDArray[np.float32]:
    """Matrices float32 (n, 8) for `transform`: about the centre, an image is flipped, zoomed, sheared, turned, shifted.

    Args:
        rotation_deg: (n,), counter-clockwise.
        shifts_px: (n, 2), down and right.
        shear: (n,), columns that a row is pushed to the right for each row further down.
        zooms: (n, 2), of height and width; 2 shows twice as large.
        flips: (n,), left to right.
    """
    turn, middle = np.deg2rad(rotation_deg), (size_px - 1) / 2
    cos, sin = np.cos(turn), np.sin(turn)
    # From a place in the new image to the one it shows of the old: the inverse of each change, the last one first.
    across = np.where(flips, -1.0, 1.0) / zooms[:, 1]
    down = 1 / zooms[:, 0]
    a = np.stack([across * (cos + shear * -sin), across * (-sin - shear * cos)], axis=1)
    b = np.stack([down * sin, down * cos], axis=1)
    right, below = middle + shifts_px[:, 1], middle + shifts_px[:, 0]
    a_start = middle - a[:, 0] * right - a[:, 1] * below
    b_start = middle - b[:, 0] * right - b[:, 1] * below
    none = np.zeros(len(turn))
    return np.stack([*a.T, a_start, *b.T, b_start, none, none], axis=1).astype(np.float32)


# Compiled in one piece it passes over the pixels once: faster than ImageProjectiveTransformV3, see
# benchmarks/mixup_input.md.
@tf.function(jit_compile=True)  # type: ignore[untyped-decorator]
def transform(images: tf.Tensor, transforms: tf.Tensor, fill: Literal["black", "edge"]) -> tf.Tensor:
    """Images float32 (n, height, width, channels) in [-1, 1], each changed by its own matrix, bilinearly.

    Args:
        transforms: float32 (n, 8) of `affine_transforms`.
        fill: what lies beyond the edge: black, or the edge itself goes on.
    """
    border = 1 if fill == "black" else 0  # of one black pixel, which goes on for all that lies beyond
    held = tf.pad(images, [[0, 0], [border, border], [border, border], [0, 0]], constant_values=_BLACK)
    most_row, most_column = held.shape[1] - 1, held.shape[2] - 1
    rows = tf.range(images.shape[1], dtype=tf.float32)[:, None]
    columns = tf.range(images.shape[2], dtype=tf.float32)
    a, b = (transforms[:, first : first + 3, None, None] for first in (0, 3))
    left, right, across = _between(a[:, 0] * columns + a[:, 1] * rows + a[:, 2] + border, most_column)
    upper, lower, down = _between(b[:, 0] * columns + b[:, 1] * rows + b[:, 2] + border, most_row)
    pixels = tf.reshape(held, [-1, held.shape[1] * held.shape[2], held.shape[3]])

    def of(row: tf.Tensor) -> tf.Tensor:
        one, other = (tf.gather(pixels, row * held.shape[2] + column, batch_dims=1) for column in (left, right))
        return one * (1 - across) + other * across

    return of(upper) * (1 - down) + of(lower) * down


def _between(places: tf.Tensor, most: int) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """The two whole numbers in [0, most] beside each place, and how far it is from the first to the second."""
    inside = tf.clip_by_value(places, 0.0, float(most))
    first = tf.floor(inside)
    whole = tf.cast(first, tf.int32)
    return whole, tf.minimum(whole + 1, most), (inside - first)[..., None]


def brighten(images: tf.Tensor, factors: tf.Tensor) -> tf.Tensor:
    """Images float32 (n, height, width, channels) in [-1, 1], whose distance from black is multiplied and clipped.

    The same as multiplying bytes in [0, 255].

    Args:
        factors: float32 (n,), 0 and above; 1 changes nothing.
    """
    return tf.minimum(tf.reshape(factors, [-1, 1, 1, 1]) * (images + 1.0) - 1.0, 1.0)


def shift(images: tf.Tensor, offsets: tf.Tensor, fill: float) -> tf.Tensor:
    """Images float32 (n, height, width, channels), each moved by its own offset; differentiable, XLA-friendly.

    Args:
        offsets: int32 (n, 2), pixels down and right; negative is up and left.
        fill: value of the pixels that move in from outside.
    """
    height, width = images.shape[1], images.shape[2]
    rows = tf.range(height)[None] - offsets[:, :1]  # (n, height), the source row of each row
    columns = tf.range(width)[None] - offsets[:, 1:]  # (n, width)
    inside_rows = tf.logical_and(rows >= 0, rows < height)
    inside_columns = tf.logical_and(columns >= 0, columns < width)
    moved = tf.gather(images, tf.clip_by_value(rows, 0, height - 1), batch_dims=1, axis=1)
    moved = tf.gather(moved, tf.clip_by_value(columns, 0, width - 1), batch_dims=1, axis=2)
    inside = tf.logical_and(inside_rows[:, :, None], inside_columns[:, None, :])[..., None]
    return tf.where(inside, moved, tf.constant(fill, images.dtype))


@dataclass(frozen=True)
class DiffAugment:
    """The same kind of differentiable change to real and to generated images (Zhao et al. 2020).

    Attributes:
        translation: most of it, as a share of the side; more than 0 is at least one pixel.
        cutout: side of the square that is cut out, as a share of the image's.
        colour: whether brightness, saturation and contrast change.
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
            images = shift(images, tf.cast(draws[:, :2], tf.int32), _BLACK)
        return self._cut(images, tf.cast(draws[:, 2:4], tf.int32)) if self.cutout else images

    def _cut(self, images: tf.Tensor, corners: tf.Tensor) -> tf.Tensor:
        side = round(self.cutout * images.shape[1])
        places = tf.range(images.shape[1])[None]
        rows = tf.logical_and(places >= corners[:, :1], places < corners[:, :1] + side)  # (n, size_px)
        columns = tf.logical_and(places >= corners[:, 1:], places < corners[:, 1:] + side)
        cut = tf.logical_and(rows[:, :, None], columns[:, None, :])[..., None]
        return tf.where(cut, tf.constant(_BLACK, images.dtype), images)


def _tone(images: tf.Tensor, tones: tf.Tensor) -> tf.Tensor:
    brightness, saturation, contrast = (tones[:, kind, None, None, None] for kind in range(3))
    images = images + brightness
    grey = tf.reduce_mean(images, axis=3, keepdims=True)
    images = (images - grey) * saturation + grey if images.shape[3] > 1 else images
    mean = tf.reduce_mean(images, axis=[1, 2, 3], keepdims=True)
    return (images - mean) * contrast + mean
