from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray
from PIL import Image

from tasks.data.images import write_image
from tasks.report import data
from tasks.report.data import data_section, draw_quarantine
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


def _pixels(path: Path) -> NDArray[np.uint8]:
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB"))


def _quarantine(*files: tuple[Path, str]) -> pd.DataFrame:
    rows = [(str(path), "cat", 1234, reason, "") for path, reason in files]
    return pd.DataFrame(rows, columns=["path", "label", "bytes", "reason", "group"])


@pytest.fixture
def broken(tmp_path: Path) -> Path:
    """A PNG of noise of which the lower half is missing."""
    path = tmp_path / "broken.png"
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 64), np.uint8)).save(path)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    return path


def test_each_reason_has_a_sheet_that_shows_what_decodes(tmp_path: Path, broken: Path) -> None:
    text, large = tmp_path / "text.png", tmp_path / "large.png"
    text.write_text("not an image at all")
    Image.new("L", (101, 101)).save(large)
    files = _quarantine((broken, "truncated"), (text, "not_an_image"), (large, "too_large"))
    assert draw_quarantine(tmp_path, files, max_pixels=10_000) == {
        reason: f"{reason}.png" for reason in ("not_an_image", "too_large", "truncated")
    }
    sheet = _pixels(tmp_path / "truncated.png")
    upper, lower = sheet[36:90, 14:138], sheet[110:160, 14:138]
    assert upper.std() > 40  # the part that decodes is shown
    assert lower.std() < upper.std()
    for name in ("not_an_image", "too_large"):
        grey = _pixels(tmp_path / f"{name}.png")[34:162, 12:140]
        assert (grey == 238).all(), "what does not decode, or declares too much, is a grey square"


def test_equal_files_give_equal_bytes(tmp_path: Path, broken: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        draw_quarantine(tmp_path / name, _quarantine((broken, "truncated")), 10_000)
    first, second = (tmp_path / name / "truncated.png" for name in ("one", "two"))
    assert first.read_bytes() == second.read_bytes()


def test_of_many_files_the_first_are_shown_with_short_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[tuple[str, list[Row], str]] = []
    monkeypatch.setattr(
        "tasks.report.data.draw_sheet", lambda _path, title, rows, note, _px: drawn.append((title, rows, note))
    )
    files = [(tmp_path / f"{number:03d}{'x' * 60}.png", "zero_byte") for number in range(41)]
    draw_quarantine(tmp_path, _quarantine(*files), 10_000)
    ((title, rows, note),) = drawn
    assert (title, note) == ("zero_byte: 41 files", "the first 40 shown")
    cells = [cell for row in rows for cell in row.cells if cell]
    assert len(cells) == 40
    assert cells[0].caption == f"no picture\ncat, 1,234 bytes\n000{'x' * 40}…"
