from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from tasks.core.params import Filter, Training
from tasks.quality import fill as fill_module
from tasks.quality.fill import Filling, Made, fill
from tasks.quality.filter import Assessment, Bounds


def _params(**changed: Any) -> Filter:
    quantiles = {"min_probability_quantile": 0.1, "min_distance_quantile": 0.05, "max_distance_quantile": 0.95}
    values: dict[str, Any] = quantiles | {"folds": 3, "min_acceptance": 0.2, "max_generated": 10.0}
    return Filter(**values | changed, classifier=Training(steps=1, batch=2, learning_rate=0.1, width=4))


class _Oracle:
    """A filter that goes by the pixel of an image: which one it is of all made."""

    bounds = Bounds(0.5, 0.5, 1.5)

    def __init__(self, outcome: Callable[[int], str]):
        self.outcome, self.starts = outcome, []

    def assess(self, images: np.ndarray, first: int) -> Assessment:
        places = images.ravel().astype(int)
        np.testing.assert_array_equal(places, np.arange(first, first + len(images)))
        self.starts.append(first)
        outcomes = np.array([self.outcome(place) for place in places])
        return Assessment(places / 1000, places / 100, places % 7, outcomes)


def _fill(oracle: _Oracle, wanted: int, **changed: Any) -> tuple[Filling, list[Made]]:
    kept: list[Made] = []

    def make(start: int, count: int) -> np.ndarray:
        return np.arange(start, start + count, dtype=np.uint16).reshape(count, 1, 1, 1)

    return fill(_params(**changed), oracle, wanted, make, kept.append), kept  # type: ignore[arg-type]


def _every(period: int, reason: str = "outlier") -> Callable[[int], str]:
    return lambda place: reason if place % period else "accepted"


def test_rounds_go_on_until_enough_are_accepted_and_the_first_so_many_are_kept() -> None:
    oracle = _Oracle(_every(3))
    filling, kept = _fill(oracle, 200)
    assert oracle.starts == [0, 256, 512]  # of 512 images 171 are accepted, of 768 they are 256
    assert [made.latent_index for made in kept] == list(range(0, 600, 3))
    assert filling.counts == {"accepted": 256, "outlier": 512}
    assert (filling.made, filling.accepted_share, filling.abstained) == (768, 0.3333, None)


def test_what_is_kept_carries_what_was_said_about_it() -> None:
    _, kept = _fill(_Oracle(_every(2)), 3)
    last = kept[2]
    assert (last.image.item(), last.latent_index, last.probability, last.distance) == (4, 4, 0.004, 0.04)
    assert (last.nearest, last.outcome) == (4, "accepted")


def test_rounds_change_nothing_about_what_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    _, whole = _fill(_Oracle(_every(4)), 100)
    monkeypatch.setattr(fill_module, "ROUND", 50)
    _, pieces = _fill(_Oracle(_every(4)), 100)
    assert [made.latent_index for made in pieces] == [made.latent_index for made in whole]


def test_a_class_of_which_too_few_are_accepted_is_given_up_after_one_round() -> None:
    oracle = _Oracle(lambda place: ("copy", "unlikely")[place % 2] if place % 6 else "accepted")
    filling, _ = _fill(oracle, 200)
    assert oracle.starts == [0]
    assert filling.counts == {"accepted": 43, "copy": 85, "unlikely": 128}
    assert filling.abstained == {"code": "min_acceptance", "min_acceptance": 0.2}


def test_acceptance_counts_even_where_enough_were_accepted() -> None:
    filling, kept = _fill(_Oracle(_every(10)), 3, max_generated=10.0)
    assert (len(kept), filling.made) == (3, 30)
    assert filling.abstained == {"code": "min_acceptance", "min_acceptance": 0.2}


def test_a_class_that_the_most_images_do_not_fill_is_given_up() -> None:
    filling, kept = _fill(_Oracle(_every(3)), 200, max_generated=2.5)
    assert filling.made == 500
    assert len(kept) == 167
    assert filling.counts == {"accepted": 167, "outlier": 333}
    assert filling.abstained == {"code": "max_generated", "max_generated": 2.5, "wanted": 200}


def test_the_first_of_each_outcome_are_remembered() -> None:
    filling, _ = _fill(_Oracle(lambda place: ("accepted", "copy", "unlikely")[place % 3]), 100)
    assert [made.latent_index for made in filling.examples["copy"]] == [1, 4, 7, 10, 13, 16]
    assert set(filling.examples) == {"accepted", "copy", "unlikely"}
