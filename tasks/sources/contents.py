"""What sources hold, and its content: the embedded digits, or a folder, an archive or an S3 prefix of files."""

import hashlib
import io
import os
from collections.abc import Iterator
from dataclasses import dataclass
from operator import attrgetter, itemgetter
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from sklearn.datasets import load_digits

from tasks.core.files import sha256_of
from tasks.core.params import Digits, Files, Limits
from tasks.sources.archives import is_archive, read_archive
from tasks.sources.folders import sha256_of_files, walk
from tasks.sources.names import fault
from tasks.support.errors import BadInput
from tasks.support.storage import SCHEME, Bucket, Stored

TRANSFERS = Path(".state/ingest")  # objects that arrived, kept when ingest is killed; archives for as long as listed
Source = Digits | Files


@dataclass(frozen=True, slots=True)
class SourceFile:
    """What is transferred as a whole: a file of a folder, an object, an archive, a digit.

    Attributes:
        name: in its source.
        size: in bytes.
        tag: `sha256:…` or `etag:…` of its content, or `pixels:…`, the SHA-256 of an embedded digit's pixels, since the
            bytes of a PNG file depend on the version of the library that writes it.
    """

    name: str
    size: int
    tag: str


@dataclass(frozen=True)
class Listing:
    """What a source holds: its files, the names that are no regular files (links, sockets), its CSV file of labels."""

    files: list[SourceFile]
    irregular: list[str]
    labels: SourceFile | None


def list_source(source: Source, limits: Limits) -> Listing:
    """What a source holds, sorted by name.

    Raises:
        BadInput: the source is missing, empty, beyond the limits, or has a name that cannot be kept.
    """
    if isinstance(source, Digits):
        return Listing(
            [_describe_digit(name, pixels) for name, pixels in sorted(_digits(), key=itemgetter(0))], [], None
        )
    irregular: list[str] = []
    if source.path.startswith(SCHEME):
        files = _list_bucket(source.path, is_packed(source))
    else:
        names, irregular = walk(Path(source.path))
        files = _describe_files(Path(source.path), names)
    files.sort(key=attrgetter("name"))
    _require_fit(source, files, limits)
    return Listing(files, sorted(irregular), _list_labels(source))


def is_packed(source: Source) -> bool:
    """Whether a source is one archive."""
    return isinstance(source, Files) and is_archive(source.path)


def read_source(source: Source, wanted: list[SourceFile], limits: Limits) -> Iterator[tuple[str, bytes]]:
    """Name and content of each wanted file; of each file inside where the source is an archive.

    Raises:
        BadInput: a file is missing or no longer the listed one, or an archive is refused.
    """
    if isinstance(source, Digits):
        yield from _read_digits(wanted)
        return
    for file, path in zip(wanted, _arrived(source.path, wanted, is_packed(source)), strict=True):
        if is_packed(source):
            _require_listed(file, f"sha256:{sha256_of(path)}" if path.exists() else None)
            yield from read_archive(path, limits)
        else:
            yield file.name, _content(file, path)


def read_labels(path: str, listed: SourceFile) -> bytes:
    """Content of a CSV file of labels, on disk or in a bucket.

    Raises:
        BadInput: it is missing or no longer the listed one.
    """
    return _content(listed, *_arrived(path, [listed], single=True))


def forget_transfers(listings: list[Listing]) -> None:
    """Remove fetched objects, but for archives that are still listed: these are not fetched again."""
    if TRANSFERS.exists():
        kept = {_transfer(file).name for listing in listings for file in listing.files if is_archive(file.name)}
        for path in TRANSFERS.iterdir():
            if path.name not in kept:
                path.unlink()


def _digits() -> Iterator[tuple[str, NDArray[np.uint8]]]:
    """The 1,797 handwritten digits of scikit-learn, uint8 (8, 8) in 17 grey levels, under names in class folders."""
    digits = load_digits()
    images = np.rint(digits.images * (255 / 16)).astype(np.uint8)
    for number, (image, label) in enumerate(zip(images, digits.target, strict=True)):
        yield f"{label}/digit-{number:04d}.png", image


def _describe_digit(name: str, pixels: NDArray[np.uint8]) -> SourceFile:
    return SourceFile(name, pixels.nbytes, f"pixels:{hashlib.sha256(pixels.tobytes()).hexdigest()}")


