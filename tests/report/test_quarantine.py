from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray
from PIL import Image

from tasks.report.quarantine import draw_quarantine
from tasks.report.sheets import Row


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
        "tasks.report.quarantine.draw_sheet", lambda _path, title, rows, note, _px: drawn.append((title, rows, note))
    )
    files = [(tmp_path / f"{number:03d}{'x' * 60}.png", "zero_byte") for number in range(41)]
    draw_quarantine(tmp_path, _quarantine(*files), 10_000)
    ((title, rows, note),) = drawn
    assert (title, note) == ("zero_byte: 41 files", "the first 40 shown")
    cells = [cell for row in rows for cell in row.cells if cell]
    assert len(cells) == 40
    assert cells[0].caption == f"no picture\ncat, 1,234 bytes\n000{'x' * 40}…"
