"""How many images each class is promised, and what became of the promise."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import pandas as pd

from tasks.support.params import Synthesize

if TYPE_CHECKING:
    from tasks.gan.filling import Filling


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


def settle(planned: pd.DataFrame, filled: "Mapping[str, Filling]") -> pd.DataFrame:
    """The plan with the images made and the share accepted, and with nothing promised of a class that was given up."""
    labels = planned["label"]
    given_up = {label: filling.abstained for label, filling in filled.items() if filling.abstained}
    synthetic = planned["synthetic"].where(~labels.isin(given_up), 0)
    return pd.DataFrame(
        {
            "label": labels,
            "real": planned["real"],
            "promised": planned["real"] + synthetic,
            "synthetic": synthetic,
            "made": labels.map({label: filling.made for label, filling in filled.items()}).fillna(0).astype(int),
            "accepted_share": labels.map({label: filling.accepted_share for label, filling in filled.items()}),
            "abstained": planned["abstained"].where(~labels.isin(given_up), labels.map(given_up)),
        }
    )
