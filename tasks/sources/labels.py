"""Which class and split a source's file belongs to: by its folder, by globs, or by a CSV file of labels."""

import io
import warnings
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

import pandas as pd

from tasks.core.params import Digits, Files, LabelsFile
from tasks.sources.names import fault, literal_head, matcher
from tasks.support.errors import BadInput

NO_CLASS, NO_ROW, NO_IMAGE = "no_class", "no_row", "image_missing"
NOT_TEST = "train_or_validation"


@dataclass(frozen=True)
class LabelledName:
    """A file's class, and its name below the folder of the class."""

    label: str
    rest: str


@dataclass(frozen=True)
class LabelTable:
    """A CSV file of labels: the class of each file name, and the names whose rows give no class, with the reason."""

    classes: dict[str, str]
    refused: dict[str, str]


LabelRule = Callable[[str], LabelledName | str]  # a name to its class, or to the reason why it has none


class Labelling:
    """The rules of one source, and the names to which they were applied.

    Attributes:
        left_out: name and reason of each name without a class.
    """

    def __init__(self, source: Digits | Files, table: LabelTable | None) -> None:
        self._source, self._table = source, table
        self._label_rule, self._split_rule = label_rule(source, table), split_rule(source)
        self._labels: Counter[str] = Counter()
        self._splits: Counter[str | None] = Counter()
        self._names: set[str] = set()
        self._missing: list[str] = []
        self.left_out: list[tuple[str, str]] = []

    def apply(self, name: str) -> tuple[LabelledName, str | None] | None:
        """Class and own split of a file, or None where it has no class."""
        self._names.add(name)
        labelled = self._label_rule(name)
        if isinstance(labelled, str):
            self.left_out.append((name, labelled))
            return None
        split = self._split_rule(name)
        self._labels[labelled.label] += 1
        self._splits[split] += 1
        return labelled, split

    def finish(self) -> None:
        """Add to `left_out` the rows of the CSV file that have no image, once the rules were applied to all names.

        Raises:
            BadInput: a glob matches no file: with a typo it would drop a class, or draw anew what the source has split.
        """
        self._missing = [name for name in self._table.classes if name not in self._names] if self._table else []
        self.left_out += [(name, NO_IMAGE) for name in self._missing]
        refused = self._table.refused.items() if self._table else ()
        self.left_out += [(name, reason) for name, reason in refused if name not in self._names]
        if isinstance(self._source, Digits):
            return
        path = self._source.path
        for label, globs in (self._source.classes or {}).items():
            if not self._labels[label]:
                raise BadInput(f'class "{label}": no file of {path} matches {globs}: correct ingest.sources')
        for split, globs in (self._source.splits or {}).items():
            if not self._splits[split] and not (split == "train" and self._splits[NOT_TEST]):
                raise BadInput(f'split "{split}": no file of {path} matches {globs}: correct ingest.sources')

    def mismatch(self) -> str | None:
        """How the CSV file of labels and the files differ, or None where they do not."""
        if self._table is None:
            return None
        counts = Counter(self._table.refused.values())
        faults = [f"{count} names are {reason}" for reason, count in sorted(counts.items())]
        if self._missing:
            faults.insert(0, f"{len(self._missing)} of {len(self._table.classes)} labelled rows have no image")
        examples = ", ".join([*self._missing, *self._table.refused][:3])
        return f"{'; '.join(faults)} (such as {examples})" if faults else None


def label_rule(source: Digits | Files, table: LabelTable | None) -> LabelRule:
    """How a source gives its files classes."""
    if table is not None:
        return lambda name: (
            LabelledName(table.classes[name], name) if name in table.classes else table.refused.get(name, NO_ROW)
        )
    if isinstance(source, Files) and source.classes:
        return _by_globs(source.classes)
    return _by_folder


def split_rule(source: Digits | Files) -> Callable[[str], str | None]:
    """How a source gives its files splits; those for train are NOT_TEST where it has no files for validation.

    `split` shares these out between the two.
    """
    if isinstance(source, Digits) or source.splits is None:
        return lambda _: None
    renamed = {} if "validation" in source.splits else {"train": NOT_TEST}
    rules = [(renamed.get(split, split), matcher(globs)) for split, globs in source.splits.items()]

    def split_of(name: str) -> str | None:
        splits = [split for split, matches in rules if matches(name)]
        if len(splits) > 1:
            raise BadInput(f"{name} matches the globs of two splits: make those of ingest.sources exclusive")
        return splits[0] if splits else None

    return split_of


def read_table(content: bytes, labels: LabelsFile) -> LabelTable:
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
    distinct = pd.DataFrame(
        {"name": rows[labels.name_column].str.strip() + labels.suffix, "code": rows[labels.label_column].str.strip()}
    ).drop_duplicates()
    codes = sorted(distinct["code"].unique())
    names = {code: code for code in codes if _is_class(code)} if labels.names is None else labels.names
    refused = pd.Series(None, index=distinct.index, dtype="str")
    refused[~distinct["code"].isin(names)] = "unknown_label"
    refused[distinct["name"].duplicated(keep=False)] = "contradictory_rows"
    good = distinct[refused.isna()]
    return LabelTable(
        dict(zip(good["name"], good["code"].map(names), strict=True)),
        dict(zip(distinct["name"][refused.notna()], refused.dropna(), strict=True)),
    )


def _is_class(name: str) -> bool:
    """What `ClassName` in the parameters allows."""
    return fault(name) is None and len(name) <= 60 and "/" not in name and not name.startswith(".")


def _by_folder(name: str) -> LabelledName | str:
    label, _, rest = name.partition("/")
    hidden = any(part.startswith(".") for part in name.split("/"))
    return LabelledName(label, rest) if rest and not hidden and _is_class(label) else NO_CLASS


def _by_globs(classes: dict[str, str | list[str]]) -> LabelRule:
    rules = [
        (label, literal_head(glob), matcher(glob))
        for label, globs in classes.items()
        for glob in ([globs] if isinstance(globs, str) else globs)
    ]

    def class_of(name: str) -> LabelledName | str:
        heads = {label: head for label, head, matches in rules if matches(name)}
        if len(heads) > 1:
            raise BadInput(f"{name} matches the globs of {' and '.join(heads)}: make ingest.sources' classes exclusive")
        for label, head in heads.items():
            return LabelledName(label, name.removeprefix(head))
        return NO_CLASS

    return class_of
