"""A balanced data set as files: the manifest of real and synthetic rows, and what came of each class."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from tasks.core.files import write_json
from tasks.data.balance import Promise
from tasks.data.manifest import rows_of, write_manifest
from tasks.quality.fill import Filling
from tasks.quality.synthesis import Filled

LINEAGE = {
    "generator": "string",  # SHA-256 of its weights and settings, by which the registry knows it
    "run": "string",  # candidate/seed/epoch, its folder in data/generators
    "seed": "Int64",
    "latent_index": "Int64",  # of the latents of that seed and the class
    "filter_probability": "Float64",
    "filter_distance": "Float64",  # to the nearest training image of the class; 1 is usual for a real one
    "nearest_real": "string",  # that image's path
    "nearest_distance": "Float64",  # from it in pixels, 0 to 255: root of the mean squared difference
}


def write_synthesis(
    folder: Path,
    out: Path,
    manifest: pd.DataFrame,
    promises: Sequence[Promise],
    filled: Filled,
    origin: Mapping[str, Any],
) -> pd.DataFrame:
    """Write manifest.parquet with real and synthetic rows, balance.csv, filter.json and the examples into `folder`.

    Returns the balance with the training images that the classes lack of those promised, `missing`, which shall be 0.

    Args:
        out: where the folder will be, for the paths of the rows.
        origin: `generator`, `run` and `seed` of the images kept.
    """
    rows = with_synthetic(manifest, filled.rows, out, origin)
    balance = balance_of(promises, filled.fillings)
    balance.to_csv(folder / "balance.csv", index=False)
    write_manifest(folder, rows)
    write_json(folder / "filter.json", _summaries(promises, filled.fillings))
    if filled.examples:
        _write_examples(folder, filled.examples)
    trained = rows_of(rows, "train").groupby("label").size()
    return balance.assign(missing=balance["promised"] - balance["label"].map(trained))


def with_synthetic(
    manifest: pd.DataFrame, rows: list[dict[str, Any]], out: Path, origin: Mapping[str, Any]
) -> pd.DataFrame:
    """The manifest with the rows of images that were made, which lie in `out`: from LINEAGE they can be made again."""
    columns = manifest.reindex(columns=[*manifest.columns, *LINEAGE]).astype(LINEAGE)
    synthetic = pd.DataFrame([{**row, **origin} for row in rows], columns=columns.columns)
    synthetic["path"] = [(out / name).as_posix() for name in synthetic["path"]]
    return pd.concat([columns, synthetic.astype(columns.dtypes)], ignore_index=True)


def balance_of(promises: Sequence[Promise], fillings: Mapping[str, Filling]) -> pd.DataFrame:
    """The promises with the images made and the share accepted, and with nothing promised of a class given up."""
    rows = []
    for promise in promises:
        filling = fillings.get(promise.label)
        reason = filling.abstained if filling else promise.abstained
        synthetic = 0 if reason else promise.synthetic
        rows.append(
            {
                "label": promise.label,
                "real": promise.real,
                "promised": promise.real + synthetic,
                "synthetic": synthetic,
                "made": filling.made if filling else 0,
                "accepted_share": filling.accepted_share if filling else None,
                "abstained": reason["code"] if reason else "",
            }
        )
    return pd.DataFrame(rows).astype({"accepted_share": float})


def _write_examples(folder: Path, examples: list[dict[str, Any]]) -> None:
    """examples.csv, and examples.npz with `images` and `nearest`, both uint8 (n, h, w, c) in the same order."""
    images, nearest = (np.stack([example[name] for example in examples]) for name in ("image", "nearest"))
    np.savez(folder / "examples.npz", allow_pickle=False, images=images, nearest=nearest)
    pd.DataFrame(examples).drop(columns=["image", "nearest"]).to_csv(folder / "examples.csv", index=False)


def _summaries(promises: Sequence[Promise], fillings: Mapping[str, Filling]) -> dict[str, Any]:
    """What filter.json says of each class that was filled, or was to be and is not."""
    summaries: dict[str, Any] = {}
    for promise in promises:
        if filling := fillings.get(promise.label):
            share = {"made": filling.made, "accepted_share": filling.accepted_share}
            bounds = asdict(filling.bounds)
            summary = {"bounds": bounds, "counts": dict(filling.counts), **share, "abstained": filling.abstained}
            summaries[promise.label] = summary
        elif promise.abstained:
            unmade = {"bounds": None, "counts": {}, "made": 0, "accepted_share": None, "abstained": promise.abstained}
            summaries[promise.label] = unmade
    return summaries
