"""Affine changes of images, inside a compiled graph: drawn as matrices by numpy, applied by gathers."""

from typing import Any, Literal

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

_BLACK = -1.0
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
