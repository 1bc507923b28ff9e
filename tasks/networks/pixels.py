"""Ranges and sides of images: files hold uint8 [0, 255], networks see float32 [-1, 1]; converted here alone."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

_LEAST_SIDE_PX = 4


def to_signed(images: Any) -> Any:
    """Images in [-1, 1] from floating-point images in [0, 255]; arrays and tensors of any shape."""
    return images / 127.5 - 1.0


def to_bytes(images: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Images uint8 [0, 255] from images float32 [-1, 1], rounded and clipped; any shape."""
    return np.asarray(np.clip(np.rint((images + 1.0) * 127.5), 0, 255), np.uint8)


def halvings(size_px: int) -> int:
    """How often a side can be halved while even and to at least 4 pixels: 8 once, 24 twice, 128 5 times.

    Args:
        size_px: a multiple of 8.
    """
    count = 0
    while size_px % 2 == 0 and size_px // 2 >= _LEAST_SIDE_PX:
        size_px //= 2
        count += 1
    return count
