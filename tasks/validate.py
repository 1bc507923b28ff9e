"""Validate: a manifest row for every raw file, checked by Great Expectations."""

from decimal import Decimal
from pathlib import Path

import pandas as pd

from tasks.core.files import RAW_TABLE, replacing, write_json
from tasks.core.params import Params, Validate
from tasks.data.manifest import write_manifest
from tasks.data.quality import DEFECTS, count_by_class, measure_all
from tasks.support.commands import stage_command
from tasks.support.errors import BadInput
from tasks.support.expectations import Check, check, require
from tasks.support.progress import log
from tasks.support.stages import stage


@stage(params=("validate",), rooms=("data",), out="manifest")
def validate(params: Params, out: Path, *, raw: Path) -> None:
    """Write manifest.parquet (one row per file), counts.csv (per class) and checks.json.

    Raises:
        BadInput: a fatal check failed, or there are fewer than two classes; the refused output is kept in REFUSED.
    """
    files = pd.read_parquet(raw / RAW_TABLE)
    files = files.rename(columns={"split": "source_split"}).assign(path=[f"{raw}/{name}" for name in files["path"]])
    measures = measure_all(list(files["path"]), params.validate.quality)
    manifest = files[["path", "label", "origin", "source_split"]].join(measures)
    counts = count_by_class(manifest)
    with replacing(out, keep_refused=True) as folder:
        write_manifest(folder, manifest)
        counts.to_csv(folder / "counts.csv", index=False)
        _require_classes(params.validate, list(counts["label"]), raw)
        results = check(_checks(params.validate, manifest, counts))
        write_json(folder / "checks.json", results)
        require(results)
    defects, warned = manifest["defect"].notna(), manifest["warnings"].notna()
    log.info("  %d files, %d with a defect, %d with a warning", len(files), defects.sum(), (warned & ~defects).sum())


def _require_classes(params: Validate, classes: list[str], raw: Path) -> None:
    if len(classes) < 2:
        raise BadInput(f"{raw} holds {len(classes)} class; expected two or more: add classes to the sources")
    if missing := sorted(set(params.classes or []) - set(classes)):
        raise BadInput(
            f"no file has the class {', '.join(missing)}, which validate.classes names: "
            "complete the sources or correct it"
        )


def _checks(
    params: Validate, manifest: pd.DataFrame, counts: pd.DataFrame
) -> dict[str, tuple[pd.DataFrame, list[Check]]]:
    return {
        "raw_images": (manifest, _image_checks(params)),
        "raw_classes": (counts, _class_checks(params, counts)),
    }


def _image_checks(params: Validate) -> list[Check]:
    checks = [
        Check("unique", "path", "Each file has one row."),
        Check("present", "label", "Each image has a class."),
        Check("present", "sha256", "Each file's content is known by its hash."),
    ]
    if params.classes:
        sentence = (
            f'{{path}} has the class "{{label}}"; expected one of {_plain(", ".join(params.classes))}: '
            "correct ingest.sources or validate.classes"
        )
        checks.append(Check("known", "label", sentence, values=params.classes))
    return checks


def _plain(text: str) -> str:
    """Text for a sentence in which braces name columns."""
    return text.replace("{", "{{").replace("}", "}}")


def _class_checks(params: Validate, counts: pd.DataFrame) -> list[Check]:
    files = int(counts["files"].sum())
    return [
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
            maximum=int(Decimal(repr(params.max_zero_byte_share)) * files),  # as floats 0.29 x 100 is under 29
        ),
        *(
            Check(
                "sum",
                defect,
                f"{{observed}} of {files} files are {defect}; "
                + ("they go to the quarantine" if defect in params.quality.quarantine else "they stay in the data"),
                fatal=False,
                maximum=0,
            )
            for defect in DEFECTS
            if defect != "zero_byte"
        ),
    ]


if __name__ == "__main__":
    stage_command(validate)
