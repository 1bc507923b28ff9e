"""The parameters of a project folder: params.yaml and tuning.yaml, merged, checked and typed."""

from pathlib import Path
from typing import Any

import yaml
from pydantic import TypeAdapter, ValidationError
from pydantic_core import ErrorDetails

from tasks.core.params.sections import Params
from tasks.support.errors import BadInput

FILES = ("params.yaml", "tuning.yaml")  # what a user decides, and what an expert tunes
Keys = tuple[str, ...]


def load(folder: Path = Path()) -> Params:
    """The parameters in a folder's params.yaml and tuning.yaml, of which each key stands in exactly one.

    Raises:
        BadInput: a file is missing or no YAML; keys are unknown, missing, doubled or out of range (all are named).
    """
    merged: dict[str, Any] = {}
    places: dict[Keys, str] = {}
    for name in FILES:
        _merge(merged, read(folder / name), name, places, ())
    try:
        return TypeAdapter(Params).validate_python(merged)
    except ValidationError as error:
        raise BadInput("; ".join(_sentence(detail, places) for detail in error.errors())) from error


def read(path: Path) -> dict[str, Any]:
    """The values in one of the two files, unchecked.

    Raises:
        BadInput: it is missing or no YAML.
    """
    try:
        value = yaml.load(path.read_text(encoding="utf-8"), _Loader)  # noqa: S506  # it is a SafeLoader
    except OSError as error:
        raise BadInput(f"cannot read {path}: {error.strerror}: run Equipoise in the project folder") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise BadInput(f"{path} is not valid YAML: {' '.join(str(error).split())}") from error
    if not isinstance(value, dict):
        raise BadInput(f"{path} holds {type(value).__name__}, expected sections with keys: restore it from git")
    return value


class _Loader(yaml.SafeLoader):
    """Refuses a key that stands twice in one mapping, of which YAML would drop the first."""

    def compose_mapping_node(self, anchor: Any) -> yaml.MappingNode:
        node = super().compose_mapping_node(anchor)
        keys = [key.value for key, _ in node.value if isinstance(key, yaml.ScalarNode)]
        if doubled := sorted({key for key in keys if keys.count(key) > 1}):
            line = node.start_mark.line + 1
            raise yaml.YAMLError(f"key {', '.join(doubled)} stands twice in the mapping at line {line}: remove one")
        return node


def _merge(into: dict[str, Any], value: dict[str, Any], name: str, places: dict[Keys, str], at: Keys) -> None:
    """Add a file's keys; `places` learns in which file each stands."""
    for key, part in value.items():
        here = (*at, str(key))
        if key not in into:
            into[key] = {} if isinstance(part, dict) else part
        elif not isinstance(part, dict) or not isinstance(into[key], dict):
            raise BadInput(f"key {'.'.join(here)} stands in both {places[here]} and {name}: remove it from one of them")
        places.setdefault(here, name)
        if isinstance(part, dict):
            _merge(into[key], part, name, places, here)


def _sentence(detail: ErrorDetails, places: dict[Keys, str]) -> str:
    parts = [str(part) for part in detail["loc"]]
    if parts[:1] == ["candidates"]:
        del parts[2:3]  # the kind, which stands in no key
    if parts[:2] == ["train", "network"]:
        del parts[2:3]  # likewise
    key = ".".join(parts)
    if detail["type"] == "union_tag_not_found":  # a section of several kinds does not say which
        key, missing = f"{key}.kind", True
    else:
        missing = detail["type"] in ("missing", "missing_argument")
    if missing:
        return f"key {key} is missing in {' and '.join(FILES)}: add it to one of them"
    path = _place(parts, places)
    if detail["type"] in ("extra_forbidden", "unexpected_keyword_argument"):
        return f"{path}: unknown key {key}: remove it or correct its spelling"
    if detail["type"] == "value_error":  # of a rule between keys: it names them, and the input is a whole section
        return f"{path}: {f'{key}: ' if parts else ''}{detail['msg'].removeprefix('Value error, ')}"
    return f"{path}: {key} is {detail['input']!r}: {detail['msg'][0].lower()}{detail['msg'][1:]}"


def _place(parts: list[str], places: dict[Keys, str]) -> str:
    """The file of a key, or of the innermost section around it that stands in one."""
    for length in range(len(parts), 0, -1):
        if place := places.get(tuple(parts[:length])):
            return place
    return FILES[0]
