"""How many images each class is promised."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from tasks.core.params import Synthesize

Reason = dict[str, Any]  # a code, and the numbers that go with it; tasks/report/filter.py has the words


@dataclass(frozen=True)
class Promise:
    """The training images that a class is to have.

    Attributes:
        real: images there are, and promised those there shall be, synthetic ones among them.
        abstained: why a class that needs images gets none, or None.
    """

    label: str
    real: int
    promised: int
    abstained: Reason | None

    @property
    def synthetic(self) -> int:
        return self.promised - self.real


def plan(train: pd.DataFrame, selected: Mapping[str, Mapping[str, Any]], params: Synthesize) -> list[Promise]:
    """The promise to each class, by name.

    promised = min(largest class, real + max_per_real x real), and just real where synthesis abstains: under
    `min_images` real images, too few that differ for the filter to have one in each fold, or where the generator was
    refused for the class. A class that needs no images has no reason.

    Args:
        selected: per class a mapping whose "refused" is None or the guard's code and numbers.
    """
    table = train.groupby("label")["group"].agg(["size", "nunique"])
    largest = int(table["size"].max())
    promises = []
    for label, real, differing in table.itertuples():
        wanted = min(largest, real + int(round(params.max_per_real * real, 6)))  # 0.29 x 100 is 28.999999999999996
        reason = _reason(real, differing, wanted, selected[label]["refused"], params) if real < largest else None
        promises.append(Promise(label, real, real if reason else wanted, reason))
    return promises


def _reason(real: int, differing: int, wanted: int, refused: Any, params: Synthesize) -> Reason | None:
    if wanted == real:
        return {"code": "max_per_real", "max_per_real": params.max_per_real, "real": real}
    if real < params.min_images:
        return {"code": "min_images", "real": real, "min_images": params.min_images}
    if differing < params.filter.folds:
        return {"code": "folds", "differing": differing, "folds": params.filter.folds}
    return {"code": "refused", "refused": refused} if refused else None
