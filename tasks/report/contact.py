"""Contact sheets: refused files as people can look at them."""

import textwrap
import warnings
from collections.abc import Sequence
from pathlib import Path

from PIL import Image, ImageDraw, ImageFile, ImageFont, ImageOps

from tasks.data.images import FORMATS

MOST = 40  # files on a sheet
_COLUMNS = 8
_CELL_PX = 128
_CAPTION_PX = 44
_MARGIN_PX = 10
_HEAD_PX = 40


def draw_contact_sheet(path: Path, title: str, files: Sequence[tuple[str, str]], max_pixels: int) -> None:
    """Write a PNG of the first MOST files, as far as they decode, each with its caption.

    Args:
        files: path and caption of each.
        max_pixels: a picture that declares more is not decoded.
    """
    shown = files[:MOST]
    columns = min(_COLUMNS, max(4, len(shown)))
    rows = -(-len(shown) // columns)
    step_x, step_y = _CELL_PX + _MARGIN_PX, _CELL_PX + _CAPTION_PX + _MARGIN_PX
    sheet = Image.new("RGB", (columns * step_x + _MARGIN_PX, rows * step_y + _HEAD_PX + _MARGIN_PX), "white")
    draw = ImageDraw.Draw(sheet)
    more = f", the first {MOST} shown" if len(files) > MOST else ""
    count = f"{len(files)} file" if len(files) == 1 else f"{len(files)} files"
    draw.text((_MARGIN_PX, 10), f"{title}: {count}{more}", "black", ImageFont.load_default(18))
    for number, (file, caption) in enumerate(shown):
        left = _MARGIN_PX + number % columns * step_x
        top = _HEAD_PX + number // columns * step_y
        thumbnail = _thumbnail(Path(file), max_pixels)
        if thumbnail is None:
            draw.rectangle((left, top, left + _CELL_PX - 1, top + _CELL_PX - 1), "#eeeeee", "#bbbbbb")
            draw.text((left + 34, top + 56), "no picture", "#777777", ImageFont.load_default(12))
        else:
            sheet.paste(thumbnail, (left, top))
            draw.rectangle((left, top, left + _CELL_PX - 1, top + _CELL_PX - 1), None, "#bbbbbb")
        draw.text((left, top + _CELL_PX + 2), _wrapped(caption), "black", ImageFont.load_default(10))
    sheet.save(path)


def _wrapped(caption: str) -> str:
    lines = [part for line in caption.split("\n") for part in textwrap.wrap(line, 24)]
    return "\n".join(lines[:3])


def _thumbnail(file: Path, max_pixels: int) -> Image.Image | None:
    """What can be decoded of a picture, a broken one's upper part included, or None."""
    tolerant, ImageFile.LOAD_TRUNCATED_IMAGES = ImageFile.LOAD_TRUNCATED_IMAGES, True
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(file, formats=FORMATS) as image:
                if image.width * image.height > max_pixels:
                    return None
                return ImageOps.pad(image.convert("RGB"), (_CELL_PX, _CELL_PX), Image.Resampling.NEAREST, "#eeeeee")
    except Exception:  # hostile bytes make Pillow's plugins raise anything
        return None
    finally:
        ImageFile.LOAD_TRUNCATED_IMAGES = tolerant
