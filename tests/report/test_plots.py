from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from PIL import Image

from tasks.report.plots import draw_confusions, draw_curves


def _pixels(path: Path) -> NDArray[np.uint8]:
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB"))


def test_curves_fill_lines_of_panels_of_one_scale(tmp_path: Path) -> None:
    history = pd.DataFrame({"step": [1, 2], "low": [0.0, 0.1], "high": [0.9, 1.0]})
    panels = {f"arm {number}": {"a line": "low" if number else "high"} for number in range(4)}
    draw_curves(tmp_path / "lines.png", history, "step", panels, columns=3)
    draw_curves(tmp_path / "one.png", history, "step", panels)
    lines, one = (_pixels(tmp_path / name) for name in ("lines.png", "one.png"))
    assert lines.shape == (700, 1320, 3)  # with a line for the legend
    assert one.shape == (360, 1760, 3)
    assert (lines[380:670, 460:] == 255).all()  # no panels where there is nothing to show
    blue = (lines == (31, 119, 180)).all(axis=2)
    high, low = (np.median(np.nonzero(part)[0]) for part in (blue[:340, :440], blue[:340, 440:880]))
    assert high < low - 100  # the scale is the same


def test_the_legend_of_many_curves_hides_none_of_them(tmp_path: Path) -> None:
    names = {f"arm number {number}": f"c{number}" for number in range(20)}
    one = {"arm": "c0"}
    history = pd.DataFrame({"step": [1, 2]} | {column: [0.0, 1.0] for column in names.values()})
    draw_curves(tmp_path / "few.png", history, "step", dict.fromkeys("abc", one))
    draw_curves(tmp_path / "many.png", history, "step", dict.fromkeys("abc", names))
    few, many = (_pixels(tmp_path / name) for name in ("few.png", "many.png"))
    assert many.shape[0] == few.shape[0] + 60  # four lines of five names instead of one
    blue = (many[-80:] == (31, 119, 180)).all(axis=2).sum(axis=1)
    whole, dashed = blue[blue > 0].max(), blue[blue > 0].min()
    assert 0 < dashed < whole  # the eleventh has the first one's colour


def test_equal_data_gives_equal_bytes(tmp_path: Path) -> None:
    history = pd.DataFrame({"step": [1, 2], "loss": [0.0, 1.0]})
    for name in ("a.png", "b.png"):
        draw_curves(tmp_path / name, history, "step", {"loss": {"arm": "loss"}})
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()


def test_names_of_classes_are_no_formulas(tmp_path: Path) -> None:
    draw_confusions(tmp_path / "confusion.png", {"arm": np.eye(2)}, ["a $\\frac{1}{0}$", "$$"])
    assert (tmp_path / "confusion.png").exists()


def test_long_names_of_classes_leave_room_for_the_matrix(tmp_path: Path) -> None:
    draw_confusions(tmp_path / "confusion.png", {"arm": np.eye(2)}, ["W" * 60, "m" * 60])
    cells = (_pixels(tmp_path / "confusion.png") == (8, 48, 107)).all(axis=2)  # the darkest blue
    assert cells.sum() > 2 * 15**2
