"""MLflow as the mirror of files.

A parent run stands for one state of parameters, sources and deciding code, with a child run per candidate and arm. What
runs finds or creates them; nothing here is a DVC output. A tracking server that is away costs a warning, never the
stage: the files are the truth, whatever error the store raises. Leases tell who works on a run (see `leases`).
"""

import hashlib
import json
import os
import re
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import yaml

from tasks.core.files import sha256_of
from tasks.core.params import FILES
from tasks.support import environment, leases
from tasks.support.errors import first_line, retried
from tasks.support.progress import log
from tasks.support.versioning import deciding_code

T = TypeVar("T")
EXPERIMENT = "equipoise"
KEY, STAGE, OUTCOME = "equipoise.key", "equipoise.stage", "equipoise.outcome"
PAUSES_S, WITHIN_S = (0.5, 1.0, 2.0), 5.0  # of attempts; over HTTP, MLflow makes three of its own, which take longer
_WORST_FIRST = ("FAILED", "KILLED", "FINISHED")
_LEASES = leases.Leases()
_PARENTS = threading.Lock()  # arms on threads open and end one parent


def _retried(action: Callable[[], T]) -> T:
    return retried(action, lambda _: True, PAUSES_S, WITHIN_S)


def project_key() -> str:
    """What the parent run is found by: a hash of parameters, source listing, and all code that stages depend on.

    dvc.yaml says which code that is. Code that only the stage `report` depends on draws what is there: another legend
    makes no other run. A git commit would not do, as one of a README makes no other run, and an edit before it does.
    """
    values = [yaml.safe_load(path.read_text(encoding="utf-8")) for path in map(Path, FILES) if path.exists()]
    digest = hashlib.sha256(json.dumps(values, default=str).encode())  # values, as a comment makes no other run
    for path in (Path("data/sources.json"), *deciding_code()):
        digest.update(f"{path}\0{sha256_of(path)}\n".encode())
    return digest.hexdigest()[:16]


class Run:
    """A tracked run to which metrics and files are added; says once if the tracking server is away."""

    def __init__(self, client: Any, run_id: str | None) -> None:
        self.client, self.run_id = client, run_id
        self._away = run_id is None

    def metrics(self, values: Mapping[str, float], step: int = 0) -> None:
        at = int(time.time() * 1000)
        names = {name: re.sub(r"[^\w. /-]", "_", name) for name in values}  # MLflow refuses other letters
        batch = [_mlflow().entities.Metric(names[name], float(value), at, step) for name, value in values.items()]
        self._attempt(lambda: self.client.log_batch(self.run_id, metrics=batch))

    def files(self, folder: Path, under: str | None = None) -> None:
        """Copy a folder's files into the run's artifacts."""
        self._attempt(lambda: self.client.log_artifacts(self.run_id, str(folder), under))

    def file(self, path: Path, under: str | None = None) -> None:
        """Copy one file into the run's artifacts."""
        self._attempt(lambda: self.client.log_artifact(self.run_id, str(path), under))

    def tags(self, values: Mapping[str, object]) -> None:
        batch = [_mlflow().entities.RunTag(name, str(value)) for name, value in values.items()]
        self._attempt(lambda: self.client.log_batch(self.run_id, tags=batch))

    def _attempt(self, action: Callable[[], object]) -> None:
        if self._away:
            return
        try:
            _retried(action)
        except Exception as error:
            log.warning("  not tracked from here on: MLflow said %s", first_line(error))
            self._away = True


@contextmanager
def parent_run(stage: str | None = None) -> Iterator[Run]:
    """The run of the present parameters, sources and code, found or created, and RUNNING until the block ends.

    Open it before parallel work that would race to create it. Its status is the worst of what became last of each child
    and of each stage that is tracked in it; `stage` is the one that the block runs.
    """
    client = run_id = None
    try:
        client = _mlflow().MlflowClient()
        run_id = _retried(lambda: _hold_parent(client))
    except Exception as error:
        log.warning("  not tracked: MLflow at %s said %s", os.environ["MLFLOW_TRACKING_URI"], first_line(error))
    run = Run(client, run_id)
    with _ending(lambda status: _release_parent(run, stage, status)):
        yield run


@contextmanager
def child_run(name: str, params: Mapping[str, object], stage: str = "") -> Iterator[Run]:
    """A new run under the parent; it ends FINISHED, FAILED on an error, or KILLED when the process is told to stop."""
    with parent_run() as parent:
        run = Run(parent.client, _open_child(parent, name, params, stage))
        with _ending(lambda status: _end_child(parent, run, status)):
            yield run


@contextmanager
def _ending(end: Callable[[str], None]) -> Iterator[None]:
    status = "KILLED"
    try:
        yield
        status = "FINISHED"
    except Exception:
        status = "FAILED"
        raise
    finally:
        end(status)


