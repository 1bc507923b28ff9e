"""Which generated images are kept: measured by classifiers that learnt from real training images alone.

Each classifier has not seen one fold of the real training images. A real image is measured by the classifier that has
not seen it, a generated one by one classifier as well, in turn: the mean over several classifiers varies less than what
one says, and quantiles of the one do not fit the other. Measured like this, a fresh real image cannot be told from
those that the bounds come from, so that the share of them that is accepted is the one that the quantiles say.
"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tasks.classifier.feeding import Examples
from tasks.classifier.prediction import features_of, fit, probabilities_of
from tasks.core.params import Filter, Training
from tasks.data.images import empty_images
from tasks.networks.classifiers import OfImages

Images = NDArray[np.uint8]
Integers = NDArray[np.integer[Any]]

ACCEPTED = "accepted"
REASONS = ("copy", "unlikely", "outlier")
_AT_ONCE = 256
_NO_GROUP = -1
_DECIMALS = 4  # that are written: in further ones, classifiers that are sure of everything would still differ
_LEAST_SCALE = 1e-12  # of a classifier to which most real images are alike


@dataclass(frozen=True)
class Real:
    """The real training images.

    Attributes:
        images: uint8 (n, h, w, c), in memory or on disk.
        labels: int (n,).
        groups: int (n,), from 0; images of one group look alike and share a label.
        folds: int (n,), the classifier that has not seen an image.
        in_memory_mb: megabytes (10^6) of pixels above which a part of the images lies on disk as well.
    """

    images: Images
    labels: Integers
    groups: Integers
    folds: Integers
    in_memory_mb: float = math.inf

    def part(self, members: NDArray[np.bool_]) -> Images:
        """The images of which `members` bool (n,) is true."""
        places = np.flatnonzero(members)
        images = empty_images((len(places), *self.images.shape[1:]), self.in_memory_mb)
        for start in range(0, len(places), _AT_ONCE):
            images[start : start + _AT_ONCE] = self.images[places[start : start + _AT_ONCE]]
        return images


@dataclass(frozen=True)
class FoldClassifier:
    """A classifier that has not seen one fold, as functions from images uint8 (n, h, w, c).

    Attributes:
        probabilities: to float32 (n, classes).
        features: to float32 (n, d).
    """

    probabilities: OfImages
    features: OfImages


@dataclass(frozen=True)
class Bounds:
    """Of a class: accepted are a probability of at least `min_probability`, and a distance above `min_distance`, where
    copies are, and of at most `max_distance`."""

    min_probability: float
    min_distance: float
    max_distance: float


@dataclass(frozen=True)
class Assessment:
    """What the filter says about n images meant to show one class.

    Attributes:
        probability: float64 (n,), of the class.
        distance: float64 (n,), to the nearest real image of the class; 1 is usual for a real one.
        nearest: int64 (n,), that image's index among the real ones of the class.
        outcome: str (n,), ACCEPTED or one of REASONS, for which the image is refused.
    """

    probability: NDArray[np.float64]
    distance: NDArray[np.float64]
    nearest: NDArray[np.int64]
    outcome: NDArray[np.str_]


@dataclass(frozen=True)
class ClassFilter:
    """Decides about images meant to show the class `kind`.

    Attributes:
        classifiers: they take turns.
        scales: by which each classifier's distances are divided.
        references: the features (n, d) of all real images of the class, in each classifier's view.
    """

    kind: int
    bounds: Bounds
    classifiers: list[FoldClassifier]
    scales: NDArray[np.float64]
    references: list[NDArray[np.float32]]

    def assess(self, images: Images, first: int) -> Assessment:
        """The assessment of generated images uint8 (n, h, w, c), of which the generator made `first` before them."""
        turn = (first + np.arange(len(images))) % len(self.classifiers)
        probability, distance = np.zeros((2, len(images)))
        closest = np.zeros(len(images), np.int64)
        for number in np.unique(turn):
            members, classifier, reference = turn == number, self.classifiers[number], self.references[number]
            probability[members] = classifier.probabilities(images[members])[:, self.kind]
            strangers, groups = np.full(members.sum(), _NO_GROUP), np.arange(len(reference))
            away, closest[members] = nearest(classifier.features(images[members]), strangers, reference, groups)
            distance[members] = away / self.scales[number]
        probability, distance = _recorded(probability), _recorded(distance)
        return Assessment(probability, distance, closest, _outcomes(self.bounds, probability, distance))


def assign_folds(labels: Integers, groups: Integers, folds: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Fold int64 (n,) of each real image, the same for all of a group.

    The groups of a class are dealt in turn, in an order drawn by `rng`; the next class goes on where it ended. So each
    fold has as many groups of a class as any other, give or take one: at least one where the class has as many groups
    as there are folds (a class of fewer is never filled). Every classifier sees some of each class of two or more.
    """
    _, first, group = np.unique(groups, return_index=True, return_inverse=True)
    order = rng.permutation(len(first))
    order = order[np.argsort(labels[first[order]], kind="stable")]
    dealt = np.empty(len(first), np.int64)
    dealt[order] = np.arange(len(first)) % folds
    return np.asarray(dealt[group])


