"""What an arm does differently: which examples it draws, how it weighs, mixes and changes them. Drawing only: numpy.

An arm is one way to train on imbalanced data. All its randomness comes from here, before the compiled loop that
applies it, so that tests can fix a draw and arms that share a setting share its draws, seed by seed.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tasks.core.params import Arm, Augmentation
from tasks.networks.augmentation import IDENTITY, affine_transforms

Labels = NDArray[np.integer[Any]]
Floats = NDArray[np.float32]
_REMIX_RATIO, _REMIX_SHARE = 3, 0.5  # kappa and tau of Chou et al. 2020, "Remix", as in their experiments


@dataclass(frozen=True)
class Draws:
    """The randomness of some steps of training.

    Attributes:
        indices: int32 (steps, batch), the examples.
        partners: int32 (steps, batch), with which of all examples each is mixed.
        coefficients: float32 (steps, batch) in [0, 1], lambda: how much of the example's image remains; 1 unmixed.
        label_coefficients: float32 (steps, batch), the same of its label.
        weights: float32 (steps, batch), of the example in the loss.
        transforms: float32 (steps, batch, 8), as `tasks.networks.augmentation.transform` takes them.
        brightness: float32 (steps, batch), as `tasks.networks.augmentation.brighten` takes them.
    """

    indices: NDArray[np.int32]
    partners: NDArray[np.int32]
    coefficients: Floats
    label_coefficients: Floats
    weights: Floats
    transforms: Floats
    brightness: Floats


def class_weights(counts: NDArray[np.integer[Any]]) -> NDArray[np.float64]:
    """n / (K n_c) for each of the K classes present, 0 for others: the mean over examples is 1."""
    present = counts > 0
    weights = np.zeros(len(counts))
    weights[present] = counts.sum() / (present.sum() * counts[present])
    return weights


def draw(
    arm: Arm,
    augmentation: Augmentation | None,
    labels: Labels,
    synthetic: NDArray[np.bool_],
    size_px: int,
    batch: int,
    chunks: list[int],
    rng: np.random.Generator,
) -> Iterator[Draws]:
    """The randomness of a whole training, one `Draws` for each number of steps in `chunks`.

    Examples are drawn from the real images: naturally (each once an epoch), or with all classes equally likely
    (`oversample`). A draw of a class that has synthetic images is then synthetic with probability `synthetic_share`.
    A synthetic image is never mixed with another: its partner is real. The last `tail_share` of the steps draws real
    images alone, naturally, unmixed and weighted by class (deferred re-weighting, Cao et al. 2019). Each kind of
    randomness has a stream of its own, so that neither the chunks nor the other settings change it.

    Args:
        augmentation: None leaves images as they are.
        labels: int (n,), real and synthetic examples alike.
        synthetic: bool (n,).
        size_px: side of the images.
    """
    first, second, mixing, changing, late, lighting = rng.spawn(6)
    schedule = _Schedule(arm, labels, synthetic, (first, second, mixing, late))
    for size, early in _phases(arm, chunks):
        chosen = schedule.draw(early * batch, (size - early) * batch)
        yield Draws(
            **{name: values.reshape(size, batch) for name, values in chosen.items()},
            transforms=_changes(augmentation, size * batch, size_px, changing).reshape(size, batch, 8),
            brightness=_brightness(augmentation, size * batch, lighting).reshape(size, batch).astype(np.float32),
        )


def steps_before_tail(arm: Arm, steps: int) -> int:
    """How many of the steps of a training come before its tail."""
    return steps - round(arm.tail_share * steps)


def _phases(arm: Arm, chunks: list[int]) -> Iterator[tuple[int, int]]:
    """Number of steps of each chunk, and how many of them come before the tail."""
    left = steps_before_tail(arm, sum(chunks))
    for size in chunks:
        early = min(left, size)
        left -= early
        yield size, early


def _coefficients(arm: Arm, count: int, rng: np.random.Generator) -> NDArray[np.float64]:
    # Zhang et al. 2018, "mixup", section 2: lambda ~ Beta(alpha, alpha), here one for each example.
    return rng.beta(arm.mixup_alpha, arm.mixup_alpha, count) if arm.mixup_alpha else np.ones(count)


def _label_coefficients(
    arm: Arm, share: NDArray[np.float64], own: NDArray[np.int64], other: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Lambda of labels: that of images, or where `remix` and one class is three times as large, all of the rarer one.

    Chou et al. 2020, equation 8. Args: the real images of each example's class and of its partner's.
    """
    if not arm.mixup_alpha or not arm.remix:
        return share
    rarer = (own >= _REMIX_RATIO * other) & (share < _REMIX_SHARE)
    own_rarer = (other >= _REMIX_RATIO * own) & (1 - share < _REMIX_SHARE)
    return np.where(rarer, 0.0, np.where(own_rarer, 1.0, share))


def most_shift_px(augmentation: Augmentation, size_px: int) -> int:
    """By how many pixels images of that side are shifted at most: whole ones, since halves would blur small images."""
    return round(augmentation.shift_share * size_px)


