"""Sentences on a verdict, from its codes and numbers."""

from collections.abc import Callable

from tasks.evidence.verdict import BALANCED, NO_CLASS, YES, Condition, Verdict

_NONE_MADE = {
    BALANCED: "The classes are balanced: nothing to synthesise.",
    NO_CLASS: "No class could be synthesised.",
}


def interval(mean: float, low: float, high: float) -> str:
    """A difference and the bounds of its interval."""
    return f"{mean:+.4f} [{low:+.4f}, {high:+.4f}]"


def verdict_sentences(verdict: Verdict) -> list[str]:
    """Why the answer is what it is: the failed conditions and the comparison for a no, all of them for a yes."""
    compared = _compared(verdict)
    if verdict.none_made:
        return [_NONE_MADE[verdict.none_made], compared]
    if verdict.answer == YES:
        return [compared, *(condition_sentence(condition, verdict) for condition in verdict.conditions)]
    failed = [condition for condition in verdict.conditions if not condition.holds]
    return [*(condition_sentence(condition, verdict) for condition in failed), compared]


def condition_sentence(condition: Condition, verdict: Verdict) -> str:
    """What was compared under one condition."""
    return _CONDITIONS[condition.name](condition, verdict)


def _compared(verdict: Verdict) -> str:
    (generative, free), (with_images, without), gain = verdict.pair, verdict.means, verdict.gain
    return (
        f"{generative} {with_images:.4f} against {free} {without:.4f}, the best on validation with and without "
        f"synthetic images: difference {interval(gain.mean, gain.low, gain.high)}, {verdict.confidence:.0%} interval "
        f"over seeds and test images, sign-flip p {verdict.sign_flip_p:.3f}."
    )


def _gain(condition: Condition, verdict: Verdict) -> str:
    gain = verdict.gain
    side = "above 0: the synthetic images helped" if condition.holds else "not above 0: no gain is shown"
    if gain.high < 0:
        side = "below 0: the synthetic images did harm"
    return f"The balanced accuracy differs by {interval(gain.mean, gain.low, gain.high)}, {side}."


def _images(condition: Condition, verdict: Verdict) -> str:
    twin = verdict.over_twin
    return (
        f"Over its control {verdict.twin}, with real images drawn again in place of synthetic ones, the balanced "
        f"accuracy differs by {interval(twin.mean, twin.low, twin.high)}: the gain is "
        f"{'' if condition.holds else 'not shown to be '}that of the images."
    )


def _rare(_: Condition, verdict: Verdict) -> str:
    rare = verdict.rare
    return f"The mean recall of the rare classes differs by {interval(rare.mean, rare.low, rare.high)}."


def _others(condition: Condition, verdict: Verdict) -> str:
    others = verdict.others
    if others is None:
        raise ValueError("there is a condition on other classes and no difference of theirs")
    return (
        f"The mean recall of the other classes differs by {interval(others.mean, others.low, others.high)}; a bound "
        f"down to {condition.threshold:g} is allowed."
    )


def _seeds(condition: Condition, _: Verdict) -> str:
    return f"{condition.value:.0f} seeds were trained; at least {condition.threshold:.0f} are asked."


def _calibration(condition: Condition, verdict: Verdict) -> str:
    with_images, without = verdict.calibration
    return (
        f"The calibration error after temperature scaling is {with_images:.4f} instead of {without:.4f}; "
        f"up to {condition.threshold:g} more is allowed."
    )


_CONDITIONS: dict[str, Callable[[Condition, Verdict], str]] = {
    "gain": _gain,
    "images": _images,
    "rare classes": _rare,
    "other classes": _others,
    "seeds": _seeds,
    "calibration": _calibration,
}
