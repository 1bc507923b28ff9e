"""Affine changes of images, inside a compiled graph: drawn as matrices by numpy, applied by one gather."""

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


def transform(images: tf.Tensor, transforms: tf.Tensor, fill: Literal["black", "edge"]) -> tf.Tensor:
    """Images float32 (n, height, width, channels) in [-1, 1], each changed by its own matrix.

    Args:
        transforms: float32 (n, 8) of `affine_transforms`.
        fill: what lies beyond the edge: black, or the edge itself goes on.
    """
    return tf.raw_ops.ImageProjectiveTransformV3(
        images=images,
        transforms=transforms,
        output_shape=tf.shape(images)[1:3],
        fill_value=_BLACK,
        interpolation="BILINEAR",
        fill_mode={"black": "CONSTANT", "edge": "NEAREST"}[fill],
    )
