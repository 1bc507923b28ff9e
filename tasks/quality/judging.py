"""Snapshots against real images: KID of all of them, guards and CAS of those that may be chosen."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tasks.core.params import SelectGenerator
from tasks.gan.scores import Interval
from tasks.networks.checkpoints import Generator, draw_latents
from tasks.networks.features import random_network
from tasks.quality.cas import cas, labels_to_make
from tasks.quality.evaluator import evaluator
from tasks.quality.guards import EVALUATOR, Labelled, Measure, refusals

_RANDOM_NETWORKS = 3
_KID_IMAGES = 1000  # generated for the KID of a snapshot, at most
_CLASS_IMAGES = 2000  # generated of a class for guards, at most
_DIGITS = 6
_SUMMARISED = ("diversity", "coverage", "density", "c_t", "authenticity")


class Judge:
    """What is known of any generator of the data: made once, as features of real images and classifiers take time.

    Latents and classifiers have the same seeds for every generator: what differs is the generators.
    """

    def __init__(
        self,
        params: SelectGenerator,
        classes: Sequence[str],
        train: Labelled,
        groups: Sequence[str],
        validation: Labelled,
    ) -> None:
        """Args: `groups` of training images that look alike, of which guards see the first."""
        size_px, channels = train.images.shape[2:]
        spaces = {EVALUATOR: evaluator(params.classifier, train.images, train.labels, len(classes), params.seed)}
        for number in range(_RANDOM_NETWORKS):
            spaces[f"random_{number}"] = random_network(size_px, channels, params.seed + number)
        firsts = np.sort(np.unique(groups, return_index=True)[1])
        distinct = Labelled(train.images[firsts], train.labels[firsts])
        self._measure = Measure(spaces, distinct, validation, classes, params.pool_below, params.seed)
        self._params, self._classes, self._train, self._validation = params, list(classes), train, validation

    def kid(self, generator: Generator) -> Interval:
        """KID of the classes that a generator makes, an image for each validation image, or for every so many."""
        labels = np.sort(self._held_out(generator))
        count = min(len(labels), _KID_IMAGES)
        found = self._measure.kid(self._make(generator, labels[np.arange(count) * len(labels) // count], "kid"))
        return Interval(*(round(value, _DIGITS) for value in (found.value, found.low, found.high)))

    def guard(self, generator: Generator) -> tuple[dict[str, Any], dict[str, str]]:
        """Scores by class of `Measure.measure`, and the sentence of a guard for each class that one refuses."""
        kinds, counts = np.unique(self._held_out(generator), return_counts=True)
        labels = np.repeat(kinds, np.minimum(counts * self._params.per_image, _CLASS_IMAGES))
        measured = self._measure.measure(self._make(generator, labels, "guards"))
        return measured, refusals(measured, self._params.guards, generator.classes)

    def cas(self, generator: Generator, synthetic: Sequence[str]) -> float:
        """Classification accuracy score with generated images of the `synthetic` classes, real ones of all others."""
        params, kinds = self._params, [self._classes.index(name) for name in synthetic]
        labels = labels_to_make(params.classifier, self._train.labels, kinds, len(self._classes))
        made = self._make(generator, labels, "cas")
        seeds = [params.seed + 1 + number for number in range(params.cas_seeds)]  # the evaluator has the first
        return round(cas(params.classifier, made, self._train, self._validation, len(self._classes), seeds), _DIGITS)

    def _held_out(self, generator: Generator) -> NDArray[np.integer[Any]]:
        """Labels of the validation images of the classes that a generator makes."""
        kinds = [self._classes.index(name) for name in generator.classes]
        return self._validation.labels[np.isin(self._validation.labels, kinds)]

    def _make(self, generator: Generator, labels: NDArray[np.integer[Any]], purpose: str) -> Labelled:
        """Images of these labels, from latents that no other purpose has."""
        latents = np.empty((len(labels), generator.latent), np.float32)
        own = np.empty(len(labels), np.int32)
        for label in np.unique(labels):
            rows, name = np.flatnonzero(labels == label), self._classes[label]
            latents[rows] = draw_latents(self._params.seed, f"{purpose}/{name}", range(len(rows)), generator.latent)
            own[rows] = generator.classes.index(name)
        return Labelled(generator.generate(latents, own), labels)


def summary(measured: Mapping[str, Any]) -> dict[str, float]:
    """Least and mean over classes of each score in the mean over feature spaces, where there are any."""
    found = {}
    for score in _SUMMARISED:
        by_class = [
            np.mean(known)
            for scores in measured["classes"].values()
            if (known := [value for value in scores[score].values() if value is not None])
        ]
        if by_class:
            found[f"{score}_least"] = round(float(min(by_class)), _DIGITS)
            found[f"{score}_mean"] = round(float(np.mean(by_class)), _DIGITS)
    return found
