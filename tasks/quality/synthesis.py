"""Synthetic images of all classes that lack some, filtered, with their rows of a manifest."""

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import zip_longest
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from tasks.core.files import sha256_of
from tasks.core.params import Params, Synthesize
from tasks.data.balance import Promise
from tasks.data.images import read_images, write_image
from tasks.data.manifest import class_names, label_indices, rows_of
from tasks.networks.checkpoints import draw_latents, load_generator
from tasks.quality.fill import ROUND, Filling, Made, fill
from tasks.quality.filter import ACCEPTED, REASONS, ClassFilter, Real, assign_folds, class_filter, train_classifiers
from tasks.support.progress import bar

Make = Callable[[str, int, int], NDArray[np.uint8]]  # images uint8 (count, h, w, c) of a class, a start and a count

UNFILTERED = ".unfiltered"  # the folder of what the generator made first, filtered or not
_SHOWN_CLASSES, _SHOWN = 20, 6  # classes with examples, and images accepted and refused of each


@dataclass(frozen=True)
class Filled:
    """What came of filling classes.

    Attributes:
        fillings: by class.
        rows: of the images written.
        examples: of each image kept to be shown a row of examples.csv, with `image` and that of the nearest real one.
    """

    fillings: dict[str, Filling]
    rows: list[dict[str, Any]]
    examples: list[dict[str, Any]]


@dataclass(frozen=True)
class _Class:
    """A class to fill: its filter, and the paths and pixels uint8 (n, h, w, c) of all real images of it in `rows`."""

    label: str
    filter: ClassFilter
    real: NDArray[np.uint8]
    places: NDArray[np.int64]
    paths: list[str]

    def nearest(self, made: Made) -> NDArray[np.uint8]:
        return np.array(self.real[self.places[made.nearest]])


def maker(folder: Path, seed: int) -> Make:
    """Images of the generator in a folder, which is read when the first is asked for."""
    generator = cache(load_generator)

    def make(label: str, start: int, count: int) -> NDArray[np.uint8]:
        latents = draw_latents(seed, label, range(start, start + count), generator(folder).latent)
        return generator(folder).generate(latents, np.full(count, generator(folder).classes.index(label), np.int32))

    return make


def fill_classes(
    params: Params, manifest: pd.DataFrame, promises: Sequence[Promise], make: Make, folder: Path
) -> Filled:
    """Make and filter the images promised, and write <class>/<number>.png of those kept into `folder`.

    Below .unfiltered/<class> it also writes as many images of each class that were made first, for a comparison. Of
    real images those of the split train are opened. At most `machine.in_memory_mb` of their pixels are in memory.
    """
    filled, wanted = Filled({}, [], []), {one.label: one.synthetic for one in promises if one.synthetic}
    if not wanted:
        return filled
    settings, classes, train = params.synthesize, class_names(manifest), rows_of(manifest, "train")
    real = _read_real(params, train, classes)
    classifiers = train_classifiers(settings.filter.classifier, real, len(classes), settings.seed)
    for label, count in bar(wanted.items(), "synthesize", "class"):
        kind = classes.index(label)
        places = np.flatnonzero(real.labels == kind)
        filter_ = class_filter(settings.filter, classifiers, real, kind)
        one = _Class(label, filter_, real.images, places, train["path"].iloc[places].tolist())
        filling, rows = _fill_one(settings, one, count, make, folder)
        filled.fillings[label] = filling
        filled.rows.extend(rows)
        if len(filled.fillings) <= _SHOWN_CLASSES:
            filled.examples.extend(_examples(one, filling))
    return filled


def _read_real(params: Params, train: pd.DataFrame, classes: list[str]) -> Real:
    settings, in_memory_mb = params.synthesize, params.machine.in_memory_mb
    labels, groups = label_indices(train, classes), pd.factorize(train["group"])[0]
    folds = assign_folds(labels, groups, settings.filter.folds, np.random.default_rng(settings.seed))
    images = read_images(train["path"], params.images.size_px, params.images.channels, in_memory_mb)
    return Real(images, labels, groups, folds, in_memory_mb)


def _fill_one(
    params: Synthesize, one: _Class, wanted: int, make: Make, folder: Path
) -> tuple[Filling, list[dict[str, Any]]]:
    """What came of one class, and the rows of its images in `folder`: none of either where the class is given up."""
    rows: list[dict[str, Any]] = []
    (folder / one.label).mkdir()

    def keep(made: Made) -> None:
        path = folder / one.label / f"{len(rows):06d}.png"
        write_image(path, made.image)
        lineage = {
            "latent_index": made.latent_index,
            "filter_probability": made.probability,
            "filter_distance": made.distance,
            "nearest_real": one.paths[made.nearest],
            "nearest_distance": _difference(made.image, one.nearest(made)),
        }
        rows.append(_row(one.label, "train", path, folder, made.image) | lineage)

    filling = fill(params.filter, one.filter, wanted, lambda start, count: make(one.label, start, count), keep)
    if filling.abstained:
        shutil.rmtree(folder / one.label)
        return filling, []
    return filling, rows + _write_unfiltered(folder, one.label, wanted, make)


def _write_unfiltered(folder: Path, label: str, wanted: int, make: Make) -> list[dict[str, Any]]:
    """Rows of the images that the generator made first, written as they are."""
    rows = []
    (folder / UNFILTERED / label).mkdir(parents=True)
    for start in range(0, wanted, ROUND):
        for index, image in enumerate(make(label, start, min(ROUND, wanted - start)), start):
            path = folder / UNFILTERED / label / f"{index:06d}.png"
            write_image(path, image)
            rows.append(_row(label, "unfiltered", path, folder, image) | {"latent_index": index})
    return rows


def _row(label: str, split: str, path: Path, folder: Path, image: NDArray[np.uint8]) -> dict[str, Any]:
    height, width, channels = image.shape
    size, sha256 = path.stat().st_size, sha256_of(path)
    of_class = {"label": label, "split": split, "natural_test": False}
    of_file = {"path": path.relative_to(folder).as_posix(), "bytes": size, "sha256": sha256, "group": sha256}
    of_pixels = {"format": "PNG", "width": width, "height": height, "mode": "L" if channels == 1 else "RGB"}
    return of_class | of_file | of_pixels


def _difference(image: NDArray[np.uint8], other: NDArray[np.uint8]) -> float:
    return round(float(np.sqrt(((image.astype(np.float64) - other) ** 2).mean())), 4)


def _examples(one: _Class, filling: Filling) -> list[dict[str, Any]]:
    """Accepted images, and refused ones of each reason in turn, with the nearest real ones."""
    in_turn = zip_longest(*(filling.examples.get(reason, []) for reason in REASONS))
    refused = [made for several in in_turn for made in several if made][:_SHOWN]
    refused.sort(key=lambda made: REASONS.index(made.outcome))
    return [
        {
            "label": one.label,
            "outcome": made.outcome,
            "latent_index": made.latent_index,
            "probability": made.probability,
            "distance": made.distance,
            "nearest_real": one.paths[made.nearest],
            "image": made.image,
            "nearest": one.nearest(made),
        }
        for made in [*filling.examples.get(ACCEPTED, [])[:_SHOWN], *refused]
    ]