def _changes(augmentation: Augmentation | None, count: int, size_px: int, rng: np.random.Generator) -> Floats:
    if augmentation is None:
        return np.tile(IDENTITY, (count, 1))
    most = most_shift_px(augmentation, size_px)
    draws = rng.random((count, 7))
    amounts = 2 * draws - 1
    return affine_transforms(
        rotation_deg=augmentation.rotation_deg * amounts[:, 0],
        shifts_px=np.floor((2 * most + 1) * draws[:, 4:6]) - most,
        shear=augmentation.shear * amounts[:, 1],
        zooms=1 + augmentation.zoom * amounts[:, 2:4],
        flips=(draws[:, 6] < 0.5) & augmentation.flip,
        size_px=size_px,
    )


def _brightness(augmentation: Augmentation | None, count: int, rng: np.random.Generator) -> NDArray[np.float64]:
    low, high = augmentation.brightness if augmentation else (1, 1)
    return rng.uniform(low, high, count)


class _Weights:
    """Weights of examples in the loss."""

    def __init__(self, arm: Arm, labels: Labels, synthetic: NDArray[np.bool_]) -> None:
        counts = np.bincount(labels[~synthetic], minlength=int(labels.max()) + 1)
        self._deferred = class_weights(counts)[labels]
        self._by_class = self._deferred if arm.loss == "weighted" else np.ones(len(labels))
        self._by_origin = np.where(synthetic, arm.synthetic_weight if arm.synthetic_share else 1.0, 1.0)

    def __call__(
        self, indices: NDArray[np.int64], partners: NDArray[np.int64], coefficients: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """Of mixed examples: each part's weight by its share of the label."""
        weights = self._by_class * self._by_origin
        return np.asarray(coefficients * weights[indices] + (1 - coefficients) * weights[partners])

    def deferred(self, indices: NDArray[np.int64]) -> NDArray[np.float64]:
        return np.asarray(self._deferred[indices])


class _Pool:
    """Some of the examples, from which one of a given class can be drawn."""

    def __init__(self, members: NDArray[np.int64], labels: Labels, classes: int):
        self.members = members[np.argsort(labels[members], kind="stable")]
        self.counts = np.bincount(labels[members], minlength=classes)
        self._starts = np.cumsum(self.counts) - self.counts

    def pick(self, classes: Labels, places: NDArray[np.float64]) -> NDArray[np.int64]:
        """One member of each class; `places` in [0, 1) say which."""
        return np.asarray(self.members[self._starts[classes] + (places * self.counts[classes]).astype(int)])


class _Examples:
    """A stream of examples drawn the way of one arm."""

    def __init__(self, arm: Arm, labels: Labels, synthetic: NDArray[np.bool_], rng: np.random.Generator):
        self._arm, self._labels = arm, labels
        self._sampling, self._swapping = rng.spawn(2)
        classes = int(labels.max()) + 1
        self._real = _Pool(np.flatnonzero(~synthetic), labels, classes)
        self._synthetic = _Pool(np.flatnonzero(synthetic), labels, classes)
        # A class whose few synthetic images took half of its draws would learn those few by heart.
        made = self._synthetic.counts / np.maximum(self._synthetic.counts + self._real.counts, 1)
        self._swap = np.minimum(arm.synthetic_share or 0.0, made)
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


class _Schedule:
    """Which examples an arm draws, with which it mixes them, how much, and how it weighs them."""

    def __init__(
        self, arm: Arm, labels: Labels, synthetic: NDArray[np.bool_], streams: tuple[np.random.Generator, ...]
    ):
        first, second, self._mixing, late = streams
        self._arm, self._labels, self._synthetic = arm, labels, synthetic
        self._examples, self._partners = (_Examples(arm, labels, synthetic, stream) for stream in (first, second))
        plain = arm.model_copy(update={"oversample": False, "synthetic_share": None})
        self._tail = _Examples(plain, labels, synthetic, late)
        self._weigh = _Weights(arm, labels, synthetic)
        self._counts = np.bincount(labels[~synthetic], minlength=int(labels.max()) + 1)

    def draw(self, count: int, late: int) -> dict[str, NDArray[Any]]:
        """Fields of `Draws` (count + late,), of which the last ones are of the tail."""
        _, indices = self._examples.draw(count)
        real, others = self._partners.draw(count)
        others = np.where(self._synthetic[indices] & self._synthetic[others], real, others)
        share = _coefficients(self._arm, count, self._mixing)
        own, other = (self._counts[self._labels[places]] for places in (indices, others))
        of_label = _label_coefficients(self._arm, share, own, other)
        last, _ = self._tail.draw(late)
        weights = np.concatenate([self._weigh(indices, others, of_label), self._weigh.deferred(last)])
        ones = np.ones(late)
        return {
            "indices": np.concatenate([indices, last]).astype(np.int32),
            "partners": np.concatenate([others, last]).astype(np.int32),
            "coefficients": np.concatenate([share, ones]).astype(np.float32),
            "label_coefficients": np.concatenate([of_label, ones]).astype(np.float32),
            "weights": weights.astype(np.float32),
        }
