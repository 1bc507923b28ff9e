"""How good a generator is, measured with few images and without downloaded weights.

Everything here is a function of features float (n, d), one row for each image, or of distances between them. What too
few images cannot tell is NaN: each function says how many it needs. Memory grows with the images, never with their
square.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata, t, tiecorrect
from sklearn.metrics import pairwise_distances_argmin
from sklearn.metrics.pairwise import euclidean_distances
from sklearn.neighbors import NearestNeighbors

Features = NDArray[np.floating[Any]]
Distances = NDArray[np.float64]
_AT_ONCE = 512
_ROUNDING = 1e-6  # of the largest norm: how far a distance from inner products may be off, at most


@dataclass(frozen=True)
class Interval:
    """A value and the bounds of its confidence interval."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        known = not np.isnan(self.low)
        return f"{self.value:.4f} [{self.low:.4f}, {self.high:.4f}]" if known else f"{self.value:.4f} [unknown]"


def kid(real: Features, fake: Features) -> float:
    """Kernel inception distance of features (n, d) and (m, d): unbiased MMD² with the kernel (a·b/d + 1)³.

    Best 0 (equal distributions; an estimate may fall below), worse upwards without bound. Bińkowski et al. 2018,
    "Demystifying MMD GANs", section 4; the diagonals are left out, so that it is unbiased at any n and m. NaN for
    fewer than 2 images of a kind.
    """
    return _leave_one_out(real, fake)[0]


def mean_kid_interval(pairs: Sequence[tuple[Features, Features]], confidence: float) -> Interval:
    """The mean KID over feature spaces, as pairs of real (n, d) and generated (m, d), of the same n and m images.

    Each image is left out once (Arvesen 1969, "Jackknifing U-statistics"), which the sums of the kernel's rows give
    without another kernel; bounds are those of Student's t with min(n, m) - 1 degrees. Simulated, a 95% interval holds
    the truth in 92 to 99% of cases, and in 96% or more where that is 0: there the jackknife is too wide. The bounds are
    NaN for fewer than 3 images of a kind.
    """
    values, without_real, without_fake = zip(*(_leave_one_out(real, fake) for real, fake in pairs), strict=True)
    n, m, value = len(without_real[0]), len(without_fake[0]), float(np.mean(values))
    if min(n, m) < 3:
        return Interval(value, np.nan, np.nan)
    variance = (n - 1) * np.mean(without_real, axis=0).var() + (m - 1) * np.mean(without_fake, axis=0).var()
    half = float(t.ppf((1 + confidence) / 2, min(n, m) - 1) * np.sqrt(variance))
    return Interval(value, value - half, value + half)


def reach(real: Features, k: int) -> Distances:
    """Distance of each real image (n, d) to its k-th nearest other one, (n,): the radius of its neighbourhood.

    NaN for k images or fewer. Distances are exact: two equal images are 0 apart.
    """
    if len(real) <= k:
        return np.full(len(real), np.nan)
    found = NearestNeighbors(n_neighbors=k, algorithm="brute").fit(real).kneighbors(return_distance=False)
    return _apart(real, real[found[:, -1]])


def nearest(images: Features, among: Features) -> tuple[Distances, NDArray[np.intp]]:
    """Distance of each image (n, d) to the nearest `among` others (m, d), exact as in `reach`, and its position."""
    if len(images) == 0 or len(among) == 0:
        return np.full(len(images), np.nan), np.zeros(len(images), np.intp)
    found = np.asarray(pairwise_distances_argmin(images, among), np.intp)
    return _apart(images, among[found]), found


def density(real: Features, radii: Distances, fake: Features, k: int) -> float:
    """Mean number of real images' neighbourhoods in which a generated image lies, over k.

    Best 1 (expected for equal distributions), worst 0; above 1, images gather where real ones are frequent.
    Σⱼ Σᵢ 1[‖fakeⱼ - realᵢ‖ ≤ radiusᵢ] / (k m): Naeem et al. 2020, "Reliable fidelity and diversity metrics for
    generative models". NaN without images, or with NaN radii.

    Args:
        real: (n, d), held out from the generator.
        radii: (n,), `reach(real, k)`.
        fake: (m, d).
    """
    if len(real) == 0 or len(fake) == 0 or not np.isfinite(radii).all():
        return np.nan
    slack = _ROUNDING * float(np.linalg.norm(real, axis=1).max())
    inside = sum(int((block <= radii[rows, None] + slack).sum()) for rows, block in _blocks(real, fake))
    return inside / (k * len(fake))


def coverage(real: Features, radii: Distances, fake: Features) -> float:
    """Share of real images in whose neighbourhood a generated one lies.

    Best 1, worst 0 (misses everything). Σᵢ 1[minⱼ ‖fakeⱼ - realᵢ‖ ≤ radiusᵢ] / n. Equal distributions are expected to
    reach 1 - Πᵢ (n - i) / (n + m - i), i = 1 to k, so compare at equal numbers: Naeem et al. 2020, lemma 2. NaN without
    images, or with NaN radii. Arguments as for `density`.
    """
    if len(real) == 0 or len(fake) == 0 or not np.isfinite(radii).all():
        return np.nan
    return float((nearest(real, fake)[0] <= radii).mean())


