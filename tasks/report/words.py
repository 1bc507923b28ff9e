"""Codes and numbers of stages as sentences for people."""

from collections.abc import Callable, Mapping
from typing import Any

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


# What D's loss of 0 means. All three losses are the sum or mean of terms of at least 0, so each image has to be right.
_ZERO = {
    "non_saturating": "it is 1.39 where D cannot tell and 0 where D is sure of every image",
    "hinge": "it is 2 where D cannot tell and 0 where every image is beyond D's margin, which leaves D no gradient",
    "relativistic": "it is 0.69 where D cannot tell and 0 where D rates each real image far above a generated one",
}
_SENTENCES = {
    "d_loss_zero": "D's loss is {value:.3g}, below {threshold:g} for {span}: {zero}. D has won and teaches G little: "
    "lower d_learning_rate or d_steps, raise d_dropout, or augment more (translation_share, cutout_share).",
    "d_loss_drop": "D's loss fell to {value:.3g} of its usual value in the ten epochs before, below {threshold:g} for "
    "{span}: D has suddenly learnt what gives generated images away: go back to a snapshot before it, lower "
    "d_learning_rate, or augment more (translation_share, cutout_share).",
    "d_loss_unsteady": "D's loss varies {value:.3g} times as much within an epoch as in the first ten, above "
    "{threshold:g} for {span}; in health it varies less and less: lower both learning rates, or raise batch or "
    "gradient_penalty.",
    "d_wins": "D is right about {value:.1%} of real and of generated images or more, above {threshold:.1%} for {span}: "
    "it knows the training images by heart or G makes nothing like them: lower d_learning_rate or d_steps, raise "
    "d_dropout or lecam, or augment more (translation_share, cutout_share).",
    "gradient_norm": "The larger gradient norm of G and D is {value:.6g}, above {threshold:g} for {span}: training is "
    "about to diverge: lower both learning rates, or raise gradient_penalty.",
    "collapse": "Images of the least varied class differ {value:.3g} times as much as real ones, below {threshold:g} "
    "for {span}: G makes one image again and again: take an earlier snapshot, lower g_learning_rate, raise "
    "gradient_penalty or d_steps, or augment more (translation_share, cutout_share).",
    "not_finite": "{columns} is no finite number: training has diverged, its weights are lost: take an earlier "
    "snapshot, and lower both learning rates or raise gradient_penalty.",
    "g_loss_falls_kid_rises": "G's loss fell and KID rose by a share of {value:.3g} or more, above {threshold:g}, over "
    "{span}: G pleases D with worse and worse images: take an earlier snapshot, raise d_learning_rate or d_steps, or "
    "lower g_learning_rate.",
}


def sentence_of(alarm: Mapping[str, Any], loss: str) -> str:
    """The sentence of an alarm of alarms.json.

    Args:
        alarm: with detector, value, threshold and windows; with columns where the detector is `not_finite`.
        loss: name of the GAN's loss.
    """
    windows = alarm["windows"]
    return _SENTENCES[alarm["detector"]].format(
        value=alarm["value"],
        threshold=alarm["threshold"],
        span="1 epoch" if windows == 1 else f"{windows} epochs",
        zero=_ZERO[loss],
        columns=", ".join(alarm.get("columns", ())),
    )
