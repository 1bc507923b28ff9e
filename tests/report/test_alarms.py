from typing import Any

import pytest

from tasks.core.params import Detectors
from tasks.report.alarms import sentence_of


def _alarm(detector: str, value: float, threshold: float, windows: int, **more: Any) -> dict[str, Any]:
    about = {"seed": 0, "part": "all", "epoch": 24, "consequence": "warn", "columns": []}
    return about | {"detector": detector, "value": value, "threshold": threshold, "windows": windows} | more


def test_a_sentence_says_the_sign_what_it_means_and_what_to_change() -> None:
    assert sentence_of(_alarm("d_loss_zero", 0.0123, 0.02, 5), "non_saturating") == (
        "D's loss is 0.0123, below 0.02 for 5 epochs: it is 1.39 where D cannot tell and 0 where D is sure of every "
        "image. D has won and teaches G little: lower d_learning_rate or d_steps, raise d_dropout, or augment more "
        "(translation_share, cutout_share)."
    )


@pytest.mark.parametrize(("loss", "chance"), [("non_saturating", "1.39"), ("hinge", "2"), ("relativistic", "0.69")])
def test_d_loss_of_zero_is_explained_for_each_loss(loss: str, chance: str) -> None:
    sentence = sentence_of(_alarm("d_loss_zero", 0.0, 0.02, 5), loss)
    assert f"below 0.02 for 5 epochs: it is {chance} where D cannot tell and 0 where " in sentence


@pytest.mark.parametrize(
    ("alarm", "part"),
    [
        (_alarm("d_loss_drop", 0.26, 0.3, 1), "in the ten epochs before, below 0.3 for 1 epoch: D has suddenly learnt"),
        (_alarm("d_loss_unsteady", 4.0, 3.0, 3), "varies 4 times as much within an epoch as in the first ten, above 3"),
        (_alarm("d_wins", 0.99, 0.98, 10), "about 99.0% of real and of generated images or more, above 98.0% for 10"),
        (_alarm("gradient_norm", 1022.0, 1000.0, 3), "gradient norm of G and D is 1022, above 1000 for 3 epochs"),
        (_alarm("collapse", 0.05, 0.1, 10), "differ 0.05 times as much as real ones, below 0.1 for 10 epochs: G makes"),
        (
            _alarm("g_loss_falls_kid_rises", 0.101, 0.1, 10),
            "G's loss fell and KID rose by a share of 0.101 or more, above 0.1, over 10 epochs",
        ),
        (
            _alarm("not_finite", 2.0, 0.0, 1, columns=["g_loss", "kid"]),
            "g_loss, kid is no finite number: training has diverged",
        ),
    ],
)
def test_every_sign_has_its_numbers(alarm: dict[str, Any], part: str) -> None:
    assert part in sentence_of(alarm, "hinge")


def test_every_detector_has_a_sentence() -> None:
    for name in (*Detectors.model_fields, "not_finite"):
        assert sentence_of(_alarm(name, 1.0, 1.0, 1), "relativistic").endswith(".")
