"""Making images with a trained generator."""

from collections.abc import Sequence

import keras
import numpy as np
from numpy.typing import NDArray

from .kinds import make
from .ranges import to_bytes

_AT_ONCE = 256


def draw_latents(seed: list[int], count: int, size: int) -> NDArray[np.float32]:
    """Standard normal latents float32 (count, size); row i is the same for every count above i."""
    return np.random.default_rng(seed).standard_normal((count, size), np.float32)


class Generator:
    """A trained generator: images of named classes.

    Attributes:
        classes: names; an index into this list is a label below.
        latent: numbers from which an image is made.
        image_shape: (size_px, size_px, channels).
    """

    def __init__(self, networks: Sequence[keras.Model], classes: list[str], latent: int) -> None:
        """Args: one network for all classes, or one for each."""
        self._networks, self.classes, self.latent = networks, classes, latent
        _, height, width, channels = networks[0].output_shape
        self.image_shape = (height, width, channels)

    def generate(self, latents: NDArray[np.float32], labels: NDArray[np.int32]) -> NDArray[np.uint8]:
        """Images uint8 (n, size_px, size_px, channels) for latents float32 (n, latent) and labels int32 (n,)."""
        images = np.empty((len(labels), *self.image_shape), np.uint8)
        for number, network in enumerate(self._networks):
            mine = np.flatnonzero(labels == number) if len(self._networks) > 1 else np.arange(len(labels))
            for start in range(0, len(mine), _AT_ONCE):
                some = mine[start : start + _AT_ONCE]
                images[some] = to_bytes(make(network, latents[some], labels[some], training=False).numpy())
        return images
