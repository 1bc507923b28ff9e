import os
import socket
from pathlib import Path

import pytest
from mlflow import MlflowClient
from mlflow.entities import Run

from tasks.support.tracking import EXPERIMENT, child_run, parent_run

NO_PROCESS = "4194305"  # beyond the largest process number of Linux


@pytest.fixture
def tracked(project: Path) -> Path:
    (project / "params.yaml").write_text("a: 1\n")
    (project / "data/sources.json").write_text("{}\n")
    return project


def _runs() -> list[Run]:
    client = MlflowClient()
    experiment = client.get_experiment_by_name(EXPERIMENT)
    assert experiment is not None
    return list(client.search_runs([experiment.experiment_id]))


def _parents() -> list[Run]:
    return [run for run in _runs() if "equipoise.key" in run.data.tags]


def test_one_parent_stands_for_one_state_of_parameters_and_sources(tracked: Path) -> None:
    for _ in range(2):
        with child_run("one", {"width": 8}) as run:
            run.metrics({"loss": 0.5}, step=3)
    assert len(_parents()) == 1
    (tracked / "params.yaml").write_text("a: 2\n")
    with parent_run():
        pass
    (tracked / "data/sources.json").write_text("{ }\n")
    with parent_run():
        pass
    assert len(_parents()) == 3


@pytest.mark.usefixtures("tracked")
def test_a_child_carries_its_parameters_curve_files_and_status(tmp_path: Path) -> None:
    (tmp_path / "made").mkdir()
    (tmp_path / "made" / "grid.png").write_bytes(b"picture")
    with child_run("arm", {"mixup_alpha": 0.2}) as run:
        for step in range(3):
            run.metrics({"loss": 1 / (step + 1)}, step)
        run.files(tmp_path / "made")
    client = MlflowClient()
    assert run.run_id is not None
    stored = client.get_run(run.run_id)
    assert stored.data.params == {"mixup_alpha": "0.2"}
    assert stored.data.tags["mlflow.parentRunId"] == _parents()[0].info.run_id
    assert [(point.step, point.value) for point in client.get_metric_history(run.run_id, "loss")] == [
        (0, 1.0),
        (1, 0.5),
        (2, pytest.approx(1 / 3)),
    ]
    assert [file.path for file in client.list_artifacts(run.run_id)] == ["grid.png"]
    assert stored.info.status == "FINISHED"


@pytest.mark.usefixtures("tracked")
@pytest.mark.parametrize(
    ("error", "status"), [(ValueError, "FAILED"), (SystemExit, "KILLED"), (KeyboardInterrupt, "KILLED")]
)
def test_a_broken_child_says_how_it_ended_and_so_does_its_parent(error: type[BaseException], status: str) -> None:
    with pytest.raises(error), child_run("arm", {}):
        raise error
    assert {run.info.status for run in _runs()} == {status}


@pytest.mark.usefixtures("tracked")
def test_runs_of_dead_processes_are_ended_and_those_of_other_machines_are_not() -> None:
    with parent_run():
        pass
    client = MlflowClient()
    experiment = _runs()[0].info.experiment_id
    dead = client.create_run(
        experiment, tags={"equipoise.host": socket.gethostname(), "equipoise.pid": NO_PROCESS}
    ).info.run_id
    alive = client.create_run(
        experiment, tags={"equipoise.host": socket.gethostname(), "equipoise.pid": str(os.getpid())}
    ).info.run_id
    elsewhere = client.create_run(
        experiment, tags={"equipoise.host": "elsewhere", "equipoise.pid": NO_PROCESS}
    ).info.run_id
    with parent_run():
        pass
    assert client.get_run(dead).info.status == "KILLED"
    assert client.get_run(alive).info.status == "RUNNING"
    assert client.get_run(elsewhere).info.status == "RUNNING"


@pytest.mark.usefixtures("tracked")
def test_a_server_that_is_away_costs_a_warning_and_nothing_else(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    with child_run("arm", {}) as run:
        run.metrics({"loss": 1.0})
        run.files(Path("data"))
    assert run.run_id is None
    assert caplog.text.count("not tracked: MLflow at http://127.0.0.1:9 said") == 1
