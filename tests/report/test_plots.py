from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from PIL import Image

from tasks.report.plots import draw_confusions, draw_curves, draw_grid


def _pixels(path: Path) -> NDArray[np.uint8]:
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB"))


def test_a_grid_enlarges_small_images_by_a_whole_number(tmp_path: Path) -> None:
    images = np.random.default_rng(0).integers(0, 256, (7, 7, 8, 8, 1), np.uint8)
    draw_grid(tmp_path / "sheet.png", images, [], "epoch 10")
    pixels = _pixels(tmp_path / "sheet.png")
    assert pixels.shape == (34 + 7 * 68 + 4, 10 + 7 * 68 + 4, 3)
    for row, column in ((0, 0), (3, 5), (6, 6)):
        cell = pixels[34 + 68 * row :, 10 + 68 * column :][:64, :64]
        expected = images[row, column].repeat(8, axis=0).repeat(8, axis=1)
        np.testing.assert_array_equal(cell, np.broadcast_to(expected, (64, 64, 3)))
    assert (pixels[34 + 64 : 34 + 68, 10:] == 255).all()  # the gap between two rows


def test_a_grid_shows_each_pixel_of_a_large_image_once(tmp_path: Path) -> None:
    images = np.random.default_rng(0).integers(0, 256, (2, 3, 128, 128, 3), np.uint8)
    draw_grid(tmp_path / "sheet.png", images, ["bird", ""], "generated, by class")
    pixels = _pixels(tmp_path / "sheet.png")
    left = 10 + 9 * len("bird")
    assert pixels.shape[:2] == (34 + 2 * 132 + 4, left + 3 * 132 + 4)
    np.testing.assert_array_equal(pixels[34 + 132 :, left + 264 :][:128, :128], images[1, 2])
    names = pixels[34:, :left].min(axis=(1, 2)) < 128
    assert names[40:90].any()  # beside the middle of the first row
    assert not names[132:].any()


def test_a_grid_of_one_image_has_room_for_its_title(tmp_path: Path) -> None:
    draw_grid(tmp_path / "sheet.png", np.zeros((1, 1, 64, 64, 1), np.uint8), [], "a title with $ and $ in it")
    pixels = _pixels(tmp_path / "sheet.png")
    assert pixels.shape[1] == 9 * 26
    assert (pixels[:34, [0, -1]] == 255).all()
    assert (pixels[:34] < 128).any()


def test_equal_data_gives_equal_bytes(tmp_path: Path) -> None:
    for name in ("a.png", "b.png"):
        draw_grid(tmp_path / name, np.full((2, 2, 8, 8, 3), 9, np.uint8), ["a", "b"], "title")
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()


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


def test_names_of_classes_are_no_formulas(tmp_path: Path) -> None:
    draw_confusions(tmp_path / "confusion.png", {"arm": np.eye(2)}, ["a $\\frac{1}{0}$", "$$"])
    assert (tmp_path / "confusion.png").exists()


def test_long_names_of_classes_leave_room_for_the_matrix(tmp_path: Path) -> None:
    draw_confusions(tmp_path / "confusion.png", {"arm": np.eye(2)}, ["W" * 60, "m" * 60])
    cells = (_pixels(tmp_path / "confusion.png") == (8, 48, 107)).all(axis=2)  # the darkest blue
    assert cells.sum() > 2 * 15**2
