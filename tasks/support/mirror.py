"""What a running stage tells, and the files that it leaves, as commands and flows show them in MLflow."""

import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tasks.core.files import read_json
from tasks.support.progress import Listener
from tasks.support.tracking import Run, child_run, parent_run

ON_PARENT = ("evaluate", "report")  # stages without items that are tracked, each in the parent itself
MOST_BYTES = 1_000_000  # of a file that is copied into a run: tables and settings; weights and images stay with DVC

Draw = Callable[[Path, NDArray[np.uint8], Sequence[str], str], None]  # file, grid of images, names of rows, title


class Mirror:
    """Listens to a stage, and adds what it tells to a run.

    Args:
        draw: writes a grid of images; computing stages know none, and this room imports none.
    """

    def __init__(self, run: Run, draw: Draw) -> None:
        self._run, self._draw = run, draw

    def metrics(self, values: Mapping[str, float], step: int) -> None:
        self._run.metrics(values, step)

    def samples(self, name: str, images: NDArray[np.uint8], row_names: Sequence[str]) -> None:
        with tempfile.TemporaryDirectory() as temporary:
            path = Path(temporary, f"{Path(name).name}.png")
            self._draw(path, images, row_names, name)
            self._run.file(path, Path("grids", name).parent.as_posix())


@contextmanager
def tracked(stage: str, item: str | None, params: Mapping[str, object], out: Path, draw: Draw) -> Iterator[Listener]:
    """A listener that mirrors a stage: for an item in a child run with its parameters, else in the parent.

    When the block ends without an error, files of the output folder `out` are mirrored as well: tables and settings,
    and of `report` everything.
    """
    opened = child_run(item, params, stage) if item is not None else parent_run(stage)
    with opened as run:
        yield Mirror(run, draw)
        if stage == "report":
            run.files(out, stage)
        else:
            for path in sorted(out.iterdir()):
                if path.suffix in (".csv", ".json") and path.stat().st_size <= MOST_BYTES:
                    run.file(path, None if item else stage)
        _mirror_summary(run, out)


def _mirror_summary(run: Run, out: Path) -> None:
    """What a reviewer should see of a run without opening a file."""
    if (path := out / "metrics.json").exists():
        run.metrics(_numbers(read_json(path)))
    if (path := out / "verdict.json").exists():
        run.tags({"verdict": read_json(path).get("answer")})
    if (path := out / "summary.txt").exists():
        run.tags({"mlflow.note.content": path.read_text(encoding="utf-8")})


def _numbers(values: Mapping[str, Any], before: str = "") -> dict[str, float]:
    """The numbers in nested mappings, each under its names joined by `_`."""
    numbers: dict[str, float] = {}
    for name, value in values.items():
        if isinstance(value, Mapping):
            numbers |= _numbers(value, f"{before}{name}_")
        elif isinstance(value, int | float):
            numbers[before + name] = float(value)
    return numbers
