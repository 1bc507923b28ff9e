"""The listing of all sources, by which both drivers notice that something is new.

Git holds `data/sources.json`: for each source where it is, how many files of how many bytes it holds, and the SHA-256
of its full listing. The full listing, a line for each file, is a cache that is made anew where it is missing.
"""

import hashlib
import json
import os
import stat
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import astuple
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from tasks.core.files import replacing_file, sha256_of, write_json
from tasks.core.params import Digits, Ingest
from tasks.sources.archives import SUFFIXES, is_archive
from tasks.sources.contents import Listing, Source, SourceFile, list_source
from tasks.support.commands import command
from tasks.support.errors import BadInput
from tasks.support.progress import bar, log
from tasks.support.stages import LISTING

LISTINGS = Path(".state/listings")  # full listings, each under its SHA-256


class _Entry(BaseModel):
    """What git holds of a source."""

    model_config = ConfigDict(extra="forbid", strict=True)
    source: dict[str, str]
    files: int
    bytes: int
    sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]


class _Summary(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)
    sources: list[_Entry]


def refresh(params: Ingest, summary: Path = LISTING) -> bool:
    """List all sources, and write the summary if it differs from the one on disk; says whether it did.

    Raises:
        BadInput: a source is missing, empty, beyond the limits, or has a name that cannot be kept.
    """
    entries = []
    for source in params.sources:
        listing = list_source(source, params.limits)
        text = _text_of(listing)
        entries.append(_entry(source, listing, text))
        _keep(text)
    for path in set(LISTINGS.iterdir()) - {LISTINGS / entry.sha256 for entry in entries}:
        path.unlink()
    return write_json(summary, _Summary(sources=entries).model_dump())


def read_listing(params: Ingest, summary: Path = LISTING) -> list[Listing]:
    """The full listing of each source, from the cache or else made anew.

    Raises:
        BadInput: the summary is missing, of an earlier format, or of other sources than those in the parameters; or a
            source that had to be listed anew has changed since.
    """
    if not summary.exists():
        raise BadInput(f"{summary} is missing: run `make refresh`")
    try:
        entries = _Summary.model_validate_json(summary.read_bytes()).sources
    except ValidationError as error:
        raise BadInput(f"{summary} is no listing of this version's format: run `make refresh`") from error
    if [entry.source for entry in entries] != [_location(source) for source in params.sources]:
        raise BadInput(f"{summary} lists other sources than ingest.sources in params.yaml: run `make refresh`")
    return [
        _cached(entry) or _listed_anew(source, entry, params, summary)
        for source, entry in zip(params.sources, entries, strict=True)
    ]


def _location(source: Source) -> dict[str, str]:
    """Where a source is; how its classes are determined may change without a new listing."""
    if isinstance(source, Digits):
        return {"kind": source.kind}
    return {"kind": source.kind, "path": source.path} | ({"labels": source.labels.path} if source.labels else {})


def _entry(source: Source, listing: Listing, text: bytes) -> _Entry:
    return _Entry(
        source=_location(source),
        files=len(listing.files),
        bytes=sum(file.size for file in listing.files),
        sha256=hashlib.sha256(text).hexdigest(),
    )


def _text_of(listing: Listing) -> bytes:
    """A line with the names that are no regular files and the labels, then a line with name, size and tag per file."""
    head = {"irregular": listing.irregular, "labels": listing.labels and astuple(listing.labels)}
    lines = [json.dumps(head), *(json.dumps([file.name, file.size, file.tag]) for file in listing.files)]
    return "".join(f"{line}\n" for line in lines).encode()


def _keep(text: bytes) -> None:
    path = LISTINGS / hashlib.sha256(text).hexdigest()
    if not path.exists():
        with replacing_file(path) as sibling:
            sibling.write_bytes(text)


def _cached(entry: _Entry) -> Listing | None:
    path = LISTINGS / entry.sha256
    if not path.exists() or sha256_of(path) != entry.sha256:
        path.unlink(missing_ok=True)
        return None
    with path.open(encoding="ascii") as lines:
        head = json.loads(next(lines))
        files = [SourceFile(*json.loads(line)) for line in lines]
    return Listing(files, head["irregular"], head["labels"] and SourceFile(*head["labels"]))


