"""How many images each class is promised."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from tasks.core.params import Synthesize


def plan(train: pd.DataFrame, selected: Mapping[str, Mapping[str, Any]], params: Synthesize) -> pd.DataFrame:
    """Per class: real train images, promised count, images to make, and the reason where synthesis abstains.

    promised = min(largest class, real + max_per_real x real), and just real where it abstains: under `min_images` real
    images, too few that differ for the filter to have some in each fold, or where the generator was refused for it. A
    class that needs no images has no reason.

    Args:
        selected: per class a mapping whose "refused" is None or a sentence.
    """
    table = train.groupby("label")["group"].agg(["size", "nunique"])
    folds, largest = params.filter.folds, int(table["size"].max())
    rows = []
    for label, real, differing in table.itertuples():
        reason = selected[label]["refused"]
        if differing < folds:
            reason = f"{differing} real images that differ, fewer than synthesize.filter.folds {folds}"
        if real < params.min_images:
            reason = f"{real} real images, fewer than synthesize.min_images {params.min_images}"
        wanted = min(largest, int(real + params.max_per_real * real))
        if wanted == real:
            reason = f"synthesize.max_per_real {params.max_per_real:g} allows {real} real images not one"
        promised = real if reason else wanted
        rows.append((label, real, promised, promised - real, reason if real < largest else None))
    return pd.DataFrame(rows, columns=["label", "real", "promised", "synthetic", "abstained"])