def copying(fake: Distances, held_out: Distances) -> float:
    """C_T: whether generated images (m,) are nearer to their nearest training image than held-out real ones (n,) are.

    Best 0 (standard normal for fresh images of the same distribution), far below 0 copies, far above 0 unlike training
    images. (U - mn/2) / √(mn (m + n + 1) / 12) with the Mann-Whitney U of the distances, ties counted half: Meehan et
    al. 2020, "A non-parametric test to detect data-copying in generative models"; classes take the place of its cells.
    Few images have little power: where no two distances are equal it cannot fall below -√(3mn / (m + n + 1)), -2.9 for
    6 held-out and 6 generated images, -3.7 for 6 and 24. Many have too much: a generator of typical images alone is far
    below 0 as well, so copies need `authenticity` beside it. NaN without images.
    """
    m, n = len(fake), len(held_out)
    if m == 0 or n == 0:
        return np.nan
    ranks = rankdata(np.concatenate([fake, held_out]))
    above = ranks[:m].sum() - m * (m + 1) / 2 - m * n / 2
    variance = m * n * (m + n + 1) / 12 * tiecorrect(ranks)
    return float(above / np.sqrt(variance)) if variance > 0 else 0.0


def authenticity(fake: Distances, neighbours: Distances) -> float:
    """Share of generated images farther from their nearest training image than that one is from its nearest other.

    Worst 0 (copies), best what fresh images of the same distribution reach: 1/3 in one dimension, .38 in two, half and
    more in many (so often a nearest neighbour is not mutual); up to 1 far from all training images. Alaa et al. 2022,
    "How faithful is your synthetic data?". NaN without images.

    Args:
        fake: (m,), distances of generated images to their nearest training image.
        neighbours: (m,), distances of those training images to their nearest other training image.
    """
    return float((fake > neighbours).mean()) if len(fake) and np.isfinite(neighbours).all() else np.nan


def diversity(fake: Features, real: Features) -> float:
    """Mean distance between two different generated images over that between two different real ones, of one class.

    Best 1 (as varied as real images), worst 0 (all alike: collapsed); above 1 it is more varied, as noise would be.
    NaN for fewer than 2 images of a kind, or where all real ones are alike.
    """
    apart = mean_distance(real)
    return mean_distance(fake) / apart if apart else np.nan


def diversities(
    fake: NDArray[np.uint8], fake_labels: NDArray[np.int32], real: NDArray[np.uint8], real_labels: NDArray[np.int32]
) -> NDArray[np.float64]:
    """Diversity of each class, (classes,), on pixels of images uint8 (n, h, w, c)."""
    flat_fake, flat_real = (images.reshape(len(images), -1).astype(np.float64) for images in (fake, real))
    kinds = range(int(real_labels.max()) + 1)
    return np.array([diversity(flat_fake[fake_labels == kind], flat_real[real_labels == kind]) for kind in kinds])


def mean_distance(images: Features) -> float:
    """Mean distance between two different images (n, d); NaN for fewer than 2."""
    n = len(images)
    if n < 2:
        return np.nan
    images = images.astype(np.float64)
    return sum(float(block.sum()) for _, block in _blocks(images, images)) / (n * (n - 1))


def _leave_one_out(real: Features, fake: Features) -> tuple[float, Distances, Distances]:
    """KID, and KID without each real image (n,) and without each generated one (m,)."""
    n, m = len(real), len(fake)
    if min(n, m) < 2:
        return np.nan, np.full(n, np.nan), np.full(m, np.nan)
    by_real, by_fake = _within(real), _within(fake)
    across_real, across_fake = _kernel_sums(real, fake)
    all_real, all_fake, across = by_real.sum(), by_fake.sum(), across_real.sum()
    within_real, within_fake = all_real / (n * (n - 1)), all_fake / (m * (m - 1))
    value = within_real + within_fake - 2 * across / (n * m)
    if min(n, m) < 3:
        return float(value), np.full(n, np.nan), np.full(m, np.nan)
    left_real = (all_real - 2 * by_real) / ((n - 1) * (n - 2))
    left_fake = (all_fake - 2 * by_fake) / ((m - 1) * (m - 2))
    without_real = left_real + within_fake - 2 * (across - across_real) / ((n - 1) * m)
    without_fake = within_real + left_fake - 2 * (across - across_fake) / (n * (m - 1))
    return float(value), without_real, without_fake


def _within(images: Features) -> Distances:
    """Sum of the kernel of each image (n, d) with all others, (n,)."""
    own = np.einsum("nd,nd->n", images, images, dtype=np.float64) / images.shape[1] + 1
    return np.asarray(_kernel_sums(images, images)[0] - own**3)


def _kernel_sums(a: Features, b: Features) -> tuple[Distances, Distances]:
    """Sums of the kernel (a·b/d + 1)³ over b for each a, (n,), and over a for each b, (m,)."""
    rows, columns = np.empty(len(a)), np.zeros(len(b))
    turned = b.T.astype(np.float64)
    for at in range(0, len(a), _AT_ONCE):
        base = a[at : at + _AT_ONCE].astype(np.float64) @ turned / a.shape[1] + 1
        block = base * base * base  # a power takes ten times as long
        rows[at : at + _AT_ONCE] = block.sum(axis=1)
        columns += block.sum(axis=0)
    return rows, columns


def _blocks(a: Features, b: Features) -> Iterator[tuple[slice, Distances]]:
    """Distances between rows of a and all of b, some rows at once; of a row to itself 0."""
    for at in range(0, len(a), _AT_ONCE):
        rows = slice(at, min(at + _AT_ONCE, len(a)))
        block = np.asarray(euclidean_distances(a[rows], b), np.float64)
        if a is b:
            block[np.arange(len(block)), np.arange(rows.start, rows.stop)] = 0
        yield rows, block


def _apart(a: Features, b: Features) -> Distances:
    """Distance of each row of a to the same row of b, from their difference: exact, unlike one from inner products."""
    return np.asarray(np.linalg.norm(a.astype(np.float64) - b, axis=1))
