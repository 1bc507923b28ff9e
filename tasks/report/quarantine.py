"""Contact sheets of the quarantine: refused files as people can look at them."""

import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from PIL import Image, ImageFile, ImageOps

from tasks.data.images import FORMATS
from tasks.report.sheets import Cell, draw_sheet, rows_of_cells

_MOST = 40  # files on a sheet
_COLUMNS = 8
_CELL_PX = 128
_NAME_LETTERS = 44
_GREY = "#eeeeee"


def draw_quarantine(folder: Path, quarantine: pd.DataFrame, max_pixels: int) -> dict[str, str]:
    """Write a PNG for each reason of the first files, as far as they decode; gives the file's name by reason.

    Args:
        quarantine: columns path, label, bytes, reason and group.
        max_pixels: a picture that declares more is not decoded.
    """
    drawn = {}
    for reason, files in quarantine.groupby("reason"):
        drawn[str(reason)] = f"{reason}.png"
        ordered = files.sort_values(["group", "path"])  # look-alikes side by side
        cells = [_cell(row, max_pixels) for row in ordered.head(_MOST).to_dict("records")]
        count = f"{len(files)} file" if len(files) == 1 else f"{len(files)} files"
        note = f"the first {_MOST} shown" if len(files) > _MOST else ""
        draw_sheet(folder / f"{reason}.png", f"{reason}: {count}", rows_of_cells("", cells, _COLUMNS), note, _CELL_PX)
    return drawn


def _cell(row: Mapping[Any, Any], max_pixels: int) -> Cell:
    path = Path(str(row["path"]))
    name = path.name if len(path.name) <= _NAME_LETTERS else f"{path.name[: _NAME_LETTERS - 1]}…"
    picture, caption = _thumbnail(path, max_pixels), f"{row['label']}, {row['bytes']:,} bytes\n{name}"
    if picture is None:
        blank = np.asarray(Image.new("RGB", (_CELL_PX, _CELL_PX), _GREY))
        return Cell(blank, f"no picture\n{caption}")
    return Cell(picture, caption)


def _thumbnail(path: Path, max_pixels: int) -> NDArray[np.uint8] | None:
    """What can be decoded of a picture, a broken one's upper part included, or None."""
    tolerant, ImageFile.LOAD_TRUNCATED_IMAGES = ImageFile.LOAD_TRUNCATED_IMAGES, True
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(path, formats=FORMATS) as image:
                if image.width * image.height > max_pixels:
                    return None
                coloured = image.convert("RGB")
                return np.asarray(ImageOps.pad(coloured, (_CELL_PX, _CELL_PX), Image.Resampling.NEAREST, _GREY))
    except Exception:  # hostile bytes make Pillow's plugins raise anything
        return None
    finally:
        ImageFile.LOAD_TRUNCATED_IMAGES = tolerant