def _listed_anew(source: Source, entry: _Entry, params: Ingest, summary: Path) -> Listing:
    listing = list_source(source, params.limits)
    text = _text_of(listing)
    now = _entry(source, listing, text)
    if now != entry:
        name = entry.source.get("path", entry.source["kind"])
        raise BadInput(
            f"source {name} has changed since {summary} was written ({entry.files} files of {entry.bytes} bytes then, "
            f"{now.files} of {now.bytes} now): run `make refresh`"
        )
    _keep(text)
    return listing


if __name__ == "__main__":
    command(lambda params: log.info("sources: %s", "changed" if refresh(params.ingest) else "unchanged"))


SETTLED_S = 2.0  # a file changed more recently could change again within the clock's resolution
_BATCH = 256  # files that one thread reads in a row; bounds the memory for those that wait


def walk(root: Path) -> tuple[list[str], list[str]]:
    """Names below a folder, of regular files and of others (links, sockets, devices); links are not followed.

    Raises:
        BadInput: the folder is missing, cannot be listed, or is a file other than an archive.
    """
    if root.is_file():
        if not is_archive(root.name):
            raise BadInput(f"source {root} is a file but no archive; expected one of {', '.join(SUFFIXES)} or a folder")
        return [root.name], []
    if not root.is_dir():
        raise BadInput(f"source {root} does not exist: create it or correct ingest.sources in params.yaml")
    names: list[str] = []
    irregular: list[str] = []
    for name, mode in _entries(root, ""):
        (names if stat.S_ISREG(mode) else irregular).append(name)
    return names, [os.fsencode(name).decode("utf-8", "backslashreplace") for name in irregular]


def _entries(folder: Path, above: str) -> Iterator[tuple[str, int]]:
    """Name below the root and file mode of all that a folder holds, but for folders."""
    try:
        with os.scandir(folder) as listed:
            entries = [(entry.name, entry.stat(follow_symlinks=False).st_mode) for entry in listed]
    except OSError as error:
        raise BadInput(f"cannot list {error.filename}: {error.strerror}: make it readable") from error
    for name, mode in entries:
        if stat.S_ISDIR(mode):
            yield from _entries(folder / name, f"{above}{name}/")
        else:
            yield above + name, mode


def sha256_of_files(paths: Sequence[Path], cache: Path) -> list[tuple[int, str]]:
    """Size in bytes and SHA-256 as hex digits of each file, in the order of `paths`.

    A file is known by path, size, inode, and its times of modification and of status change (which no program can set
    back); the file `cache` holds the results of the last call with it.
    """
    known: dict[str, list[object]] = json.loads(cache.read_text()) if cache.exists() else {}
    marks = [_mark(path) for path in paths]
    due = [path for path, mark in zip(paths, marks, strict=True) if known.get(str(path), [None])[:-1] != mark]
    started_ns = time.time_ns()
    fresh = dict(zip(due, bar(_read(due), "refresh", "file", total=len(due)), strict=True))
    hashes = [fresh.get(path) or str(known[str(path)][-1]) for path in paths]
    if fresh or len(known) != len(paths):
        settled = started_ns - int(SETTLED_S * 1e9)
        kept = {
            str(path): [*mark, value]
            for path, mark, value in zip(paths, marks, hashes, strict=True)
            if max(mark[2:]) < settled
        }
        with replacing_file(cache) as sibling:
            sibling.write_text(json.dumps(kept))
    return [(mark[0], value) for mark, value in zip(marks, hashes, strict=True)]


def _mark(path: Path) -> list[int]:
    status = path.stat()
    return [status.st_size, status.st_ino, status.st_mtime_ns, status.st_ctime_ns]


def _read(paths: Sequence[Path]) -> Iterator[str]:
    batches = [paths[start : start + _BATCH] for start in range(0, len(paths), _BATCH)]
    with ThreadPoolExecutor(os.cpu_count()) as threads:
        for hashes in threads.map(lambda batch: [sha256_of(path) for path in batch], batches):
            yield from hashes
