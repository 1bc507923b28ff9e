import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import fields, make_dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
from pydantic import ConfigDict, Field, TypeAdapter
from pydantic.dataclasses import dataclass

from tasks.core.params import FILES, Compute, Params
from tasks.core.params.section import Section
from tasks.support.reference import DOCUMENT, allowed, reference
from tests.parameters import ROOT


class Wider(Compute):
    intra_op_threads: Annotated[
        int, Field(ge=1, le=65, description=Compute.model_fields["intra_op_threads"].description)
    ]


class Inner(Section):
    key: Annotated[str, Field(pattern="^(a|b)$")]
    """One of a|b."""
    size: Annotated[int, Field(ge=1)] | None = None
    """Over
    two lines."""


@dataclass(config=ConfigDict(use_attribute_docstrings=True))
class Outer:
    items: dict[str, Inner]
    """Sections with names."""


def _sections(section: type[Section] = Section) -> Iterator[type[Section]]:
    for child in section.__subclasses__():
        yield child
        yield from _sections(child)


def _params_with(compute: type[Compute]) -> type:
    """Sections like those of `Params` with another one for `compute`."""
    described = TypeAdapter(Params).json_schema()["properties"]
    return make_dataclass(
        "Changed",
        [
            (
                field.name,
                Annotated[
                    compute if field.name == "compute" else field.type,
                    Field(description=described[field.name]["description"]),
                ],
            )
            for field in fields(Params)
        ],
    )


@pytest.fixture
def rows(tmp_path: Path) -> list[str]:
    """Lines of the reference of `Outer`, whose items stand in both files."""
    (tmp_path / FILES[0]).write_text("items: {first: {key: a}, second: {key: b}}")
    (tmp_path / FILES[1]).write_text("items: {third: {key: b, size: 3}}")
    return reference(Outer, tmp_path).splitlines()


def test_the_committed_reference_is_current() -> None:
    assert (ROOT / DOCUMENT).read_text(encoding="utf-8") == reference(Params, ROOT), "run `make reference`"


def test_every_field_of_every_section_is_described() -> None:
    sections = TypeAdapter(Params).json_schema()["properties"]
    missing = [name for name, section in sections.items() if not section.get("description")]
    for section in _sections():
        missing += [
            f"{section.__name__}.{name}" for name, field in section.model_fields.items() if not field.description
        ]
    assert not missing


def test_a_changed_bound_shows_in_its_row_alone() -> None:
    before, after = (reference(params, ROOT).splitlines() for params in (Params, _params_with(Wider)))
    differing = [lines for lines in zip(before, after, strict=True) if lines[0] != lines[1]]
    assert [lines[1] for lines in differing] == [differing[0][0].replace("1 to 64", "1 to 65")]


def test_sections_come_in_order_and_kinds_have_tables_of_their_own() -> None:
    lines = reference(Params, ROOT).splitlines()
    assert [line[3:] for line in lines if line.startswith("## ")] == list(Params.__annotations__)
    assert [line for line in lines if line.startswith("### ")] == [
        "### `ingest.sources.<n>` of kind digits",
        "### `ingest.sources.<n>` of kind files",
        "### `candidates.<name>` of kind conditional",
        "### `candidates.<name>` of kind dcgan",
        "### `train.network` of kind small",
        "### `train.network` of kind plain",
        "### `train.network` of kind pretrained",
    ]


def test_kinds_show_the_values_of_their_own_sections() -> None:
    rows = [line for line in reference(Params, ROOT).splitlines() if "`candidates.<name>.latent`" in line]
    assert [row.split(" | ")[2] for row in rows] == ["`32`", "`100`"]


def test_a_row_names_files_and_values_and_escapes_bars(rows: list[str]) -> None:
    assert (
        r"| `items.<name>.key` | params.yaml, tuning.yaml | `b`; `a` in first | text that matches `^(a\|b)$` "
        r"| One of a\|b. |"
    ) in rows


def test_a_row_is_one_line_and_says_what_may_be_left_out(rows: list[str]) -> None:
    words = "whole number, at least 1, or `null`; may be left out"
    assert f"| `items.<name>.size` | tuning.yaml | `3` | {words} | Over two lines. |" in rows


@pytest.mark.parametrize(
    ("values", "words"),
    [
        (Annotated[int, Field(ge=1, le=64)], "whole number, 1 to 64"),
        (Annotated[float, Field(gt=0, lt=0.5)], "number, above 0, below 0.5"),
        (Annotated[int, Field(le=128, multiple_of=8)], "whole number, at most 128, a multiple of 8"),
        (bool, "`true` or `false`"),
        (Literal["digits"], "`digits`"),
        (Literal[1, 3], "one of `1`, `3`"),
        (Annotated[str, Field(min_length=1)] | None, "text, not empty, or `null`"),
        (Annotated[list[str], Field(min_length=1)], "list (at least 1) of text"),
        (Annotated[list[float], Field(min_length=2, max_length=2)], "list (2) of number"),
        (
            dict[Literal["train", "test"], str | list[str]],
            "mapping from one of `train`, `test` to text, or list of text",
        ),
    ],
)
def test_allowed_values_are_put_into_words(values: Any, words: str) -> None:
    assert allowed(TypeAdapter(values).json_schema()) == words


def test_the_command_writes_the_reference_and_imports_no_tensorflow(tmp_path: Path) -> None:
    for name in FILES:
        shutil.copy(ROOT / name, tmp_path)
    (tmp_path / DOCUMENT).parent.mkdir()
    command = [sys.executable, "-X", "importtime", "-m", "tasks.support.reference"]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=True)
    assert (tmp_path / DOCUMENT).read_text(encoding="utf-8") == reference(Params, tmp_path)
    assert "pydantic" in done.stderr
    assert "tensorflow" not in done.stderr
