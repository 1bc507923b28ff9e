"""Sheets of images in rows, with names and captions, drawn so that equal data gives equal bytes."""

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray
from PIL import Image

from tasks.report.plots import save

_LETTER_PX, _LINE_PX = 6, 12  # of DejaVu Sans Mono in 7 points: letters of equal width, so that captions fit
_NAME_LETTERS = 42
_GRID_PX = 64
_GAP_PX, _FRAME_PX, _CAPTION_PX, _HEAD_PX = 12, 3, 5, 34
_FRAME = (255, 127, 14)


@dataclass(frozen=True)
class Cell:
    """An image uint8 (height, width, channels) and its caption; a marked one has an orange frame.

    Lines of the caption become one where that fits.
    """

    image: NDArray[np.uint8]
    caption: str = ""
    marked: bool = False


@dataclass(frozen=True)
class Row:
    """Images side by side, with their name on the left; they may be none, and None leaves a gap."""

    name: str
    cells: Sequence[Cell | None]


def rows_of_cells(name: str, cells: Sequence[Cell], columns: int) -> list[Row]:
    """The cells in as many rows as they need, of which the first has the name."""
    starts = range(0, len(cells), columns)
    return [Row("" if start else name, cells[start : start + columns]) for start in starts]


def draw_grid(path: Path, images: NDArray[np.uint8], row_names: Sequence[str], title: str) -> None:
    """Write a sheet of images uint8 (rows, columns, height, width, channels): small ones enlarged by a whole number,
    large ones pixel for pixel.

    Args:
        row_names: one before each row, or none at all.
    """
    names = row_names or [""] * len(images)
    rows = [Row(name, [Cell(image) for image in several]) for name, several in zip(names, images, strict=True)]
    draw_sheet(path, title, rows, cell_px=max(_GRID_PX, images.shape[2]))


def draw_sheet(path: Path, title: str, rows: Sequence[Row], note: str = "", cell_px: int = 128) -> None:
    """Write rows of square images of one size, each about `cell_px` large.

    Small images are enlarged by a whole number, pixel for pixel, and images above one and a half cells are shrunk.
    Names and captions are wrapped: they never reach into each other.

    Args:
        note: a line below the title.
    """
    shown = [[_sized(cell.image, cell_px) if cell else None for cell in row.cells] for row in rows]
    side = max((len(image) for images in shown for image in images if image is not None), default=cell_px)
    step = max(side, cell_px) + _GAP_PX
    captions = [[_joined(cell.caption if cell else "", step // _LETTER_PX - 1) for cell in row.cells] for row in rows]
    names = [_wrapped(row.name, _NAME_LETTERS) for row in rows]
    left = _GAP_PX + max(((len(line) + 2) * _LETTER_PX for name in names for line in name), default=0)
    most = [max(map(len, lines), default=0) for lines in captions]
    below = [side + _CAPTION_PX * (count > 0) + _LINE_PX * count for count in most]
    heights = [max(own, _LINE_PX * len(name)) + _GAP_PX for own, name in zip(below, names, strict=True)]
    tops = np.cumsum([_HEAD_PX + _LINE_PX * bool(note), *heights])
    width = max(left + step * max(map(len, shown)), 8 * len(title) + 2 * _GAP_PX, _LETTER_PX * len(note) + 2 * _GAP_PX)
    sheet = _Sheet(int(width), int(tops[-1]))
    sheet.write([title], _GAP_PX, 10, points=10, font="DejaVu Sans")
    sheet.write([note], _GAP_PX, _HEAD_PX - 6)
    for row, top, name, images, lines in zip(rows, tops.tolist(), names, shown, captions, strict=False):
        sheet.write(name, _GAP_PX, top)
        for column, (cell, image, caption) in enumerate(zip(row.cells, images, lines, strict=True)):
            if cell and image is not None:
                sheet.paste(image, left + column * step, top, cell.marked)
                sheet.write(caption, left + column * step, top + side + _CAPTION_PX)
    sheet.save(path)


def _joined(text: str, letters: int) -> list[str]:
    return _wrapped(text.replace("\n", " ") if len(text) <= letters else text, letters)


def _wrapped(text: str, letters: int) -> list[str]:
    return [line for part in text.split("\n") for line in textwrap.wrap(part, letters)]


def _sized(image: NDArray[np.uint8], cell_px: int) -> NDArray[np.uint8]:
    """The image in RGB, in the size in which it is shown."""
    side = len(image)
    coloured = np.broadcast_to(image, (*image.shape[:2], 3))
    if side > 1.5 * cell_px:
        return np.asarray(Image.fromarray(coloured).resize((cell_px, cell_px), Image.Resampling.BOX))
    scale = max(1, round(cell_px / side))
    return coloured.repeat(scale, axis=0).repeat(scale, axis=1)


class _Sheet:
    """A white picture on which images and lines of text are put, at pixels from its upper left corner."""

    def __init__(self, width: int, height: int) -> None:
        self._pixels = np.full((height, width, 3), 255, np.uint8)
        self._figure = Figure(figsize=(width / 100, height / 100))

    def paste(self, image: NDArray[np.uint8], left: int, top: int, framed: bool) -> None:
        height, width, _ = image.shape
        if framed:
            outer = (
                slice(top - _FRAME_PX, top + height + _FRAME_PX),
                slice(left - _FRAME_PX, left + width + _FRAME_PX),
            )
            self._pixels[outer] = _FRAME
        self._pixels[top : top + height, left : left + width] = image

    def write(
        self, lines: Sequence[str], left: int, top: int, points: float = 7, font: str = "DejaVu Sans Mono"
    ) -> None:
        height, width, _ = self._pixels.shape
        for number, line in enumerate(lines):
            place = (left / width, 1 - (top + number * _LINE_PX) / height)
            self._figure.text(*place, line, va="top", fontsize=points, family=font, parse_math=False)

    def save(self, path: Path) -> None:
        self._figure.figimage(self._pixels, origin="upper")
        save(self._figure, path)
