"""What an arm does differently: which examples it draws, how it mixes and shifts them. Drawing only: numpy, no images.

An arm is one way to train on imbalanced data. All its randomness comes from here, before the compiled loop that
applies it, so that tests can fix a draw and arms that share a setting share its draws, seed by seed.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tasks.support.params import Arm


@dataclass(frozen=True)
class Draws:
    """The randomness of some steps of training.

    Attributes:
        indices: int32 (steps, batch), the examples.
        partners: int32 (steps, batch), with which of all examples each is mixed.
        coefficients: float32 (steps, batch) in [0, 1], lambda: how much of the example remains; 1 without mixup.
        offsets_px: int32 (steps, batch, 2), down and right.
    """

    indices: NDArray[np.int32]
    partners: NDArray[np.int32]
    coefficients: NDArray[np.float32]
    offsets_px: NDArray[np.int32]


def draw(
    arm: Arm,
    labels: NDArray[np.integer[Any]],
    synthetic: NDArray[np.bool_],
    batch: int,
    chunks: list[int],
    rng: np.random.Generator,
) -> Iterator[Draws]:
    """The randomness of a whole training, one `Draws` for each number of steps in `chunks`.

    Examples are drawn from the real images: naturally (each once an epoch), or with all classes equally likely
    (`oversample`). A draw of a class that has synthetic images is then synthetic with probability `synthetic_share`.
    A synthetic image is never mixed with another: its partner is real. Each kind of randomness has a stream of its
    own, so that neither the chunks nor the other settings change it.

    Args:
        labels: int (n,), real and synthetic examples alike.
        synthetic: bool (n,).
    """
    first, second, mixing, shifting = rng.spawn(4)
    examples = _Examples(arm, labels, synthetic, first)
    partners = _Examples(arm, labels, synthetic, second)
    for steps in chunks:
        shape = (steps, batch)
        _, indices = examples.draw(steps * batch)
        real, others = partners.draw(steps * batch)
        others = np.where(synthetic[indices] & synthetic[others], real, others)
        yield Draws(
            indices=indices.reshape(shape).astype(np.int32),
            partners=others.reshape(shape).astype(np.int32),
            coefficients=_coefficients(arm.mixup_alpha, shape, mixing),
            offsets_px=shifting.integers(-arm.shift_px, arm.shift_px, (*shape, 2), np.int32, endpoint=True),
        )


def _coefficients(alpha: float, shape: tuple[int, int], rng: np.random.Generator) -> NDArray[np.float32]:
    # Zhang et al. 2018, "mixup", section 2: lambda ~ Beta(alpha, alpha), here one for each example.
    return (rng.beta(alpha, alpha, shape) if alpha else np.ones(shape)).astype(np.float32)


class _Pool:
    """Some of the examples, from which one of a given class can be drawn."""

    def __init__(self, members: NDArray[np.int64], labels: NDArray[np.integer[Any]], classes: int):
        self.members = members[np.argsort(labels[members], kind="stable")]
        self.counts = np.bincount(labels[members], minlength=classes)
        self._starts = np.cumsum(self.counts) - self.counts

    def pick(self, classes: NDArray[np.integer[Any]], places: NDArray[np.float64]) -> NDArray[np.int64]:
        """One member of each class; `places` in [0, 1) say which."""
        return np.asarray(self.members[self._starts[classes] + (places * self.counts[classes]).astype(int)])


class _Examples:
    """A stream of examples drawn the way of one arm."""

    def __init__(
        self, arm: Arm, labels: NDArray[np.integer[Any]], synthetic: NDArray[np.bool_], rng: np.random.Generator
    ):
        self._arm, self._labels = arm, labels
        self._sampling, self._swapping = rng.spawn(2)
        classes = int(labels.max()) + 1
        self._real = _Pool(np.flatnonzero(~synthetic), labels, classes)
        self._synthetic = _Pool(np.flatnonzero(synthetic), labels, classes)
        # A class whose few synthetic images took half of its draws would learn those few by heart.
        made = self._synthetic.counts / np.maximum(self._synthetic.counts + self._real.counts, 1)
        self._swap = np.minimum(arm.synthetic_share, made)
        self._epoch = self._real.members[:0]

    def draw(self, count: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Real examples int (count,), and the same with some replaced by synthetic ones of their class."""
        real = self._equal_classes(count) if self._arm.oversample else self._epochs(count)
        coins, places = self._swapping.random((count, 2)).T
        swapped = np.flatnonzero(coins < self._swap[self._labels[real]])
        drawn = real.copy()
        drawn[swapped] = self._synthetic.pick(self._labels[real[swapped]], places[swapped])
        return real, drawn

    def _equal_classes(self, count: int) -> NDArray[np.int64]:
        present = np.flatnonzero(self._real.counts)
        kinds, places = self._sampling.random((count, 2)).T
        return self._real.pick(present[(kinds * len(present)).astype(int)], places)

    def _epochs(self, count: int) -> NDArray[np.int64]:
        while len(self._epoch) < count:
            self._epoch = np.concatenate([self._epoch, self._sampling.permutation(self._real.members)])
        drawn, self._epoch = self._epoch[:count], self._epoch[count:]
        return drawn
