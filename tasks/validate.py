"""Validate: a manifest row for every raw file, checked by Great Expectations."""

from pathlib import Path

import pandas as pd

from tasks.dataset.images import DEFECTS, measure
from tasks.dataset.manifest import MEASURED, write_manifest
from tasks.support.commands import command
from tasks.support.errors import BadInput
from tasks.support.expectations import Check, check
from tasks.support.files import replacing, write_json
from tasks.support.params import Validate
from tasks.support.progress import bar, log


def validate(params: Validate, raw: Path = Path("data/raw"), out: Path = Path("data/manifest")) -> Path:
    """Folder with manifest.parquet (one row per file), counts.csv (per class) and checks.json.

    Raises:
        BadInput: a fatal check failed, or there are fewer than two classes.
    """
    files = sorted(path for path in raw.rglob("*") if path.is_file())
    manifest = pd.DataFrame([_row(path, raw) for path in bar(files, "validate", "file")], columns=MEASURED)
    counts = count_by_class(manifest)
    if len(counts) < 2:
        raise BadInput(f"{raw} holds {len(counts)} class; expected two or more: add class folders to the source")
    results = check("raw_images", manifest, _image_checks()) + check(
        "raw_classes", counts, _class_checks(params, counts)
    )
    with replacing(out) as folder:
        write_manifest(folder, manifest)
        counts.to_csv(folder / "counts.csv", index=False)
        write_json(folder / "checks.json", results)
    log.info("  %d files, %d with a defect", len(manifest), manifest["defect"].notna().sum())
    return out


def count_by_class(manifest: pd.DataFrame) -> pd.DataFrame:
    """Per class: files, good ones, files of each defect and the share with a defect."""
    counts = manifest.groupby("label").agg(files=("path", "size"), good=("defect", lambda column: column.isna().sum()))
    for defect in DEFECTS:
        counts[defect] = (manifest["defect"] == defect).groupby(manifest["label"]).sum()
    counts["defect_share"] = 1 - counts["good"] / counts["files"]
    return counts.reset_index()


def _row(path: Path, raw: Path) -> dict[str, object]:
    measured = measure(path.read_bytes())
    label = path.relative_to(raw).parts[0]
    return {"path": path.as_posix(), "label": label, "group": measured["sha256"], **measured}


def _image_checks() -> list[Check]:
    return [
        Check("unique", "path", "Each file has one row."),
        Check("present", "label", "Each image has a class."),
        Check("present", "sha256", "Each file's content is known by its hash."),
    ]


def _class_checks(params: Validate, counts: pd.DataFrame) -> list[Check]:
    files = int(counts["files"].sum())
    return [
        Check(
            "between",
            "good",
            'class "{label}" has {good} good images; expected at least '
            f"{params.min_per_class}: add images or lower validate.min_per_class",
            minimum=params.min_per_class,
        ),
        Check(
            "between",
            "defect_share",
            'class "{label}": {defect_share:.0%} of its {files} files have a defect; expected at most '
            f"{params.max_defect_share:.0%}: repair the source or raise validate.max_defect_share",
            maximum=params.max_defect_share,
        ),
        Check(
            "sum",
            "zero_byte",
            f"{{observed}} of {files} files hold no byte; expected at most {params.max_zero_byte_share:.0%}: "
            "copy them again or raise validate.max_zero_byte_share",
            maximum=int(params.max_zero_byte_share * files),
        ),
        *(
            Check("sum", defect, f"No file is {defect}; those that are go to the quarantine.", fatal=False, maximum=0)
            for defect in DEFECTS
            if defect != "zero_byte"
        ),
    ]


if __name__ == "__main__":
    command(lambda params: validate(params.validate))
