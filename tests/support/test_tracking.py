import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from mlflow import MlflowClient
from mlflow.entities import Run

from tasks.support import leases, tracking
from tasks.support.leases import HEARTBEAT_TAG, OWNER_TAG, PROCESS_TAG
from tasks.support.tracking import EXPERIMENT, child_run, parent_run, project_key

ROOT = Path(__file__).parents[2]
ELSEWHERE = {OWNER_TAG: "another process", PROCESS_TAG: "another container 1 1"}
PIPELINE = """
stages:
  train:
    foreach: ${arms}
    do:
      deps: [data/raw, tasks/train.py, tasks/classifier]
  report:
    deps: [data/raw, tasks/report]
"""


@pytest.fixture
def tracked(project: Path, empty_store: Path) -> Path:
    shutil.copy(empty_store, project)
    (project / "params.yaml").write_text("a: 1\n")
    (project / "data/sources.json").write_text("{}\n")
    return project


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tracking, "PAUSES_S", (0.01, 0.01, 0.01))


def _runs() -> list[Run]:
    client = MlflowClient()
    experiment = client.get_experiment_by_name(EXPERIMENT)
    assert experiment is not None
    return list(client.search_runs([experiment.experiment_id]))


def _parents() -> list[Run]:
    return [run for run in _runs() if "equipoise.key" in run.data.tags]


def _parent_status() -> str:
    (parent,) = _parents()
    return str(parent.info.status)


def _train(name: str, error: type[BaseException] | None = None) -> None:
    """A child run that ends as the error says."""
    if error is None:
        with child_run(name, {}):
            return
    with pytest.raises(error), child_run(name, {}):
        raise error


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


def test_the_key_of_a_parent_is_all_that_decides_and_nothing_else(tracked: Path) -> None:
    for name in ("dvc.yaml", "tuning.yaml", "tasks/train.py", "tasks/classifier/arms.py", "tasks/report/plots.py"):
        (tracked / name).parent.mkdir(parents=True, exist_ok=True)
        (tracked / name).write_text(PIPELINE if name == "dvc.yaml" else "b: 1\n")
    keys = [project_key()]
    for name, text, changes in (
        ("params.yaml", "a: 1  # a comment\n", False),
        ("params.yaml", "a: 2\n", True),
        ("tuning.yaml", "b: 2\n", True),
        ("data/sources.json", "{ }\n", True),
        ("tasks/train.py", "b: 2\n", True),
        ("tasks/classifier/arms.py", "b: 2\n", True),
        ("tasks/classifier/arms.pyc", "what Python left", False),
        ("tasks/report/plots.py", "another legend", False),
    ):
        (tracked / name).write_text(text)
        keys.append(project_key())
        assert (keys[-1] != keys[-2]) == changes, name
    assert len(set(keys)) == 6


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
    _train("arm", error)
    assert {run.info.status for run in _runs()} == {status}


@pytest.mark.usefixtures("tracked")
def test_a_parent_is_as_good_as_the_last_run_of_the_worst_child() -> None:
    _train("bad", ValueError)
    _train("good")
    assert _parent_status() == "FAILED"
    _train("bad", SystemExit)
    assert _parent_status() == "KILLED"
    with pytest.raises(ValueError, match=r"^$"), parent_run("evaluate"):
        raise ValueError
    _train("bad")
    assert _parent_status() == "FAILED"
    with parent_run("evaluate"):
        pass
    assert _parent_status() == "FINISHED"


@pytest.mark.usefixtures("tracked")
def test_a_parent_runs_until_all_that_it_was_opened_for_has_ended() -> None:
    with parent_run():
        assert _parent_status() == "RUNNING"
        with child_run("one", {}):
            _train("two")
            assert _parent_status() == "RUNNING"
        assert _parent_status() == "RUNNING"
    assert _parent_status() == "FINISHED"
    with child_run("three", {}):
        assert _parent_status() == "RUNNING"
    assert _parent_status() == "FINISHED"


def _aged(seconds: float) -> dict[str, str]:
    return {HEARTBEAT_TAG: (datetime.now(UTC) - timedelta(seconds=seconds)).isoformat(timespec="seconds")}


@pytest.mark.usefixtures("tracked")
def test_runs_are_ended_when_their_process_is_gone_or_its_heartbeat_is_old_and_no_others() -> None:
    _train("first")
    client, experiment = MlflowClient(), _runs()[0].info.experiment_id
    own = leases.tags()
    space, number, started = own[PROCESS_TAG].rsplit(" ", 2)
    other = own | {OWNER_TAG: "another process"}
    expected = {
        "its own": (own | _aged(1000), "RUNNING"),
        "a living process of this container": (other | {PROCESS_TAG: f"{space} {number} {started}"}, "RUNNING"),
        "gone": (other | {PROCESS_TAG: f"{space} 4194305 {started}"}, "KILLED"),  # beyond Linux's largest number
        "gone, its number used again": (other | {PROCESS_TAG: f"{space} {number} 1"}, "KILLED"),
        "another container": (own | ELSEWHERE | _aged(100), "RUNNING"),
        "another container, long silent": (own | ELSEWHERE | _aged(200), "KILLED"),
        "of someone else": ({}, "RUNNING"),
    }
    made = {name: client.create_run(experiment, tags=tags).info.run_id for name, (tags, _) in expected.items()}
    _train("second")
    assert {name: client.get_run(run_id).info.status for name, run_id in made.items()} == {
        name: status for name, (_, status) in expected.items()
    }


