"""The verdict: did synthetic images help more than what costs nothing?"""

from collections.abc import Mapping
from dataclasses import dataclass

from tasks.classifier.statistics import Difference
from tasks.support.params import Arm


@dataclass(frozen=True)
class Verdict:
    """`answer` is "synthesise" or "do not synthesise", `reasons` the sentences behind it."""

    answer: str
    reasons: list[str]


def choose_pair(arms: Mapping[str, Arm], validation: Mapping[str, float]) -> tuple[str, str]:
    """The two arms to compare: the best with synthetic images and the best without, by balanced accuracy on validation.

    Choosing on validation leaves one comparison on test, fixed before test is opened. The oracle takes no part: it sees
    images that a user does not have. Of equals the first in params.yaml is taken.
    """
    generative = [name for name, arm in arms.items() if arm.rows == "synthetic" and not arm.withheld]
    best = max(free_arms(arms), key=lambda name: validation[name])
    return max(generative, key=lambda name: validation[name]), best


def free_arms(arms: Mapping[str, Arm]) -> list[str]:
    """Names of the arms that cost nothing: real images only, and none that a user does not have."""
    return [name for name, arm in arms.items() if arm.rows == "split" and not arm.withheld]


def decide(
    pair: tuple[str, str],
    means: tuple[float, float],
    differences: Mapping[str, Difference],
    p: float,
    confidence: float,
    none_made: str | None,
) -> Verdict:
    """Yes only if the lower bound of the difference in balanced accuracy is above 0, against the arm without synthetic
    images that is best on validation, and against every other one that costs nothing.

    The second condition is no second chance, so it needs no correction (intersection-union test, Berger 1982): where
    validation cannot tell the free arms apart, a pair that differs in more than synthesis would else decide.

    Args:
        pair: names of the arm with and of the arm without synthetic images.
        means: their mean balanced accuracies on test.
        differences: between the arm with synthetic images and each arm that costs nothing.
        p: of the sign-flip test over seeds.
        none_made: why there are no synthetic images, where there are none.
    """
    generative, other = pair
    difference = differences[other]
    compared = (
        f"{generative} {means[0]:.4f} against {other} {means[1]:.4f}, the best on validation with and without "
        f"synthetic images: difference {difference.mean:+.4f}, {confidence:.0%} interval [{difference.low:+.4f}, "
        f"{difference.high:+.4f}] over seeds and test images, sign-flip p {p:.3f}."
    )
    if none_made:
        return Verdict("do not synthesise", [none_made, compared])
    unbeaten = {name: each for name, each in differences.items() if each.low <= 0}
    if difference.low > 0 and unbeaten:
        told = ", ".join(
            f"{name} {each.mean:+.4f} [{each.low:+.4f}, {each.high:+.4f}]" for name, each in unbeaten.items()
        )
        why = f"The gain is not shown to be that of the images: {told} against what costs nothing."
        return Verdict("do not synthesise", [why, compared])
    if difference.low > 0:
        return Verdict("synthesise", ["The whole interval lies above 0: the synthetic images helped.", compared])
    if difference.high < 0:
        return Verdict(
            "do not synthesise", ["The whole interval lies below 0: the synthetic images did harm.", compared]
        )
    return Verdict("do not synthesise", ["The interval covers 0: no gain is shown over what costs nothing.", compared])
