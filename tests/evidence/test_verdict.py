"""Experiments drawn with a known answer: the verdict finds it, or at least never the opposite."""

from typing import Any

import numpy as np
import pytest

from tasks.core.params import Evaluate
from tasks.core.params.classifiers import free_arms, generative_arms, twin_of
from tasks.evidence.statistics import Difference, compare, sign_flip
from tasks.evidence.verdict import NO, NO_CLASS, YES, Evidence, Verdict, choose_pair, decide
from tests.classifier.examples import arm, made, mixed

PARAMS = Evaluate(
    baseline="plain",
    oracle=None,
    seed=0,
    resamples=1000,
    confidence=0.95,
    min_seeds=6,
    max_loss_of_others=0.01,
    max_calibration_loss=0.01,
)
ARMS = {
    "plain": arm(),
    "mixed": arm(**mixed(0.2)),
    "oracle": arm(withheld=True),
    "gan": arm(**made(filtered=False)),
    "gan_mixed": arm(**made(), **mixed(0.2)),
    "twin": arm(**made(twin=True)),
    "mixed_twin": arm(**made(twin=True), **mixed(0.2)),
    "oracle_gan": arm(withheld=True, **made()),
}
SEEDS, LABELS = 6, np.repeat([0, 1, 2], 1000)
RARE, OTHERS = [2], [0, 1]


def _drawn(
    gains: dict[str, tuple[float, float, float]], calibration: tuple[float, float] = (0.02, 0.02), draw: int = 0
) -> Evidence:
    """Evidence on arms `gan`, `plain` and `twin`, from their recalls above .97, .97 and .6 in the three classes.

    Luck with an image is that of the image, of arm and image, and of seed, arm and image.
    """
    rng = np.random.default_rng(draw)
    image = rng.normal(size=len(LABELS))

    def correct(name: str) -> Any:
        levels = np.array([0.97, 0.97, 0.6]) + gains.get(name, (0.0, 0.0, 0.0))
        luck = 0.8 * image + 0.3 * rng.normal(size=len(LABELS)) + 0.5 * rng.normal(size=(SEEDS, len(LABELS)))
        ranks = luck.argsort(axis=1).argsort(axis=1) / len(LABELS)
        return ranks < levels[LABELS]

    gan, plain, twin = (correct(name) for name in ("gan", "plain", "twin"))
    gains = compare(gan, plain, LABELS, PARAMS.resamples, PARAMS.seed)
    every = [*OTHERS, *RARE]
    gain = gains.over(every, PARAMS.confidence)
    return Evidence(
        pair=("gan", "plain"),
        means=(0.8, 0.7),
        gain=gain,
        sign_flip_p=sign_flip(gain.by_seed),
        rare=gains.over(RARE, PARAMS.confidence),
        others=gains.over(OTHERS, PARAMS.confidence),
        calibration=calibration,
        twin="twin",
        over_twin=compare(gan, twin, LABELS, PARAMS.resamples, PARAMS.seed).over(every, PARAMS.confidence),
        confidence=PARAMS.confidence,
    )


def _failed(verdict: Verdict) -> set[str]:
    return {condition.name for condition in verdict.conditions if not condition.holds}


def test_a_true_effect_on_the_rare_class_is_a_yes() -> None:
    verdict = decide(_drawn({"gan": (0.0, 0.0, 0.12)}), PARAMS, None)
    assert (verdict.answer, _failed(verdict)) == (YES, set())
    assert verdict.pair == ("gan", "plain")


def test_no_effect_is_a_no() -> None:
    verdict = decide(_drawn({}), PARAMS, None)
    assert verdict.answer == NO
    assert {"gain", "images"} <= _failed(verdict)
    gain = next(condition for condition in verdict.conditions if condition.name == "gain")
    assert (gain.value, gain.threshold) == (verdict.gain.low, 0)


def test_harm_is_a_no() -> None:
    verdict = decide(_drawn({"gan": (0.0, 0.0, -0.2)}), PARAMS, None)
    assert verdict.answer == NO
    assert verdict.gain.high < 0


def test_an_effect_on_the_common_classes_alone_is_a_no() -> None:
    verdict = decide(_drawn({"gan": (0.03, 0.03, -0.005)}), PARAMS, None)
    assert (verdict.answer, _failed(verdict)) == (NO, {"rare classes"})


