from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from tasks.report.sheets import Cell, Row, draw_grid, draw_sheet, rows_of_cells

LONG = "W" * 60


def _pixels(path: Path) -> NDArray[np.uint8]:
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB"))


def _images(count: int, side: int, channels: int = 1) -> NDArray[np.uint8]:
    return np.random.default_rng(0).integers(0, 256, (count, side, side, channels), np.uint8)


def test_images_are_enlarged_by_a_whole_number(tmp_path: Path) -> None:
    images = _images(3, 8)
    draw_sheet(tmp_path / "sheet.png", "title", [Row("", [Cell(image) for image in images])])
    pixels = _pixels(tmp_path / "sheet.png")
    for column, image in enumerate(images):
        expected = np.broadcast_to(image.repeat(16, axis=0).repeat(16, axis=1), (128, 128, 3))
        np.testing.assert_array_equal(pixels[34:162, 12 + 140 * column :][:, :128], expected)


@pytest.mark.parametrize(("side", "shown"), [(8, 128), (40, 120), (72, 144), (128, 128), (192, 192), (512, 128)])
def test_all_sizes_are_shown_about_as_large_as_a_cell(tmp_path: Path, side: int, shown: int) -> None:
    draw_sheet(tmp_path / "sheet.png", "", [Row("", [Cell(np.zeros((side, side, 3), np.uint8))])])
    black = (_pixels(tmp_path / "sheet.png") == 0).all(axis=2)
    assert (black.any(axis=0).sum(), black.any(axis=1).sum()) == (shown, shown)
    assert black.sum() == shown**2


def test_long_names_and_captions_neither_touch_images_nor_each_other(tmp_path: Path) -> None:
    images = _images(4, 32, channels=3)
    caption = f".50 {LONG}\n+ .50 a $\\frac{{1}}{{0}}$ name"
    rows = [Row(f"{LONG}\n1 train", [Cell(image, caption) for image in images[two]]) for two in ([0, 1], [2, 3])]
    draw_sheet(tmp_path / "sheet.png", "title", rows, "note")
    pixels = _pixels(tmp_path / "sheet.png")
    dark = (pixels < 128).any(axis=2)
    left, high = 12 + 44 * 6, 128 + 5 + 5 * 12 + 12  # a caption has three lines of the first name, two of the second
    for number, image in enumerate(images):
        top, start = 46 + high * (number // 2), left + 140 * (number % 2)
        shown = image.repeat(4, axis=0).repeat(4, axis=1)
        np.testing.assert_array_equal(pixels[top : top + 128, start : start + 128], shown)
        assert dark[top + 133 : top + 133 + 5 * 12, start : start + 128].any()
        assert not dark[top : top + high, start + 136 : start + 140].any()
    assert not dark[:, left - 8 : left - 1].any()


def test_lines_of_a_caption_become_one_where_that_fits(tmp_path: Path) -> None:
    image = _images(1, 8)[0]
    for name, caption in (("two", ".83 cat\n+ .17 dog"), ("one", ".83 cat + .17 dog")):
        draw_sheet(tmp_path / f"{name}.png", "", [Row("", [Cell(image, caption)])])
    assert (tmp_path / "one.png").read_bytes() == (tmp_path / "two.png").read_bytes()


def test_marked_images_have_a_frame(tmp_path: Path) -> None:
    images = _images(2, 8)
    draw_sheet(tmp_path / "sheet.png", "", [Row("", [Cell(images[0], marked=True), Cell(images[1])])])
    pixels = _pixels(tmp_path / "sheet.png")
    orange = (pixels == (255, 127, 14)).all(axis=2)
    assert orange.sum() == 134**2 - 128**2
    assert orange[31, 9]
    assert not orange[:, 150:].any()


def test_rows_may_be_without_images(tmp_path: Path) -> None:
    draw_sheet(tmp_path / "some.png", "", [Row("a", []), Row("b", [Cell(_images(1, 8)[0])])], cell_px=64)
    draw_sheet(tmp_path / "none.png", "none at all", [Row("a", [])])
    assert len(_pixels(tmp_path / "some.png")) == 34 + 2 * (64 + 12)  # without captions no room for them
    assert (_pixels(tmp_path / "some.png")[34:80, 30:] == 255).all()
    assert (_pixels(tmp_path / "none.png") < 128).any()


def test_none_leaves_a_gap_as_wide_as_an_image(tmp_path: Path) -> None:
    images = _images(2, 8)
    draw_sheet(tmp_path / "sheet.png", "", [Row("", [Cell(images[0]), None, Cell(images[1])])])
    pixels = _pixels(tmp_path / "sheet.png")
    assert (pixels[34:162, 12 + 140 : 12 + 280] == 255).all()
    shown = images[1].repeat(16, axis=0).repeat(16, axis=1)
    np.testing.assert_array_equal(pixels[34:162, 12 + 280 :][:, :128], np.broadcast_to(shown, (128, 128, 3)))


def test_cells_fill_rows_of_which_the_first_has_the_name() -> None:
    cells = [Cell(image) for image in _images(5, 8)]
    rows = rows_of_cells("name", cells, columns=2)
    assert [row.name for row in rows] == ["name", "", ""]
    assert [cell for row in rows for cell in row.cells] == cells


def test_a_grid_enlarges_small_images_by_a_whole_number(tmp_path: Path) -> None:
    images = np.random.default_rng(0).integers(0, 256, (7, 7, 8, 8, 1), np.uint8)
    draw_grid(tmp_path / "sheet.png", images, [], "epoch 10")
    pixels = _pixels(tmp_path / "sheet.png")
    assert pixels.shape == (34 + 7 * 76, 12 + 7 * 76, 3)
    for row, column in ((0, 0), (3, 5), (6, 6)):
        cell = pixels[34 + 76 * row :, 12 + 76 * column :][:64, :64]
        expected = images[row, column].repeat(8, axis=0).repeat(8, axis=1)
        np.testing.assert_array_equal(cell, np.broadcast_to(expected, (64, 64, 3)))
    assert (pixels[34 + 64 : 34 + 76, 12:] == 255).all()  # the gap between two rows


def test_a_grid_shows_each_pixel_of_a_large_image_once(tmp_path: Path) -> None:
    images = np.random.default_rng(0).integers(0, 256, (2, 3, 128, 128, 3), np.uint8)
    draw_grid(tmp_path / "sheet.png", images, ["bird", ""], "generated, by class")
    pixels = _pixels(tmp_path / "sheet.png")
    left = 12 + 6 * (len("bird") + 2)
    assert pixels.shape[:2] == (34 + 2 * 140, left + 3 * 140)
    np.testing.assert_array_equal(pixels[34 + 140 :, left + 280 :][:128, :128], images[1, 2])
    names = pixels[34:, :left].min(axis=(1, 2)) < 128
    assert names[:12].any()  # beside the first row
    assert not names[140:].any()


def test_a_grid_of_one_image_has_room_for_its_title(tmp_path: Path) -> None:
    draw_grid(tmp_path / "sheet.png", np.zeros((1, 1, 64, 64, 1), np.uint8), [], "a title with $ and $ in it")
    pixels = _pixels(tmp_path / "sheet.png")
    assert pixels.shape[1] == 8 * 26 + 24
    assert (pixels[:34, [0, -1]] == 255).all()
    assert (pixels[:34] < 128).any()


def test_equal_data_gives_equal_bytes(tmp_path: Path) -> None:
    for name in ("a.png", "b.png"):
        draw_sheet(tmp_path / name, "title", [Row("row", [Cell(image, "λ", True) for image in _images(2, 16, 3)])])
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()
