import numpy as np
import pytest

from tasks.classifier.statistics import Difference
from tasks.classifier.verdict import choose_pair, decide, free_arms
from tasks.support.params import Arm


def _arm(rows: str, withheld: bool = False) -> Arm:
    share = 0.5 if rows == "synthetic" else 0.0
    return Arm(
        rows=rows,  # type: ignore[arg-type]
        withheld=withheld,
        oversample=True,
        shift_px=0,
        mixup_alpha=0.0,
        synthetic_share=share,
    )


ARMS = {
    "plain": _arm("split"),
    "mixed": _arm("split"),
    "oracle": _arm("split", withheld=True),
    "gan": _arm("synthetic"),
    "oracle_gan": _arm("synthetic", withheld=True),
}


def _difference(low: float, high: float) -> Difference:
    return Difference((low + high) / 2, low, high, np.zeros(6))


def _decide(plain: Difference, mixed: Difference, none_made: str | None = None) -> tuple[str, str]:
    differences = {"plain": plain, "mixed": mixed}
    verdict = decide(("gan", "plain"), (0.9, 0.8), differences, 0.03, 0.95, none_made)
    return verdict.answer, verdict.reasons[0]


def test_arms_with_withheld_images_take_no_part() -> None:
    validation = {"plain": 0.7, "mixed": 0.8, "oracle": 0.99, "gan": 0.6, "oracle_gan": 0.98}
    assert choose_pair(ARMS, validation) == ("gan", "mixed")
    assert free_arms(ARMS) == ["plain", "mixed"]


def test_yes_needs_a_gain_over_everything_that_costs_nothing() -> None:
    good, none = _difference(0.01, 0.03), _difference(-0.01, 0.02)
    assert _decide(good, good) == (
        "synthesise",
        "The whole interval lies above 0: the synthetic images helped.",
    )
    answer, reason = _decide(good, none)
    assert answer == "do not synthesise"
    assert reason.endswith("mixed +0.0050 [-0.0100, +0.0200] against what costs nothing.")


@pytest.mark.parametrize(
    ("difference", "reason"),
    [
        (_difference(-0.01, 0.02), "The interval covers 0: no gain is shown over what costs nothing."),
        (_difference(-0.03, -0.01), "The whole interval lies below 0: the synthetic images did harm."),
        (_difference(0.0, 0.01), "The interval covers 0: no gain is shown over what costs nothing."),
    ],
)
def test_no_says_why(difference: Difference, reason: str) -> None:
    assert _decide(difference, _difference(0.01, 0.03)) == ("do not synthesise", reason)


def test_without_images_there_is_no_gain() -> None:
    good = _difference(0.01, 0.03)
    assert _decide(good, good, "No class could be synthesised.") == (
        "do not synthesise",
        "No class could be synthesised.",
    )
