"""Split: train, validation or test for each image, by its own content hash."""

from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from tasks.core.files import replacing, write_json
from tasks.core.params import Params, Split
from tasks.data.manifest import fractions, read_manifest, write_manifest
from tasks.support.commands import stage_command
from tasks.support.errors import BadInput
from tasks.support.expectations import Check, check, require
from tasks.support.progress import log
from tasks.support.stages import stage

SPLITS = ["train", "validation", "test"]
# Which members of a group of look-alikes stay: those that measure before those that are learned from.
_PRECEDENCE = {"test": 0, "validation": 1, "train": 2, "withheld": 2, "withheld_validation": 2}
_REASONS = np.array(["near_duplicate_of_test", "near_duplicate_of_validation"])


@stage(params=("split",), rooms=("data",), out="split")
def split(params: Params, out: Path, *, clean: Path) -> None:
    """Write manifest.parquet (the clean rows with `split`, `reason` and `natural_test`), counts.csv and checks.json.

    split: train, validation, test, withheld (taken from train by `split.keep`, seen by the oracle arm alone),
    withheld_validation (taken from validation, seen by none) or excluded, where `reason` says why. natural_test:
    whether a test image would have been kept, so that these rows are a test set with the same imbalance. A row's split
    depends on its own content hash alone, or is the one that its source gives it: growing data moves nothing.

    Raises:
        BadInput: `split.keep` names an unknown class, or a fatal check failed; the refused output is kept in REFUSED.
    """
    rows = read_manifest(clean)
    _require_known(params.split.keep, sorted(rows["label"].unique()))
    rows = exclude_look_alikes(assign(rows, params.split))
    counts = rows.groupby(["label", "split"]).size().unstack(fill_value=0)
    with replacing(out, keep_refused=True) as folder:
        write_manifest(folder, rows)
        counts.to_csv(folder / "counts.csv")
        results = check(_checks(params.split, rows, counts))
        write_json(folder / "checks.json", results)
        require(results)
    log.info("  %s", ", ".join(f"{name} {count}" for name, count in rows["split"].value_counts().sort_index().items()))


def assign(rows: pd.DataFrame, params: Split) -> pd.DataFrame:
    """The rows with the columns `split` and `natural_test`."""
    splits = _own_splits(rows, drawn_splits(rows, params), params)
    keep = rows["label"].map(params.keep).fillna(1.0).to_numpy(float)
    kept = fractions(rows["sha256"], f"keep-{params.seed}") < keep
    test = splits == "test"
    taken = np.where(splits == "train", "withheld", "withheld_validation")
    return rows.assign(split=np.where(test | kept, splits, taken), natural_test=test & kept)


def exclude_look_alikes(rows: pd.DataFrame) -> pd.DataFrame:
    """The rows with `reason`: where a group straddles, test keeps its members before validation before train."""
    rank = rows["split"].map(_PRECEDENCE).to_numpy(np.int64)
    least = pd.Series(rank).groupby(pd.factorize(rows["group"])[0]).transform("min").to_numpy(np.int64)
    straddles = rank > least
    reason = pd.Series(np.where(straddles, _REASONS[np.minimum(least, 1)], ""), rows.index, dtype="str")
    return rows.assign(
        split=np.where(straddles, "excluded", rows["split"]),
        reason=reason.where(straddles),
        natural_test=rows["natural_test"] & ~straddles,
    )


def drawn_splits(rows: pd.DataFrame, params: Split) -> NDArray[np.str_]:
    place = fractions(rows["sha256"], f"split-{params.seed}")
    edges = np.cumsum([params.shares.train, params.shares.validation])
    return np.array(SPLITS)[np.searchsorted(edges, place, side="right")]


def _own_splits(rows: pd.DataFrame, drawn: NDArray[np.str_], params: Split) -> NDArray[np.str_]:
    """The splits that sources give their files; those that may be train or validation are shared out by hash."""
    own = rows["source_split"].fillna("").to_numpy(str)
    if (open_ones := own == "train_or_validation").any():
        place = fractions(rows["sha256"], f"validation-{params.seed}")
        part = params.shares.validation / (params.shares.train + params.shares.validation)
        own = np.where(open_ones, np.where(place < part, "validation", "train"), own)
    return np.where(own == "", drawn, own)


def _require_known(keep: dict[str, float], classes: list[str]) -> None:
    if unknown := sorted(set(keep) - set(classes)):
        raise BadInput(
            f"split.keep names class {', '.join(unknown)}, which the data does not have; "
            f"expected one of {', '.join(classes)}: correct split.keep"
        )


def _checks(params: Split, rows: pd.DataFrame, counts: pd.DataFrame) -> dict[str, tuple[pd.DataFrame, list[Check]]]:
    needed = counts.reindex(columns=SPLITS, fill_value=0).reset_index()
    enough = [
        Check(
            "between",
            name,
            f'class "{{label}}" has {{{name}}} {name} images; split needs {params.min_per_class}: '
            "add images, raise its share in split.keep or lower split.min_per_class",
            minimum=params.min_per_class,
        )
        for name in SPLITS
    ]
    near = Check(
        "between",
        "off",
        "{split} has {share:.1%} of the images; expected {aim:.1%} within "
        f"{params.share_tolerance:.1%} (split.share_tolerance)",
        fatal=False,
        maximum=params.share_tolerance,
    )
    used = rows[rows["split"] != "excluded"]
    defect = "are in {parts} splits; expected 1: report this as a defect of Equipoise"
    alike = Check("between", "parts", f"images that look like {{group}} {defect}", maximum=1)
    equal = Check("between", "parts", f"copies of {{sha256}} {defect}", maximum=1)
    return {
        "split_classes": (needed, enough),
        "split_shares": (_shares(params, rows), [near]),
        "split_groups": (_spread(used, "group"), [alike]),
        "split_hashes": (_spread(used, "sha256"), [equal]),
    }


def _shares(params: Split, rows: pd.DataFrame) -> pd.DataFrame:
    """The share of each split that was asked for, the one that the hashes gave, and how far off it is."""
    drawn = rows[rows["source_split"].isna()]
    given = pd.Series(drawn_splits(drawn, params)).value_counts(normalize=True)
    shares = pd.DataFrame({"split": SPLITS, "aim": [getattr(params.shares, name) for name in SPLITS]})
    shares["share"] = shares["split"].map(given).fillna(0.0)
    shares["off"] = (shares["share"] - shares["aim"]).abs() if len(drawn) else 0.0
    return shares


def _spread(rows: pd.DataFrame, key: str) -> pd.DataFrame:
    """For values of a column that several rows share, in how many splits these are; train and withheld count as one."""
    several = rows[rows[key].duplicated(keep=False)]
    parts = several.assign(part=several["split"].map(_PRECEDENCE)).groupby(key)["part"].nunique()
    return parts.rename("parts").reset_index()


if __name__ == "__main__":
    stage_command(split)
