import subprocess
from pathlib import Path

import pytest

from tasks.registry.packaging import git_state
from tasks.support.errors import BadInput


def _git(*arguments: str) -> str:
    identity = ["-c", "user.name=test", "-c", "user.email=test@example.com"]
    return subprocess.run(["git", *identity, *arguments], check=True, capture_output=True, text=True).stdout.strip()


@pytest.fixture
def committed(project: Path) -> Path:
    (project / ".gitignore").write_text("/data/*\n!/data/sources.json\n")
    for name in ("code.py", "dvc.lock", "data/sources.json"):
        (project / name).write_text("a: 1\n")
    _git("init", "--quiet")
    _git("add", ".")
    _git("commit", "--quiet", "--message=start")
    return project


def test_what_a_run_changes_does_not_make_a_tree_dirty(committed: Path) -> None:
    for name in ("dvc.lock", "data/sources.json", "ledger.jsonl", "data/image.png"):
        (committed / name).write_text("b: 2\n")
    assert git_state() == {"git_commit": _git("rev-parse", "HEAD"), "git_diff_sha256": ""}


@pytest.mark.parametrize("name", ["code.py", "new.py"])
def test_a_changed_or_added_file_makes_it_dirty_and_its_content_counts(committed: Path, name: str) -> None:
    states = []
    for text in ("b: 2\n", "c: 3\n", "b: 2\n"):
        (committed / name).write_text(text)
        states.append(git_state())
    assert {state["git_commit"] for state in states} == {_git("rev-parse", "HEAD") + "-dirty"}
    first, second, third = (state["git_diff_sha256"] for state in states)
    assert first == third != second
    _git("add", name)
    assert git_state()["git_commit"].endswith("-dirty")
    _git("commit", "--quiet", "--message=more")
    assert git_state() == {"git_commit": _git("rev-parse", "HEAD"), "git_diff_sha256": ""}


@pytest.mark.usefixtures("project")
def test_without_a_commit_it_says_what_to_do() -> None:
    _git("init", "--quiet")
    with pytest.raises(BadInput, match=r"git has no commit here .*: commit the project first"):
        git_state()
