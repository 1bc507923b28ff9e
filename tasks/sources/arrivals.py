"""Files on their way from the sources into the folder of raw images."""

import hashlib
import os
import shutil
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from tasks.core.files import RAW_TABLE, REFUSED, sha256_of
from tasks.core.params import Digits, Files, Limits
from tasks.sources.contents import Listing, Source, is_packed, read_labels, read_source
from tasks.sources.labels import LabelledName, Labelling, LabelTable, read_table
from tasks.sources.names import raw_paths, require_distinct
from tasks.support.errors import BadInput
from tasks.support.progress import bar, log

LEFT_OUT = "left_out.csv"
LeftOut = list[tuple[int, str, str]]  # number of the source, name there, reason


@dataclass(frozen=True)
class Origin:
    """Where a file comes from: number of its source, name there, tag in the listing, class, the source's own split."""

    source: int
    name: str
    tag: str
    labelled: LabelledName
    split: str | None


class Arrivals:
    """Files on their way into a folder, where each has a number for a name until all names are known."""

    def __init__(self, folder: Path, old: Path, old_table: pd.DataFrame) -> None:
        """Begin with a folder that is empty.

        Args:
            old: folder of the last ingest, which need not exist.
            old_table: its table.
        """
        self._folder, self._old = folder, old
        self._incoming = folder / ".incoming"
        self._incoming.mkdir()
        self._known = {
            (name, tag): (path, value)
            for name, tag, path, value in old_table[["origin", "tag", "path", "sha256"]].itertuples(index=False)
        }
        self._rows: list[tuple[Origin, int, str]] = []  # with bytes and SHA-256

    def add(self, origin: Origin, content: bytes) -> None:
        """Write a file's content."""
        self._next().write_bytes(content)
        self._rows.append((origin, len(content), hashlib.sha256(content).hexdigest()))

    def take_over(self, origin: Origin) -> bool:
        """Whether the folder of the last ingest holds the file, unspoilt; it is then linked."""
        path, value = self._known.get((origin.name, origin.tag), ("", ""))
        held = (self._old / path).resolve()
        if not path or not held.is_file() or sha256_of(held) != value:
            return False
        target = self._next()
        try:
            os.link(held, target)
        except OSError:  # not every file system has hard links
            shutil.copyfile(held, target)
        self._rows.append((origin, target.stat().st_size, value))
        return True

    def settle(self) -> pd.DataFrame:
        """Move every file to its place; a row for each: path, label, source, origin, split, tag, bytes, sha256.

        Raises:
            BadInput: no file has a class, or names of classes or files cannot stand beside each other.
        """
        if not self._rows:
            raise BadInput(
                "no file of any source has a class; expected <path>/<class>/<image>, or else classes or labels in "
                "ingest.sources: correct it (.state/listings has all names)"
            )
        table = pd.DataFrame(
            [
                (file.source, file.name, file.labelled.label, file.labelled.rest, file.split, file.tag, size, value)
                for file, size, value in self._rows
            ],
            columns=["source", "origin", "label", "rest", "split", "tag", "bytes", "sha256"],
        ).astype({"split": "str"})
        _require_fit(sorted(table["label"].unique()))
        table["path"] = raw_paths(table)
        for folder in sorted({path.rpartition("/")[0] for path in table["path"]}):
            (self._folder / folder).mkdir(parents=True, exist_ok=True)
        for number, path in enumerate(table["path"]):
            (self._incoming / str(number)).rename(self._folder / path)
        self._incoming.rmdir()
        columns = ["path", "label", "source", "origin", "split", "tag", "bytes", "sha256"]
        return table[columns].sort_values("path", ignore_index=True)

    def _next(self) -> Path:
        return self._incoming / str(len(self._rows))


def gather(number: int, source: Source, listing: Listing, limits: Limits, arrivals: Arrivals) -> LeftOut:
    """Bring the files of one source that have a class; returns those that have none.

    A file that an earlier ingest brought and that its source still lists is taken over, not transferred again.

    Raises:
        BadInput: the source no longer holds what is listed, an archive is refused, a glob matches nothing, or labels
            and files do not match and `on_mismatch` is stop.
    """
    labelling = Labelling(source, _label_table(source, listing))
    if is_packed(source):
        (archive,) = listing.files
        for name, content in bar(read_source(source, listing.files, limits), "ingest", "file"):
            if labels := labelling.apply(name):
                arrivals.add(Origin(number, name, archive.tag, *labels), content)
        return _left_out(number, source, listing, labelling)
    origins = {
        file: Origin(number, file.name, file.tag, *labels)
        for file in listing.files
        if (labels := labelling.apply(file.name))
    }
    left_out = _left_out(number, source, listing, labelling)
    wanted = [file for file, origin in origins.items() if not arrivals.take_over(origin)]
    contents = bar(read_source(source, wanted, limits), "ingest", "file", total=len(wanted))
    for file, (_, content) in zip(wanted, contents, strict=True):
        arrivals.add(origins[file], content)
    return left_out


def _label_table(source: Source, listing: Listing) -> LabelTable | None:
    if isinstance(source, Digits) or source.labels is None or listing.labels is None:
        return None
    return read_table(read_labels(source.labels.path, listing.labels), source.labels)


def _left_out(number: int, source: Source, listing: Listing, labelling: Labelling) -> LeftOut:
    """What a source holds that has no class, once the labelling was applied to all of it."""
    labelling.finish()
    left_out = [(number, name, "not_a_regular_file") for name in listing.irregular]
    left_out += [(number, name, reason) for name, reason in labelling.left_out]
    mismatch = labelling.mismatch()
    if mismatch and isinstance(source, Files) and source.labels:
        sentence = f"labels file {source.labels.path}: {mismatch}"
        if source.labels.on_mismatch == "stop":
            write_left_out(REFUSED / "raw", left_out)
            raise BadInput(
                f"{sentence}: complete the source or set on_mismatch: report in ingest.sources "
                f"(all of them: {REFUSED / 'raw' / LEFT_OUT})"
            )
        log.warning("  %s", sentence)
    return left_out


def write_left_out(folder: Path, left_out: LeftOut) -> None:
    """Write LEFT_OUT with a row for each name without a class."""
    folder.mkdir(parents=True, exist_ok=True)
    names = ["source", "name", "reason"]
    pd.DataFrame(sorted(left_out), columns=names).to_csv(folder / LEFT_OUT, index=False)


def _require_fit(classes: list[str]) -> None:
    """Raise BadInput where names of classes cannot stand beside each other and the two tables as folders."""
    require_distinct(classes, "the list of classes")
    if taken := [label for label in classes if label.lower() in (RAW_TABLE, LEFT_OUT)]:
        raise BadInput(f'class "{taken[0]}" is called as a table that ingest writes: rename it in the source')
