"""MLflow as the mirror of files: the only importer of mlflow.

A parent run stands for one state of parameters and source listing, with a child run per candidate and arm. A stage
that runs finds or creates them; nothing here is a DVC output. A tracking server that is away costs a warning, never
the stage: the files are the truth.
"""

import hashlib
import io
import os
import socket
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stderr
from dataclasses import dataclass
from importlib.metadata import version as installed
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from tasks.support import environment
from tasks.support.errors import BadInput
from tasks.support.progress import log

EXPERIMENT = "equipoise"
MODEL = "equipoise-generator"


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
            log.warning("  not tracked from here on: MLflow said %s", _first_line(error))
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
        log.warning("  not tracked: MLflow at %s said %s", os.environ["MLFLOW_TRACKING_URI"], _first_line(error))
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


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0][:200] if str(error) else type(error).__name__


@dataclass(frozen=True)
class Candidacy:
    """A generator that asks for its place in the registry.

    `folder` holds its files, `code` is a package of the modules needed to load them, `tags` what is known of it:
    `generator_sha256` identifies it.
    """

    folder: Path
    code: Path
    classes: list[str]
    image_shape: tuple[int, int, int]
    tags: dict[str, str]
    promote: bool


def register_generator(candidacy: Candidacy) -> str:
    """Register a generator unless the registry holds it, tag it and set the aliases; one line that says what was done.

    `candidate` is the generator of the present outputs. `champion` is set if it is to be promoted, and taken from this
    very generator if it no longer is; another champion stays.

    Raises:
        BadInput: the registry cannot be reached.
    """
    from mlflow import MlflowClient
    from mlflow.exceptions import MlflowException

    client = MlflowClient()
    try:
        version = _find_version(client, candidacy.tags["generator_sha256"])
        known = version is not None
        if version is None:
            version = _log_generator(candidacy)
        for name, value in candidacy.tags.items():
            client.set_model_version_tag(MODEL, version, name, value[:5000])
        client.set_registered_model_alias(MODEL, "candidate", version)
        aliases = client.get_model_version(MODEL, version).aliases
        if candidacy.promote:
            client.set_registered_model_alias(MODEL, "champion", version)
        elif "champion" in aliases:
            client.delete_registered_model_alias(MODEL, "champion")
    except MlflowException as error:
        where = os.environ["MLFLOW_TRACKING_URI"]
        raise BadInput(
            f"cannot register at {where}: {_first_line(error)}: start the MLflow server, then `make register`"
        ) from error
    known_as = "already registered" if known else "new"
    outcome = "promoted to champion" if candidacy.promote else "not promoted to champion"
    return f"{MODEL} version {version} ({known_as}): candidate, {outcome}"


def _find_version(client: Any, sha256: str) -> str | None:
    found = client.search_model_versions(f"name = '{MODEL}' and tags.generator_sha256 = '{sha256}'")
    return str(found[0].version) if found else None


def _log_generator(candidacy: Candidacy) -> str:
    import mlflow
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, DataType, Schema, TensorSpec

    output = TensorSpec(np.dtype(np.uint8), (-1, *candidacy.image_shape))
    rows = pd.DataFrame({"class": candidacy.classes, "seed": list(range(len(candidacy.classes)))})
    columns = [ColSpec(DataType.string, "class"), ColSpec(DataType.long, "seed")]
    with parent_run() as parent, mlflow.start_run(run_id=parent.run_id):
        model = mlflow.pyfunc.log_model(
            name="generator",
            loader_module="tasks.gan.serving",
            data_path=str(candidacy.folder),
            code_paths=[str(candidacy.code)],
            signature=ModelSignature(inputs=Schema(columns), outputs=Schema([output])),
            input_example=rows,
            pip_requirements=[f"{name}=={installed(name)}" for name in ("numpy", "pandas", "tensorflow", "keras")],
        )
    with redirect_stderr(io.StringIO()):  # it prints what the caller says anyway
        registered = mlflow.register_model(
            model.model_uri, MODEL, tags={"generator_sha256": candidacy.tags["generator_sha256"]}
        )
    return str(registered.version)
