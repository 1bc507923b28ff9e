"""Measuring image files: what the manifest records of a file, and what is wrong with it."""

import hashlib
import io
import warnings
from collections.abc import Sequence
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from PIL import Image
from scipy.fft import dct

from tasks.core.params import Defect, Quality
from tasks.data.images import FORMATS, MODES, upright
from tasks.support.environment import executor
from tasks.support.errors import BadInput
from tasks.support.progress import bar

SHARD = 512  # files that one process measures at a time; bounds its memory
_WORTH_PROCESSES = 4  # shards; starting processes takes seconds
DEFECTS: tuple[Defect, ...] = get_args(Defect)
MEASURES = [
    *("bytes", "sha256", "format", "width", "height", "mode"),
    *("phash", "brightness", "contrast", "sharpness"),
    *("defect", "warnings"),
]
_SIDE = 64  # of the reduced grey copy from which all measures of the picture are taken
_TYPES = (
    dict.fromkeys(["sha256", "format", "mode", "phash", "defect", "warnings"], "str")
    | dict.fromkeys(["brightness", "contrast", "sharpness"], "float32")
    | {"bytes": "int64", "width": "Int32", "height": "Int32"}
)
_COSINES = dct(np.eye(_SIDE), axis=0)[:8].astype(np.float32)  # type II, as in imagehash; its 8 lowest frequencies
_EXTENSIONS = {
    "PNG": (".png", ".apng"),
    "JPEG": (".jpg", ".jpeg", ".jpe", ".jfif"),
    "MPO": (".jpg", ".jpeg", ".mpo"),  # several JPEG pictures in one file, as phones write them
    "GIF": (".gif",),
    "BMP": (".bmp", ".dib"),
    "TIFF": (".tif", ".tiff"),
    "WEBP": (".webp",),
    "AVIF": (".avif", ".avifs"),
}


def measure_all(paths: Sequence[str], quality: Quality) -> pd.DataFrame:
    """What `measure_files` gives of any number of files, measured by several processes where they are many.

    Raises:
        BadInput: the system killed a process.
    """
    shards = [paths[start : start + SHARD] for start in range(0, len(paths), SHARD)]
    settings = [quality] * len(shards)
    if len(shards) < _WORTH_PROCESSES:
        return pd.concat(map(measure_files, shards, settings), ignore_index=True)
    try:
        with executor() as workers:
            tables = workers.map(measure_files, shards, settings)
            return pd.concat(bar(tables, "validate", "shard", total=len(shards)), ignore_index=True)
    except BrokenProcessPool as error:
        raise BadInput(
            "a process that measured images was killed: free memory, or lower validate.quality.max_pixels"
        ) from error


def measure_files(paths: Sequence[str], quality: Quality) -> pd.DataFrame:
    """The columns MEASURES of files, a row each in their order.

    brightness: mean in [0, 1]; contrast: standard deviation in [0, 0.5]; sharpness: variance of the Laplacian, small
    where a picture is blurred; phash: the signs of its 64 lowest cosine frequencies against their median (Zauner
    2010), as 16 hex digits. All four are of the picture in grey at 64 x 64, and null where it does not decode.
    defect: the first of DEFECTS that the file has and `quality.quarantine` names, else null; warnings: its others,
    joined by commas, else null.
    """
    measured = [measure(Path(path).read_bytes(), Path(path).suffix, quality) for path in paths]
    table = pd.DataFrame([row for row, _, _ in measured])
    decoded = np.array([copy is not None for _, _, copy in measured], bool)
    copies = np.array([copy for _, _, copy in measured if copy is not None], np.uint8).reshape(-1, _SIDE, _SIDE)
    for name, values in _measures(copies).items():
        table[name] = pd.Series(values, index=np.flatnonzero(decoded)).reindex(table.index)
    reasons = [
        [*defects, *_picture_defects(bright, contrast, quality)]
        for (_, defects, _), bright, contrast in zip(measured, table["brightness"], table["contrast"], strict=True)
    ]
    graver = [next((name for name in names if name in quality.quarantine), None) for names in reasons]
    table["defect"] = graver
    table["warnings"] = [
        ",".join(name for name in names if name != grave) or None for names, grave in zip(reasons, graver, strict=True)
    ]
    return table.reindex(columns=MEASURES).astype(_TYPES)


