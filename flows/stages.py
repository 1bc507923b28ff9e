"""A stage in a flow: asked of DVC, run as a Prefect task where it is due, recorded with DVC."""

import os
import time
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from prefect import task
from prefect.cache_policies import NO_CACHE
from prefect.futures import PrefectFuture
from prefect.task_runners import TaskRunner, ThreadPoolTaskRunner

from tasks.core.environment import pin
from tasks.core.params import load
from tasks.register import register
from tasks.sources.listing import refresh
from tasks.support.commands import compute
from tasks.support.environment import DASK_ADDRESS
from tasks.support.errors import BadInput
from tasks.support.progress import log, show
from tasks.support.stages import DATA, LISTING, Stage
from tasks.support.tracking import parent_run
from tasks.support.versioning import Versions


def task_runner() -> TaskRunner[Any]:
    """Where candidates and arms are mapped: the Dask cluster at EQUIPOISE_DASK_ADDRESS, or else threads."""
    if address := os.environ.get(DASK_ADDRESS):
        from prefect_dask import DaskTaskRunner  # the optional extra `dask`

        cluster: TaskRunner[Any] = DaskTaskRunner(address=address)
        return cluster
    return ThreadPoolTaskRunner(max_workers=os.cpu_count())


class Stages:
    """The stages of the project in the current folder, with its parameters as they were when this object was made."""

    def __init__(self) -> None:
        self._versions = Versions()
        self._params = load()
        pin(self._params.compute)
        self._order = self._versions.order()

    def refresh(self) -> Path:
        """The listing of the sources, renewed where they have changed."""
        if _refresh():
            log.info("sources: changed")
        return LISTING

    def run(self, stage: Stage, **inputs: Path) -> Path:
        """The folder that a stage writes from these inputs; it is run unless DVC calls it current."""
        _require_inputs(stage, inputs)
        self._require_listed(stage, [stage.name])
        if self._due(stage.name):
            _compute(stage.name, stage, None)
            self._versions.record(stage.name)
        return DATA / stage.out

    def run_each(self, stage: Stage, **inputs: Path) -> Path:
        """The same for a stage that runs for each item, those that are due side by side on the flow's task runner.

        They are recorded in DVC's own order, each as soon as all before it have ended; then the first failure is
        raised.
        """
        _require_inputs(stage, inputs)
        items = {f"{stage.name}@{item}": item for item in getattr(self._params, str(stage.each))}
        self._require_listed(stage, list(items))
        due = [name for name in self._order if name in items and self._due(name)]
        failures = []
        with parent_run() if due else nullcontext():  # created once, and RUNNING until all items have ended
            running: dict[str, PrefectFuture[Any]] = {
                name: _compute.submit(name, stage, items[name])  # a task of its own for each
                for name in due
            }
            for name, future in running.items():
                outcome = future.result(raise_on_failure=False)
                if isinstance(outcome, BaseException):
                    failures.append(outcome)
                else:
                    self._versions.record(name)
        if failures:
            raise failures[0]
        return DATA / stage.out

    def register(self) -> str:
        """What `register` says of the generator."""
        return str(_register())

    def _due(self, name: str) -> bool:
        current = self._versions.current(name)
        if current:
            log.info("%s: current", name)
        return not current

    def _require_listed(self, stage: Stage, names: list[str]) -> None:
        if missing := [name for name in names if name not in self._order]:
            raise BadInput(f"dvc.yaml does not list {', '.join(missing)}: restore stage {stage.name} from git")


def _require_inputs(stage: Stage, inputs: dict[str, Path]) -> None:
    if inputs != stage.inputs:
        raise TypeError(f"stage {stage.name} reads {stage.inputs}, and the flow hands it {inputs}")


@task(task_run_name="{name}", cache_policy=NO_CACHE)
def _compute(name: str, stage: Stage, item: str | None) -> None:
    show()
    params = load()
    pin(params.compute)  # on a cluster this is another process
    log.info("%s", name)
    start = time.monotonic()
    compute(stage, params, item)
    log.info("%s: done in %.1f s", name, time.monotonic() - start)


@task(name="refresh", cache_policy=NO_CACHE)
def _refresh() -> bool:
    return refresh(load().ingest)


@task(name="register", cache_policy=NO_CACHE)
def _register() -> str:
    return register(load())
