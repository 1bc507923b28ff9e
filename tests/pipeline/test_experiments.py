"""DVC experiments on both parameter files: what `-S` changes, and what it leaves."""

import shutil
from pathlib import Path
from typing import Any

import yaml

from tests.parameters import ROOT
from tests.pipeline.project import DVC, Project

ARM = "mixup_oversampled_augmented"  # from which others inherit


def test_a_value_set_for_an_experiment_changes_one_arm_alone(fresh: Project, tmp_path: Path) -> None:
    project = fresh.copy(tmp_path / "project")
    shutil.copy(ROOT / "params.yaml", project.folder)  # with its anchors
    identity = ["-c", "user.name=test", "-c", "user.email=test@example.com"]
    project.run("git", *identity, "commit", "--quiet", "--all", "--message=shipped")
    project.run("git", "config", "user.name", "test")
    project.run("git", "config", "user.email", "test@example.com")
    project.run(DVC, "exp", "run", "--queue", "-S", f"arms.{ARM}.mixup_alpha=0.5", "-S", "tuning.yaml:train.batch=9")

    def read(revision: str, name: str) -> dict[str, Any]:
        values: dict[str, Any] = yaml.safe_load(project.run("git", "show", f"{revision}:{name}"))
        return values

    before, after = (read(revision, "params.yaml") for revision in ("HEAD", "refs/exps/celery/stash"))
    before["arms"][ARM]["mixup_alpha"] = 0.5
    assert after == before
    tuning = read("HEAD", "tuning.yaml")
    tuning["train"]["batch"] = 9
    assert read("refs/exps/celery/stash", "tuning.yaml") == tuning
