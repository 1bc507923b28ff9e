"""Is one arm better than another? Paired comparisons over training seeds and test images."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import norm, permutation_test

_DRAWS = 2_000_000  # resampled images held at once: 16 MB each for positions and for values
_EXACT = 2**16  # sign patterns counted one by one: up to 16 seeds


@dataclass(frozen=True)
class Difference:
    """A difference a - b of a mean recall, such as the balanced accuracy. Best 1, worst -1, 0 no difference.

    Attributes:
        mean: over all seeds and test images.
        low, high: bounds of the percentile interval.
        p: two-sided, of the bootstrap: twice the smaller share of resamples on one side of 0, ties on both.
        by_seed: the difference of each pair of trainings.
    """

    mean: float
    low: float
    high: float
    p: float
    by_seed: tuple[float, ...]


@dataclass(frozen=True)
class Gains:
    """Differences of recalls of two arms by class, as they are and resampled.

    Attributes:
        by_seed: float (seeds, classes present).
        resampled: float (resamples, classes present).
        labels: int (classes present,).
        image_variance: of the mean over classes, from drawing other test images.
    """

    by_seed: NDArray[np.float64]
    resampled: NDArray[np.float64]
    labels: NDArray[np.integer[Any]]
    image_variance: float

    def over(self, kinds: Sequence[int], confidence: float) -> Difference:
        """The difference of the mean recall of some classes, with its two-sided percentile interval."""
        chosen = np.isin(self.labels, kinds)
        by_seed, means = self.by_seed[:, chosen].mean(axis=1), _rounded(self.resampled[:, chosen].mean(axis=1))
        mean, low, high = _rounded([by_seed.mean(), *np.quantile(means, [(1 - confidence) / 2, (1 + confidence) / 2])])
        side = min((means <= 0).mean(), (means >= 0).mean())
        return Difference(float(mean), float(low), float(high), float(min(1.0, 2 * side)), tuple(by_seed.tolist()))


def compare(
    a_correct: NDArray[np.bool_],
    b_correct: NDArray[np.bool_],
    labels: NDArray[np.integer[Any]],
    resamples: int,
    seed: int,
) -> Gains:
    """The recalls that one arm has above another, with a two-level bootstrap.

    Another training and another test set would both have given another difference. So each resample draws seeds with
    replacement and, independently, test images with replacement within their class; both arms keep their pairs of seed
    and image (Owen & Eckles 2012, arXiv 1106.2125). Seeds alone would take the test set for the population. With few
    seeds the interval is too narrow where they, not the images, make the spread: a percentile bootstrap of 6 seeds
    alone excludes a true 0 upwards in 6.5% of cases (simulated), not 2.5%; of 10 in 4.7%. Equal `seed`s, labels and
    numbers of trainings draw the same resamples, so that those of several pairs of arms belong together.

    Args:
        a_correct, b_correct: bool (seeds, test images), whether each prediction is right.
        labels: int (test images,).
    """
    rng = np.random.default_rng(seed)
    gains = a_correct.astype(np.float64) - b_correct
    kinds = np.unique(labels)
    strata = [gains[:, labels == kind] for kind in kinds]
    count = len(gains)
    drawn = rng.multinomial(count, np.full(count, 1 / count), size=resamples) / count
    return Gains(
        by_seed=np.stack([stratum.mean(axis=1) for stratum in strata], axis=1),
        resampled=np.stack([_resampled(stratum, drawn, rng) for stratum in strata], axis=1),
        labels=kinds,
        image_variance=float(np.mean([_of_images(stratum) / len(kinds) for stratum in strata])),
    )


def sign_flip(differences: Sequence[float]) -> float:
    """Exact two-sided p of the sign-flip test that n >= 2 paired differences are symmetric about 0.

    Smallest possible 2 / 2**n, largest 1 (all differences 0). Exact up to 16 differences, 65,536 random sign patterns
    beyond. It holds for this one test set: `compare` is the wider claim.
    """
    result = permutation_test(
        (np.asarray(differences),),
        lambda values, axis: values.mean(axis=axis),
        permutation_type="samples",
        vectorized=True,
        n_resamples=_EXACT,
        batch=4096,
        rng=np.random.default_rng(0),
    )
    return float(result.pvalue)


def holm(p_values: Sequence[float]) -> list[float]:
    """Adjusted p values, in the given order: below 0.05 where Holm's step-down test at 5% rejects (Holm 1979)."""
    order = np.argsort(p_values, kind="stable")
    steps = np.asarray(p_values)[order] * np.arange(len(order), 0, -1)
    adjusted = np.empty(len(order))
    adjusted[order] = np.minimum(np.maximum.accumulate(steps), 1.0)
    return [float(value) for value in adjusted]


