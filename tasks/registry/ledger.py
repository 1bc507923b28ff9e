"""The ledger: an append-only file of how often test sets were opened here, and of what was decided on champions.

One JSON object a line. It differs between runs by nature, so that it is no output of DVC: commit it beside dvc.lock.
"""

import json
import os
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from filelock import FileLock

from tasks.support.errors import BadInput

FILE = Path("ledger.jsonl")
_LOCK = Path(".state/ledger.lock")  # of writers
_OPENED = "test opened"
_SAMPLED, _DIGITS = 32, 12  # images of a test set that a line names, and hexadecimal digits of each


def append(event: Mapping[str, Any]) -> None:
    """Add a line with its date, which is on disk when this returns."""
    date = datetime.now(UTC).isoformat(timespec="seconds")
    line = json.dumps({"date": date, **event}, sort_keys=True, allow_nan=False) + "\n"
    _LOCK.parent.mkdir(exist_ok=True)
    with FileLock(_LOCK), FILE.open("ab+", buffering=0) as file:
        size = file.seek(0, os.SEEK_END)
        if size and os.pread(file.fileno(), 1, size - 1) != b"\n":
            line = "\n" + line  # a kill has cut the last one short
        file.write(line.encode())
        os.fsync(file.fileno())


def complete(decisions: Mapping[str, Mapping[str, Any]]) -> None:
    """Add the decisions, by name, that the ledger lacks: of a kill, a full disk, or another clone."""
    known = {entry.get("decision") for entry in _entries()} if decisions else set()
    for name, decision in decisions.items():
        if name not in known:
            append({"decision": name, **decision})


def open_test(test_sha256: str, images: Iterable[str], by: str) -> None:
    """Note that a test set is about to be looked at.

    Args:
        test_sha256: of the set, `tasks.data.manifest.rows_sha256`.
        images: SHA-256 of each.
        by: the stage that does.
    """
    append({"event": _OPENED, "test_sha256": test_sha256, "sample": _sample(images), "by": by})


def openings(test_sha256: str, images: Iterable[str]) -> tuple[int, int]:
    """How often that test set was opened in this project folder, and how often others that share images with it.

    Of two sets the smallest hashes are noted: they have some in common unless the sets share few (Broder 1997, "On the
    resemblance and containment of documents"). So a test set that grows or shrinks is still known.
    """
    sample, same, overlapping = set(_sample(images)), 0, 0
    for entry in _entries():
        if entry.get("event") == _OPENED:
            exactly = entry["test_sha256"] == test_sha256
            same += exactly
            overlapping += not exactly and not sample.isdisjoint(entry["sample"])
    return same, overlapping


def _sample(images: Iterable[str]) -> list[str]:
    return sorted(sha256[:_DIGITS] for sha256 in images)[:_SAMPLED]


def _entries() -> list[dict[str, Any]]:
    """The lines, but for those that a kill has cut short.

    Raises:
        BadInput: a line was never one, or an earlier Equipoise wrote it in another form.
    """
    entries = []
    lines = FILE.read_text(encoding="utf-8", errors="replace").splitlines() if FILE.exists() else []
    for number, line in enumerate(lines, start=1):
        if not line.startswith("{"):
            raise BadInput(f"{FILE} line {number} is no JSON object: restore it, lines are only added")
        try:
            entry = json.loads(line)
        except json.JSONDecodeError:
            continue
        if entry.get("event") == _OPENED and not _understood(entry):
            raise BadInput(
                f"{FILE} line {number} is of an earlier Equipoise and does not say which test set was opened: move the "
                f"file away to count anew"
            )
        entries.append(entry)
    return entries


def _understood(entry: Mapping[str, Any]) -> bool:
    return isinstance(entry.get("test_sha256"), str) and isinstance(entry.get("sample"), list)
