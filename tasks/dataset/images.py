"""Measuring, reading and writing image files."""

import hashlib
import io
import warnings
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import imagehash
import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

FORMATS = ("PNG", "JPEG", "GIF", "BMP", "TIFF", "WEBP")
DEFECTS = ("zero_byte", "not_an_image", "truncated")
RESIZER = Image.Resampling.LANCZOS  # one resizer everywhere: resizing changes KID
_MODES: dict[int, str] = {1: "L", 3: "RGB"}


def measure(content: bytes) -> dict[str, Any]:
    """What the manifest records of one file: bytes, sha256, format, width, height, mode, phash and defect.

    `defect` is null for a good image, else `zero_byte`, `not_an_image` (no known image format) or `truncated`
    (a known format that does not decode to its end). phash: imagehash's 64-bit perceptual hash as 16 hex digits.
    """
    row: dict[str, Any] = {
        "bytes": len(content),
        "sha256": hashlib.sha256(content).hexdigest(),
        "format": None,
        "width": None,
        "height": None,
        "mode": None,
        "phash": None,
        "defect": None,
    }
    if not content:
        return row | {"defect": "zero_byte"}
    with warnings.catch_warnings():
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        try:
            image = Image.open(io.BytesIO(content), formats=FORMATS)
        except (UnidentifiedImageError, OSError, Image.DecompressionBombError, Image.DecompressionBombWarning):
            return row | {"defect": "not_an_image"}
        row |= {"format": image.format, "width": image.width, "height": image.height, "mode": image.mode}
        try:
            image.load()
        except (OSError, SyntaxError, ValueError, EOFError):  # what Pillow's decoders raise on broken data
            return row | {"defect": "truncated"}
    return row | {"phash": str(imagehash.phash(image))}


def read_images(paths: Iterable[str], size_px: int, channels: int) -> NDArray[np.uint8]:
    """Images uint8 (n, size_px, size_px, channels) from files, converted to grey or RGB and resized to a square."""
    return np.stack([_read(Path(path), size_px, channels) for path in paths])


def write_image(path: Path, image: NDArray[np.uint8]) -> None:
    """Write one image uint8 (height, width, channels) as PNG."""
    Image.fromarray(image[..., 0] if image.shape[-1] == 1 else image).save(path, format="PNG")


def _read(path: Path, size_px: int, channels: int) -> NDArray[np.uint8]:
    with Image.open(path, formats=FORMATS) as image:
        converted = image.convert(_MODES[channels])
    if converted.size != (size_px, size_px):
        converted = converted.resize((size_px, size_px), RESIZER)
    return np.asarray(converted, np.uint8).reshape(size_px, size_px, channels)
