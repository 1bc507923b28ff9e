"""Validate: a manifest row for every raw file, checked by Great Expectations."""

from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

import pandas as pd

from tasks.core.files import replacing, write_json
from tasks.core.params import Params, Quality, Validate
from tasks.data.manifest import write_manifest
from tasks.data.quality import DEFECTS, measure_files
from tasks.sources.names import RESERVED
from tasks.support.commands import stage_command
from tasks.support.errors import BadInput
from tasks.support.executors import executor
from tasks.support.expectations import Check, check, require
from tasks.support.progress import bar, log
from tasks.support.stages import stage

SHARD = 512  # files that one process measures at a time; bounds its memory
_WORTH_PROCESSES = 4  # shards; starting processes takes seconds


@stage(params=("validate",), rooms=("data",), out="manifest")
def validate(params: Params, out: Path, *, raw: Path) -> None:
    """Write a folder with manifest.parquet (one row per file), counts.csv (per class) and checks.json.

    Raises:
        BadInput: a fatal check failed, or there are fewer than two classes; what was found is kept beside.
    """
    files = pd.read_parquet(raw / RESERVED[0])
    files = files.rename(columns={"split": "source_split"}).assign(path=[f"{raw}/{name}" for name in files["path"]])
    manifest = files[["path", "label", "origin", "source_split"]].join(
        _measure(list(files["path"]), params.validate.quality)
    )
    counts = count_by_class(manifest)
    with replacing(out, keep_refused=True) as folder:
        write_manifest(folder, manifest)
        counts.to_csv(folder / "counts.csv", index=False)
        if len(counts) < 2:
            raise BadInput(f"{raw} holds {len(counts)} class; expected two or more: add classes to the sources")
        if missing := sorted(set(params.validate.classes or []) - set(counts["label"])):
            raise BadInput(
                f"no file has the class {', '.join(missing)}, which validate.classes names: "
                "complete the sources or correct it"
            )
        results = check(
            {
                "raw_images": (manifest, _image_checks(params.validate)),
                "raw_classes": (counts, _class_checks(params.validate, counts)),
            }
        )
        write_json(folder / "checks.json", results)
        require(results)
    warned = manifest["warnings"].notna() & manifest["defect"].isna()
    log.info(
        "  %d files, %d with a defect, %d with a warning", len(files), manifest["defect"].notna().sum(), warned.sum()
    )


def count_by_class(manifest: pd.DataFrame) -> pd.DataFrame:
    """Per class: files, good ones, files that have each of DEFECTS, and the share that goes to the quarantine."""
    counts = manifest.groupby("label").agg(files=("path", "size"), good=("defect", lambda column: column.isna().sum()))
    found = manifest["defect"].fillna("") + "," + manifest["warnings"].fillna("")
    for defect in DEFECTS:
        counts[defect] = found.str.contains(rf"\b{defect}\b").groupby(manifest["label"]).sum()
    counts["defect_share"] = 1 - counts["good"] / counts["files"]
    return counts.reset_index()


def _measure(paths: list[str], quality: Quality) -> pd.DataFrame:
    shards = [paths[start : start + SHARD] for start in range(0, len(paths), SHARD)]
    settings = [quality] * len(shards)
    if len(shards) < _WORTH_PROCESSES:
        return pd.concat(map(measure_files, shards, settings), ignore_index=True)
    try:
        with executor() as workers:
            found = workers.map(measure_files, shards, settings)
            return pd.concat(bar(found, "validate", "shard", total=len(shards)), ignore_index=True)
    except BrokenProcessPool as error:
        raise BadInput(
            "a process that measured images was killed: free memory, or lower validate.quality.max_pixels"
        ) from error


def _image_checks(params: Validate) -> list[Check]:
    known = (
        [
            Check(
                "known",
                "label",
                f'{{path}} has the class "{{label}}"; expected one of {_plain(", ".join(params.classes))}: '
                "correct ingest.sources or validate.classes",
                values=params.classes,
            )
        ]
        if params.classes
        else []
    )
    return [
        Check("unique", "path", "Each file has one row."),
        Check("present", "label", "Each image has a class."),
        Check("present", "sha256", "Each file's content is known by its hash."),
        *known,
    ]


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
            maximum=int(params.max_zero_byte_share * files),
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
