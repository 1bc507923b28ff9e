"""Ingest: files of the source, as listed in data/sources.json, under data/raw/<class>/."""

from pathlib import Path

from tasks.dataset.sources import LISTING, SourceFile, read_files, stray_files
from tasks.support.commands import command
from tasks.support.errors import BadInput
from tasks.support.files import read_json, replacing
from tasks.support.params import Ingest
from tasks.support.progress import bar, log


def ingest(params: Ingest, listing: Path = LISTING, out: Path = Path("data/raw")) -> Path:
    """Folder with one folder of files per class, exactly those of the listing.

    Raises:
        BadInput: the listing is of another source, or the source no longer holds what is listed.
    """
    listed = _read_listing(params, listing)
    with replacing(out) as folder:
        for file, content in bar(read_files(params.source, listed), "ingest", "file", total=len(listed)):
            target = folder / file.name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content)
    if stray := stray_files(params.source):
        log.warning(
            "  %d files or hidden folders are in no class folder and were left out: %s",
            len(stray),
            ", ".join(stray[:10]),
        )
    log.info("  %d files in %d classes", len(listed), len({file.name.split("/")[0] for file in listed}))
    return out


def _read_listing(params: Ingest, listing: Path) -> list[SourceFile]:
    value = read_json(listing)
    if value["source"] != params.source.model_dump():
        raise BadInput(f"{listing} lists {value['source']}, but params.yaml names {params.source}: run `make refresh`")
    return [SourceFile(**file) for file in value["files"]]


if __name__ == "__main__":
    command(lambda params: ingest(params.ingest))
