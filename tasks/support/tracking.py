"""MLflow as the mirror of files.

A parent run stands for one state of parameters and source listing, with a child run per candidate and arm. A stage
that runs finds or creates them; nothing here is a DVC output. A tracking server that is away costs a warning, never
the stage: the files are the truth.
"""

import hashlib
import os
import socket
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tasks.core import environment
from tasks.support.progress import log

EXPERIMENT = "equipoise"


def project_key() -> str:
    """What the parent run is found by: a hash of params.yaml and the source listing."""
    files = [Path("params.yaml"), Path("data/sources.json")]
    return hashlib.sha256(b"\0".join(path.read_bytes() for path in files)).hexdigest()[:16]


class Run:
    """A tracked run to which metrics and files are added; says once if the tracking server is away."""

    def __init__(self, client: Any, run_id: str | None, parent_id: str | None = None) -> None:
        self._client = client
        self.run_id = run_id
        self._parent_id = parent_id

    def metrics(self, values: Mapping[str, float], step: int = 0) -> None:
        from mlflow.entities import Metric

        now = int(time.time() * 1000)
        batch = [Metric(name, float(value), now, step) for name, value in values.items()]
        self._attempt(lambda: self._client.log_batch(self.run_id, metrics=batch))

    def files(self, folder: Path, under: str | None = None) -> None:
        """Copy a folder's files into the run's artifacts."""
        self._attempt(lambda: self._client.log_artifacts(self.run_id, str(folder), under))

    def file(self, path: Path, under: str | None = None) -> None:
        """Copy one file into the run's artifacts."""
        self._attempt(lambda: self._client.log_artifact(self.run_id, str(path), under))

    def tags(self, values: Mapping[str, object]) -> None:
        from mlflow.entities import RunTag

        batch = [RunTag(name, str(value)) for name, value in values.items()]
        self._attempt(lambda: self._client.log_batch(self.run_id, tags=batch))

    def _end(self, status: str) -> None:
        self._attempt(lambda: self._client.set_terminated(self.run_id, status))
        if self._parent_id is not None:  # a parent has no process of its own: it shows what became of its last child
            self._attempt(lambda: self._client.set_terminated(self._parent_id, status))

    def _attempt(self, action: Any) -> None:
        if self.run_id is None:
            return
        try:
            action()
        except Exception as error:  # whatever the store raises: files are the truth
            log.warning("  not tracked from here on: MLflow said %s", first_line(error))
            self.run_id = None


@contextmanager
def parent_run() -> Iterator[Run]:
    """The run of the present parameters and sources, found or created; it takes the outcome of the block."""
    with _ending(_open(None, {})) as run:
        yield run


@contextmanager
def child_run(name: str, params: Mapping[str, object]) -> Iterator[Run]:
    """A new run under the parent; it ends FINISHED, FAILED on an error, or KILLED when the process is told to stop."""
    with _ending(_open(name, params)) as run:
        yield run


@contextmanager
def _ending(run: Run) -> Iterator[Run]:
    status = "KILLED"
    try:
        yield run
        status = "FINISHED"
    except Exception:
        status = "FAILED"
        raise
    finally:
        run._end(status)


def prepare() -> None:
    """Create the store, the experiment and the parent run, before parallel work that would race for them."""
    with parent_run():
        pass


def _open(child: str | None, params: Mapping[str, object]) -> Run:
    from mlflow import MlflowClient
    from mlflow.entities import Param

    client = MlflowClient()
    try:
        experiment = _experiment(client)
        _end_abandoned(client, experiment)
        run_id = parent_id = _parent(client, experiment)
        if child is not None:
            tags = {"mlflow.parentRunId": run_id, "mlflow.runName": child, **_owner()}
            run_id = client.create_run(experiment, tags=tags, run_name=child).info.run_id
            client.log_batch(run_id, params=[Param(key, str(value)) for key, value in params.items()])
    except Exception as error:  # whatever the store raises: files are the truth
        log.warning("  not tracked: MLflow at %s said %s", os.environ["MLFLOW_TRACKING_URI"], first_line(error))
        return Run(client, None)
    return Run(client, run_id, parent_id if child is not None else None)


def _experiment(client: Any) -> str:
    found = client.get_experiment_by_name(EXPERIMENT)
    if found is not None:
        return str(found.experiment_id)
    local = os.environ["MLFLOW_TRACKING_URI"].startswith("sqlite:")
    location = (environment.ROOT / "mlartifacts").as_uri() if local else None  # a server chooses its own
    return str(client.create_experiment(EXPERIMENT, artifact_location=location))


def _parent(client: Any, experiment: str) -> str:
    key = project_key()
    found = client.search_runs([experiment], f"tags.`equipoise.key` = '{key}'", max_results=1)
    if found:
        return str(found[0].info.run_id)
    run = client.create_run(experiment, tags={"equipoise.key": key, **_owner()}, run_name=f"rebalance-{key[:8]}")
    client.log_artifact(run.info.run_id, "params.yaml")
    return str(run.info.run_id)


def _owner() -> dict[str, str]:
    return {"equipoise.host": socket.gethostname(), "equipoise.pid": str(os.getpid())}


def _end_abandoned(client: Any, experiment: str) -> None:
    """End the runs that a killed process of this machine has left RUNNING."""
    running = "attributes.status = 'RUNNING'"
    for run in client.search_runs([experiment], f"{running} and tags.`equipoise.host` = '{socket.gethostname()}'"):
        if not Path("/proc", run.data.tags["equipoise.pid"]).exists():
            client.set_terminated(run.info.run_id, "KILLED")


def first_line(error: Exception) -> str:
    """What an error says first, or what it is called."""
    return str(error).splitlines()[0][:200] if str(error) else type(error).__name__