def gap_share(arm: Gains, oracle: Gains, confidence: float) -> tuple[float, float, float] | None:
    """Share of what the imbalance cost that an arm wins back, and the bounds of its interval.

    The ratio of the mean differences from the baseline, of the arm and of the oracle. Best 1 (as good as with the
    images that were taken away; more is possible), 0 no better than the baseline, negative worse. None where the lower
    bound of the oracle's difference is not above 0: there is nothing to win back for sure.

    Args:
        arm, oracle: both against the baseline, of equal resamples.
    """
    every = [int(kind) for kind in oracle.labels]
    whole, won = oracle.over(every, confidence), arm.over(every, confidence)
    if whole.low <= 0:
        return None
    shares = arm.resampled.mean(axis=1) / np.maximum(oracle.resampled.mean(axis=1), 1e-9)
    low, high = np.quantile(shares, [(1 - confidence) / 2, (1 + confidence) / 2])
    return won.mean / whole.mean, float(low), float(high)


@dataclass(frozen=True)
class Resolution:
    """What it takes to know a difference to +- `width`: None where no number is enough.

    Attributes:
        seeds: with these test images.
        images: test images in all, with these seeds.
    """

    width: float
    seeds: int | None
    images: int | None


def resolution(gains: Gains, images: int, width: float, confidence: float) -> Resolution:
    """Seeds or test images after which a difference of balanced accuracies is known to +- `width`.

    From the variance over seeds and that over images, taken as independent parts: a difference's variance is the first
    over the number of seeds and the second over that of images.
    """
    allowed = (width / norm.ppf((1 + confidence) / 2)) ** 2
    of_seeds = float(gains.by_seed.mean(axis=1).var(ddof=1))
    seeds_left, images_left = allowed - gains.image_variance, allowed - of_seeds / len(gains.by_seed)
    return Resolution(
        width=width,
        seeds=max(2, int(np.ceil(of_seeds / seeds_left))) if seeds_left > 0 else None,
        images=max(1, int(np.ceil(images * gains.image_variance / images_left))) if images_left > 0 else None,
    )


def _rounded(values: ArrayLike) -> NDArray[np.float64]:
    """Without what rounding has left: hits and misses that cancel are a tie, and no gain of 1e-18."""
    return np.asarray(values, np.float64).round(12) + 0.0


def _resampled(gains: NDArray[np.float64], seeds: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.float64]:
    """Mean gain in one class, (resamples,), over resampled seeds (weights (resamples, seeds)) and resampled images."""
    count = gains.shape[1]
    means = []
    for weights in np.array_split(seeds, 1 + len(seeds) * count // _DRAWS):
        images = rng.integers(count, size=(len(weights), count))
        means.append(np.take_along_axis(weights @ gains, images, axis=1).mean(axis=1))
    return np.concatenate(means)


def _of_images(gains: NDArray[np.float64]) -> float:
    """Variance of the mean gain in a class (seeds, images) from drawing other images."""
    return float(gains.mean(axis=0).var(ddof=1) / gains.shape[1]) if gains.shape[1] > 1 else 0.0
