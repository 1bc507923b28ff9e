"""Kills, missing servers, second runs: whatever happens, the next run by either driver ends in the same place."""

import shutil
import sqlite3
import time
from contextlib import closing
from pathlib import Path

import pytest

from tasks.core.files import sha256_of
from tests.pipeline.project import DVC, PYTHON, Project

FLOW = (PYTHON, "-m", "flows.rebalance")
REPRO = (DVC, "repro")
UNDER_WAY = {  # in train_gan once there is a state to go on from
    "train_gan": ".state/train_gan/conditional/*/seed_0/all/state.npz",
    "synthesize": "data/.synthetic.partial",
}


def statuses(project: Project, of: str) -> set[str]:
    """Statuses of the runs in a project's MLflow store that have a tag: children name their parent, parents a key."""
    query = "SELECT runs.status FROM runs JOIN tags ON tags.run_uuid = runs.run_uuid WHERE tags.key = ?"
    with closing(sqlite3.connect(project.folder / "mlflow.db", timeout=60)) as store:
        return {status for (status,) in store.execute(query, (of,))}


@pytest.mark.parametrize(("killed", "after"), [(FLOW, REPRO), (REPRO, FLOW)], ids=["flow-repro", "repro-flow"])
def test_killed_in_train_gan_and_in_synthesize_the_other_driver_ends_with_the_same_lock(
    fresh: Project, reproduced: Project, tmp_path: Path, killed: tuple[object, ...], after: tuple[object, ...]
) -> None:
    project = fresh.copy(tmp_path / "project")
    for place in UNDER_WAY.values():
        project.kill_when(killed, lambda place=place: any(project.folder.glob(place)))
        assert not (project.folder / "data/synthetic").exists()
    project.run(*after)
    assert project.lock() == reproduced.lock()
    left = [path.name for path in project.folder.rglob(".*.partial")]
    assert left == []
    assert not any((project.folder / ".state/train_gan").iterdir())


def test_runs_of_killed_processes_do_not_stay_running(flowed: Project, tmp_path: Path) -> None:
    project = flowed.copy(tmp_path / "project")
    shutil.rmtree(project.folder / "data/generators")
    project.kill_when(FLOW, lambda: "RUNNING" in statuses(project, of="mlflow.parentRunId"))
    assert statuses(project, of="equipoise.key") == {"RUNNING"}
    project.flow()
    assert statuses(project, of="mlflow.parentRunId") == {"FINISHED", "KILLED"}
    assert statuses(project, of="equipoise.key") == {"FINISHED"}


def test_a_second_run_in_the_same_folder_is_refused(fresh: Project, tmp_path: Path) -> None:
    project = fresh.copy(tmp_path / "project")
    first = project.start(*FLOW)
    while not (project.folder / "data/raw").exists():
        assert first.poll() is None
        time.sleep(0.01)
    for command in (FLOW, (PYTHON, "-m", "tasks.split")):
        assert "is already running Equipoise in" in project.run(*command, code=1)
    output, _ = first.communicate(timeout=600)
    assert first.returncode == 0, output


def test_without_a_tracking_server_stages_go_on_and_register_says_what_to_do(
    fresh: Project, reproduced: Project, tmp_path: Path
) -> None:
    project = fresh.copy(tmp_path / "project")
    project.env["MLFLOW_TRACKING_URI"] = "http://127.0.0.1:9"
    output = project.flow(code=1)
    assert "not tracked: MLflow at http://127.0.0.1:9 said" in output
    assert output.rstrip().endswith("start the MLflow server, then `make register`")
    assert project.lock() == reproduced.lock()


@pytest.mark.parametrize("driver", [FLOW, REPRO], ids=["flow", "repro"])
def test_bad_input_is_one_line_and_leaves_earlier_outputs(
    flowed: Project, tmp_path: Path, driver: tuple[object, ...]
) -> None:
    project = flowed.copy(tmp_path / "project")
    outputs, lock = sha256_of(project.folder / "data"), project.lock()
    shipped = (project.folder / "params.yaml").read_text()
    cases = [
        (("split", "keep"), {"bat": 0.5}, "split.keep names class bat, which the data does not have"),
        (("cleanup", "min_per_class"), 1000, 'class "bird" has 60 good images; expected at least 1000'),
        (("split", "min_per_class"), 500, "images; split needs 500"),
        (("split", "seed"), "x", "params.yaml: split.seed is 'x': input should be a valid integer"),
        (("split", "extra"), 1, "params.yaml: unknown key split.extra"),
    ]
    for keys, value, message in cases:
        project.change(*keys, value=value)
        output = project.run(*driver, code=255 if driver == REPRO else 1)
        assert sum(message in line for line in output.splitlines()) == 1, output
        assert "Traceback" not in output
        assert sha256_of(project.folder / "data") == outputs
        assert project.lock() == lock
        (project.folder / "params.yaml").write_text(shipped)


def test_an_empty_source_and_a_missing_git_repository_are_named(flowed: Project, tmp_path: Path) -> None:
    project = flowed.copy(tmp_path / "project")
    outputs = sha256_of(project.folder / "data")
    (tmp_path / "empty").mkdir()
    project.change("ingest", "sources", value=[{"kind": "files", "path": str(tmp_path / "empty")}])
    assert "empty holds no file: add images or correct ingest.sources" in project.flow(code=1)
    shutil.copy(flowed.folder / "params.yaml", project.folder / "params.yaml")
    shutil.rmtree(project.folder / ".git")
    output = project.flow(code=1)
    assert "run in a clone made by git" in output
    assert "Traceback" not in output
    assert sha256_of(project.folder / "data") == outputs


def test_a_stage_that_dvc_does_not_list_is_named_and_not_left_out(flowed: Project, tmp_path: Path) -> None:
    project = flowed.copy(tmp_path / "project")
    pipeline = project.folder / "dvc.yaml"
    pipeline.write_text(pipeline.read_text().replace("  report:\n", "  pages:\n"))
    assert "dvc.yaml does not list report: restore stage report from git" in project.flow(code=1)
