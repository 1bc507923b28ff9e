"""The shipped parameters as one mapping, and any such mapping written as params.yaml and tuning.yaml."""

from pathlib import Path
from typing import Any

import yaml

from tasks.core.params import FILES

ROOT = Path(__file__).parents[1]


def read_values(folder: Path = ROOT) -> dict[str, Any]:
    """The sections of both files of a folder, merged."""
    merged: dict[str, Any] = {}
    for name in FILES:
        _merge(merged, yaml.safe_load((folder / name).read_text()))
    return merged


def write_values(folder: Path, values: dict[str, Any]) -> None:
    """Write the values, each key into the file in which it is shipped; one that is not shipped into params.yaml."""
    tuning = yaml.safe_load((ROOT / FILES[1]).read_text())
    parts = _parted(values, tuning)
    for name, part in zip(FILES, parts, strict=True):
        (folder / name).write_text(yaml.safe_dump(part, sort_keys=False))


def _merge(into: dict[str, Any], values: dict[str, Any]) -> None:
    for key, value in values.items():
        if isinstance(value, dict) and isinstance(into.get(key), dict):
            _merge(into[key], value)
        else:
            into[key] = value


def _parted(values: dict[str, Any], tuning: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Values outside and inside of what `tuning` has; a section that it has as a whole goes there as a whole."""
    outside: dict[str, Any] = {}
    inside: dict[str, Any] = {}
    params = yaml.safe_load((ROOT / FILES[0]).read_text())
    for key, value in values.items():
        if key in tuning and key in params and isinstance(value, dict):
            inside[key] = {name: part for name, part in value.items() if name in tuning[key]}
            outside[key] = {name: part for name, part in value.items() if name not in tuning[key]}
        else:
            (inside if key in tuning else outside)[key] = value
    return outside, inside
