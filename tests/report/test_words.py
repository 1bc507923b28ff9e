from dataclasses import replace
from typing import Any

import pytest

from tasks.core.params import Detectors
from tasks.evidence.statistics import Difference
from tasks.evidence.verdict import BALANCED, NO, NO_CLASS, YES, Condition, Verdict
from tasks.report.words import condition_sentence, interval, sentence_of, verdict_sentences


def _difference(mean: float, low: float, high: float) -> Difference:
    return Difference(mean, low, high, 0.01, (mean,) * 6)


def _verdict(failed: str = "", **changed: object) -> Verdict:
    values = {"gain": (0.01, 0.0), "images": (0.005, 0.0), "rare classes": (0.03, 0.0), "seeds": (6.0, 6.0)}
    values |= {"calibration": (-0.001, 0.01), "other classes": (-0.002, -0.01)}
    conditions = [Condition(name, value, bound, name != failed) for name, (value, bound) in values.items()]
    verdict = Verdict(
        pair=("gan", "plain"),
        means=(0.8, 0.78),
        gain=_difference(0.02, 0.01, 0.03),
        sign_flip_p=0.03125,
        rare=_difference(0.03, 0.02, 0.04),
        others=_difference(0.0, -0.002, 0.002),
        calibration=(0.02, 0.021),
        twin="twin",
        over_twin=_difference(0.01, 0.005, 0.015),
        confidence=0.95,
        answer=NO if failed else YES,
        none_made=None,
        conditions=conditions,
    )
    return replace(verdict, **changed)  # type: ignore[arg-type]


def test_a_difference_has_its_bounds() -> None:
    assert interval(0.0, -0.01, 0.012345) == "+0.0000 [-0.0100, +0.0123]"


def test_a_yes_says_what_was_compared_and_that_all_holds() -> None:
    compared, *others = verdict_sentences(_verdict())
    assert compared == (
        "gan 0.8000 against plain 0.7800, the best on validation with and without synthetic images: difference "
        "+0.0200 [+0.0100, +0.0300], 95% interval over seeds and test images, sign-flip p 0.031."
    )
    assert others == [
        "The balanced accuracy differs by +0.0200 [+0.0100, +0.0300], above 0: the synthetic images helped.",
        "Over its control twin, with real images drawn again in place of synthetic ones, the balanced accuracy differs "
        "by +0.0100 [+0.0050, +0.0150]: the gain is that of the images.",
        "The mean recall of the rare classes differs by +0.0300 [+0.0200, +0.0400].",
        "6 seeds were trained; at least 6 are asked.",
        "The calibration error after temperature scaling is 0.0200 instead of 0.0210; up to 0.01 more is allowed.",
        "The mean recall of the other classes differs by +0.0000 [-0.0020, +0.0020]; a bound down to -0.01 is allowed.",
    ]


@pytest.mark.parametrize(
    ("low", "high", "said"),
    [(-0.01, 0.03, "not above 0: no gain is shown."), (-0.3, -0.1, "below 0: the synthetic images did harm.")],
)
def test_a_no_begins_with_what_failed(low: float, high: float, said: str) -> None:
    first, compared = verdict_sentences(_verdict("gain", gain=_difference((low + high) / 2, low, high)))
    assert first.endswith(said)
    assert compared.startswith("gan 0.8000 against plain 0.7800")


def test_a_gain_that_a_control_has_too_is_not_that_of_the_images() -> None:
    first, _ = verdict_sentences(_verdict("images"))
    assert first.endswith("the gain is not shown to be that of the images.")


@pytest.mark.parametrize(
    ("code", "said"),
    [(NO_CLASS, "No class could be synthesised."), (BALANCED, "The classes are balanced: nothing to synthesise.")],
)
def test_without_images_that_is_the_reason(code: str, said: str) -> None:
    first, compared = verdict_sentences(_verdict("gain", none_made=code))
    assert first == said
    assert compared.startswith("gan 0.8000")


def test_each_condition_has_a_sentence() -> None:
    verdict = _verdict()
    sentences = {condition_sentence(condition, verdict) for condition in verdict.conditions}
    assert len(sentences) == len(verdict.conditions) == 6


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
