"""Challenge: the champion's images as one more arm on today's data. `register` asks for it where a yes meets one."""

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from tasks.dataset.manifest import class_names, read_manifest, rows_of
from tasks.evaluate import read_exams
from tasks.select_generator import SEEN
from tasks.support.files import read_json
from tasks.support.params import Images, Params
from tasks.synthesize import synthesize
from tasks.train import train

if TYPE_CHECKING:
    from tasks.classifier.statistics import Difference

PLACE = Path(".state/challenge")  # the champion's images and classifiers on today's data
ARM = "champion"


def challenge(params: Params, champion: Path, arm: str, data: Path = Path("data")) -> "Difference":
    """By how much an arm is more accurate on test than the same arm with the champion's images.

    These are made, filtered and trained on as today's generator's were: of the same classes, as many, with the same
    seeds. That takes as long as `synthesize` and `train` of one arm.

    Args:
        champion: folder of its files.
        arm: the arm with synthetic images that earned today's yes.
    """
    from tasks.classifier.comparison import compare_trained  # deferred: TensorFlow takes seconds to start

    shutil.rmtree(PLACE, ignore_errors=True)
    PLACE.mkdir(parents=True)
    (PLACE / "split").symlink_to((data / "split").absolute())
    (PLACE / "generator").symlink_to(champion.absolute())
    synthesize(params.synthesize, params.images, PLACE)
    contest = params.train.model_copy(update={"arms": {ARM: params.train.arms[arm]}})
    train(contest, params.images, ARM, PLACE)
    exams = read_exams(read_manifest(data / "split"), params.train, params.images, "register")
    folders = data / "classifiers" / arm, PLACE / "classifiers" / ARM
    return compare_trained(params.evaluate, params.train, exams, *folders)


def objection(champion: Path, manifest: pd.DataFrame, images: Images) -> str | None:
    """Why a champion's files cannot be compared on today's data: a sentence without its subject, or None."""
    settings, today = read_json(champion / "generator.json"), class_names(manifest)
    seen = pd.read_csv(champion / SEEN, dtype=str, keep_default_na=False)
    if (classes := sorted(seen["label"].unique())) != today:
        return f"is of the classes {', '.join(classes)}, and today's are {', '.join(today)}"
    if (shape := (settings["size_px"], settings["channels"])) != (images.size_px, images.channels):
        return (
            f"makes images of {shape[0]} px with {shape[1]} channels, and today's have {images.size_px} px with "
            f"{images.channels}"
        )
    test = rows_of(manifest, "test")
    if known := int(test["sha256"].isin(seen["sha256"]).sum()):
        return f"has seen {known} of today's {len(test)} test images, which would flatter it"
    if not rows_of(manifest, "train", "validation")["sha256"].isin(seen["sha256"]).any():
        return "is of other data: it has seen none of today's training and validation images"
    return None
