import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tasks.registry.ledger import FILE, append, complete, open_test, openings
from tasks.support.errors import BadInput


def _lines() -> list[dict]:
    return [json.loads(line) for line in FILE.read_text().splitlines()]


@pytest.mark.usefixtures("project")
def test_openings_are_counted_by_test_set() -> None:
    assert openings("a", ["1"]) == (0, 0)
    for name, image in (("a", "1"), ("b", "2"), ("a", "1")):
        open_test(name, [image], "evaluate")
    append({"event": "promoted", "test_sha256": "a"})
    assert (openings("a", ["1"]), openings("b", ["2"])) == ((2, 0), (1, 0))
    dates = [line["date"] for line in _lines()]
    assert dates == sorted(dates)
    assert dates[0].endswith("+00:00")


@pytest.mark.usefixtures("project")
def test_a_test_set_that_grows_each_night_is_known_again() -> None:
    images = [hashlib.sha256(f"{number}".encode()).hexdigest() for number in range(1000)]
    for night in range(10):
        open_test(f"night {night}", images[: 900 + 10 * night], "evaluate")
    open_test("of other data", [hashlib.sha256(image.encode()).hexdigest() for image in images], "evaluate")
    assert openings("night 9", images[:990]) == (1, 9)
    assert openings("night 10", images) == (0, 10)


@pytest.mark.usefixtures("project")
def test_decisions_are_added_once() -> None:
    open_test("a", ["1"], "evaluate")
    complete({"first": {"event": "promoted"}})
    complete({"first": {"event": "promoted"}, "second": {"event": "rolled back"}})
    assert [line.get("decision") for line in _lines()] == [None, "first", "second"]


@pytest.mark.usefixtures("project")
def test_a_line_cut_short_by_a_kill_costs_no_other() -> None:
    open_test("a", ["1"], "evaluate")
    whole = FILE.read_text()
    FILE.write_text(whole + whole[:40])
    open_test("a", ["1"], "evaluate")
    assert openings("a", ["1"]) == (2, 0)
    assert FILE.read_text().startswith(whole)
    assert len(FILE.read_text().splitlines()) == 3


@pytest.mark.usefixtures("project")
def test_what_was_never_a_line_is_named() -> None:
    open_test("a", ["1"], "evaluate")
    FILE.write_text(FILE.read_text() + "garbage\n")
    with pytest.raises(BadInput, match=r"ledger\.jsonl line 2 is no JSON object: restore it"):
        openings("a", ["1"])


def test_processes_that_write_at_once_lose_no_line(project: Path) -> None:
    code = (
        "import sys; from tasks.registry.ledger import append\n"
        "for _ in range(100): append({'event': sys.argv[1] * 200})"
    )
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    writers = [subprocess.Popen([sys.executable, "-c", code, name], env=environment) for name in "ab"]
    assert [writer.wait(timeout=300) for writer in writers] == [0, 0]
    events = [json.loads(line)["event"] for line in (project / FILE).read_text().splitlines()]
    assert sorted(events) == sorted(["a" * 200, "b" * 200] * 100)


@pytest.mark.usefixtures("project")
def test_a_line_of_an_earlier_format_is_named_with_what_to_do() -> None:
    FILE.write_text('{"event": "test opened", "test": "a"}\n')
    with pytest.raises(BadInput, match=r"ledger\.jsonl line 1 is of an earlier Equipoise .*: move the file away"):
        openings("a", ["1"])
