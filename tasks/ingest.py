"""Ingest: the images of all sources, as listed in data/sources.json, under data/raw/<class>/."""

import hashlib
import os
import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pandas as pd

from tasks.core.files import REFUSED, replacing, sha256_of
from tasks.core.params import Digits, Ingest, Params
from tasks.sources.labels import Place, Table, classifier, read_table
from tasks.sources.listing import (
    Listed,
    Source,
    forget_transfers,
    is_packed,
    read_labels,
    read_listing,
    read_source,
)
from tasks.sources.names import RESERVED, matcher, places, require_distinct
from tasks.support.commands import stage_command
from tasks.support.errors import BadInput
from tasks.support.progress import bar, log
from tasks.support.stages import stage

FILES, LEFT_OUT = RESERVED
NOT_TEST = "train_or_validation"
LeftOut = list[tuple[int, str, str]]  # position of the source, name there, reason


@stage(params=("ingest",), rooms=("sources",), out="raw")
def ingest(params: Params, out: Path, *, listing: Path) -> None:
    """Write a folder of files per class, files.parquet (a row each) and left_out.csv (those without a class).

    A file that an earlier ingest brought and that its source still lists is taken over, not transferred again.

    Raises:
        BadInput: the listing is of other sources, a source no longer holds what is listed, an archive is refused, a
            class has no file, or rows of a CSV file of labels have no image and its `on_mismatch` is stop.
    """
    listed = read_listing(params.ingest, listing)
    with replacing(out) as folder:
        before = _table_of(out)
        arrivals = _Arrivals(folder, out, before)
        left_out: LeftOut = []
        for number, (source, content) in enumerate(zip(params.ingest.sources, listed, strict=True)):
            left_out += _gather(number, source, content, params.ingest, arrivals)
        table = arrivals.settle()
        table.to_parquet(folder / FILES, index=False)
        _write_left_out(folder, left_out)
    forget_transfers(listed)
    _tell(before, table, left_out)


class _Arrivals:
    """Files on their way into a folder, each under a number until all names are known."""

    def __init__(self, folder: Path, old: Path, before: pd.DataFrame) -> None:
        self._folder, self._old = folder, old
        self._incoming = folder / ".incoming"
        self._incoming.mkdir()
        self._known = {
            (origin, tag): (path, value)
            for origin, tag, path, value in before[["origin", "tag", "path", "sha256"]].itertuples(index=False)
        }
        self._rows: list[tuple[int, str, str, str, str | None, str, int, str]] = []

    def add(self, row: tuple[int, str, Place, str | None, str], content: bytes) -> None:
        """A file's content. row: position of the source, name there, place, the source's own split, tag."""
        (self._incoming / str(len(self._rows))).write_bytes(content)
        self._append(row, len(content), hashlib.sha256(content).hexdigest())

    def take_over(self, row: tuple[int, str, Place, str | None, str]) -> bool:
        """Whether the folder of the last ingest holds the file, unspoilt; it is then linked."""
        path, value = self._known.get((row[1], row[4]), ("", ""))
        held = (self._old / path).resolve()
        if not path or not held.is_file() or sha256_of(held) != value:
            return False
        target = self._incoming / str(len(self._rows))
        try:
            os.link(held, target)
        except OSError:  # not every file system has hard links
            shutil.copyfile(held, target)
        self._append(row, target.stat().st_size, value)
        return True

    def settle(self) -> pd.DataFrame:
        """Move every file to its place; one row each: path, label, source, origin, split, tag, bytes, sha256."""
        names = ["source", "origin", "label", "rest", "split", "tag", "bytes", "sha256"]
        table = pd.DataFrame(self._rows, columns=names).astype({"split": "str"})
        if table.empty:
            raise BadInput(
                "no file of any source has a class; expected <path>/<class>/<image>, or else classes or labels in "
                "ingest.sources: correct it (data/sources.json lists what is there)"
            )
        require_distinct(sorted(table["label"].unique()), "the list of classes")
        table["path"] = places(table)
        for folder in sorted({path.rpartition("/")[0] for path in table["path"]}):
            (self._folder / folder).mkdir(parents=True, exist_ok=True)
        for number, path in enumerate(table["path"]):
            (self._incoming / str(number)).rename(self._folder / path)
        self._incoming.rmdir()
        columns = ["path", "label", "source", "origin", "split", "tag", "bytes", "sha256"]
        return table[columns].sort_values("path", ignore_index=True)

    def _append(self, row: tuple[int, str, Place, str | None, str], size: int, sha256: str) -> None:
        number, name, place, split, tag = row
        self._rows.append((number, name, place.label, place.rest, split, tag, size, sha256))


