"""Which class a source's file belongs to: by its folder, by globs, or by a CSV file of labels."""

import io
import warnings
from collections.abc import Callable
from dataclasses import dataclass

import pandas as pd

from tasks.core.params import Digits, Files, Labels
from tasks.sources.names import fault, literal_head, matcher
from tasks.support.errors import BadInput

NO_CLASS, NO_ROW = "no_class", "no_row"


@dataclass(frozen=True)
class Place:
    """A file's class, and its name below the folder of the class."""

    label: str
    rest: str


Classifier = Callable[[str], Place | str]  # name to place, or to the reason why the file has none


@dataclass(frozen=True)
class Table:
    """A CSV file of labels: class of each file name, rows without a class with the reason, rows that came twice."""

    classes: dict[str, str]
    refused: dict[str, str]
    repeated: int


def classifier(source: Digits | Files, table: Table | None) -> Classifier:
    """The rule of a source."""
    if table is not None:
        return lambda name: (
            Place(table.classes[name], name) if name in table.classes else table.refused.get(name, NO_ROW)
        )
    if isinstance(source, Files) and source.classes:
        return _by_globs(source.classes)
    return _by_folder


def read_table(content: bytes, labels: Labels) -> Table:
    """The rows of a CSV file (comma-separated, UTF-8 with or without BOM, any line ends).

    A name with two labels is refused as `contradictory_rows`, a label that `labels.names` does not have as
    `unknown_label`, one that cannot name a folder likewise; equal rows count once.

    Raises:
        BadInput: it is no CSV file, or lacks a column.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", pd.errors.ParserWarning)  # rows longer than the header
            rows = pd.read_csv(
                io.BytesIO(content), dtype="str", encoding="utf-8-sig", keep_default_na=False, index_col=False
            )
    except (ValueError, pd.errors.ParserError, pd.errors.ParserWarning) as error:  # undecodable bytes are a ValueError
        raise BadInput(f"labels file {labels.path} is no CSV file in UTF-8 ({error}): correct it") from error
    if missing := [name for name in (labels.name_column, labels.label_column) if name not in rows.columns]:
        raise BadInput(
            f"labels file {labels.path} has no column {', '.join(missing)}; "
            f"it has {', '.join(map(str, rows.columns))}: correct name_column and label_column in ingest.sources"
        )
    rows = pd.DataFrame(
        {"name": rows[labels.name_column].str.strip() + labels.suffix, "code": rows[labels.label_column].str.strip()}
    )
    distinct = rows.drop_duplicates()
    codes = sorted(distinct["code"].unique())
    names = {code: code for code in codes if _is_class(code)} if labels.names is None else labels.names
    refused = pd.Series(None, index=distinct.index, dtype="str")
    refused[~distinct["code"].isin(names)] = "unknown_label"
    refused[distinct["name"].duplicated(keep=False)] = "contradictory_rows"
    good = distinct[refused.isna()]
    return Table(
        dict(zip(good["name"], good["code"].map(names), strict=True)),
        dict(zip(distinct["name"][refused.notna()], refused.dropna(), strict=True)),
        len(rows) - len(distinct),
    )


def _is_class(name: str) -> bool:
    """What `ClassName` in the parameters allows."""
    return fault(name) is None and len(name) <= 60 and "/" not in name and not name.startswith(".")


def _by_folder(name: str) -> Place | str:
    label, _, rest = name.partition("/")
    hidden = any(part.startswith(".") for part in name.split("/"))
    return Place(label, rest) if rest and not hidden and _is_class(label) else NO_CLASS


def _by_globs(classes: dict[str, str | list[str]]) -> Classifier:
    rules = [
        (label, literal_head(glob), matcher(glob))
        for label, globs in classes.items()
        for glob in ([globs] if isinstance(globs, str) else globs)
    ]

    def find(name: str) -> Place | str:
        found = {label: Place(label, name.removeprefix(head)) for label, head, matches in rules if matches(name)}
        if len(found) > 1:
            raise BadInput(f"{name} matches the globs of {' and '.join(found)}: make ingest.sources' classes exclusive")
        return next(iter(found.values()), NO_CLASS)

    return find
