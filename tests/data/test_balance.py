from typing import Any

import pandas as pd

from tasks.core.params import Synthesize
from tasks.data.balance import plan
from tests.synthesis import PARAMS

COUNTS = {"bird": 60, "cat": 24, "dog": 50, "emu": 4, "fox": 30, "gnu": 20}
SELECTED = {label: {"refused": None} for label in COUNTS} | {"fox": {"refused": "the generator makes none of it"}}


def _train(counts: dict[str, int]) -> pd.DataFrame:
    labels = [label for label, count in counts.items() for _ in range(count)]
    return pd.DataFrame({"label": labels, "group": [f"{number:03d}" for number in range(len(labels))]})


def _plan(params: Synthesize = PARAMS, **changed: Any) -> dict[str, dict[str, Any]]:
    table = plan(_train(COUNTS), SELECTED, params.model_copy(update=changed))
    return {row["label"]: row for row in table.to_dict("records")}


def test_plans_the_least_of_the_largest_class_and_the_share_of_real_ones() -> None:
    planned = _plan()
    promised = {label: row["promised"] for label, row in planned.items()}
    assert promised == {"bird": 60, "cat": 48, "dog": 60, "emu": 4, "fox": 30, "gnu": 40}
    synthetic = {label: row["synthetic"] for label, row in planned.items()}
    assert synthetic == {"bird": 0, "cat": 24, "dog": 10, "emu": 0, "fox": 0, "gnu": 20}
    assert _plan(max_per_real=0.5)["cat"]["promised"] == 36


def test_plans_nothing_where_there_is_a_reason_and_tells_that_from_nothing_needed() -> None:
    planned = _plan()
    assert planned["emu"]["abstained"] == "4 real images, fewer than synthesize.min_images 5"
    assert planned["fox"]["abstained"] == "the generator makes none of it"
    assert pd.isna(planned["bird"]["abstained"])  # the largest class
    few = _plan(max_per_real=0.02)
    assert few["gnu"]["abstained"] == "synthesize.max_per_real 0.02 allows 20 real images not one"
    assert pd.isna(few["bird"]["abstained"])
    folds = PARAMS.model_copy(update={"min_images": 2, "filter": PARAMS.filter.model_copy(update={"folds": 5})})
    assert _plan(folds)["emu"]["abstained"] == "4 real images that differ, fewer than synthesize.filter.folds 5"


def test_look_alikes_count_once_for_the_folds() -> None:
    train = _train({"bird": 60, "cat": 20})
    train.loc[train["label"] == "cat", "group"] = "one"
    table = plan(train, SELECTED, PARAMS)
    assert table["abstained"].tolist()[1] == "1 real images that differ, fewer than synthesize.filter.folds 3"