def _open_child(parent: Run, name: str, params: Mapping[str, object], stage: str) -> str | None:
    if parent.run_id is None:
        return None
    client, tags = parent.client, {"mlflow.parentRunId": parent.run_id, STAGE: stage, **leases.tags()}

    def create() -> str:
        run_id = str(client.create_run(experiment, tags=tags, run_name=name).info.run_id)
        _LEASES.hold(client, run_id)
        return run_id

    try:
        experiment = _retried(lambda: _experiment(client))
        run_id = _retried(create)
    except Exception as error:
        log.warning("  not tracked: MLflow said %s", first_line(error))
        return None
    batch = [_mlflow().entities.Param(key, str(value)) for key, value in params.items()]
    Run(client, run_id)._attempt(lambda: client.log_batch(run_id, params=batch))
    return run_id


def _end_child(parent: Run, run: Run, status: str) -> None:
    def end() -> None:
        run.client.set_terminated(run.run_id, status)
        _end_parent(run.client, str(parent.run_id), status)  # which waits for it if this is done later

    if run.run_id is not None:
        _LEASES.release(run.run_id)
        _finally(end)


def _hold_parent(client: Any) -> str:
    """Find or create the parent, and take it over unless another living process holds it."""
    with _PARENTS:
        experiment, key = _experiment(client), project_key()
        _end_left_behind(client, experiment)
        parents = client.search_runs([experiment], f"tags.`{KEY}` = '{key}'", max_results=1)
        if not parents:
            name, tags = f"rebalance-{key[:8]}", {KEY: key, **leases.tags()}
            run_id = str(client.create_run(experiment, tags=tags, run_name=name).info.run_id)
            for path in filter(os.path.exists, FILES):
                client.log_artifact(run_id, path)
        else:
            run_id = str(parents[0].info.run_id)
            if parents[0].info.status != "RUNNING" or not parents[0].data.tags[leases.OWNER_TAG]:
                for name, value in leases.tags().items():
                    client.set_tag(run_id, name, value)
                client.update_run(run_id, status="RUNNING")
        _LEASES.hold(client, run_id)
        return run_id


def _release_parent(run: Run, stage: str | None, status: str) -> None:
    if run.run_id is None:
        return
    if stage:
        run.tags({f"{OUTCOME}.{stage}": status})
    if _LEASES.release(run.run_id):
        _finally(lambda: _end_parent(run.client, str(run.run_id), status))


def _end_parent(client: Any, run_id: str, status: str) -> None:
    """End a parent with the worst status of its parts, unless someone works on it still."""
    with _PARENTS:
        if _LEASES.holds(run_id):
            return
        run = client.get_run(run_id)
        if run.data.tags[leases.OWNER_TAG] not in (leases.OWNER, ""):
            return
        statuses = [status, *(value for name, value in run.data.tags.items() if name.startswith(OUTCOME))]
        seen = set()
        for child in client.search_runs([run.info.experiment_id], f"tags.`mlflow.parentRunId` = '{run_id}'"):
            place = child.data.tags.get(STAGE), child.info.run_name
            if place not in seen:  # the newest comes first
                left = child.info.status == "RUNNING" and leases.left_behind(child.data.tags)
                statuses.append("KILLED" if left else child.info.status)
            seen.add(place)
        if "RUNNING" in statuses:
            client.set_tag(run_id, leases.OWNER_TAG, "")  # whoever ends that child ends the parent
        else:
            client.set_terminated(run_id, next(worst for worst in _WORST_FIRST if worst in statuses))


def _end_left_behind(client: Any, experiment: str) -> None:
    for run in client.search_runs([experiment], "attributes.status = 'RUNNING'"):
        if leases.left_behind(run.data.tags):
            client.set_terminated(run.info.run_id, "KILLED")


def _experiment(client: Any) -> str:
    experiment = client.get_experiment_by_name(EXPERIMENT)
    if experiment is not None:
        return str(experiment.experiment_id)
    local = os.environ["MLFLOW_TRACKING_URI"].startswith("sqlite:")
    location = (environment.ROOT / "mlartifacts").as_uri() if local else None  # a server chooses its own
    return str(client.create_experiment(EXPERIMENT, artifact_location=location))


def _finally(end: Callable[[], object]) -> None:
    """End a run, now or, where the server is away, as soon as it answers: no run shall stay RUNNING."""
    try:
        _retried(end)
    except Exception as error:
        log.warning("  a run is not ended yet: MLflow said %s", first_line(error))
        _LEASES.later(end)


def _mlflow() -> Any:
    import mlflow.entities  # deferred: it takes three seconds, and most stages are not tracked

    return mlflow
