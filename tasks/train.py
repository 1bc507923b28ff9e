"""Train classifiers: one arm, all its seeds in one process."""

import math
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from tasks.core.files import replacing, write_json
from tasks.core.params import Arm, Params
from tasks.core.params.roles import augmentation_of, side_px
from tasks.data.images import read_images
from tasks.data.manifest import class_names, label_indices, read_manifest, rows_of
from tasks.support.commands import stage_command
from tasks.support.errors import BadInput
from tasks.support.progress import bar, log
from tasks.support.stages import stage
from tasks.support.tracking import child_run

if TYPE_CHECKING:
    from tasks.classifier.training import Record


@stage(
    params=("compute", "images", "train", "augmentations", "arms"),
    rooms=("data", "networks", "classifier"),
    out="classifiers",
    each="arms",
)
def train(params: Params, out: Path, *, raw: Path, split: Path, synthetic: Path) -> None:
    """Write weights.npz (all seeds), classes.json, history.csv, and pictures of what the arm `name` trains on.

    An arm reads the rows of its `rows`, and trains on those of `training_rows`. No arm opens the test set.

    Raises:
        BadInput: a loss is no number.
    """
    from tasks.classifier.steps import Examples  # deferred: TensorFlow takes seconds to start
    from tasks.classifier.training import train_seeds
    from tasks.networks.weights import save_weights
    from tasks.report.batches import draw_pictures

    name, settings = out.name, params.train
    arm = params.arms[name]
    augmentation = augmentation_of(params.augmentations, arm)
    manifest = read_manifest(synthetic if arm.rows == "synthetic" else split)
    classes = class_names(manifest)
    training = Examples(*_read(training_rows(manifest, arm), classes, params))
    validation = Examples(*_read(rows_of(manifest, "validation"), classes, params))
    with replacing(out) as folder, child_run(name, arm.model_dump()) as run:

        def report(record: "Record") -> None:
            _refuse_divergence(name, record)
            values = {name: value for name, value in asdict(record).items() if name not in ("seed", "step")}
            run.metrics({f"seed_{record.seed}_{name}": value for name, value in values.items()}, record.step)

        trainings = train_seeds(arm, augmentation, settings, len(classes), training, validation, report)
        trained = list(bar(trainings, f"train {name}", "seed", total=settings.seeds))
        draw_pictures(folder, arm, augmentation, settings, training, classes)
        write_json(folder / "classes.json", classes)  # the names of the labels that the weights know
        save_weights(folder / "weights.npz", [each.weights for each in trained])
        history = pd.DataFrame([asdict(record) for each in trained for record in each.history])
        history.to_csv(folder / "history.csv", index=False, float_format="%.6g")
        last = history.groupby("seed").last().drop(columns="step")
        run.metrics({str(name): value for name, value in last.mean().items()}, settings.steps)
        run.files(folder)
    log.info("  %s: balanced accuracy on validation %.3f", name, last["validation_balanced_accuracy"].mean())


def _refuse_divergence(name: str, record: "Record") -> None:
    if not math.isfinite(record.train_loss + record.validation_loss):
        raise BadInput(
            f"arm {name}, seed {record.seed}: the loss is no number at step {record.step}: lower train.learning_rate"
        )


def training_rows(manifest: pd.DataFrame, arm: Arm) -> pd.DataFrame:
    """Rows of the split train; for the oracle also withheld ones; for an arm without filter, unfiltered images instead
    of filtered ones.

    A twin has for each synthetic image a real one of its class, drawn with replacement and taken for synthetic.
    """
    rows = rows_of(manifest, "train", *(["withheld"] if arm.withheld else []))
    if arm.synthetic_share is None:
        return rows
    real, made = rows[rows["generator"].isna()], rows[rows["generator"].notna()]
    if not arm.filtered:
        made = rows_of(manifest, "unfiltered")
    if arm.twin:
        rng = np.random.default_rng(0)
        paths = {label: some["path"].to_numpy() for label, some in real.groupby("label")}
        made = made.assign(path=[rng.choice(paths[label]) for label in made["label"]])
    return pd.concat([real, made], ignore_index=True)


def _read(
    rows: pd.DataFrame, classes: list[str], params: Params
) -> tuple[NDArray[np.uint8], NDArray[np.int64], NDArray[np.bool_]]:
    """Images, labels and which of them are synthetic."""
    synthetic = rows["generator"].notna() if "generator" in rows else pd.Series(False, index=rows.index)
    pixels = read_images(
        rows["path"], side_px(params.train, params.images), params.images.channels, params.machine.in_memory_mb
    )
    return pixels, label_indices(rows, classes).astype(np.int64), synthetic.to_numpy(bool)


if __name__ == "__main__":
    stage_command(train)
