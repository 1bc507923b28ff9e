"""A stage in a flow: asked of DVC, run as a Prefect task where it is due, recorded with DVC."""

import os
import time
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from prefect import task
from prefect.cache_policies import NO_CACHE
from prefect.futures import PrefectFuture
from prefect.task_runners import TaskRunner, ThreadPoolTaskRunner

from tasks.core import params
from tasks.core.environment import pin
from tasks.support.executors import DASK_ADDRESS
from tasks.support.progress import log, show
from tasks.support.tracking import parent_run
from tasks.support.versioning import Versions

Stage = Callable[..., Path]


def task_runner() -> TaskRunner[Any]:
    """Where candidates and arms are mapped: the Dask cluster at EQUIPOISE_DASK_ADDRESS, or else threads."""
    if address := os.environ.get(DASK_ADDRESS):
        from prefect_dask import DaskTaskRunner  # the optional extra `dask`

        cluster: TaskRunner[Any] = DaskTaskRunner(address=address)
        return cluster
    return ThreadPoolTaskRunner(max_workers=os.cpu_count())


class Stages:
    """The stages of the project in the current folder, each run at most once."""

    def __init__(self) -> None:
        self._versions = Versions(params.FILE)

    def run(self, stage: Stage, *args: object) -> None:
        """Run a stage, unless DVC calls it current."""
        name = stage.__name__
        if self._due(name):
            _compute(name, stage, args)
            self._versions.record(name)

    def run_each(self, stage: Stage, items: Mapping[str, tuple[object, ...]]) -> None:
        """Run a stage for each named item, those that are due side by side on the flow's task runner.

        They are recorded in DVC's own order, each as soon as all before it have ended; then the first failure is
        raised.
        """
        names = {f"{stage.__name__}@{item}": args for item, args in items.items()}
        order = [name for name in self._versions.order() if name in names]
        due = [name for name in order if self._due(name)]
        failures = []
        with parent_run() if due else nullcontext():  # created once, and RUNNING until all items have ended
            running: dict[str, PrefectFuture[Any]] = {name: _compute.submit(name, stage, names[name]) for name in due}
            for name, future in running.items():
                outcome = future.result(raise_on_failure=False)
                if isinstance(outcome, BaseException):
                    failures.append(outcome)
                else:
                    self._versions.record(name)
        if failures:
            raise failures[0]

    def _due(self, name: str) -> bool:
        current = self._versions.current(name)
        if current:
            log.info("%s: current", name)
        return not current


@task(task_run_name="{name}", cache_policy=NO_CACHE)
def _compute(name: str, stage: Stage, args: tuple[object, ...]) -> None:
    show()
    pin(params.load().compute)  # on a cluster this is another process
    log.info("%s", name)
    start = time.monotonic()
    stage(*args)
    log.info("%s: done in %.1f s", name, time.monotonic() - start)
