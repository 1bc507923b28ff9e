"""Ingest: the images of all sources, as listed, under data/raw/<class>/."""

from collections import Counter
from pathlib import Path

import pandas as pd

from tasks.core.files import RAW_TABLE, replacing
from tasks.core.params import Params
from tasks.sources.arrivals import LEFT_OUT, Arrivals, LeftOut, gather, write_left_out
from tasks.sources.contents import forget_transfers
from tasks.sources.listing import read_listing
from tasks.support.commands import stage_command
from tasks.support.progress import log
from tasks.support.stages import stage


@stage(params=("ingest",), rooms=("sources",), out="raw")
def ingest(params: Params, out: Path, *, listing: Path) -> None:
    """Write a folder of files per class, files.parquet (a row each) and left_out.csv (those without a class).

    A file that an earlier ingest brought and that its source still lists is taken over, not transferred again.

    Raises:
        BadInput: the listing is of other sources, a source no longer holds what is listed, an archive is refused, a
            class has no file, or rows of a CSV file of labels have no image and its `on_mismatch` is stop.
    """
    sources, limits = params.ingest.sources, params.ingest.limits
    listings, before = read_listing(params.ingest, listing), _last_table(out)
    left_out: LeftOut = []
    with replacing(out) as folder:
        arrivals = Arrivals(folder, out, before)
        for number, (source, listed) in enumerate(zip(sources, listings, strict=True)):
            left_out += gather(number, source, listed, limits, arrivals)
        table = arrivals.settle()
        table.to_parquet(folder / RAW_TABLE, index=False)
        write_left_out(folder, left_out)
    forget_transfers(listings)
    _log_changes(before, table, left_out)


def _last_table(out: Path) -> pd.DataFrame:
    """The rows of the last ingest."""
    if (out / RAW_TABLE).exists():
        return pd.read_parquet(out / RAW_TABLE)
    return pd.DataFrame(columns=["path", "origin", "tag", "sha256"])


def _log_changes(before: pd.DataFrame, table: pd.DataFrame, left_out: LeftOut) -> None:
    old = dict(zip(before["path"], before["sha256"], strict=True))
    new = dict(zip(table["path"], table["sha256"], strict=True))
    changed = sum(path in old and old[path] != value for path, value in new.items())
    log.info(
        "  %d files in %d classes: %d new, %d changed, %d removed",
        len(table),
        table["label"].nunique(),
        len(new.keys() - old.keys()),
        changed,
        len(old.keys() - new.keys()),
    )
    for reason, count in sorted(Counter(reason for _, _, reason in left_out).items()):
        log.warning("  %d left out, %s: see data/raw/%s", count, reason, LEFT_OUT)


if __name__ == "__main__":
    stage_command(ingest)
