"""Split: train, validation or test for each image, by its own content hash."""

from pathlib import Path

import numpy as np
import pandas as pd

from tasks.dataset.manifest import fractions, read_manifest, write_manifest
from tasks.support.commands import command
from tasks.support.errors import BadInput
from tasks.support.files import replacing
from tasks.support.params import Split
from tasks.support.progress import log


def split(params: Split, clean: Path = Path("data/clean"), out: Path = Path("data/split")) -> Path:
    """Folder with manifest.parquet: the clean rows with `split` and `natural_test`.

    split: train, validation, test, or withheld (taken from train or validation by `split.keep`, seen by the oracle arm
    alone). natural_test: whether a test image would have been kept, so that these rows are a test set with the same
    imbalance. A row's split depends on its own content hash alone: growing data moves nothing, and exact duplicates
    are always together.

    Raises:
        BadInput: `split.keep` names an unknown class, or a class is too small in a split.
    """
    rows = read_manifest(clean)
    if unknown := sorted(set(params.keep) - set(rows["label"])):
        raise BadInput(
            f"split.keep names class {', '.join(unknown)}, which the data does not have; "
            f"expected one of {', '.join(sorted(rows['label'].unique()))}: correct split.keep"
        )
    rows = assign(rows, params)
    _require_enough(rows, params.min_per_class)
    with replacing(out) as folder:
        write_manifest(folder, rows)
        counts = rows.groupby(["label", "split"]).size().unstack(fill_value=0)
        counts.to_csv(folder / "counts.csv")
    log.info("  %s", ", ".join(f"{name} {count}" for name, count in rows["split"].value_counts().sort_index().items()))
    return out


def assign(rows: pd.DataFrame, params: Split) -> pd.DataFrame:
    """The rows with the columns `split` and `natural_test`."""
    place = fractions(rows["sha256"], f"split-{params.seed}")
    edges = np.cumsum([params.shares.train, params.shares.validation])
    splits = np.array(["train", "validation", "test"])[np.searchsorted(edges, place, side="right")]
    keep = rows["label"].map(params.keep).fillna(1.0).to_numpy(float)
    kept = fractions(rows["sha256"], f"keep-{params.seed}") < keep
    test = splits == "test"
    return rows.assign(split=np.where(test | kept, splits, "withheld"), natural_test=test & kept)


def _require_enough(rows: pd.DataFrame, least: int) -> None:
    for label in sorted(rows["label"].unique()):
        for name in ("train", "validation", "test"):
            count = ((rows["label"] == label) & (rows["split"] == name)).sum()
            if count < least:
                raise BadInput(
                    f'class "{label}" has {count} {name} images; split needs {least}: '
                    "add images, raise its share in split.keep or lower split.min_per_class"
                )


if __name__ == "__main__":
    command(lambda params: split(params.split))
