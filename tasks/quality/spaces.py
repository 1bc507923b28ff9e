"""Feature spaces: what images are compared by, and generated images beside real ones in one of them."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tasks.classifier.feeding import Examples
from tasks.classifier.prediction import features_of, fit
from tasks.core.params import Training
from tasks.gan.scores import (
    Distances,
    Features,
    authenticity,
    copying,
    coverage,
    density,
    mean_distance,
    nearest,
    reach,
)
from tasks.networks.classifiers import OfImages

NEIGHBOURS = 5  # of density and coverage: the k of Naeem et al. 2020, section 5.1

Pixels = NDArray[np.uint8]  # images (n, h, w, c)
ClassIndices = NDArray[np.integer[Any]]  # (n,), into the classes of the data
Extract = Callable[[Pixels], Features]
Together = tuple[int, ...]  # indices of classes whose images are taken together


@dataclass(frozen=True)
class Labelled:
    """Images uint8 (n, h, w, c) and their labels int (n,), which index the classes of the data."""

    images: Pixels
    labels: ClassIndices


def evaluator(training: Training, real: Labelled, classes: int, seed: int) -> OfImages:
    """A function from images to what a classifier of these real ones decides by: the input of its last layer.

    It sees what makes a class, and overlooks what does not.

    Args:
        real: training images, with labels below `classes`.
    """
    examples = Examples(real.images, real.labels, np.zeros(len(real.labels), np.bool_))
    return features_of(fit(training, examples, classes, seed))


@dataclass(frozen=True)
class _Reference:
    """Real images of some classes in one space, and what is known of them alone.

    Attributes:
        radii: (held out,), distances to the `NEIGHBOURS`-th nearest other held-out image.
        fresh: (held out,), distances to the nearest training image.
        neighbours: (train,), distances of training images to their nearest other one.
        density: of the training images, taken as if generated.
    """

    train: Features
    held_out: Features
    radii: Distances
    fresh: Distances
    neighbours: Distances
    density: float


class Space:
    """Real images in one feature space, where what is known of them alone is taken once."""

    def __init__(self, extract: Extract, train: Labelled, distinct: NDArray[np.intp], validation: Labelled) -> None:
        """Take the features of the training images at the positions `distinct`, and of all validation images."""
        features, labels = extract(train.images)[distinct], train.labels[distinct]
        self._extract, self._unit = extract, float(np.sqrt(np.mean(np.square(features)))) or 1.0
        self._train, self._train_labels = features / self._unit, labels
        self._validation, self._validation_labels = self.features(validation.images), validation.labels
        self._apart = {int(label): mean_distance(self._train[labels == label]) for label in np.unique(labels)}
        self._references: dict[Together, _Reference] = {}

    def features(self, images: Pixels) -> Features:
        """Features in units of the training images' root mean square: no space outweighs others in a mean of KIDs."""
        return self._extract(images) / self._unit

    def held_out(self, classes: Together) -> Features:
        """Features of the validation images of some classes."""
        return self._validation[np.isin(self._validation_labels, classes)]

    def diversity(self, label: int, fake: Features) -> float:
        """Diversity of generated images of a class; see `scores.diversity`."""
        apart = self._apart.get(label, np.nan)
        return mean_distance(fake) / apart if apart else np.nan

    def compare(self, classes: Together, fake: Features, rng: np.random.Generator) -> dict[str, float]:
        """Density, coverage, c_t and authenticity of generated images of some classes, NaN where too few are real.

        Density and coverage are shares of what training images reach, at equal numbers: coverage grows with them.
        """
        if classes not in self._references:
            self._references[classes] = self._reference(classes)
        real = self._references[classes]
        scores = dict.fromkeys(("density", "coverage", "c_t", "authenticity"), np.nan)
        if len(real.held_out) < 2 or len(real.train) < 2:
            return scores
        distances, positions = nearest(fake, real.train)
        scores["c_t"] = copying(distances, real.fresh)
        scores["authenticity"] = authenticity(distances, real.neighbours[positions])
        if len(real.held_out) > NEIGHBOURS:
            count = min(len(real.train), len(fake))
            covered, reachable = (
                coverage(real.held_out, real.radii, images[rng.permutation(len(images))[:count]])
                for images in (fake, real.train)
            )
            scores["density"] = share(density(real.held_out, real.radii, fake, NEIGHBOURS), real.density)
            scores["coverage"] = share(covered, reachable)
        return scores

    def _reference(self, classes: Together) -> _Reference:
        train, held_out = self._train[np.isin(self._train_labels, classes)], self.held_out(classes)
        radii = reach(held_out, NEIGHBOURS)
        reached = density(held_out, radii, train, NEIGHBOURS)
        return _Reference(train, held_out, radii, nearest(held_out, train)[0], reach(train, 1), reached)


def share(value: float, of: float) -> float:
    """One value as a share of another; NaN where that is not above 0."""
    return value / of if of > 0 else np.nan
