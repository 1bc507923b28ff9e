"""Kinds of GAN: each is a module with a spec, which builds its networks and says how they are called and drawn.

Kinds are told apart here and nowhere else.
"""

from collections.abc import Mapping
from dataclasses import asdict, fields
from typing import Any

from .conditional import Conditional
from .dcgan import Dcgan

Spec = Conditional | Dcgan
KINDS: dict[str, type[Spec]] = {"conditional": Conditional, "dcgan": Dcgan}


def spec_of(values: Mapping[str, Any]) -> Spec:
    """The spec in `values`, which may hold more: the settings of a candidate, or what `as_json` gave.

    Raises:
        KeyError: there is no such kind, or a value is missing.
    """
    kind = KINDS[values["kind"]]
    return kind(**{field.name: values[field.name] for field in fields(kind)})


def as_json(spec: Spec) -> dict[str, Any]:
    """All values of a spec by name, with its kind."""
    (name,) = (name for name, kind in KINDS.items() if isinstance(spec, kind))
    return {"kind": name, **asdict(spec)}
