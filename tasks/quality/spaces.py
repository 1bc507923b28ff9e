"""Generated images compared with real ones in one feature space."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

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

NEIGHBOURS = 5  # of density and coverage, as in their paper

Images = NDArray[np.uint8]  # (n, h, w, c)
Labels = NDArray[np.integer[Any]]  # (n,), indices of classes
Extract = Callable[[Images], Features]
Kinds = tuple[int, ...]  # labels of classes that are taken together


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

    def __init__(
        self, extract: Extract, train: Images, train_labels: Labels, validation: Images, labels: Labels
    ) -> None:
        """Take the features of training images and of validation images, which have `labels`."""
        features = extract(train)
        self._extract, self._unit = extract, float(np.sqrt(np.mean(np.square(features)))) or 1.0
        self._train, self._train_labels = features / self._unit, train_labels
        self._validation, self._validation_labels = self.features(validation), labels
        kinds = np.unique(train_labels)
        self._apart = {int(kind): mean_distance(self._train[train_labels == kind]) for kind in kinds}
        self._references: dict[Kinds, _Reference] = {}

    def features(self, images: Images) -> Features:
        """Features in units of the training images' root mean square: no space outweighs others in a mean of KIDs."""
        return self._extract(images) / self._unit

    def held_out(self, kinds: Kinds) -> Features:
        """Features of the validation images of some classes."""
        return self._validation[np.isin(self._validation_labels, kinds)]

    def diversity(self, kind: int, fake: Features) -> float:
        """Diversity of generated images of a class; see `scores.diversity`."""
        apart = self._apart.get(kind, np.nan)
        return mean_distance(fake) / apart if apart else np.nan

    def compare(self, kinds: Kinds, fake: Features, rng: np.random.Generator) -> dict[str, float]:
        """Density, coverage, c_t and authenticity of generated images of some classes, NaN where too few are real.

        Density and coverage are shares of what training images reach, at equal numbers: coverage grows with them.
        """
        if kinds not in self._references:
            self._references[kinds] = self._reference(kinds)
        real = self._references[kinds]
        scores = dict.fromkeys(("density", "coverage", "c_t", "authenticity"), np.nan)
        if len(real.held_out) < 2 or len(real.train) < 2:
            return scores
        distances, found = nearest(fake, real.train)
        scores["c_t"] = copying(distances, real.fresh)
        scores["authenticity"] = authenticity(distances, real.neighbours[found])
        if len(real.held_out) > NEIGHBOURS:
            count = min(len(real.train), len(fake))
            covered, reachable = (
                coverage(real.held_out, real.radii, images[rng.permutation(len(images))[:count]])
                for images in (fake, real.train)
            )
            scores["density"] = share(density(real.held_out, real.radii, fake, NEIGHBOURS), real.density)
            scores["coverage"] = share(covered, reachable)
        return scores

    def _reference(self, kinds: Kinds) -> _Reference:
        train, held_out = self._train[np.isin(self._train_labels, kinds)], self.held_out(kinds)
        radii = reach(held_out, NEIGHBOURS)
        reached = density(held_out, radii, train, NEIGHBOURS)
        return _Reference(train, held_out, radii, nearest(held_out, train)[0], reach(train, 1), reached)


def share(value: float, of: float) -> float:
    """One value as a share of another; NaN where that is not above 0."""
    return value / of if of > 0 else np.nan
