"""Labelled images that classifiers learn from or are measured on, as the manifest lists them."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from tasks.core.params import Arm, Params
from tasks.core.params.classifiers import side_px
from tasks.data.images import read_images
from tasks.data.manifest import label_indices, rows_of


@dataclass(frozen=True)
class Examples:
    """Labelled images.

    Attributes:
        images: uint8 (n, height, width, channels), in memory or on disk.
        labels: int (n,).
        synthetic: bool (n,), which of them a generator made.
    """

    images: NDArray[np.uint8]
    labels: NDArray[np.integer[Any]]
    synthetic: NDArray[np.bool_]


def training_rows(manifest: pd.DataFrame, arm: Arm) -> pd.DataFrame:
    """Rows of the split train; for the oracle also withheld ones; for an arm without filter, unfiltered images instead
    of filtered ones.

    A twin has for each synthetic image a real one of its class, drawn with replacement and taken for synthetic.
    """
    rows = rows_of(manifest, "train", *(["withheld"] if arm.withheld else []))
    if arm.synthetic_share is None:
        return rows
    real, made = rows[rows["generator"].isna()], rows[rows["generator"].notna()]
    if not arm.filtered:
        made = rows_of(manifest, "unfiltered")
    if arm.twin:
        rng = np.random.default_rng(0)
        paths = {label: of_class["path"].to_numpy() for label, of_class in real.groupby("label")}
        made = made.assign(path=[rng.choice(paths[label]) for label in made["label"]])
    return pd.concat([real, made], ignore_index=True)


def read_examples(rows: pd.DataFrame, classes: list[str], params: Params) -> Examples:
    """The images of some rows of a manifest, of the size that classifiers see."""
    side, in_memory_mb = side_px(params.train, params.images), params.machine.in_memory_mb
    synthetic = rows["generator"].notna() if "generator" in rows else pd.Series(False, index=rows.index)
    return Examples(
        images=read_images(rows["path"], side, params.images.channels, in_memory_mb),
        labels=label_indices(rows, classes).astype(np.int64),
        synthetic=synthetic.to_numpy(bool),
    )