def measure(
    content: bytes, suffix: str, quality: Quality
) -> tuple[dict[str, Any], list[str], NDArray[np.uint8] | None]:
    """What a file's content says of itself: its row, its defects but for those of the picture, its reduced grey copy.

    Args:
        suffix: of the file's name, such as `.png`; one that claims another format is a defect.
    """
    row: dict[str, Any] = {
        "bytes": len(content),
        "sha256": hashlib.sha256(content).hexdigest(),
        "format": None,
        "width": None,
        "height": None,
        "mode": None,
    }
    if not content:
        return row, ["zero_byte"], None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            image = Image.open(io.BytesIO(content), formats=FORMATS)
        except Image.DecompressionBombError:
            return row, ["too_large"], None
        except Exception:  # hostile bytes make Pillow's plugins raise anything, struct.error and KeyError included
            return row, ["not_an_image"], None
        row |= {"format": image.format, "width": image.width, "height": image.height, "mode": image.mode}
        if image.width * image.height > quality.max_pixels:  # declared in the header: nothing has been decoded yet
            return row, ["too_large"], None
        try:
            copy = _reduce(image)
            if _ends_in_zeros(content):
                return row, ["truncated"], None
            return row, _file_defects(row, image, suffix, quality), copy
        except Exception:  # the same
            return row, ["truncated"], None


def count_by_class(manifest: pd.DataFrame) -> pd.DataFrame:
    """Per class: files, good ones, files that have each of DEFECTS, and the share that goes to the quarantine."""
    counts = manifest.groupby("label").agg(files=("path", "size"), good=("defect", lambda column: column.isna().sum()))
    names = manifest["defect"].fillna("") + "," + manifest["warnings"].fillna("")
    for defect in DEFECTS:
        counts[defect] = names.str.contains(rf"\b{defect}\b").groupby(manifest["label"]).sum()
    counts["defect_share"] = (counts["files"] - counts["good"]) / counts["files"]  # 29 of 100 is 0.29; 1 - 0.71 is more
    return counts.reset_index()


def _reduce(image: Image.Image) -> NDArray[np.uint8] | None:
    """The reduced grey copy, from all of the data: a JPEG's draft is read to its end, only not calculated in full."""
    if image.mode in ("L", "RGB"):
        image.draft("L", (_SIDE, _SIDE))
    image.load()
    if image.mode not in MODES:
        return None
    return np.asarray(upright(image, 1).resize((_SIDE, _SIDE), Image.Resampling.BOX), np.uint8)


def _ends_in_zeros(content: bytes) -> bool:
    """Whether it is a JPEG of which a part never arrived in its file; libjpeg takes the zeros for grey."""
    return (
        content.startswith(b"\xff\xd8")
        and content.endswith(bytes(64))
        and not content.rstrip(b"\0").endswith(b"\xff\xd9")
    )


def _file_defects(row: dict[str, Any], image: Image.Image, suffix: str, quality: Quality) -> list[str]:
    short, long = sorted((row["width"], row["height"]))  # a draft is smaller
    claimed = [name for name, suffixes in _EXTENSIONS.items() if suffix.lower() in suffixes]
    holds = {
        "unsupported_mode": image.mode not in MODES,
        "wrong_extension": suffix != "" and image.format not in claimed,
        "animated": getattr(image, "is_animated", False) and image.format != "MPO",
        "too_small": short < quality.min_side_px,
        "odd_aspect": long > quality.max_aspect * short,
    }
    return [name for name, is_so in holds.items() if is_so]


def _picture_defects(brightness: float, contrast: float, quality: Quality) -> list[str]:
    """Comparisons with the NaN of an undecoded file are false."""
    holds = {
        "dark": brightness < quality.min_brightness,
        "bright": brightness > quality.max_brightness,
        "low_information": contrast < quality.min_contrast,
    }
    return [name for name, is_so in holds.items() if is_so]


def _measures(copies: NDArray[np.uint8]) -> dict[str, Any]:
    """Per reduced grey copy uint8 (n, 64, 64): brightness, contrast, sharpness and perceptual hash."""
    grey = copies.astype(np.float32) / 255
    inner = grey[:, 1:-1, 1:-1]
    laplacian = grey[:, :-2, 1:-1] + grey[:, 2:, 1:-1] + grey[:, 1:-1, :-2] + grey[:, 1:-1, 2:] - 4 * inner
    low = np.rint(100 * (_COSINES @ grey @ _COSINES.T)).reshape(-1, 64)  # rounded: a flat picture has zeros, no noise
    bits = low > np.median(low, axis=1, keepdims=True)
    return {
        "brightness": grey.mean((1, 2)),
        "contrast": grey.std((1, 2)),
        "sharpness": laplacian.var((1, 2)),
        "phash": [code.tobytes().hex() for code in np.packbits(bits, axis=1)],
    }
