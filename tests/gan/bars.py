"""Images told apart by where their bar stands: drawn, or made by a stand-in for a generator that draws them."""

import numpy as np
from numpy.typing import NDArray

from tasks.quality.spaces import Labelled

CLASSES = ["a", "b", "c"]


def paint(labels: NDArray[np.int32], latents: NDArray[np.float32]) -> NDArray[np.uint8]:
    """8x8 images uint8 (n, 8, 8, 1), as varied as latents (n, 65): a bar in one of two columns, and noise."""
    images = 60 + 25 * latents[:, 1:].reshape(-1, 8, 8)
    images[np.arange(len(labels)), :, 2 * labels + (latents[:, 0] > 0)] += 150
    return np.clip(images, 0, 255).astype(np.uint8)[..., None]


def draw(counts: list[int], seed: int) -> Labelled:
    """Fresh images, so many of each class."""
    labels = np.repeat(np.arange(len(counts), dtype=np.int32), counts)
    return Labelled(
        paint(labels, np.random.default_rng(seed).normal(size=(len(labels), 65)).astype(np.float32)), labels
    )


class Painter:
    """A generator of fresh images of the classes named; `turned` makes images of the next class instead of each."""

    latent, image_shape = 65, (8, 8, 1)

    def __init__(self, classes: list[str], turned: bool = False) -> None:
        self.classes, self._turned = classes, turned

    def generate(self, latents: NDArray[np.float32], labels: NDArray[np.int32]) -> NDArray[np.uint8]:
        kinds = np.array([CLASSES.index(name) for name in self.classes])[labels]
        return paint((kinds + self._turned) % len(CLASSES), latents)


class OneImage(Painter):
    """A collapsed generator: one image of each class."""

    def generate(self, latents: NDArray[np.float32], labels: NDArray[np.int32]) -> NDArray[np.uint8]:
        return super().generate(np.zeros_like(latents), labels)


class Copier(Painter):
    """A generator of training images with a little noise."""

    def __init__(self, classes: list[str], train: Labelled) -> None:
        super().__init__(classes)
        self._train = train

    def generate(self, latents: NDArray[np.float32], labels: NDArray[np.int32]) -> NDArray[np.uint8]:
        kinds = np.array([CLASSES.index(name) for name in self.classes])[labels]
        members = [np.flatnonzero(self._train.labels == kind) for kind in kinds]
        picked = [each[int(1000 * abs(first)) % len(each)] for each, first in zip(members, latents[:, 0], strict=True)]
        noisy = self._train.images[picked] + np.rint(latents[:, 1:]).reshape(-1, 8, 8, 1)
        return np.clip(noisy, 0, 255).astype(np.uint8)