def _read_digits(wanted: list[SourceFile]) -> Iterator[tuple[str, bytes]]:
    """The digits as PNG files."""
    digits = dict(_digits())
    for file in wanted:
        pixels = digits.get(file.name)
        _require_listed(file, None if pixels is None else _describe_digit(file.name, pixels).tag)
        content = io.BytesIO()
        Image.fromarray(digits[file.name]).save(content, format="PNG")
        yield file.name, content.getvalue()


def _require_fit(source: Files, files: list[SourceFile], limits: Limits) -> None:
    for file in files:
        if reason := fault(file.name):
            raise BadInput(f"source {source.path} holds a name with {reason}: {file.name[:100]!r}: rename it")
        if file.size > limits.max_file_mb * 1e6 and not is_packed(source):
            raise BadInput(
                f"source {source.path} holds {file.name} of {file.size / 1e6:.3g} MB; expected at most "
                f"{limits.max_file_mb:g} MB: remove it or raise ingest.limits.max_file_mb"
            )
    total = sum(file.size for file in files)
    if len(files) > limits.max_files or total > limits.max_total_gb * 1e9:
        raise BadInput(
            f"source {source.path} holds {len(files)} files of {total / 1e9:.3g} GB; expected at most "
            f"{limits.max_files} and {limits.max_total_gb:g} GB: raise ingest.limits.max_files or .max_total_gb"
        )
    if not files:
        raise BadInput(f"source {source.path} holds no file: add images or correct ingest.sources in params.yaml")


def _list_labels(source: Files) -> SourceFile | None:
    if source.labels is None:
        return None
    path = source.labels.path
    if path.startswith(SCHEME):
        objects = _list_bucket(path, single=True)
        if len(objects) != 1:
            raise BadInput(f"labels file {path} does not exist: correct ingest.sources in params.yaml")
        return objects[0]
    if not Path(path).is_file():
        raise BadInput(f"labels file {path} does not exist: create it or correct ingest.sources in params.yaml")
    return _describe_files(Path(path), [Path(path).name])[0]


def _describe_files(root: Path, names: list[str]) -> list[SourceFile]:
    """Files of a folder, or the one file that `root` is."""
    paths = [root / name for name in names] if root.is_dir() else [root]
    cache = Path(".state/hashes", hashlib.sha256(os.fsencode(root.absolute())).hexdigest()[:16] + ".json")
    try:
        return [
            SourceFile(name, size, f"sha256:{value}")
            for name, (size, value) in zip(names, sha256_of_files(paths, cache), strict=True)
        ]
    except FileNotFoundError as error:
        raise BadInput(f"{error.filename} went away while {root} was listed: run again") from error


def _list_bucket(url: str, single: bool) -> list[SourceFile]:
    return [SourceFile(stored.name, stored.size, f"etag:{stored.etag}") for stored in Bucket(url, single).list()]


def _arrived(url: str, wanted: list[SourceFile], single: bool) -> list[Path]:
    """Where the content of listed files is on this disk, once those of a bucket have been fetched."""
    if not url.startswith(SCHEME):
        return [Path(url) if single else Path(url, file.name) for file in wanted]
    TRANSFERS.mkdir(parents=True, exist_ok=True)
    paths = [_transfer(file) for file in wanted]
    Bucket(url, single).fetch(
        (Stored(file.name, file.size, file.tag.removeprefix("etag:")), path)
        for file, path in zip(wanted, paths, strict=True)
        if not path.exists()
    )
    return paths


def _transfer(file: SourceFile) -> Path:
    suffix = "".join(Path(file.name).suffixes[-2:]).lower() if is_archive(file.name) else ""
    return TRANSFERS / (hashlib.sha256(f"{file.name}:{file.size}:{file.tag}".encode()).hexdigest() + suffix)


def _content(file: SourceFile, path: Path) -> bytes:
    content = path.read_bytes() if path.is_file() else None
    _require_listed(file, None if content is None else f"sha256:{hashlib.sha256(content).hexdigest()}")
    return content or b""


def _require_listed(file: SourceFile, tag: str | None) -> None:
    """Raise BadInput unless the content's tag is the listed one; objects were compared when they were fetched.

    Args:
        tag: of the content, or None where there is none.
    """
    if tag is None:
        raise BadInput(f"the listing has {file.name}, which the source does not hold: run `make refresh`")
    if tag != file.tag and not file.tag.startswith("etag:"):
        raise BadInput(f"{file.name} is not the file that was listed (its content changed): run `make refresh`")
