"""Challenge: the champion's images as one more arm on today's data. `register` asks for it where a yes meets one."""

import shutil
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from tasks.core.files import read_json
from tasks.core.params import Images, Params
from tasks.data.manifest import class_names, label_indices, read_manifest, rows_of, rows_sha256
from tasks.registry.ledger import open_test
from tasks.select_generator import SEEN
from tasks.synthesize import synthesize
from tasks.train import train

if TYPE_CHECKING:
    from tasks.evidence.statistics import Difference

PLACE = Path(".state/challenge")  # the champion's images and classifiers on today's data
ARM = "champion"
_MOST_NAMED = 5  # classes


def challenge(
    params: Params, champion: Path, arm: str, data: Path = Path("data")
) -> "tuple[Difference, dict[str, int]]":
    """By how much an arm is more accurate on test than the same arm with the champion's images, and how many these are
    of each class.

    They are made, filtered and trained on as today's generator's were, with the same seeds; of a class that the
    champion's guards or today's filter refuse there are none. The arm is the one that is best with today's images,
    which favours them. It takes as long as `synthesize` and `train` of one arm.

    Args:
        champion: folder of its files.
        arm: the arm with synthetic images that earned today's yes.
    """
    from tasks.classifier.feeding import read_examples  # deferred: TensorFlow takes seconds to start
    from tasks.classifier.prediction import predict_arm
    from tasks.evidence.comparison import difference_of

    shutil.rmtree(PLACE, ignore_errors=True)
    try:
        PLACE.mkdir(parents=True)
        (PLACE / "split").symlink_to((data / "split").absolute())
        (PLACE / "generator").symlink_to(champion.absolute())
        folders = {name: PLACE / name for name in ("split", "generator", "synthetic")}
        source = {"raw": data / "raw", "split": folders["split"]}
        synthesize(params, folders["synthetic"], **source, generator=folders["generator"])
        contest = replace(params, arms=params.arms | {ARM: params.arms[arm]})
        trained = PLACE / "classifiers" / ARM
        train(contest, trained, **source, synthetic=folders["synthetic"])
        manifest = read_manifest(data / "split")
        classes, test = class_names(manifest), rows_of(manifest, "test")
        open_test(rows_sha256(test), test["sha256"], "register")
        images = read_examples(test, classes, params).images
        one, other = (
            predict_arm(params.train.network, folder, classes, [images])[0]
            for folder in (data / "classifiers" / arm, trained)
        )
        balance = pd.read_csv(PLACE / "synthetic/balance.csv", dtype={"label": str}, keep_default_na=False)
        made = {label: int(count) for label, count in zip(balance["label"], balance["synthetic"], strict=True)}
        return difference_of(params.evaluate, label_indices(test, classes), one, other), made
    finally:
        shutil.rmtree(PLACE, ignore_errors=True)


def objection(champion: Path, manifest: pd.DataFrame, images: Images) -> str | None:
    """Why a champion's files cannot be compared on today's data: a sentence without its subject, or None.

    It must not have seen today's test images, their look-alikes as far as these are still in the data, or images that
    today's arms have to do without.
    """
    if not (champion / SEEN).exists():
        return f"has no {SEEN}, the list of the images it has seen"
    settings, today = read_json(champion / "generator.json"), set(class_names(manifest))
    seen = pd.read_csv(champion / SEEN, dtype=str, keep_default_na=False)
    if differing := sorted(set(seen["label"]) ^ today):
        some = ", ".join(differing[:_MOST_NAMED]) + ("..." if len(differing) > _MOST_NAMED else "")
        return f"is of other classes than today's data, which differ in {some}"
    if (shape := (settings["size_px"], settings["channels"])) != (images.size_px, images.channels):
        return (
            f"makes images of {shape[0]} px with {shape[1]} channels, and today's have {images.size_px} px with "
            f"{images.channels}"
        )
    known, test = manifest["sha256"].isin(seen["sha256"]), rows_of(manifest, "test")
    if found := int((known & manifest["group"].isin(test["group"])).sum()):
        return f"has seen {found} images that are, or look like, some of today's {len(test)} test images"
    if found := int((known & manifest["split"].str.startswith("withheld")).sum()):
        return f"has seen {found} images that today's arms have to do without (split.keep)"
    if not (known & manifest["split"].isin(["train", "validation"])).any():
        return "is of other data: it has seen none of today's images. Set EQUIPOISE_MODEL to keep projects apart"
    return None
