"""The verdict: did synthetic images help more than what costs nothing, without harm elsewhere?"""

from collections.abc import Mapping
from dataclasses import dataclass

from tasks.core.params import Arm, Evaluate
from tasks.core.params.roles import free_arms, generative_arms
from tasks.evidence.statistics import Difference

YES, NO = "synthesise", "do not synthesise"


@dataclass(frozen=True)
class Evidence:
    """What decides, of the pair that was chosen on validation: all on test.

    Attributes:
        pair: names of the arm with and of the arm without synthetic images.
        means: their balanced accuracies.
        overall: difference of balanced accuracies.
        p: of the sign-flip test over seeds.
        rare: difference of the mean recalls of rare classes, and others of the rest, where there is a rest.
        calibration: expected calibration errors of the pair after temperature scaling.
        twin: name of the first arm's control, and over_twin the difference of balanced accuracies from it.
    """

    pair: tuple[str, str]
    means: tuple[float, float]
    overall: Difference
    p: float
    rare: Difference
    others: Difference | None
    calibration: tuple[float, float]
    twin: str
    over_twin: Difference


@dataclass(frozen=True)
class Condition:
    """One of those that a yes needs, and the sentence that says what was found."""

    name: str
    holds: bool
    sentence: str


@dataclass(frozen=True)
class Verdict:
    """`answer` is YES or NO, `reasons` the sentences behind it."""

    answer: str
    reasons: list[str]
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
        none_made: why there are no synthetic images, where there are none.
    """
    found = _conditions(evidence, params)
    failed = [condition for condition in found if not condition.holds]
    generative, other = evidence.pair
    compared = (
        f"{generative} {evidence.means[0]:.4f} against {other} {evidence.means[1]:.4f}, the best on validation with "
        f"and without synthetic images: difference {evidence.overall}, {params.confidence:.0%} interval over seeds and "
        f"test images, sign-flip p {evidence.p:.3f}."
    )
    if none_made:
        return Verdict(NO, [none_made, compared], found)
    if failed:
        return Verdict(NO, [*(condition.sentence for condition in failed), compared], found)
    return Verdict(YES, [compared, *(condition.sentence for condition in found)], found)


def _conditions(evidence: Evidence, params: Evaluate) -> list[Condition]:
    overall, twin, others, seeds = evidence.overall, evidence.over_twin, evidence.others, len(evidence.overall.by_seed)
    most, calibration = params.max_loss_of_others, evidence.calibration
    loss = calibration[0] - calibration[1]
    side = "above 0: the synthetic images helped" if overall.low > 0 else "not above 0: no gain is shown"
    if overall.high < 0:
        side = "below 0: the synthetic images did harm"
    conditions = [
        Condition("gain", overall.low > 0, f"The balanced accuracy differs by {overall}, {side}."),
        Condition(
            "images",
            twin.low > 0,
            f"Over its control {evidence.twin}, with real images drawn again in place of synthetic ones, the balanced "
            f"accuracy differs by {twin}: the gain is {'' if twin.low > 0 else 'not shown to be '}that of the images.",
        ),
        Condition(
            "rare classes", evidence.rare.mean > 0, f"The mean recall of the rare classes differs by {evidence.rare}."
        ),
        Condition(
            "seeds", seeds >= params.min_seeds, f"{seeds} seeds were trained; at least {params.min_seeds} are asked."
        ),
        Condition(
            "calibration",
            loss <= params.max_calibration_loss,
            f"The calibration error after temperature scaling is {calibration[0]:.4f} instead of {calibration[1]:.4f}; "
            f"up to {params.max_calibration_loss:g} more is allowed.",
        ),
    ]
    if others is not None:
        sentence = f"The mean recall of the other classes differs by {others}; a bound down to {-most:g} is allowed."
        conditions.append(Condition("other classes", others.low >= -most, sentence))
    return conditions
