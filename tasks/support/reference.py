"""The reference of all parameters, made of their typed sections: `python -m tasks.support.reference`."""

import json
import sys
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from tasks.core.params import FILES, Params, read
from tasks.support.commands import guarded

DOCUMENT = Path("docs/parameters.md")
Schema = dict[str, Any]
Keys = tuple[str, ...]  # in a schema, <name> and <n> stand for any name or number
Kind = tuple[Keys, str]  # the keys of a section that is of one of several kinds, and its kind
Shipped = Mapping[Keys, tuple[str, Any]]  # the file and the value of each key, section and item of a list
_INTRODUCTION = """# Parameters

Made by `make reference` from the sections in `tasks/core/params`, which check all values: edit descriptions there.

A key is shipped in `params.yaml` (what you decide), in `tuning.yaml` (what an expert tunes) or, for another kind of
section, in neither, and may move to the other file within its section. Every key is needed unless it may be left out;
an unknown one is an error that names it. Of sections with names, the commonest value comes first, then the others."""


def reference(params: type, folder: Path = Path()) -> str:
    """Markdown with a heading for each section of `params` in order, and a table row for each key.

    Args:
        folder: has the shipped params.yaml and tuning.yaml.
    """
    schema = TypeAdapter(params).json_schema()
    shipped = {keys: (name, value) for name in FILES for keys, value in _flat(read(folder / name))}
    parts = [_INTRODUCTION]
    for name, section in _resolved(schema, schema["$defs"])["properties"].items():
        parts += [f"## {name}", " ".join(section["description"].split())]
        parts += [] if "properties" in section else [f"Allowed: {allowed(section)}."]
        tables = defaultdict(list)
        for kind, keys, field in _fields((name,), section, ((), "")):
            tables[kind].append(_row(keys, field, {place: shipped[place] for place in _places(keys, kind, shipped)}))
        for (keys, of), rows in tables.items():
            parts += [f"### `{'.'.join(keys)}` of kind {of}"] if of else []
            parts.append("\n".join(["| key | file | shipped | allowed | description |", f"|{' --- |' * 5}", *rows]))
    return "\n\n".join(parts) + "\n"


def allowed(schema: Schema) -> str:
    """The values that a JSON schema without references allows, in words."""
    if "anyOf" in schema:
        return ", or ".join(allowed(option) for option in schema["anyOf"])
    if "oneOf" in schema:
        return f"section of kind {' or '.join(allowed(option['properties']['kind']) for option in schema['oneOf'])}"
    match schema:
        case {"enum": values}:
            return f"one of {', '.join(map(_code, values))}"
        case {"const": value}:
            return _code(value)
        case {"format": words}:
            return str(words)
        case {"pattern": pattern}:
            return f"text that matches {_code(pattern)}"
        case {"type": "integer" | "number" as number}:
            return ", ".join(["whole number" if number == "integer" else "number", *_bounds(schema)])
        case {"type": "array", "items": item}:
            size = "".join(f" ({bound})" for bound in _bounds(schema, "minItems", "maxItems"))
            return f"list{size} of {allowed(item)}"
        case {"type": "object"} if entries := _entries(schema):
            size = "".join(f" ({bound})" for bound in _bounds(schema, "minProperties", "maxProperties"))
            names = allowed(schema["propertyNames"]) if "propertyNames" in schema else "text"
            return f"mapping{size} from {names} to {allowed(entries[0])}"
    simple = {"object": "section", "boolean": "`true` or `false`", "null": "`null`", "string": "text"}
    return simple[schema["type"]] + (", not empty" if schema.get("minLength") else "")


def _bounds(schema: Schema, least: str = "minimum", most: str = "maximum") -> list[str]:
    words = {least: "at least", "exclusiveMinimum": "above", most: "at most", "exclusiveMaximum": "below"}
    bounds = [f"{word} {schema[bound]}" for bound, word in words.items() if bound in schema]
    if least in schema and most in schema:
        bounds = [f"{schema[least]} to {schema[most]}" if schema[least] != schema[most] else f"{schema[least]}"]
    return [*bounds, *([f"a multiple of {schema['multipleOf']}"] if "multipleOf" in schema else [])]


def _resolved(schema: Any, definitions: Schema) -> Any:
    """The schema with definitions in place of references to them; what stands beside a reference wins."""
    if isinstance(schema, list):
        return [_resolved(part, definitions) for part in schema]
    if not isinstance(schema, dict):
        return schema
    definition = definitions[schema["$ref"].rpartition("/")[2]] if "$ref" in schema else {}
    return {key: _resolved(part, definitions) for key, part in (definition | schema).items() if key[0] != "$"}


def _entries(schema: Schema) -> list[Schema]:
    """The schemas of a mapping's values; none of a section's."""
    return [*schema.get("patternProperties", {}).values(), *filter(None, [schema.get("additionalProperties")])]


def _fields(keys: Keys, schema: Schema, kind: Kind) -> Iterator[tuple[Kind, Keys, Schema]]:
    """Every field of the sections that a schema is or that are its options, items or entries, and of those in them."""
    fields = schema.get("properties", {})
    kind = (keys, fields["kind"]["const"]) if "kind" in fields else kind
    for name, field in sorted(fields.items(), key=lambda item: item[0] != "kind"):  # the kind stands first
        yield kind, (*keys, name), field | {"optional": name not in schema["required"]}
        yield from _fields((*keys, name), field, kind)
    for option in [*schema.get("anyOf", []), *schema.get("oneOf", [])]:
        yield from _fields(keys, option, kind)
    for part, inner in [("<n>", schema.get("items")), *(("<name>", entry) for entry in _entries(schema))]:
        if inner:
            yield from _fields((*keys, part), inner, kind)


def _places(keys: Keys, kind: Kind, shipped: Shipped) -> Iterator[Keys]:
    """The keys in the files that fit these keys of a schema, in sections of the kind."""
    section, of = kind
    for place in shipped:
        fits = all(key in (part, "<name>", "<n>") for key, part in zip(keys, place, strict=False))
        if fits and len(place) == len(keys) and (not of or shipped[(*place[: len(section)], "kind")][1] == of):
            yield place


def _row(keys: Keys, field: Schema, places: Shipped) -> str:
    names = defaultdict(list)
    for place, (_, value) in places.items():
        names[_code(value)].append(", ".join(part for key, part in zip(keys, place, strict=True) if key != part))
    usual, *others = sorted(names, key=lambda value: -len(names[value])) or [""]
    values = "; ".join([usual, *(f"{value} in {', '.join(names[value])}" for value in others)])
    files = ", ".join(sorted({file for file, _ in places.values()})) or "neither"
    where = ["", ""] if "properties" in field else [files, values]  # the keys of a section have rows of their own
    words = allowed(field) + ("; may be left out" if field["optional"] else "")
    cells = [f"`{'.'.join(keys)}`", *where, words, field.get("description", "")]
    return f"| {' | '.join(' '.join(cell.split()).replace('|', chr(92) + '|') for cell in cells)} |"


def _flat(value: Any, at: Keys = ()) -> Iterator[tuple[Keys, Any]]:
    yield at, value
    parts = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, part in parts:
        yield from _flat(part, (*at, str(key)))


def _code(value: Any) -> str:
    return f"`{value if isinstance(value, str) and value else json.dumps(value, ensure_ascii=False)}`"


if __name__ == "__main__":
    sys.exit(guarded(lambda: DOCUMENT.write_text(reference(Params), encoding="utf-8")))
