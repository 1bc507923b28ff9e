from typing import Any

import pandas as pd

from tasks.core.params import Synthesize
from tasks.data.balance import Promise, plan
from tests.synthesis import PARAMS

COUNTS = {"bird": 60, "cat": 24, "dog": 50, "emu": 4, "fox": 30, "gnu": 20}
NOT_MADE = {"guard": "not_made"}
SELECTED = {label: {"refused": None} for label in COUNTS} | {"fox": {"refused": NOT_MADE}}


def _train(counts: dict[str, int]) -> pd.DataFrame:
    labels = [label for label, count in counts.items() for _ in range(count)]
    return pd.DataFrame({"label": labels, "group": [f"{number:03d}" for number in range(len(labels))]})


def _plan(params: Synthesize = PARAMS, **changed: Any) -> dict[str, Promise]:
    promises = plan(_train(COUNTS), SELECTED, params.model_copy(update=changed))
    return {promise.label: promise for promise in promises}


def test_plans_the_least_of_the_largest_class_and_the_share_of_real_ones() -> None:
    promised = {label: promise.promised for label, promise in _plan().items()}
    assert promised == {"bird": 60, "cat": 48, "dog": 60, "emu": 4, "fox": 30, "gnu": 40}
    synthetic = {label: promise.synthetic for label, promise in _plan().items()}
    assert synthetic == {"bird": 0, "cat": 24, "dog": 10, "emu": 0, "fox": 0, "gnu": 20}
    assert _plan(max_per_real=0.5)["cat"].promised == 36


def test_plans_nothing_where_there_is_a_reason_and_tells_that_from_nothing_needed() -> None:
    planned = _plan()
    assert planned["emu"].abstained == {"code": "min_images", "real": 4, "min_images": 5}
    assert planned["fox"].abstained == {"code": "refused", "refused": NOT_MADE}
    assert planned["bird"].abstained is None  # the largest class
    few = _plan(max_per_real=0.02)
    assert few["gnu"].abstained == {"code": "max_per_real", "max_per_real": 0.02, "real": 20}
    assert few["bird"].abstained is None
    folds = PARAMS.model_copy(update={"min_images": 2, "filter": PARAMS.filter.model_copy(update={"folds": 5})})
    assert _plan(folds)["emu"].abstained == {"code": "folds", "differing": 4, "folds": 5}


def test_look_alikes_count_once_for_the_folds() -> None:
    train = _train({"bird": 60, "cat": 20})
    train.loc[train["label"] == "cat", "group"] = "one"
    _, cat = plan(train, SELECTED, PARAMS)
    assert cat.abstained == {"code": "folds", "differing": 1, "folds": 3}


def test_a_share_that_a_float_misses_by_a_hair_counts_whole() -> None:
    (promise,) = plan(_train({"bird": 200, "cat": 100}), SELECTED, PARAMS.model_copy(update={"max_per_real": 0.29}))[1:]
    assert promise.promised == 129