def train_classifiers(params: Training, real: Real, classes: int, seed: int) -> list[FoldClassifier]:
    """One classifier for each fold, trained on the real images of all other folds."""
    classifiers = []
    for fold in range(int(real.folds.max()) + 1):
        seen = real.folds != fold
        examples = Examples(real.part(seen), real.labels[seen], np.zeros(seen.sum(), np.bool_))
        model = fit(params, examples, classes, seed + fold)
        classifiers.append(FoldClassifier(probabilities_of(model), features_of(model)))
    return classifiers


def class_filter(params: Filter, classifiers: list[FoldClassifier], real: Real, kind: int) -> ClassFilter:
    """The filter of the class `kind`, which has a group in every fold.

    A real image's distance is that to the nearest of its class in another group, whether its classifier has seen that
    one or not: only so is a copy found by whichever classifier it comes to. A classifier's distances are divided by the
    median of those that it finds for all images of the class: those of different classifiers are else not comparable.
    """
    own = real.labels == kind
    images, groups, folds = real.part(own), real.groups[own], real.folds[own]
    references = [classifier.features(images) for classifier in classifiers]
    scales = np.empty(len(classifiers))
    probability, distance = np.empty((2, len(images)))
    for number, (classifier, features) in enumerate(zip(classifiers, references, strict=True)):
        away, _ = nearest(features, groups, features, groups)
        scales[number] = max(float(np.median(away)), _LEAST_SCALE)
        unseen = folds == number
        distance[unseen] = away[unseen] / scales[number]
        probability[unseen] = classifier.probabilities(real.part(own & (real.folds == number)))[:, kind]
    bounds = Bounds(
        _quantile(_recorded(probability), params.min_probability_quantile),
        _quantile(_recorded(distance), params.min_distance_quantile),
        _quantile(_recorded(distance), params.max_distance_quantile),
    )
    return ClassFilter(kind, bounds, classifiers, scales, references)


def nearest(
    features: NDArray[np.float32], own: Integers, real: NDArray[np.float32], groups: Integers
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Euclidean distance float64 (n,) from each row of `features` (n, d) to its nearest row of `real` (m, d), and that
    row's index, int64 (n,). Rows of `real` whose group int (m,) is a row's own int (n,) are left out."""
    distances, indices = np.empty(len(features)), np.empty(len(features), np.int64)
    middle = real.mean(axis=0)
    centred = real - middle  # the expanded square is exact where lengths are small
    lengths = (centred**2).sum(axis=1)
    for start in range(0, len(features), _AT_ONCE):
        rows = slice(start, start + _AT_ONCE)
        squares = lengths - 2 * (features[rows] - middle) @ centred.T  # less the row's own, which changes no order
        squares[own[rows, None] == groups] = np.inf
        indices[rows] = squares.argmin(axis=1)
        distances[rows] = np.linalg.norm(features[rows].astype(np.float64) - real[indices[rows]], axis=1)
    return distances, indices


def _quantile(values: NDArray[np.float64], quantile: float) -> float:
    """The value below which a further draw of the same distribution falls with a probability of `quantile`.

    That is the place quantile x (n + 1) in the order of n values (Hyndman & Fan 1996, definition 6), or the first or
    last place where n is too small to have that one. NumPy's own choice lies too far inside for few values.
    """
    return round(float(np.quantile(values, quantile, method="weibull")), _DECIMALS)


def _outcomes(bounds: Bounds, probability: NDArray[np.float64], distance: NDArray[np.float64]) -> NDArray[np.str_]:
    # Negated so that a value which is no number is refused.
    failed = [
        distance <= bounds.min_distance,
        ~(probability >= bounds.min_probability),
        ~(distance <= bounds.max_distance),
    ]
    return np.select(failed, REASONS, ACCEPTED)


def _recorded(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """The values as they are written, so that each decision can be checked from what is written."""
    return np.round(values, _DECIMALS)
