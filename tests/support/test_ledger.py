import json
import multiprocessing
from pathlib import Path

import pytest

from tasks.support.ledger import FILE, append, open_test, openings


@pytest.mark.usefixtures("project")
def test_openings_are_counted_by_test_set() -> None:
    assert openings("a") == 0
    for name in ("a", "b", "a"):
        open_test(name, "evaluate")
    append({"event": "promoted", "test_sha256": "a"})
    assert (openings("a"), openings("b")) == (2, 1)
    dates = [json.loads(line)["date"] for line in FILE.read_text().splitlines()]
    assert dates == sorted(dates)
    assert dates[0].endswith("+00:00")


def _write(name: str) -> None:
    for _ in range(100):
        append({"event": name * 200})


def test_processes_that_write_at_once_lose_no_line(project: Path) -> None:
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        pool.map(_write, "ab")
    events = [json.loads(line)["event"] for line in (project / FILE).read_text().splitlines()]
    assert sorted(events) == sorted(["a" * 200, "b" * 200] * 100)
