"""Cleanup: rows of files with a defect leave the manifest for the quarantine; look-alikes become groups.

Raw files stay untouched.
"""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from tasks.core.files import replacing, write_json
from tasks.core.params import Cleanup, Params
from tasks.data.duplicates import group_near
from tasks.data.manifest import class_names, read_manifest, write_manifest
from tasks.support.commands import stage_command
from tasks.support.expectations import Check, check, require
from tasks.support.progress import log
from tasks.support.stages import stage

CONFLICT = "conflicting_labels"


@stage(params=("cleanup",), rooms=("data",), out="clean")
def cleanup(params: Params, out: Path, *, manifest: Path) -> None:
    """Write manifest.parquet of the good images with `group`, quarantine.csv of the others with the reason, and
    checks.json.

    Raises:
        BadInput: a fatal check failed; what was found is kept beside.
    """
    rows = read_manifest(manifest)
    clean, quarantine = separate(rows, params.cleanup.near_duplicate_bits)
    with replacing(out, keep_refused=True) as folder:
        write_manifest(folder, clean)
        quarantine.to_csv(folder / "quarantine.csv", index=False)
        results = _check(params.cleanup, clean, class_names(rows), len(quarantine))
        write_json(folder / "checks.json", results)
        require(results)
    alike = clean["group"].duplicated(keep=False).sum()
    log.info("  %d good images (%d look like another), %d files in quarantine", len(clean), alike, len(quarantine))


def separate(rows: pd.DataFrame, near_bits: int | None) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The rows of good images with their `group`, and those of files with a defect, or of look-alikes of different
    classes, with their `reason`."""
    good = rows[rows["defect"].isna()].reset_index(drop=True)
    good = good.assign(group=group_names(good, near_bits))
    conflicting = good.groupby("group")["label"].transform("nunique") > 1
    defect = rows[rows["defect"].notna()].rename(columns={"defect": "reason"})
    quarantine = pd.concat([defect, good[conflicting].assign(reason=CONFLICT)])
    quarantine = quarantine.reindex(columns=["path", "label", "bytes", "reason", "group"])
    return good[~conflicting], quarantine.sort_values("path")


def group_names(rows: pd.DataFrame, near_bits: int | None) -> "pd.Series[str]":
    """For each row the least SHA-256 of its group: images that look alike or, without `near_bits`, equal files."""
    if near_bits is None:
        return rows["sha256"]
    codes = np.frombuffer(bytes.fromhex("".join(rows["phash"].tolist())), ">u8").astype(np.uint64)
    groups = group_near(codes, near_bits)
    order = rows["sha256"].argsort().to_numpy()
    _, first, place = np.unique(groups[order], return_index=True, return_inverse=True)
    leaders = np.empty(len(rows), np.int64)
    leaders[order] = order[first[place]]
    return rows["sha256"].iloc[leaders].set_axis(rows.index)


def _check(params: Cleanup, clean: pd.DataFrame, classes: list[str], quarantined: int) -> list[dict[str, Any]]:
    good = clean.groupby("label").size().reindex(classes, fill_value=0)
    counts = good.rename("good").rename_axis("label").reset_index()
    whole = pd.DataFrame({"quarantined": [quarantined], "imbalance": [good.max() / max(good.min(), 1)]})
    enough = Check(
        "between",
        "good",
        f'class "{{label}}" has {{good}} good images; expected at least {params.min_per_class}: '
        "add images or lower cleanup.min_per_class",
        minimum=params.min_per_class,
    )
    few_bad = Check(
        "between",
        "quarantined",
        f"{{quarantined}} of {len(clean) + quarantined} files go to the quarantine; expected at most "
        f"{params.max_quarantined}: repair the sources or raise cleanup.max_quarantined",
        maximum=params.max_quarantined,
    )
    balanced = Check(
        "between",
        "imbalance",
        "the largest class has {imbalance:.1f} times the images of the smallest; expected at most "
        f"{params.max_imbalance:g}: add images to the small class or raise cleanup.max_imbalance",
        maximum=params.max_imbalance,
    )
    return check(
        {
            "clean_classes": (counts, [enough]),
            "clean_set": (whole, [few_bad, balanced]),
        }
    )


if __name__ == "__main__":
    stage_command(cleanup)
