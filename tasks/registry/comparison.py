"""The champion's images as one more arm on today's data, where a generator that earned a yes meets one."""

import shutil
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from tasks.core.files import read_json
from tasks.core.params import Images, Params
from tasks.data.balance import plan
from tasks.data.manifest import class_names, label_indices, read_manifest, rows_of, rows_sha256
from tasks.registry.ledger import open_test
from tasks.registry.packaged import running
from tasks.registry.packaging import Package, Unusable

PLACE = Path(".state/comparison")  # the champion's images and classifiers on today's data
SEEN = "seen.csv"  # of a generator: the images that it learnt from and was chosen on
_ARM = "champion"
_MOST_NAMED = 5  # classes


@dataclass(frozen=True)
class Gain:
    """By how much today's arm is more accurate on test than the same arm with the champion's images.

    Attributes:
        low, high: bounds of the interval of the difference of balanced accuracies.
        images: how many the champion's arm was trained with, by class.
    """

    mean: float
    low: float
    high: float
    images: dict[str, int]


def compare_with(champion: Package, params: Params, arm: str, data: Path) -> Gain:
    """The gain of an arm over the champion's images.

    The champion makes them as it was packaged, in a process of its own. They are filtered and trained on as today's
    generator's were, with the same seeds; of a class that the champion's guards or today's filter refuse there are
    none. The arm is the one that is best with today's images, which favours them. It takes as long as `synthesize` and
    `train` of one arm. Test images are opened.

    Args:
        arm: the arm with synthetic images that earned today's yes.

    Raises:
        Unusable: the champion does not run here.
    """
    from tasks.evidence.comparison import difference_of

    manifest = read_manifest(data / "split")
    labels = label_indices(rows_of(manifest, "test"), class_names(manifest))
    with np.load(data / f"evaluation/predictions/{arm}.npz", allow_pickle=False) as predictions:
        todays = predictions["test"]
    shutil.rmtree(PLACE, ignore_errors=True)
    try:
        predicted, images = _predict(champion, params, arm, manifest)
    finally:
        shutil.rmtree(PLACE, ignore_errors=True)
    difference = difference_of(params.evaluate, labels, todays, predicted)
    return Gain(difference.mean, difference.low, difference.high, images)


def _predict(
    champion: Package, params: Params, arm: str, manifest: pd.DataFrame
) -> tuple[NDArray[np.float32], dict[str, int]]:
    """Probabilities float32 (seeds, n, classes) of the test images by the arm with the champion's images, and how many
    these are of each class."""
    from tasks.classifier.feeding import read_examples  # deferred: TensorFlow takes seconds to start
    from tasks.classifier.prediction import predict_arm
    from tasks.classifier.training import train_arm
    from tasks.quality.balanced import balance_of, with_synthetic
    from tasks.quality.synthesis import fill_classes

    promises = plan(rows_of(manifest, "train"), _selected(champion), params.synthesize)
    synthetic, trained, seed = PLACE / "synthetic", PLACE / _ARM, params.synthesize.seed
    for folder in (synthetic, trained):
        folder.mkdir(parents=True)
    with running(champion, seed) as make:
        filled = fill_classes(params, manifest, promises, make, synthetic)
    origin = {"generator": champion.version, "run": _ARM, "seed": seed}
    rows = with_synthetic(manifest, filled.rows, synthetic, origin)
    train_arm(replace(params, arms=params.arms | {_ARM: params.arms[arm]}), _ARM, rows, trained)
    classes, test = class_names(manifest), rows_of(manifest, "test")
    open_test(rows_sha256(test), test["sha256"], "register")
    images = read_examples(test, classes, params).images
    (predicted,) = predict_arm(params.train.network, trained, classes, [images])
    balance = balance_of(promises, filled.fillings)
    return predicted, {label: int(n) for label, n in zip(balance["label"], balance["synthetic"], strict=True)}


def objection(champion: Package, manifest: pd.DataFrame, images: Images) -> str | None:
    """Why a champion cannot be compared on today's data: a sentence without its subject, or None.

    It must not have seen today's test images, their look-alikes as far as these are still in the data, or images that
    today's arms have to do without.

    Raises:
        Unusable: it does not say what it has seen.
    """
    today, seen = set(class_names(manifest)), _seen(champion)
    if differing := sorted(set(seen["label"]) ^ today):
        names = ", ".join(differing[:_MOST_NAMED]) + ("..." if len(differing) > _MOST_NAMED else "")
        return f"is of other classes than today's data, which differ in {names}"
    size_px, _, channels = champion.image_shape
    if (size_px, channels) != (images.size_px, images.channels):
        return (
            f"makes images of {size_px} px with {channels} channels, and today's have {images.size_px} px with "
            f"{images.channels}"
        )
    known, test = manifest["sha256"].isin(seen["sha256"]), rows_of(manifest, "test")
    if count := int((known & manifest["group"].isin(test["group"])).sum()):
        return f"has seen {count} images that are, or look like, some of today's {len(test)} test images"
    if count := int((known & manifest["split"].str.startswith("withheld")).sum()):
        return f"has seen {count} images that today's arms have to do without (split.keep)"
    if not (known & manifest["split"].isin(["train", "validation"])).any():
        return "is of other data: it has seen none of today's images. Set EQUIPOISE_MODEL to keep projects apart"
    return None


def _seen(champion: Package) -> pd.DataFrame:
    try:
        return pd.read_csv(champion.files / SEEN, dtype=str, keep_default_na=False)[["sha256", "label"]]
    except (OSError, KeyError, ValueError) as error:
        raise Unusable(f"version {champion.version} has no {SEEN} that lists the images it has seen") from error


def _selected(champion: Package) -> Mapping[str, Any]:
    """What the champion's guards refused, by class."""
    try:
        classes = read_json(champion.files / "selection.json")["classes"]
        return {label: {"refused": scores["refused"]} for label, scores in classes.items()}
    except (OSError, KeyError, TypeError, ValueError, AttributeError) as error:
        raise Unusable(f"version {champion.version} has no selection.json that names what it refuses") from error
