"""Select the generator: the snapshots of all candidates compared on validation images, the best one kept with why."""

import shutil
from pathlib import Path

import pandas as pd

from tasks.core.files import TRAINING_STATE, remove_others, replacing
from tasks.core.params import Params
from tasks.data.manifest import class_names, read_manifest, rows_of
from tasks.support.commands import stage_command
from tasks.support.progress import log
from tasks.support.stages import stage

COPIED = ("generator.npz", "generator.json", "samples.npz")
SEEN = "seen.csv"  # the images by which the generator was trained and selected


@stage(
    params=("compute", "images", "select_generator", "candidates"),
    rooms=("data", "networks", "gan", "classifier", "quality"),
    out="generator",
)
def select_generator(params: Params, out: Path, *, raw: Path, split: Path, generators: Path) -> None:
    """Write generator.npz, generator.json and samples.npz of the best snapshot, selection.json, scores.csv of all
    snapshots, and seen.csv: hash, label and split of each image by which it was trained or selected.

    KID is taken of every snapshot; guards are asked, and classifiers learn from the images, only of the `cas_snapshots`
    with the lowest KID of each training. `choose` has the rule; classes that need images are all but the largest in
    train. Images of the splits train and validation are opened. Outputs and states of candidates that the parameters
    no longer name are removed.

    Raises:
        BadInput: no training left a snapshot.
    """
    from tasks.quality import records, scorer, select  # deferred: TensorFlow takes seconds to start

    for place in (generators, TRAINING_STATE):  # here, where no candidate is in training
        remove_others(place, set(params.candidates))
    trainings, manifest = records.read_trainings(generators, params.candidates), read_manifest(split)
    needed, count = records.needed_classes(manifest), params.select_generator.cas_snapshots
    scores = scorer.read_scorer(params, manifest)
    snapshots, measured = scorer.score(scores, count, needed, generators, trainings.places)
    choice = select.choose(snapshots, needed, count)
    with replacing(out) as folder:
        for name in COPIED:
            shutil.copyfile(generators / choice.winner.folder / name, folder / name)
        records.write_records(folder, choice, snapshots, measured, class_names(manifest), trainings)
        _seen(manifest).to_csv(folder / SEEN, index=False)
    log.info("  %s: KID %.4f, CAS %.4f", choice.winner.folder, choice.winner.kid.value, choice.winner.cas)


def _seen(manifest: pd.DataFrame) -> pd.DataFrame:
    rows = rows_of(manifest, "train", "validation")[["sha256", "label", "split"]]
    return rows.sort_values(["sha256", "label"])


if __name__ == "__main__":
    stage_command(select_generator)
