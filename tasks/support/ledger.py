"""The ledger: an append-only file of how often test sets were opened, and of what was decided on champions.

One JSON object a line, with its date. It differs between runs by nature, so that it is no output of DVC: commit it
beside dvc.lock.
"""

import json
import os
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tasks.support.errors import BadInput

FILE = Path("ledger.jsonl")
_OPENED = "test opened"


def append(event: Mapping[str, Any]) -> None:
    """Add a line, which is on disk when this returns."""
    date = datetime.now(UTC).isoformat(timespec="seconds")
    line = json.dumps({"date": date, **event}, sort_keys=True, allow_nan=False) + "\n"
    handle = os.open(FILE, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    try:
        os.write(handle, line.encode())
        os.fsync(handle)
    finally:
        os.close(handle)


def open_test(test_sha256: str, by: str) -> None:
    """Note that a test set is about to be looked at.

    Args:
        test_sha256: of the set, `tasks.dataset.manifest.rows_sha256`.
        by: the stage that does.
    """
    append({"event": _OPENED, "test_sha256": test_sha256, "by": by})


def openings(test_sha256: str) -> int:
    """How often that test set was opened here.

    Raises:
        BadInput: a line of the ledger is no JSON object.
    """
    return sum(entry.get("event") == _OPENED and entry.get("test_sha256") == test_sha256 for entry in _entries())


def _entries() -> list[dict[str, Any]]:
    entries = []
    for number, line in enumerate(FILE.read_text(encoding="utf-8").splitlines() if FILE.exists() else [], start=1):
        try:
            entry = json.loads(line)
        except json.JSONDecodeError:
            entry = None
        if not isinstance(entry, dict):
            raise BadInput(f"{FILE} line {number} is no JSON object: restore the file, to which lines are only added")
        entries.append(entry)
    return entries
