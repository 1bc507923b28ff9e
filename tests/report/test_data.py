from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tasks.data.images import write_image
from tasks.report import data
from tasks.report.data import data_section
from tasks.report.run import Folders, Run, read_run
from tasks.report.sheets import Row
from tests.report.written import INPUTS, tiny, write_run


@pytest.fixture
def run(project: Path) -> Run:
    params = tiny()
    write_run(params)
    return read_run(params, Folders(*(project / "data" / name for name in INPUTS)))


@pytest.fixture
def sheets(monkeypatch: pytest.MonkeyPatch) -> list[list[Row]]:
    """The rows of the sheets that are drawn."""
    drawn: list[list[Row]] = []
    monkeypatch.setattr(data, "draw_sheet", lambda _path, _title, rows, *_: drawn.append(rows))
    return drawn


def _with(run: Run, folder: Path, validation: list[str], test: list[str], classes: list[str]) -> Run:
    """The run with validation images whose pixels all have their place as value, and no file of a test image."""
    rows = []
    for split, labels in (("validation", validation), ("test", test)):
        for place, label in enumerate(labels):
            path = folder / f"{split}-{place:02d}.png"
            rows.append({"path": str(path), "label": label, "split": split})
            if split == "validation":
                write_image(path, np.full((8, 8, 1), place, np.uint8))
    comparison = replace(run.comparison, classes=classes)
    return replace(run, rows=pd.DataFrame(rows), comparison=comparison)


def test_each_class_has_a_row_of_its_validation_images_and_its_counts(
    run: Run, tmp_path: Path, sheets: list[list[Row]]
) -> None:
    classes = ["cat", "dog", "emu"]
    changed = _with(run, tmp_path, ["cat"] * 15 + ["emu"] * 2, ["cat", "dog", "dog", "emu"], classes)
    lines = data_section(_folder(tmp_path), changed)
    (rows,) = sheets
    assert [row.name for row in rows] == [
        "cat\n0 train, 15 validation, 1 test",
        "dog\n0 train, 0 validation, 2 test",
        "emu\n0 train, 2 validation, 1 test",
    ]
    shown = [[int(cell.image[0, 0, 0]) for cell in row.cells if cell] for row in rows]
    assert shown == [[0, 2, 4, 6, 8, 10, 12, 14], [], [15, 16]]
    assert "0 = cat, 1 = dog, 2 = emu." in lines


def _folder(parent: Path) -> Path:
    (parent / "report").mkdir()
    return parent / "report"


def test_of_many_classes_twenty_are_shown_and_the_report_says_so(
    run: Run, tmp_path: Path, sheets: list[list[Row]]
) -> None:
    names = [f"class {number:02d}" for number in range(23)]
    lines = data_section(_folder(tmp_path), _with(run, tmp_path, names, names[:1], names))
    assert len(sheets[0]) == 20
    assert "after `split.keep`; the first 20 of 23 classes." in lines


def test_a_failed_check_is_told_unless_its_files_are_in_quarantine(
    run: Run, tmp_path: Path, sheets: list[list[Row]]
) -> None:
    assert not sheets
    row = run.checks[0] | {"passed": False, "sentences": ["a.png is broken."]}
    failed = replace(run, checks=[row, row | {"column": "not_an_image", "sentences": ["b.png is no image."]}])
    lines = data_section(_folder(tmp_path), failed)
    assert "- a.png is broken." in lines
    assert "- b.png is no image." not in lines
    assert any(line.startswith("0 of 2 checks passed") for line in lines)
