"""dvc.yaml against the code: DVC does not follow imports, so the lists of code are held to what is imported."""

import ast
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[1]
STAGES = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"]
# These decide neither values nor bytes of an output: they check, show, track and guard.
NO_EFFECT = {
    "tasks/__init__.py",
    "tasks/support/__init__.py",
    "tasks/support/commands.py",
    "tasks/core/environment.py",
    "tasks/support/errors.py",
    "tasks/core/files.py",
    "tasks/registry/ledger.py",
    "tasks/core/params/__init__.py",
    "tasks/core/params/classifiers.py",
    "tasks/core/params/data.py",
    "tasks/core/params/section.py",
    "tasks/support/progress.py",
    "tasks/networks/quiet.py",
    "tasks/support/tracking.py",
}


def _module_file(name: str) -> Path | None:
    for path in (ROOT / f"{name.replace('.', '/')}.py", ROOT / name.replace(".", "/") / "__init__.py"):
        if path.exists():
            return path
    return None


def _imported(path: Path, seen: set[Path]) -> set[Path]:
    """The project's files that a file imports, directly or not, at its head or inside of functions."""
    seen.add(path)
    for node in ast.walk(ast.parse(path.read_text())):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            package = ".".join(path.relative_to(ROOT).parts[:-1]) if node.level else ""
            module = ".".join(filter(None, [package, node.module]))
            names = [module, *(f"{module}.{alias.name}" for alias in node.names)]
        for name in names:
            file = _module_file(name) if name.split(".")[0] in ("tasks", "flows") else None
            if file is not None and file not in seen and file.relative_to(ROOT).as_posix() not in NO_EFFECT:
                _imported(file, seen)
    return seen


def _body(stage: str) -> dict[str, Any]:
    body: dict[str, Any] = STAGES[stage].get("do", STAGES[stage])
    return body


@pytest.mark.parametrize("stage", STAGES)
def test_code_deps_are_exactly_what_the_stage_imports(stage: str) -> None:
    listed: set[Path] = set()
    for dep in _body(stage)["deps"]:
        if dep.startswith("tasks/"):
            path = ROOT / dep
            assert path.exists(), dep
            listed |= set(path.rglob("*.py")) if path.is_dir() else {path}
    imported = {path for path in _imported(ROOT / f"tasks/{stage}.py", set()) if path.name != "__init__.py"}
    assert {path for path in listed if path.name != "__init__.py"} == imported


@pytest.mark.parametrize("stage", STAGES)
def test_outputs_survive_the_start_of_a_stage_and_are_ignored_by_git(stage: str) -> None:
    for out in _body(stage)["outs"]:
        ((path, options),) = out.items()
        assert options == {"persist": True}
        assert path.startswith("data/")
    assert "/data/*" in (ROOT / ".gitignore").read_text().splitlines()


def test_stages_are_written_in_an_order_in_which_they_can_run() -> None:
    made: set[str] = {"data/sources.json"}
    for stage in STAGES:
        for dep in _body(stage)["deps"]:
            if dep.startswith("data/") and "$" not in dep:
                assert dep in made, f"{stage} needs {dep} before it is made"
        for out in _body(stage)["outs"]:
            (path,) = out
            made |= {path, path.split("/${")[0]}
