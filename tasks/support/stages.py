"""A stage, declared once: what it reads, what it writes, and which parameters and code decide its output."""

import inspect
from collections.abc import Callable, Collection
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, cast

from tasks.core.params import Params
from tasks.support.errors import BadInput

DATA = Path("data")
LISTING = DATA / "sources.json"
_HARMLESS = ("machine",)  # sections that bound memory and decide no output


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
    def inputs(self) -> dict[str, Path]:
        """What it reads, by name: folders below data/, or the listing of the sources."""
        arguments = inspect.signature(self.function).parameters.values()
        names = [argument.name for argument in arguments if argument.kind is inspect.Parameter.KEYWORD_ONLY]
        return {name: LISTING if name == "listing" else DATA / name for name in names}

    def __reduce__(self) -> tuple[Callable[[str], "Stage"], tuple[str]]:
        return stage_named, (self.name,)  # a function that a name of its module hides cannot be pickled

    def __call__(self, params: Params, out: Path, **inputs: Path) -> None:
        self.function(params, out, **inputs)

    def run(self, params: Params, item: str | None = None) -> Path:
        """Write the folder of the project in the current folder, and give its path.

        The stage is handed the sections that it declares, and of its items' section the one item: what it does not
        declare cannot change its output unnoticed by DVC.

        Raises:
            BadInput: the parameters name no such item.
        """
        view: dict[str, Any] = {name: getattr(params, name) for name in (*self.params, *_HARMLESS)}
        if self.each:
            items: dict[str, Any] = view[self.each]
            if item not in items:
                raise BadInput(f"no {item} among {self.each} in the parameters; expected one of {', '.join(items)}")
            view[self.each] = {item: items[item]}
        out = DATA / self.out / item if item else DATA / self.out
        self(cast(Params, _Sections(self.name, view)), out, **self.inputs)
        return out


class _Sections:
    """Some sections of the parameters; any other is a defect of the stage that asks for it."""

    def __init__(self, stage: str, sections: dict[str, Any]) -> None:
        self._stage, self._sections = stage, sections

    def __getattr__(self, name: str) -> Any:
        if name not in self._sections:
            raise AttributeError(f"stage {self._stage} reads section {name}, which it does not declare")
        return self._sections[name]


def stage_named(name: str) -> Stage:
    """The stage that the module of its name declares."""
    return cast(Stage, getattr(import_module(f"tasks.{name}"), name))


def stage(
    *, params: Collection[str], rooms: Collection[str], out: str, each: str | None = None
) -> Callable[[Callable[..., None]], Stage]:
    """Declares a function as a stage; see `Stage` for the arguments."""

    def declare(function: Callable[..., None]) -> Stage:
        return Stage(function, tuple(params), tuple(rooms), out, each)

    return declare