def test_a_gain_that_common_classes_pay_for_is_a_no() -> None:
    verdict = decide(_drawn({"gan": (-0.05, -0.05, 0.3)}), PARAMS, None)
    assert (verdict.answer, _failed(verdict)) == (NO, {"other classes"})


def test_one_lucky_seed_is_a_no() -> None:
    evidence = _drawn({})
    rng = np.random.default_rng(1)
    plain = rng.random((SEEDS, len(LABELS))) < 0.7
    lucky = plain.copy()
    lucky[0] = True  # one training of six is perfect: 5 points in the mean
    gain = compare(lucky, plain, LABELS, PARAMS.resamples, PARAMS.seed).over([*OTHERS, *RARE], PARAMS.confidence)
    assert gain.mean > 0.04
    lucky_evidence = Evidence(**vars(evidence) | {"gain": gain, "over_twin": gain, "rare": gain})
    verdict = decide(lucky_evidence, PARAMS, None)
    assert (verdict.answer, _failed(verdict)) == (NO, {"gain", "images"})


def test_ruined_calibration_is_a_no() -> None:
    good = {"gan": (0.0, 0.0, 0.12)}
    verdict = decide(_drawn(good, calibration=(0.045, 0.03)), PARAMS, None)
    assert (verdict.answer, _failed(verdict)) == (NO, {"calibration"})
    assert decide(_drawn(good, calibration=(0.039, 0.03)), PARAMS, None).answer == YES


def test_a_control_that_is_as_good_is_a_no() -> None:
    gain = (0.0, 0.0, 0.12)
    verdict = decide(_drawn({"gan": gain, "twin": gain}), PARAMS, None)
    assert (verdict.answer, _failed(verdict)) == (NO, {"images"})


def test_without_images_there_is_no_gain_whatever_the_numbers() -> None:
    verdict = decide(_drawn({"gan": (0.0, 0.0, 0.12)}), PARAMS, NO_CLASS)
    assert (verdict.answer, verdict.none_made, _failed(verdict)) == (NO, NO_CLASS, set())


def test_where_all_classes_are_rare_no_others_can_lose() -> None:
    evidence = _drawn({"gan": (0.02, 0.02, 0.1)})
    verdict = decide(Evidence(**vars(evidence) | {"others": None}), PARAMS, None)
    assert verdict.answer == YES
    assert "other classes" not in {condition.name for condition in verdict.conditions}


def test_too_few_seeds_are_a_no() -> None:
    evidence = _drawn({"gan": (0.0, 0.0, 0.12)})
    verdict = decide(evidence, PARAMS.model_copy(update={"min_seeds": SEEDS + 1}), None)
    assert (verdict.answer, _failed(verdict)) == (NO, {"seeds"})
    seeds = next(condition for condition in verdict.conditions if condition.name == "seeds")
    assert (seeds.value, seeds.threshold) == (6, 7)


@pytest.mark.parametrize("bound", [0.0, -0.0])
def test_a_tie_is_no_effect(bound: float) -> None:
    tie = Difference(0.0, bound, bound, 1.0, (0.0,) * SEEDS)
    verdict = decide(Evidence(**vars(_drawn({})) | {"gain": tie}), PARAMS, None)
    assert verdict.answer == NO
    assert "gain" in _failed(verdict)


def test_controls_and_arms_with_withheld_images_take_no_part() -> None:
    assert generative_arms(ARMS) == ["gan", "gan_mixed"]
    assert free_arms(ARMS) == ["plain", "mixed"]
    validation = dict.fromkeys(ARMS, 0.99) | {"plain": 0.7, "mixed": 0.8, "gan": 0.6, "gan_mixed": 0.5}
    assert choose_pair(ARMS, validation) == ("gan", "mixed")


def test_a_twin_differs_in_nothing_but_whose_images_they_are() -> None:
    assert twin_of(ARMS, "gan_mixed") == "mixed_twin"
    assert twin_of(ARMS, "gan") == "twin"  # to a twin, whether images are filtered does not matter
    assert twin_of({"gan": ARMS["gan_mixed"], "twin": ARMS["twin"]}, "gan") is None


def test_few_of_many_experiments_without_an_effect_end_in_a_yes() -> None:
    """The gate's benchmark has a thousand; here a hundred."""
    drawn = [_drawn({}, draw=number) for number in range(100)]
    assert np.mean([evidence.gain.low > 0 for evidence in drawn]) <= 0.05
    assert np.mean([decide(evidence, PARAMS, None).answer == YES for evidence in drawn]) <= 0.02
