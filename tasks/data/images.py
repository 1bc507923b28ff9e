"""Reading and writing image files: what a network sees of a file's pixels."""

import math
import os
import tempfile
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image, ImageOps

from tasks.support.progress import bar

FORMATS = ("PNG", "JPEG", "GIF", "BMP", "TIFF", "WEBP", "AVIF")
MODES = ("1", "L", "LA", "P", "PA", "RGB", "RGBA", "RGBX", "CMYK", "YCbCr", "I;16", "I;16L", "I;16B")
_STATE = Path(".state")  # not the system's folder for temporary files, which may be memory
RESIZER = Image.Resampling.LANCZOS  # one resizer everywhere: resizing changes KID


def upright(image: Image.Image, channels: int) -> Image.Image:
    """The first frame of an image of one of `MODES`, turned as its EXIF tag says, as 8-bit grey (1) or RGB (3).

    16-bit values are divided by 256 (Pillow itself would clip them at 255); what is transparent becomes white.
    """
    turned = image if image.getexif().get(ExifTags.Base.Orientation, 1) == 1 else ImageOps.exif_transpose(image)
    if turned.mode.startswith("I;16"):
        values, clear = np.asarray(turned), turned.info.get("transparency")
        turned = Image.fromarray(np.where(values == clear, 255, values >> 8).astype(np.uint8))
    if turned.has_transparency_data:
        layer = turned.convert("RGBA")
        turned = Image.alpha_composite(Image.new("RGBA", layer.size, "white"), layer)
    return turned.convert({1: "L", 3: "RGB"}[channels])


def read_images(paths: Iterable[str], size_px: int, channels: int, in_memory_mb: float = math.inf) -> NDArray[np.uint8]:
    """Images uint8 (n, size_px, size_px, channels) from files, converted to grey or RGB and resized to a square.

    Args:
        in_memory_mb: megabytes (10^6) of pixels; where there are more, they lie in a nameless file on disk from which
            the array reads what is asked of it.
    """
    names = list(paths)
    images = empty_images((len(names), size_px, size_px, channels), in_memory_mb)
    for index, name in enumerate(bar(names, "reading", "image")):
        images[index] = _read(Path(name), size_px, channels)
    return images


def empty_images(shape: tuple[int, ...], in_memory_mb: float) -> NDArray[np.uint8]:
    """Room for images, in memory or, above so many megabytes (10^6), in a nameless file on disk."""
    return np.empty(shape, np.uint8) if math.prod(shape) <= in_memory_mb * 1e6 else _on_disk(shape)


def _on_disk(shape: tuple[int, ...]) -> NDArray[np.uint8]:
    _STATE.mkdir(exist_ok=True)
    with tempfile.TemporaryFile(dir=_STATE) as file:  # gone with the last array that shows it, a kill included
        os.posix_fallocate(file.fileno(), 0, math.prod(shape))  # a full disk is an error now, and no bus error later
        return np.memmap(file, np.uint8, "w+", shape=shape)


def write_image(path: Path, image: NDArray[np.uint8]) -> None:
    """Write one image uint8 (height, width, channels) as PNG."""
    Image.fromarray(image[..., 0] if image.shape[-1] == 1 else image).save(path, format="PNG")


def _read(path: Path, size_px: int, channels: int) -> NDArray[np.uint8]:
    with Image.open(path, formats=FORMATS) as image:
        converted = upright(image, channels)
    if converted.size != (size_px, size_px):
        converted = converted.resize((size_px, size_px), RESIZER)
    return np.asarray(converted, np.uint8).reshape(size_px, size_px, channels)
