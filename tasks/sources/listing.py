"""Where images come from, and `data/sources.json`, the listing by which both drivers notice that something is new.

A source is the embedded digits or `files`: a folder, an archive or an S3 prefix, whose classes come from its folders,
from globs or from a CSV file of labels. The listing has a line for each thing that is transferred as a whole: a file of
a folder, an object, an archive.
"""

import hashlib
import json
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tasks.core.files import read_json, sha256_of
from tasks.core.params import Digits, Files, Ingest, Limits
from tasks.sources.archives import is_archive, read_archive
from tasks.sources.digits import digit_files
from tasks.sources.folders import walk
from tasks.sources.hashes import sha256_of_files
from tasks.sources.names import fault
from tasks.support.commands import command
from tasks.support.errors import BadInput
from tasks.support.progress import log
from tasks.support.storage import SCHEME, Bucket, Stored

LISTING = Path("data/sources.json")
TRANSFERS = Path(".state/ingest")  # objects that arrived, kept when ingest is killed; archives for as long as listed
Source = Digits | Files


@dataclass(frozen=True, order=True)
class SourceFile:
    """What is transferred as a whole: name in its source, size in bytes, `sha256:…` or `etag:…` of its content."""

    name: str
    size: int
    tag: str


@dataclass(frozen=True)
class Listed:
    """What a source holds: its files, those that are no regular files (links, sockets) and its CSV file of labels."""

    files: list[SourceFile]
    irregular: list[str]
    labels: SourceFile | None


def refresh(params: Ingest, listing: Path = LISTING) -> bool:
    """Write the listing of all sources if it differs from the one on disk; says whether it did.

    Raises:
        BadInput: a source is missing, empty, beyond the limits, or has a name that cannot be kept.
    """
    found = [_list_source(source, params.limits) for source in params.sources]
    text = ",\n".join(
        f'{{"source": {json.dumps(_place(source))},\n'
        f'"irregular": {json.dumps(listed.irregular)},\n'
        f'"labels": {json.dumps(listed.labels and asdict(listed.labels))},\n'
        '"files": [\n' + ",\n".join(json.dumps(asdict(file)) for file in listed.files) + "\n]}"  # readable diffs
        for source, listed in zip(params.sources, found, strict=True)
    )
    partial = listing.with_name(f".{listing.name}.partial")
    partial.write_text(f'{{"sources": [\n{text}\n]}}\n', encoding="utf-8")
    if listing.exists() and listing.read_bytes() == partial.read_bytes():
        partial.unlink()
        return False
    partial.replace(listing)
    return True


def read_listing(params: Ingest, listing: Path = LISTING) -> list[Listed]:
    """What the listing says of each source.

    Raises:
        BadInput: it is missing, or of other sources than those in the parameters.
    """
    if not listing.exists():
        raise BadInput(f"{listing} is missing: run `make refresh`")
    entries: list[dict[str, Any]] = read_json(listing)["sources"]
    if [entry["source"] for entry in entries] != [_place(source) for source in params.sources]:
        raise BadInput(f"{listing} lists other sources than ingest.sources in params.yaml: run `make refresh`")
    return [
        Listed(
            [SourceFile(**file) for file in entry["files"]],
            entry["irregular"],
            entry["labels"] and SourceFile(**entry["labels"]),
        )
        for entry in entries
    ]


def _place(source: Source) -> dict[str, str]:
    """Where a source is; how its classes are found may change without a new listing."""
    if isinstance(source, Digits):
        return {"kind": source.kind}
    return {"kind": source.kind, "path": source.path} | ({"labels": source.labels.path} if source.labels else {})


def is_packed(source: Source) -> bool:
    """Whether a source is one archive."""
    return isinstance(source, Files) and is_archive(source.path)


def read_source(source: Source, wanted: list[SourceFile], limits: Limits) -> Iterator[tuple[str, bytes]]:
    """Name and content of each wanted file; of each file inside where the source is an archive.

    Raises:
        BadInput: a file is missing or no longer the listed one, or an archive is refused.
    """
    if isinstance(source, Digits):
        embedded = dict(digit_files())
        yield from ((file.name, embedded[file.name]) for file in wanted)
        return
    for file, path in zip(wanted, _arrived(source.path, wanted, is_packed(source)), strict=True):
        if is_packed(source):
            _require_listed(file, sha256_of(path) if path.exists() else "")
            yield from read_archive(path, limits)
        else:
            yield file.name, _content(file, path)


