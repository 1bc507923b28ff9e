"""The manifest: one Parquet table with one row per image, and how a content hash decides a row's split."""

import hashlib
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

NAME = "manifest.parquet"


def read_manifest(folder: Path) -> pd.DataFrame:
    return pd.read_parquet(folder / NAME)


def write_manifest(folder: Path, rows: pd.DataFrame) -> None:
    """Write rows sorted by path, so that equal content gives equal bytes."""
    rows.sort_values("path", ignore_index=True).to_parquet(folder / NAME, index=False)


def rows_of(manifest: pd.DataFrame, *splits: str) -> pd.DataFrame:
    """The rows of the named splits, in the manifest's order."""
    return manifest[manifest["split"].isin(splits)].reset_index(drop=True)


def class_names(manifest: pd.DataFrame) -> list[str]:
    """Class names, sorted; a class's index in this list is its label in arrays."""
    return sorted(manifest["label"].unique())


def label_indices(rows: pd.DataFrame, classes: list[str]) -> NDArray[np.int32]:
    """Labels int32 (n,) as indices into `classes`."""
    return np.asarray(rows["label"].map({name: index for index, name in enumerate(classes)}), np.int32)


def rows_sha256(rows: pd.DataFrame) -> str:
    """SHA-256 of which images these are and of which classes, whatever their order and paths."""
    lines = sorted(f"{content} {label}\n" for content, label in zip(rows["sha256"], rows["label"], strict=True))
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def fractions(hashes: pd.Series, purpose: str) -> NDArray[np.float64]:
    """For each content hash a number in [0, 1) that depends on it and on `purpose` alone, uniform over hashes."""
    start = hashlib.sha256(f"{purpose}:".encode())
    digests = []
    for value in hashes.tolist():
        one = start.copy()
        one.update(value.encode())
        digests.append(one.digest())
    numbers = np.frombuffer(b"".join(digests), ">u8")[::4] >> np.uint64(8)  # the first 7 of 32 bytes
    return numbers.astype(np.float64) / 2**56
