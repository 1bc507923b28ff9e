"""Generators against real images: KID of all snapshots, guards and CAS of those that may be chosen."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from tasks.core.params import Params, SelectGenerator
from tasks.data.images import read_images
from tasks.data.manifest import class_names, label_indices, rows_of
from tasks.gan.scores import Interval
from tasks.networks.checkpoints import Generator, draw_latents, load_generator
from tasks.networks.classifiers import random_network
from tasks.quality.cas import beside_real, cas, labels_to_make
from tasks.quality.guards import EVALUATOR, KID_IMAGES, Measure, Refusal, refusals
from tasks.quality.select import Snapshot, closest, compared_classes, folder_of, rivals
from tasks.quality.spaces import ClassIndices, Labelled, evaluator
from tasks.support.progress import bar

# Without a source: an odd number, of which more than half are always most; each sees all images once more.
RANDOM_NETWORKS = 3
# Generated for the KID of a snapshot, at most: half of what the guards take, as there are many snapshots, and KID is
# unbiased for any number.
SNAPSHOT_IMAGES = 1000
CLASS_IMAGES = KID_IMAGES  # generated of a class for guards, at most: a KID compares no more
_DIGITS = 6
_AT_ONCE = 256  # generated images in memory: as many as a generator makes in one batch

Measured = dict[str, Any]  # of a snapshot, as `Measure.measure` gives it


class Scorer:
    """Scores any generator of the data; made once, as features of real images and classifiers take time.

    Latents and classifiers have the same seeds for every generator: what differs is the generators.
    """

    def __init__(
        self,
        params: SelectGenerator,
        classes: Sequence[str],
        train: Labelled,
        groups: Sequence[str],
        validation: Labelled,
        in_memory_mb: float,
    ) -> None:
        """Args:
        groups: of training images that look alike, of which guards see the first.
        in_memory_mb: megabytes (10^6) of images for a classifier; where there are more, they lie on disk.
        """
        size_px, channels = train.images.shape[2:]
        spaces = {EVALUATOR: evaluator(params.classifier, train, len(classes), params.seed)}
        for number in range(RANDOM_NETWORKS):
            spaces[f"random_{number}"] = random_network(size_px, channels, params.seed + number)
        self._measure = Measure(spaces, train, groups, validation, classes, params.pool_below, params.seed)
        self._params, self._classes, self._train, self._validation = params, list(classes), train, validation
        self._in_memory_mb = in_memory_mb

    def kid(self, generator: Generator) -> Interval:
        """KID of the classes that a generator makes, an image for each validation image, or for every so many."""
        labels = np.sort(self._held_out(generator))
        count = min(len(labels), SNAPSHOT_IMAGES)
        made = self._make(generator, labels[np.arange(count) * len(labels) // count], "kid")
        value = self._measure.kid(self._measure.see(made))
        return Interval(*(round(bound, _DIGITS) for bound in (value.value, value.low, value.high)))

    def guard(self, generator: Generator) -> tuple[Measured, dict[str, Refusal]]:
        """Scores by class of `Measure.measure`, and what a guard has against each class that one refuses."""
        labels, counts = np.unique(self._held_out(generator), return_counts=True)
        wanted = np.repeat(labels, np.minimum(counts * self._params.per_image, CLASS_IMAGES))
        measured = self._measure.measure(self._measure.see(self._make(generator, wanted, "guards")))
        return measured, refusals(measured, self._params.guards, generator.classes)

    def cas(self, generator: Generator, synthetic: Sequence[str]) -> float:
        """Classification accuracy score with generated images of the `synthetic` classes, real ones of all others."""
        params, classes = self._params, len(self._classes)
        indices = [self._classes.index(name) for name in synthetic]
        labels = labels_to_make(params.classifier, self._train.labels, indices, classes)
        taught = beside_real(self._make(generator, labels, "cas"), labels, self._train, self._in_memory_mb)
        seeds = [params.seed + 1 + number for number in range(params.cas_seeds)]  # the evaluator has the first
        return round(cas(params.classifier, taught, self._validation, classes, seeds), _DIGITS)

    def _held_out(self, generator: Generator) -> ClassIndices:
        """Labels of the validation images of the classes that a generator makes."""
        indices = [self._classes.index(name) for name in generator.classes]
        return self._validation.labels[np.isin(self._validation.labels, indices)]

    def _make(self, generator: Generator, labels: ClassIndices, purpose: str) -> Iterator[Labelled]:
        """Images of these labels in batches, from latents that no other purpose has."""
        order = np.empty(len(labels), np.int64)  # of an image among those of its class
        for label in np.unique(labels):
            rows = np.flatnonzero(labels == label)
            order[rows] = np.arange(len(rows))
        for start in range(0, len(labels), _AT_ONCE):
            batch, indices = labels[start : start + _AT_ONCE], order[start : start + _AT_ONCE]
            latents = np.empty((len(batch), generator.latent), np.float32)
            own = np.empty(len(batch), np.int32)
            for label in np.unique(batch):
                rows, name = np.flatnonzero(batch == label), self._classes[label]
                latents[rows] = draw_latents(self._params.seed, f"{purpose}/{name}", indices[rows], generator.latent)
                own[rows] = generator.classes.index(name)
            yield Labelled(generator.generate(latents, own), batch)


def read_scorer(params: Params, manifest: pd.DataFrame) -> Scorer:
    """A scorer that knows the real images of the splits train and validation."""
    classes, splits = class_names(manifest), [rows_of(manifest, name) for name in ("train", "validation")]
    size_px, channels, in_memory_mb = params.images.size_px, params.images.channels, params.machine.in_memory_mb
    train, validation = (
        Labelled(read_images(rows["path"], size_px, channels, in_memory_mb), label_indices(rows, classes))
        for rows in splits
    )
    groups = splits[0]["group"].tolist()
    return Scorer(params.select_generator, classes, train, groups, validation, in_memory_mb)


def score(
    scorer: Scorer, count: int, needed: Sequence[str], generators: Path, places: Sequence[tuple[str, int, int]]
) -> tuple[list[Snapshot], dict[str, Measured]]:
    """All snapshots with their KID, `count` of each training with guards and CAS, and by folder what was measured.

    Args:
        needed: names of the classes that need images.
        places: candidate, seed and epoch of each snapshot below the folder `generators`.
    """
    snapshots, measured = [], {}
    for place in bar(places, "KID", "snapshot"):
        generator = load_generator(generators / folder_of(*place))
        snapshots.append(Snapshot(*place, generator.classes, scorer.kid(generator)))
    for snapshot in bar(closest(snapshots, count), "guards", "snapshot"):
        measured[snapshot.folder], refused = scorer.guard(load_generator(generators / snapshot.folder))
        snapshots[snapshots.index(snapshot)] = replace(snapshot, refused=refused)
    best = rivals(snapshots, needed)
    for number, snapshot in enumerate(bar(snapshots, "CAS", "snapshot")):
        if snapshot.refused is not None:
            compared = compared_classes(best, snapshot)
            cas_of_images = scorer.cas(load_generator(generators / snapshot.folder), compared)
            measured[snapshot.folder]["cas_classes"] = compared
            snapshots[number] = replace(snapshot, cas=cas_of_images)
    return snapshots, measured
