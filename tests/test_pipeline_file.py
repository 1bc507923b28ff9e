"""dvc.yaml against the declarations of the stages, and the declarations against what their code imports and reads."""

import ast
import json
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
import yaml

from tasks.core.params import FILES
from tasks.support.stages import Stage, stage_named

ROOT = Path(__file__).parents[1]
FILE = yaml.safe_load((ROOT / "dvc.yaml").read_text())
NAMES = list(FILE["stages"])
STAGES = {name: stage_named(name) for name in NAMES}
IN_FILES = {name: yaml.safe_load((ROOT / name).read_text()) for name in FILES}
# They check, show, track, guard and remember: no value or byte of an output depends on them.
HARMLESS = {"support", "registry"}


def _body(name: str) -> dict[str, Any]:
    body: dict[str, Any] = FILE["stages"][name].get("do", FILE["stages"][name])
    return body


def _module_file(name: str) -> Path | None:
    for path in (ROOT / f"{name.replace('.', '/')}.py", ROOT / name.replace(".", "/") / "__init__.py"):
        if path.exists():
            return path
    return None


@cache
def _imports(path: Path) -> frozenset[Path]:
    """The project's files that a file imports itself, at its head or inside of functions."""
    files = set()
    for node in ast.walk(ast.parse(path.read_text())):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            package = ".".join(path.relative_to(ROOT).parts[:-1]) if node.level else ""
            module = ".".join(filter(None, [package, node.module]))
            names = [module, *(f"{module}.{alias.name}" for alias in node.names)]
        files |= {file for name in names if name.startswith("tasks") and (file := _module_file(name))}
    return frozenset(files)


def _room(path: Path) -> str:
    """The folder of tasks/ in which a file lies; empty for a stage's own file."""
    parts = path.relative_to(ROOT / "tasks").parts
    return parts[0] if len(parts) > 1 else ""


def _reached(start: Path) -> set[Path]:
    """All files whose code a file needs, but for the harmless ones."""
    reached, left = set(), {start}
    while left:
        path = left.pop()
        reached.add(path)
        left |= {file for file in _imports(path) if _room(file) not in HARMLESS and file not in reached}
    return reached


def _stage_file(stage: Stage) -> Path:
    """Where a stage is declared: in a file of its own, or at the head of the room that has its name."""
    file = _module_file(f"tasks.{stage.name}")
    assert file is not None
    return file


@pytest.mark.parametrize("name", NAMES)
def test_the_rooms_of_a_stage_are_those_whose_code_it_needs(name: str) -> None:
    stage = STAGES[name]
    reached = {_room(path) for path in _reached(_stage_file(stage))} - {""}
    assert reached <= {"core", *stage.rooms}
    assert {"core", *stage.rooms} <= reached


@pytest.mark.parametrize("name", NAMES)
def test_no_stage_imports_another(name: str) -> None:
    stages = {_stage_file(stage) for stage in STAGES.values()}
    assert _reached(_stage_file(STAGES[name])) & stages == {_stage_file(STAGES[name])}


@pytest.mark.parametrize("name", NAMES)
def test_dvc_lists_the_inputs_code_and_output_that_the_stage_declares(name: str) -> None:
    stage, body = STAGES[name], _body(name)
    item = "/${key}" if stage.each else ""
    inputs = [path.as_posix() for path in stage.inputs.values()]
    if name == "train":  # an arm reads the rows of one of the two
        inputs = ["data/raw", "data/${item.rows}"]
    file = [] if _room(_stage_file(stage)) else [_stage_file(stage).relative_to(ROOT).as_posix()]
    code = [*file, *(f"tasks/{room}" for room in ("core", *stage.rooms))]
    assert body["deps"] == inputs + code
    assert body["outs"] == [{f"data/{stage.out}{item}": {"persist": True}}]
    assert body["cmd"] == f"${{python}} -m tasks.{name}" + (" ${key}" if stage.each else "")
    assert FILE["stages"][name].get("foreach") == (f"${{{stage.each}}}" if stage.each else None)


@pytest.mark.parametrize("name", NAMES)
def test_dvc_lists_the_parameters_that_the_stage_declares_in_the_files_where_they_stand(name: str) -> None:
    stage, listed = STAGES[name], _body(name)["params"]
    by_file = {FILES[0]: [part for part in listed if isinstance(part, str)]}
    by_file |= next((part for part in listed if isinstance(part, dict)), {})
    for file, values in IN_FILES.items():
        expected = [f"{key}.${{key}}" if key == stage.each else key for key in stage.params if key in values]
        assert sorted(by_file.get(file, [])) == sorted(expected), file
    assert {key for key in stage.params if all(key not in values for values in IN_FILES.values())} == set()


@pytest.mark.parametrize("name", NAMES)
def test_outputs_are_ignored_by_git_beforehand(name: str) -> None:
    assert "/data/*" in (ROOT / ".gitignore").read_text().splitlines()
    assert all(path.startswith("data/") for out in _body(name)["outs"] for path in out)


def test_stages_are_written_in_an_order_in_which_they_can_run() -> None:
    made: set[str] = {"data/sources.json"}
    for name in NAMES:
        for dep in _body(name)["deps"]:
            if dep.startswith("data/") and "$" not in dep:
                assert dep in made, f"{name} needs {dep} before it is made"
        for out in _body(name)["outs"]:
            (path,) = out
            made |= {path, path.split("/${")[0]}


@pytest.mark.parametrize("file", sorted((ROOT / "tasks").glob("*/libraries.json")), ids=lambda path: path.parent.name)
def test_the_versions_of_libraries_that_decide_bytes_are_those_installed_and_locked(file: Path) -> None:
    lock = (ROOT / "requirements.lock").read_text()
    for name, number in json.loads(file.read_text()).items():
        assert version(name) == number, f"{name}: install requirements.lock, or correct {file}"
        assert f"\n{name}=={number} " in f"\n{lock}", f"{name}: correct {file} with the lock"