@pytest.mark.usefixtures("tracked")
def test_a_parent_that_a_living_process_elsewhere_holds_is_left_to_it() -> None:
    _train("first")
    client, run_id = MlflowClient(), _parents()[0].info.run_id

    def put(tags: dict[str, str]) -> None:
        for name, value in tags.items():
            client.set_tag(run_id, name, value)
        client.update_run(run_id, status="RUNNING")

    put(ELSEWHERE | _aged(0))
    _train("second", ValueError)
    assert _parent_status() == "RUNNING"
    put(ELSEWHERE | _aged(1000))
    _train("third")
    assert _parent_status() == "FAILED"  # of the second


@pytest.mark.usefixtures("tracked")
def test_the_last_of_several_processes_ends_the_parent() -> None:
    client = MlflowClient()
    with child_run("one", {}) as run:
        parent = _parents()[0]
        tags = {"mlflow.parentRunId": parent.info.run_id} | leases.tags() | ELSEWHERE
        other = client.create_run(parent.info.experiment_id, run_name="two", tags=tags).info.run_id
    assert run.run_id is not None
    assert client.get_run(run.run_id).info.status == "FINISHED"
    assert _parent_status() == "RUNNING"
    client.set_terminated(other, "FINISHED")
    _train("three")
    assert _parent_status() == "FINISHED"


def _until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.mark.usefixtures("tracked")
def test_heartbeats_are_renewed_while_a_run_is_open(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leases, "BEAT_S", 0.05)
    with child_run("arm", {}) as run:
        assert run.run_id is not None
        for run_id in (run.run_id, _parents()[0].info.run_id):
            MlflowClient().set_tag(run_id, HEARTBEAT_TAG, _aged(1000)[HEARTBEAT_TAG])
            _until(lambda run_id=run_id: not _old(MlflowClient().get_run(run_id)))


def _old(run: Run) -> bool:
    return leases.left_behind(run.data.tags | ELSEWHERE)


def test_a_process_killed_outright_leaves_no_run_running(tracked: Path) -> None:
    program = (
        "import time\nfrom tasks.support.tracking import child_run\n"
        "with child_run('arm', {}):\n    print('open', flush=True)\n    time.sleep(600)"
    )
    env = os.environ | {"PYTHONPATH": str(ROOT)}
    with subprocess.Popen([sys.executable, "-c", program], cwd=tracked, env=env, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"open\n"
        assert {run.info.status for run in _runs()} == {"RUNNING"}
        process.send_signal(signal.SIGKILL)
    _train("other")
    assert sorted(run.info.status for run in _runs()) == ["FINISHED", "KILLED", "KILLED"]
    assert _parent_status() == "KILLED"


def _refusing(monkeypatch: pytest.MonkeyPatch, method: str, times: int) -> list[str]:
    """The next so many calls of a method of the client fail; gives what was refused."""
    whole, refused = getattr(MlflowClient, method), []

    def call(self: MlflowClient, *args: object, **named: object) -> object:
        if len(refused) < times:
            refused.append(method)
            raise OSError("database is locked")
        return whole(self, *args, **named)

    monkeypatch.setattr(MlflowClient, method, call)
    return refused


@pytest.mark.usefixtures("tracked")
@pytest.mark.parametrize("method", ["create_run", "log_batch", "set_terminated", "search_runs"])
def test_a_fault_that_passes_is_survived(method: str, monkeypatch: pytest.MonkeyPatch) -> None:
    refused = _refusing(monkeypatch, method, 3)
    with child_run("arm", {"width": 8}) as run:
        run.metrics({"loss": 0.5})
    assert len(refused) == 3
    (child,) = [one for one in _runs() if one.info.run_name == "arm"]
    assert (child.data.metrics, child.data.params, child.info.status) == ({"loss": 0.5}, {"width": "8"}, "FINISHED")
    assert _parent_status() == "FINISHED"


@pytest.mark.usefixtures("tracked")
def test_a_run_of_which_calls_failed_is_ended_all_the_same(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with child_run("arm", {}) as run:
        refused = _refusing(monkeypatch, "log_batch", 4)
        run.metrics({"loss": 0.5})
        run.metrics({"loss": 0.4})
    assert len(refused) == 4
    assert caplog.text.count("not tracked from here on: MLflow said database is locked") == 1
    assert {one.info.status for one in _runs()} == {"FINISHED"}


@pytest.mark.usefixtures("tracked")
def test_a_run_that_cannot_be_ended_is_ended_later(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leases, "BEAT_S", 0.05)
    with child_run("arm", {}):
        _refusing(monkeypatch, "set_terminated", 12)
    _until(lambda: {run.info.status for run in _runs()} == {"FINISHED"})


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
