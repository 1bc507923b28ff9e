"""The part of the report on the data: samples of each class, files that are not used, and the checks."""

from pathlib import Path

import numpy as np
import pandas as pd

from tasks.core.params.classifiers import side_px
from tasks.data.images import read_images
from tasks.data.manifest import rows_of
from tasks.report.quarantine import draw_quarantine
from tasks.report.run import Run
from tasks.report.sheets import Cell, Row, draw_sheet
from tasks.report.tables import checks_table

_MOST_CLASSES, _MOST_SAMPLES, _SAMPLE_PX = 20, 8, 64
_SPLITS = ("train", "validation", "test")


def data_section(folder: Path, run: Run) -> list[str]:
    """Lines of Markdown; samples.png, left_out.csv and contact sheets below quarantine/ are written into `folder`."""
    failed = [row for row in run.checks if not row["passed"]]
    listed = set(run.removed["quarantine"]["reason"])
    return [
        "## The data",
        "",
        *_samples(folder, run),
        *_removed(folder, run),
        *(f"- {sentence}" for row in failed if row["column"] not in listed for sentence in row["sentences"]),
        "",
        f"{len(run.checks) - len(failed)} of {len(run.checks)} checks passed, by Great Expectations, whose own pages",
        "are the Data Docs, `data_docs/index.html`. Observed: the sum of the column, or the number of values that",
        "break the rule.",
        "",
        *checks_table(run.checks),
    ]


def _samples(folder: Path, run: Run) -> list[str]:
    """Lines on the classes; samples.png shows validation images, so that no test image is opened."""
    shown = run.classes[:_MOST_CLASSES]
    more = f"the first {len(shown)} of {len(run.classes)} classes" if len(shown) < len(run.classes) else ""
    rows = [_sample(run, label) for label in shown]
    draw_sheet(folder / "samples.png", "Real images of validation, by class", rows, more, _SAMPLE_PX)
    mapping = ", ".join(f"{number} = {name}" for number, name in enumerate(run.classes))
    return [
        "Real images of each class and how many it has in train, validation and test; train is what was left of it",
        f"after `split.keep`{f'; {more}' if more else ''}.",
        "",
        "![real images of each class](samples.png)",
        "",
        "Classes have the same numbers in train, validation, test and the weights of every arm, as was checked:",
        f"{mapping}.",
        "",
    ]


def _sample(run: Run, label: str) -> Row:
    """Validation images of a class, evenly spread over those there are."""
    of_class = run.rows[run.rows["label"] == label]
    counts = ", ".join(f"{(of_class['split'] == split).sum()} {split}" for split in _SPLITS)
    paths = rows_of(of_class, "validation")["path"]
    places = np.linspace(0, len(paths) - 1, min(_MOST_SAMPLES, len(paths))).round().astype(int)
    images = read_images(paths.iloc[places], side_px(run.params.train, run.params.images), run.params.images.channels)
    return Row(f"{label}\n{counts}", [Cell(image) for image in images])


def _removed(folder: Path, run: Run) -> list[str]:
    """A line for each reason for which files are not used, and how many these are."""
    (folder / "quarantine").mkdir()
    sheets = draw_quarantine(folder / "quarantine", run.removed["quarantine"], run.params.validate.quality.max_pixels)
    run.removed["left out"].to_csv(folder / "left_out.csv", index=False)
    lines = [
        f"- quarantine: {count} {reason}, [contact sheet](quarantine/{sheets[reason]})"
        for reason, count in _reasons(run.removed["quarantine"])
    ]
    lines += [
        f"- left out: {count} {reason}, [list](left_out.csv)" for reason, count in _reasons(run.removed["left out"])
    ]
    return lines + [
        f"- excluded: {count} {reason}, rows of data/split/manifest.parquet"
        for reason, count in _reasons(run.removed["excluded"])
    ]


def _reasons(files: pd.DataFrame) -> list[tuple[str, int]]:
    counts = files["reason"].value_counts().sort_index()
    return [(str(reason), int(count)) for reason, count in counts.items()]
