"""Two drivers, one result: the rules of parity, each by real runs."""

import re
import shutil
import sqlite3
from pathlib import Path

import pytest
import yaml

from tests.parameters import read_values, write_values
from tests.pipeline.project import ARMS, DVC, Project

STAGES = [
    "ingest",
    "validate",
    "cleanup",
    "split",
    "train_gan@conditional",
    "train_gan@dcgan",
    "select_generator",
    "synthesize",
    *(f"train@{arm}" for arm in ARMS),
    "evaluate",
    "report",
]
DOWNSTREAM_OF_TRAIN = [stage for stage in STAGES if stage.startswith("train@")] + ["evaluate", "report"]


def ran_by_flow(output: str) -> list[str]:
    return sorted(re.findall(r"^([a-z_@]+): done in", output, re.MULTILINE))


def ran_by_dvc(output: str) -> list[str]:
    return sorted(re.findall(r"^Running stage '(.+)':", output, re.MULTILINE))


def parent_runs(project: Project) -> int:
    with sqlite3.connect(project.folder / "mlflow.db") as store:
        (count,) = store.execute("SELECT count(*) FROM tags WHERE key = 'equipoise.key'").fetchone()
    store.close()
    return int(count)


def test_both_drivers_run_every_stage_and_write_the_same_lock(flowed: Project, reproduced: Project) -> None:
    assert ran_by_flow(flowed.output) == sorted(STAGES)
    assert list(yaml.safe_load(flowed.lock())["stages"]) == STAGES
    assert flowed.lock() == reproduced.lock()


@pytest.mark.parametrize("driver", ["flowed", "reproduced"])
def test_a_clone_in_which_it_was_the_first_command_is_clean_but_for_lock_and_ledger(
    driver: str, request: pytest.FixtureRequest
) -> None:
    project: Project = request.getfixturevalue(driver)
    assert project.run("git", "status", "--short").split() == ["??", "dvc.lock", "??", "ledger.jsonl"]


@pytest.mark.parametrize(
    ("file", "addition", "due"),
    [
        ("tasks/report/words.py", "# another word", ["report"]),
        ("tasks/report/plots.py", "# another legend", ["report"]),
        ("params.yaml", "# a comment", []),
        ("tuning.yaml", "# a comment", []),
        ("tasks/support/tracking.py", "# an edit", []),
        ("tasks/registry/champion.py", "# an edit", []),
        ("tasks/sources/archives.py", "# an edit", ["ingest"]),
        ("tasks/evidence/verdict.py", "# an edit", ["evaluate", "report"]),
    ],
)
def test_an_edit_makes_due_what_its_room_decides(
    flowed: Project, tmp_path: Path, file: str, addition: str, due: list[str]
) -> None:
    project = flowed.copy(tmp_path / "project")
    with (project.folder / file).open("a") as opened:
        opened.write(f"{addition}\n")
    assert re.findall(r"^([a-z_@]+):$", project.run(DVC, "status"), re.MULTILINE) == due


def test_another_legend_draws_again_and_opens_no_test_image(flowed: Project, tmp_path: Path) -> None:
    project = flowed.copy(tmp_path / "project")
    with (project.folder / "tasks/report/plots.py").open("a") as file:
        file.write("# another legend\n")
    ledger = (project.folder / "ledger.jsonl").read_bytes()
    assert ran_by_dvc(project.repro()) == ["report"]
    assert (project.folder / "ledger.jsonl").read_bytes() == ledger
    assert ran_by_flow(project.flow()) == []


def test_after_the_flow_dvc_has_nothing_to_do(flowed: Project, tmp_path: Path) -> None:
    project = flowed.copy(tmp_path / "project")
    assert "Data and pipelines are up to date." in project.run(DVC, "status")
    output = project.repro()
    assert ran_by_dvc(output) == []
    assert output.count("didn't change, skipping") == len(STAGES)
    assert project.lock() == flowed.lock()


def test_after_dvc_the_flow_computes_nothing_but_registers_once(reproduced: Project, tmp_path: Path) -> None:
    project = reproduced.copy(tmp_path / "project")
    for version in ("version 1 (new)", "version 1 (already registered)"):
        output = project.flow()
        assert ran_by_flow(output) == []
        assert output.count(": current") == len(STAGES)
        assert f"equipoise-generator {version}" in output
        assert project.lock() == reproduced.lock()
        assert parent_runs(project) == 1


def test_a_changed_parameter_reruns_exactly_what_depends_on_it(flowed: Project, tmp_path: Path) -> None:
    first, second = flowed.copy(tmp_path / "flow"), flowed.copy(tmp_path / "dvc")
    for project in (first, second):
        project.change("train", "seeds", value=2)
    assert ran_by_flow(first.flow()) == sorted(DOWNSTREAM_OF_TRAIN)
    assert ran_by_dvc(second.repro()) == sorted(DOWNSTREAM_OF_TRAIN)
    assert first.lock() == second.lock()
    assert first.lock() != flowed.lock()
    first.change("train", "seeds", value=3)
    first.flow()
    assert yaml.safe_load(first.lock()) == yaml.safe_load(flowed.lock())  # the old value gives the old bytes again


def test_a_changed_image_reruns_what_depends_on_it_once_the_source_is_listed_anew(
    flowed: Project, tmp_path: Path
) -> None:
    source = tmp_path / "source"
    old = yaml.safe_load((flowed.folder / "params.yaml").read_text())["ingest"]["sources"][0]["path"]
    shutil.copytree(old, source)
    projects = [flowed.copy(tmp_path / "flow"), flowed.copy(tmp_path / "dvc")]
    for project in projects:
        project.change("ingest", "sources", value=[{"kind": "files", "path": str(source)}])
    (source / "cat/000.png").write_bytes((source / "cat/001.png").read_bytes())
    refused = projects[1].repro(code=255)
    assert "run `make refresh`" in refused
    assert "changed" in projects[1].refresh()
    assert ran_by_flow(projects[0].flow()) == sorted(STAGES)
    assert ran_by_dvc(projects[1].run(DVC, "repro", "split")) == sorted(STAGES[:4])
    entries = [yaml.safe_load(project.lock())["stages"] for project in projects]
    for stage in STAGES[:4]:
        assert entries[0][stage] == entries[1][stage]


def test_outputs_of_arms_no_longer_named_are_removed(flowed: Project, tmp_path: Path) -> None:
    project = flowed.copy(tmp_path / "project")
    params = read_values(project.folder)
    del params["arms"]["oversampled_augmented"]
    write_values(project.folder, params)
    assert ran_by_flow(project.flow()) == ["evaluate", "report"]
    assert "oversampled_augmented" not in {path.name for path in (project.folder / "data/classifiers").iterdir()}
    assert ran_by_dvc(project.repro()) == []
