"""Making images with a generator."""

import keras
import numpy as np
from numpy.typing import NDArray

from tasks.dataset.ranges import to_bytes

_AT_ONCE = 256


def draw_latents(seed: list[int], count: int, size: int) -> NDArray[np.float32]:
    """Standard normal latents float32 (count, size); row i is the same for every count above i."""
    return np.random.default_rng(seed).standard_normal((count, size), np.float32)


def generate(model: keras.Model, latents: NDArray[np.float32], labels: NDArray[np.int32]) -> NDArray[np.uint8]:
    """Images uint8 (n, size_px, size_px, channels) for latents float32 (n, latent) and labels int32 (n,)."""
    starts = range(0, len(latents), _AT_ONCE)
    parts = [model([latents[at : at + _AT_ONCE], labels[at : at + _AT_ONCE]], training=False) for at in starts]
    return np.concatenate([to_bytes(part.numpy()) for part in parts])
