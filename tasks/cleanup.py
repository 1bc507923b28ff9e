"""Cleanup: rows of files with a defect leave the manifest for the quarantine list; raw files stay untouched."""

from pathlib import Path

from tasks.dataset.manifest import read_manifest, write_manifest
from tasks.support.commands import command
from tasks.support.errors import BadInput
from tasks.support.files import replacing
from tasks.support.params import Cleanup
from tasks.support.progress import log


def cleanup(params: Cleanup, manifest: Path = Path("data/manifest"), out: Path = Path("data/clean")) -> Path:
    """Folder with manifest.parquet of the good images and quarantine.csv of the others with the reason.

    Raises:
        BadInput: more files than `cleanup.max_quarantined` would leave.
    """
    rows = read_manifest(manifest)
    bad = rows["defect"].notna()
    if bad.sum() > params.max_quarantined:
        raise BadInput(
            f"{bad.sum()} of {len(rows)} files would go to the quarantine; expected at most {params.max_quarantined}: "
            "repair the source or raise cleanup.max_quarantined"
        )
    with replacing(out) as folder:
        write_manifest(folder, rows[~bad])
        quarantine = rows[bad].rename(columns={"defect": "reason"}).sort_values("path")
        quarantine[["path", "label", "bytes", "reason"]].to_csv(folder / "quarantine.csv", index=False)
    log.info("  %d good images, %d files in quarantine", (~bad).sum(), bad.sum())
    return out


if __name__ == "__main__":
    command(lambda params: cleanup(params.cleanup))
