"""Evaluate: every arm on the test set, the verdict, and the report. The only stage that opens test images."""

import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from tasks.core.files import read_json, remove_others, replacing, sha256_of
from tasks.core.params import Params
from tasks.core.params.roles import side_px
from tasks.data.images import read_images
from tasks.data.manifest import class_names, label_indices, read_manifest, rows_of, rows_sha256
from tasks.registry.ledger import open_test
from tasks.support.commands import stage_command
from tasks.support.errors import BadInput
from tasks.support.progress import log
from tasks.support.stages import stage
from tasks.support.tracking import parent_run

if TYPE_CHECKING:
    from tasks.evidence.comparison import Exams

JUDGED = ("split", "synthetic", "classifiers")


@stage(
    params=("compute", "images", "train", "arms", "evaluate"),
    rooms=("data", "networks", "classifier", "evidence"),
    out="report",
)
def evaluate(
    params: Params,
    out: Path,
    *,
    raw: Path,
    manifest: Path,
    clean: Path,
    split: Path,
    generator: Path,
    synthetic: Path,
    classifiers: Path,
) -> None:
    """Write a folder with report.md, summary.txt, verdict.json, metrics.json, tables for `dvc plots`, and pictures.

    Classifiers of arms that params.yaml no longer names are removed. The ledger notes that test was opened.
    """
    from tasks.evidence.comparison import compare_arms  # deferred: TensorFlow takes seconds to start
    from tasks.report.arms import About, write_report
    from tasks.report.generator import PICTURES, generator_lines

    remove_others(classifiers, set(params.arms))
    rows = read_manifest(split)
    check_labels(classifiers, params.arms, class_names(rows))
    exams = read_exams(rows, params, "evaluate")
    balance = pd.read_csv(synthetic / "balance.csv", dtype={"label": str}, keep_default_na=False)
    comparison = compare_arms(params.evaluate, params.train, params.arms, exams, classifiers, *unmade(balance))
    lines = generator_lines(
        read_json(generator / "selection.json"),
        pd.read_csv(generator / "scores.csv", dtype={"candidate": str, "cas_classes": str}),
        read_json(synthetic / "filter.json"),
    )
    removed = {
        "quarantine": pd.read_csv(clean / "quarantine.csv", keep_default_na=False),
        "left out": pd.read_csv(raw / "left_out.csv", keep_default_na=False),
        "excluded": rows_of(rows, "excluded"),
    }
    about = About(
        arms=params.arms,
        trained=classifiers,
        balance=balance,
        judged=judged(out.parent),
        generator=lines,
        checks=[row for checked in (manifest, clean, split, synthetic) for row in read_json(checked / "checks.json")],
        removed=removed,
        synthetic_px=params.images.size_px,
    )
    with replacing(out) as folder, parent_run() as run:
        write_report(folder, params.evaluate, comparison, exams, about)
        for name, source in PICTURES.items():
            if (path := out.parent / source).exists():  # nothing was filtered where nothing was to be synthesised
                shutil.copyfile(path, folder / name)
        run.metrics({f"test_balanced_accuracy_{name}": arm.test.mean for name, arm in comparison.arms.items()})
        run.tags({"verdict": comparison.verdict.answer, "reasons": " ".join(comparison.verdict.reasons)})
        run.files(folder, "report")
    log.info("  verdict: %s", comparison.verdict.answer)


def judged(data: Path) -> dict[str, str]:
    """SHA-256 of the outputs that a verdict is on; a generator is its weights and settings."""
    generator: str = read_json(data / "generator/selection.json")["generator_sha256"]
    return {f"{name}_sha256": sha256_of(data / name) for name in JUDGED} | {"generator_sha256": generator}


def check_labels(trained: Path, arms: Iterable[str], classes: list[str]) -> None:
    """Refuse classifiers whose labels stand for other classes than those of the data.

    Raises:
        BadInput: classes.json of an arm has other names, or another order.
    """
    for name in arms:
        known = read_json(trained / name / "classes.json")
        if known != classes:
            raise BadInput(
                f"classifier {name} numbers the classes {', '.join(known)}; the data has {', '.join(classes)}: "
                f"train it again"
            )


def read_exams(manifest: pd.DataFrame, params: Params, by: str) -> "Exams":
    """The images of validation and test, which the ledger notes as opened by the stage `by`."""
    from tasks.evidence.comparison import Exam, Exams

    images, side = params.images, side_px(params.train, params.images)
    opened, classes = rows_of(manifest, "test"), class_names(manifest)
    open_test(rows_sha256(opened), opened["sha256"], by)
    validation, test = (
        Exam(
            images=read_images(rows["path"], side, images.channels, params.machine.in_memory_mb),
            labels=label_indices(rows, classes),
            natural=rows["natural_test"].to_numpy(bool),
        )
        for rows in (rows_of(manifest, "validation"), opened)
    )
    counts = np.bincount(label_indices(rows_of(manifest, "train"), classes), minlength=len(classes))
    return Exams(validation, test, classes, counts)


def unmade(balance: pd.DataFrame) -> tuple[str | None, list[str]]:
    """Why there are no synthetic images, where there are none, and why classes that need some have none."""
    gaps = balance[balance["abstained"] != ""]
    sentences = [f"No images of class {row.label} were made: {row.abstained}." for row in gaps.itertuples()]
    if balance["synthetic"].any():
        return None, sentences
    return (
        "No class could be synthesised." if sentences else "The classes are balanced: nothing to synthesise.",
        sentences,
    )


if __name__ == "__main__":
    stage_command(evaluate)
