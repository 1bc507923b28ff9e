"""A run of the pipeline as the report reads it: tables and numbers from the folders of all stages, no images."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from tasks.core.files import read_json
from tasks.core.params import Params
from tasks.data.manifest import read_manifest, rows_of
from tasks.evidence.comparison import mean_history
from tasks.evidence.results import Comparison, read_comparison


@dataclass(frozen=True)
class Folders:
    """The folders that stages wrote."""

    raw: Path
    manifest: Path
    clean: Path
    split: Path
    generators: Path
    generator: Path
    synthetic: Path
    classifiers: Path
    evaluation: Path


@dataclass(frozen=True)
class Run:
    """What is known of a run.

    Attributes:
        rows: the split's manifest.
        histories: of each arm, means over seeds by step.
        balance: per class real, promised and synthetic counts, and whether synthesis abstained.
        filtered: filter.json of `synthesize`, by class.
        selection: selection.json of `select_generator`, and scores its table of snapshots.
        checks: rows of checks.json of all stages that check their output.
        removed: the tables `quarantine`, `left out` and `excluded` of files that are not used, each with `reason`.
    """

    params: Params
    folders: Folders
    comparison: Comparison
    rows: pd.DataFrame
    histories: dict[str, pd.DataFrame]
    balance: pd.DataFrame
    filtered: dict[str, Any]
    selection: dict[str, Any]
    scores: pd.DataFrame
    checks: list[dict[str, Any]]
    removed: dict[str, pd.DataFrame]

    @property
    def classes(self) -> list[str]:
        return self.comparison.classes

    @property
    def pair(self) -> tuple[str, str]:
        """Names of the arms with and without synthetic images that were compared."""
        return self.comparison.verdict.pair

    @property
    def seeds(self) -> int:
        """Trainings of each arm."""
        return len(self.comparison.verdict.gain.by_seed)


def read_run(params: Params, folders: Folders) -> Run:
    """What is known of the run that wrote these folders."""
    rows = read_manifest(folders.split)
    checked = (folders.manifest, folders.clean, folders.split, folders.synthetic)
    comparison = read_comparison(folders.evaluation)
    in_order = {name: comparison.arms[name] for name in params.arms}  # JSON sorts them
    return Run(
        params=params,
        folders=folders,
        comparison=replace(comparison, arms=in_order),
        rows=rows,
        histories={name: mean_history(pd.read_csv(folders.classifiers / name / "history.csv")) for name in params.arms},
        balance=pd.read_csv(folders.synthetic / "balance.csv", dtype={"label": str}, keep_default_na=False),
        filtered=read_json(folders.synthetic / "filter.json"),
        selection=read_json(folders.generator / "selection.json"),
        scores=pd.read_csv(folders.generator / "scores.csv", dtype={"candidate": str, "cas_classes": str}),
        checks=[row for folder in checked for row in read_json(folder / "checks.json")],
        removed={
            "quarantine": pd.read_csv(folders.clean / "quarantine.csv", keep_default_na=False),
            "left out": pd.read_csv(folders.raw / "left_out.csv", keep_default_na=False),
            "excluded": rows_of(rows, "excluded"),
        },
    )


def read_arrays(path: Path) -> dict[str, NDArray[Any]]:
    """The arrays of an npz file, by name."""
    with np.load(path, allow_pickle=False) as file:
        return dict(file)
