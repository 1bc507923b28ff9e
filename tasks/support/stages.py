"""A stage, declared once: what it reads, what it writes, and which parameters and code decide its output."""

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tasks.core.params import Params

DATA = Path("data")


@dataclass(frozen=True)
class Stage:
    """A stage of the pipeline, called as `stage(params, out, **inputs)`.

    Attributes:
        function: writes the folder `out`; its keyword-only arguments are the folders that it reads, by their names.
        params: sections of the parameters that decide the output.
        rooms: folders of `tasks` whose code decides the output, beside the stage's own file and `core`.
        out: name of the folder below data/ that it writes.
        each: section whose keys are the items for each of which it runs, or None; the folder is then `out`/item.
    """

    function: Callable[..., None]
    params: tuple[str, ...]
    rooms: tuple[str, ...]
    out: str
    each: str | None

    @property
    def name(self) -> str:
        return self.function.__name__

    @property
    def inputs(self) -> list[str]:
        """Names of the folders below data/ that it reads."""
        arguments = inspect.signature(self.function).parameters.values()
        return [argument.name for argument in arguments if argument.kind is inspect.Parameter.KEYWORD_ONLY]

    def __call__(self, params: Params, out: Path, **inputs: Path) -> None:
        self.function(params, out, **inputs)

    def run(self, params: Params, item: str | None = None) -> Path:
        """Write the folder of the project in the current folder, and give its path."""
        out = DATA / self.out / item if item else DATA / self.out
        self(params, out, **{name: DATA / name for name in self.inputs})
        return out


def stage(
    *, params: tuple[str, ...], rooms: tuple[str, ...], out: str, each: str | None = None
) -> Callable[[Callable[..., None]], Stage]:
    """Declares a function as a stage; see `Stage` for the arguments."""

    def declare(function: Callable[..., None]) -> Stage:
        return Stage(function, params, rooms, out, each)

    return declare
