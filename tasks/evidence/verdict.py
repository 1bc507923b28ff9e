"""The verdict: did synthetic images help more than what costs nothing, without harm elsewhere? Codes and numbers."""

from collections.abc import Mapping
from dataclasses import dataclass

from tasks.core.params import Arm, Evaluate
from tasks.core.params.classifiers import free_arms, generative_arms
from tasks.evidence.statistics import Difference

YES, NO = "synthesise", "do not synthesise"
BALANCED, NO_CLASS = "balanced", "no_class"  # why there are no synthetic images: none needed, or every class given up


@dataclass(frozen=True)
class Evidence:
    """What decides, of the pair that was chosen on validation: all on test.

    Attributes:
        pair: names of the arm with and of the arm without synthetic images.
        means: their balanced accuracies.
        gain: difference of balanced accuracies.
        sign_flip_p: of the sign-flip test over seeds.
        rare: difference of the mean recalls of rare classes, and others of the rest, where there is a rest.
        calibration: expected calibration errors of the pair after temperature scaling.
        twin: name of the first arm's control, and over_twin the difference of balanced accuracies from it.
        confidence: of the intervals of all differences.
    """

    pair: tuple[str, str]
    means: tuple[float, float]
    gain: Difference
    sign_flip_p: float
    rare: Difference
    others: Difference | None
    calibration: tuple[float, float]
    twin: str
    over_twin: Difference
    confidence: float


@dataclass(frozen=True)
class Condition:
    """One of those that a yes needs: the value that was compared, the threshold, and whether the condition holds."""

    name: str
    value: float
    threshold: float
    holds: bool


@dataclass(frozen=True)
class Verdict(Evidence):
    """Evidence and what follows from it.

    Attributes:
        answer: YES or NO.
        none_made: why there are no synthetic images, BALANCED or NO_CLASS; None where there are some.
        conditions: of a yes, of which all have to hold.
    """

    answer: str
    none_made: str | None
    conditions: list[Condition]


def choose_pair(arms: Mapping[str, Arm], validation: Mapping[str, float]) -> tuple[str, str]:
    """The two arms to compare: the best with synthetic images and the best without, by balanced accuracy on validation.

    Choosing on validation leaves one comparison on test. Controls and the oracle take no part: no user has the oracle's
    images. Of equals the first in params.yaml is taken.
    """
    generative, free = generative_arms(arms), free_arms(arms)
    return max(generative, key=lambda name: validation[name]), max(free, key=lambda name: validation[name])


def decide(evidence: Evidence, params: Evaluate, none_made: str | None) -> Verdict:
    """Yes only if all conditions hold: each may only forbid, so that none needs a correction for the others
    (intersection-union test, Berger 1982).

    Args:
        none_made: why there are no synthetic images, where there are none: the answer is no, whatever the numbers.
    """
    conditions = _conditions(evidence, params)
    passed = none_made is None and all(condition.holds for condition in conditions)
    return Verdict(**vars(evidence), answer=YES if passed else NO, none_made=none_made, conditions=conditions)


def _conditions(evidence: Evidence, params: Evaluate) -> list[Condition]:
    seeds, loss = len(evidence.gain.by_seed), evidence.calibration[0] - evidence.calibration[1]
    conditions = [
        _above("gain", evidence.gain.low),
        _above("images", evidence.over_twin.low),
        _above("rare classes", evidence.rare.mean),
        Condition("seeds", seeds, params.min_seeds, seeds >= params.min_seeds),
        Condition("calibration", loss, params.max_calibration_loss, loss <= params.max_calibration_loss),
    ]
    if evidence.others is not None:
        low, least = evidence.others.low, -params.max_loss_of_others
        conditions.append(Condition("other classes", low, least, low >= least))
    return conditions


def _above(name: str, value: float) -> Condition:
    return Condition(name, value, 0.0, value > 0)
