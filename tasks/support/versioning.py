"""What DVC knows of a stage, asked and recorded in process: the only importer of dvc.

DVC is the only cache. A flow asks here whether a stage is due, and has one that ran recorded here; the entries of
dvc.lock come out as `dvc repro` would have written them. DVC's Python interface carries no promise of stability (its
issue 5050), hence one module, a pinned version and the parity tests.
"""

import logging
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import yaml

from tasks.core.files import sha256_of
from tasks.core.params import FILES
from tasks.support.errors import BadInput

T = TypeVar("T")
LOCK_TIMEOUT_S = 60.0


class Versions:
    """The DVC project in the current folder, with its parameters and code as they were when this object was made."""

    def __init__(self) -> None:
        """Open the project.

        Raises:
            BadInput: there is no git repository or no DVC project here, or dvc.yaml is broken.
        """
        from dvc.exceptions import DvcException
        from dvc.repo import Repo

        logging.getLogger("dvc").setLevel(logging.ERROR)
        try:
            self._repo = Repo(".")
        except DvcException as error:
            raise BadInput(f"no DVC project in a git repository here ({error}): run in a clone made by git") from error
        self._read = {path: sha256_of(path) for path in (*map(Path, FILES), *Path("tasks").rglob("*.py"))}

    def order(self) -> list[str]:
        """All stages in the order in which `dvc repro` runs and records them."""
        from dvc.repo.reproduce import get_active_graph, plan_repro

        return [stage.addressing for stage in plan_repro(get_active_graph(self._repo.index.graph))]

    def current(self, name: str) -> bool:
        """Whether a stage's outputs are those of its dependencies, parameters and code, as `dvc status` has it."""
        return self._locked(lambda: not self._stage(name).changed())

    def record(self, name: str) -> None:
        """Record a stage that has run: its outputs go to the cache, its entry to dvc.lock.

        Raises:
            BadInput: parameters or code were edited since the flow read them, so that other ones would be recorded.
        """
        if edited := [str(path) for path, value in self._read.items() if not path.exists() or sha256_of(path) != value]:
            raise BadInput(f"{', '.join(edited)} was edited while the flow ran, so {name} is not recorded: run again")
        self._locked(lambda: self._save(self._stage(name)))

    def _stage(self, name: str) -> Any:
        (stage,) = self._repo.stage.collect(name)
        return stage

    def _save(self, stage: Any) -> None:
        stage.save()
        stage.commit()
        stage.dump(update_pipeline=False)

    def _locked(self, action: Callable[[], T]) -> T:
        from dvc.lock import LockError

        deadline = time.monotonic() + LOCK_TIMEOUT_S
        while True:
            try:
                with self._repo.lock, self._repo.scm_context(quiet=True):
                    self._repo._reset()
                    return action()
            except LockError as error:
                if time.monotonic() > deadline:
                    raise BadInput(f"another DVC command holds this project ({error}): wait for it to end") from error
                time.sleep(0.5)


def deciding_code() -> list[Path]:
    """The files, sorted, that stages of dvc.yaml other than `report` depend on, but for data."""
    pipeline = Path("dvc.yaml")
    stages = yaml.safe_load(pipeline.read_text())["stages"] if pipeline.exists() else {}
    dependencies = {
        Path(dependency)
        for name, stage in stages.items()
        if name != "report"
        for dependency in stage.get("do", stage)["deps"]
        if not dependency.startswith("data/")
    }
    inside = {file for path in dependencies if path.is_dir() for file in path.rglob("*") if file.suffix != ".pyc"}
    return sorted(path for path in dependencies | inside if path.is_file())