def read_labels(path: str, listed: SourceFile) -> bytes:
    """Content of a CSV file of labels, on disk or in a bucket.

    Raises:
        BadInput: it is missing or no longer the listed one.
    """
    return _content(listed, *_arrived(path, [listed], single=True))


def forget_transfers(listed: list[Listed]) -> None:
    """Remove fetched objects, but for archives that are still listed: these are not fetched again."""
    if TRANSFERS.exists():
        kept = {_transfer(file).name for one in listed for file in one.files if is_archive(file.name)}
        for path in TRANSFERS.iterdir():
            if path.name not in kept:
                path.unlink()


def _list_source(source: Source, limits: Limits) -> Listed:
    if isinstance(source, Digits):
        return Listed([SourceFile(name, len(data), _tag(data)) for name, data in digit_files()], [], None)
    names, irregular = ([], []) if source.path.startswith(SCHEME) else walk(Path(source.path))
    files = (
        _list_bucket(source.path, is_packed(source))
        if source.path.startswith(SCHEME)
        else _describe(Path(source.path), names)
    )
    for file in sorted(files):
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
    return Listed(sorted(files), sorted(irregular), _list_labels(source))


def _list_labels(source: Files) -> SourceFile | None:
    if source.labels is None:
        return None
    path = source.labels.path
    if path.startswith(SCHEME):
        found = _list_bucket(path, single=True)
        if len(found) != 1:
            raise BadInput(f"labels file {path} does not exist: correct ingest.sources in params.yaml")
        return found[0]
    if not Path(path).is_file():
        raise BadInput(f"labels file {path} does not exist: create it or correct ingest.sources in params.yaml")
    return _describe(Path(path), [Path(path).name])[0]


def _describe(root: Path, names: list[str]) -> list[SourceFile]:
    """Files of a folder, or the one file that `root` is."""
    paths = [root / name if root.is_dir() else root for name in names]
    cache = Path(".state/hashes", hashlib.sha256(os.fsencode(root.absolute())).hexdigest()[:16] + ".json")
    try:
        hashes = sha256_of_files(paths, cache)
        return [
            SourceFile(name, path.stat().st_size, f"sha256:{value}")
            for name, path, value in zip(names, paths, hashes, strict=True)
        ]
    except FileNotFoundError as error:
        raise BadInput(f"{error.filename} went away while {root} was listed: run again") from error


def _list_bucket(url: str, single: bool) -> list[SourceFile]:
    return [SourceFile(one.name, one.size, f"etag:{one.etag}") for one in Bucket(url, single).list()]


def _arrived(place: str, wanted: list[SourceFile], single: bool) -> list[Path]:
    """Where the content of listed files is on this disk, once those of a bucket have been fetched."""
    if not place.startswith(SCHEME):
        return [Path(place) if single else Path(place, file.name) for file in wanted]
    TRANSFERS.mkdir(parents=True, exist_ok=True)
    paths = [_transfer(file) for file in wanted]
    Bucket(place, single).fetch(
        (Stored(file.name, file.size, file.tag.removeprefix("etag:")), path)
        for file, path in zip(wanted, paths, strict=True)
        if not path.exists()
    )
    return paths


def _transfer(file: SourceFile) -> Path:
    suffix = "".join(Path(file.name).suffixes[-2:]).lower() if is_archive(file.name) else ""
    return TRANSFERS / (hashlib.sha256(f"{file.name}:{file.size}:{file.tag}".encode()).hexdigest() + suffix)


def _content(file: SourceFile, path: Path) -> bytes:
    content = path.read_bytes() if path.is_file() else b""
    _require_listed(file, hashlib.sha256(content).hexdigest() if path.is_file() else "")
    return content


def _require_listed(file: SourceFile, sha256: str) -> None:
    """Objects were compared with their ETag when they were fetched."""
    if not sha256:
        raise BadInput(f"{LISTING} lists {file.name}, which the source does not hold: run `make refresh`")
    if file.tag.startswith("sha256:") and file.tag != f"sha256:{sha256}":
        raise BadInput(f"{file.name} is not the file that {LISTING} lists (its content changed): run `make refresh`")


def _tag(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


if __name__ == "__main__":
    command(lambda params: log.info("sources: %s", "changed" if refresh(params.ingest) else "unchanged"))
