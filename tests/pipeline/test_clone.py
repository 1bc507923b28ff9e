"""The first command in a fresh clone, made by git as users make it."""

import subprocess
from pathlib import Path

import pytest

from tests.pipeline.project import DVC, PYTHON, ROOT, Project


@pytest.fixture
def clone(tmp_path: Path) -> Project:
    """What git gives of the last commit; nothing has been run in it, and the home is empty."""
    subprocess.run(["git", "clone", "--quiet", ROOT, tmp_path / "clone"], check=True)
    (tmp_path / "home").mkdir()
    return Project(tmp_path / "clone", "")


def _changed(project: Project) -> set[str]:
    return {line[3:] for line in project.run("git", "status", "--short").splitlines()}


def test_repro_is_answered_at_once_and_leaves_git_clean(clone: Project) -> None:
    clone.run(DVC, "repro", "ingest")
    assert len(list((clone.folder / "data/raw").rglob("*.png"))) == 1797
    assert _changed(clone) == {"dvc.lock"}
    assert "sources: unchanged" in clone.refresh()  # as the flow does first
    assert _changed(clone) == {"dvc.lock"}


def test_a_listing_of_an_earlier_format_is_one_sentence_that_says_what_to_do(clone: Project) -> None:
    (clone.folder / "data/sources.json").write_text('{"source": {"kind": "digits"}, "files": []}\n')
    sentence = "error: data/sources.json is no listing of this version's format: run `make refresh`"
    output = clone.run(DVC, "repro", "ingest", code=255)
    assert sentence in output
    assert "Traceback" not in output
    assert "sources: changed" in clone.refresh()
    clone.run(PYTHON, "-m", "tasks.ingest")
    assert _changed(clone) == set()
