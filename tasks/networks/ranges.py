"""The one place where pixel ranges are converted: files hold uint8 [0, 255], networks see float32 [-1, 1]."""

from typing import Any

import numpy as np
from numpy.typing import NDArray


def to_signed(images: Any) -> Any:
    """Images in [-1, 1] from floating-point images in [0, 255]; arrays and tensors of any shape."""
    return images / 127.5 - 1.0


def to_bytes(images: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Images uint8 [0, 255] from images float32 [-1, 1], rounded and clipped; any shape."""
    return np.asarray(np.clip(np.rint((images + 1.0) * 127.5), 0, 255), np.uint8)
