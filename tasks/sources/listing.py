"""The listing of all sources, by which both drivers notice that something is new.

Git holds `data/sources.json`: for each source where it is, how many files of how many bytes it holds, and the SHA-256
of its full listing. The full listing, a line for each file, is a cache that is made anew where it is missing.
"""

import hashlib
import json
from dataclasses import astuple
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from tasks.core.files import replacing_file, sha256_of, write_json
from tasks.core.params import Digits, Ingest
from tasks.sources.contents import Listing, Source, SourceFile, list_source
from tasks.support.commands import command
from tasks.support.errors import BadInput
from tasks.support.progress import log
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