def _gather(number: int, source: Source, listed: Listed, params: Ingest, arrivals: _Arrivals) -> LeftOut:
    """Bring the files of one source that have a class; returns what was left out."""
    table = _labels(source, listed)
    find, split_of = classifier(source, table), _split_finder(source)
    tags = {} if is_packed(source) else {file.name: file.tag for file in listed.files}
    left_out: LeftOut = [(number, name, "not_a_regular_file") for name in listed.irregular]
    labels: Counter[str] = Counter()
    splits: Counter[str | None] = Counter()
    seen: set[str] = set()

    def placed(name: str) -> tuple[int, str, Place, str | None, str] | None:
        seen.add(name)
        place = find(name)
        if isinstance(place, str):
            left_out.append((number, name, place))
            return None
        split = split_of(name)
        labels[place.label] += 1
        splits[split] += 1
        return number, name, place, split, tags.get(name, listed.files[0].tag)

    if is_packed(source):
        for name, content in bar(read_source(source, listed.files, params.limits), "ingest", "file"):
            if row := placed(name):
                arrivals.add(row, content)
        left_out += _rows_without_image(number, source, table, seen)
    else:
        rows = {file: row for file in listed.files if (row := placed(file.name))}
        left_out += _rows_without_image(number, source, table, seen)
        wanted = [file for file, row in rows.items() if not arrivals.take_over(row)]
        contents = read_source(source, wanted, params.limits)
        for file, (_, content) in zip(wanted, bar(contents, "ingest", "file", total=len(wanted)), strict=True):
            arrivals.add(rows[file], content)
    _require_matches(source, labels, splits)
    return left_out


def _labels(source: Source, listed: Listed) -> Table | None:
    if isinstance(source, Digits) or source.labels is None or listed.labels is None:
        return None
    return read_table(read_labels(source.labels.path, listed.labels), source.labels)


def _split_finder(source: Source) -> Callable[[str], str | None]:
    if isinstance(source, Digits) or source.splits is None:
        return lambda _: None
    # Without files for validation, those for train are shared out between the two by `split`.
    names = {"train": "train"} if "validation" in source.splits else {"train": NOT_TEST}
    rules = [(names.get(split, split), matcher(globs)) for split, globs in source.splits.items()]

    def find(name: str) -> str | None:
        found = [split for split, matches in rules if matches(name)]
        if len(found) > 1:
            raise BadInput(f"{name} matches the globs of two splits: make those of ingest.sources exclusive")
        return found[0] if found else None

    return find


def _require_matches(source: Source, labels: Counter[str], splits: Counter[str | None]) -> None:
    """A glob with a typo would else drop a class, or draw anew what the source has split."""
    if isinstance(source, Digits):
        return
    for label, globs in (source.classes or {}).items():
        if not labels[label]:
            raise BadInput(f'class "{label}": no file of {source.path} matches {globs}: correct ingest.sources')
    for split, globs in (source.splits or {}).items():
        if not splits[split] and not (split == "train" and splits[NOT_TEST]):
            raise BadInput(f'split "{split}": no file of {source.path} matches {globs}: correct ingest.sources')


def _rows_without_image(number: int, source: Source, table: Table | None, seen: set[str]) -> LeftOut:
    """Rows of the labels' CSV file that stand for no image, or for no class."""
    if table is None or isinstance(source, Digits) or source.labels is None:
        return []
    missing = [name for name in table.classes if name not in seen]
    refused = [(name, reason) for name, reason in table.refused.items() if name not in seen]
    left_out = [(number, name, "image_missing") for name in missing] + [(number, *row) for row in refused]
    counts = Counter(table.refused.values())
    faults = [f"{len(missing)} of {len(table.classes)} labelled rows have no image"] if missing else []
    faults += [f"{count} names are {reason}" for reason, count in sorted(counts.items())]
    if faults:
        examples = ", ".join([*missing, *table.refused][:3])
        sentence = f"labels file {source.labels.path}: {'; '.join(faults)} (such as {examples})"
        if source.labels.on_mismatch == "stop":
            _write_left_out(
                REFUSED / "raw", [*left_out, *((number, *row) for row in table.refused.items() if row[0] in seen)]
            )
            raise BadInput(
                f"{sentence}: complete the source or set on_mismatch: report in ingest.sources "
                f"(all of them: {REFUSED / 'raw' / LEFT_OUT})"
            )
        log.warning("  %s", sentence)
    return left_out


def _write_left_out(folder: Path, left_out: LeftOut) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    names = ["source", "name", "reason"]
    pd.DataFrame(sorted(left_out), columns=names).to_csv(folder / LEFT_OUT, index=False)


def _table_of(out: Path) -> pd.DataFrame:
    """The rows of the last ingest."""
    if (out / FILES).exists():
        return pd.read_parquet(out / FILES)
    return pd.DataFrame(columns=["path", "origin", "tag", "sha256"])


def _tell(before: pd.DataFrame, table: pd.DataFrame, left_out: LeftOut) -> None:
    old = dict(zip(before["path"], before["sha256"], strict=True))
    here = dict(zip(table["path"], table["sha256"], strict=True))
    changed = sum(path in old and old[path] != value for path, value in here.items())
    log.info(
        "  %d files in %d classes: %d new, %d changed, %d removed",
        len(table),
        table["label"].nunique(),
        len(here.keys() - old.keys()),
        changed,
        len(old.keys() - here.keys()),
    )
    for reason, count in sorted(Counter(reason for _, _, reason in left_out).items()):
        log.warning("  %d left out, %s: see data/raw/%s", count, reason, LEFT_OUT)


if __name__ == "__main__":
    stage_command(ingest)
