"""What alarms of a GAN's training say to people: the sign, what it means, and what to change."""

from collections.abc import Mapping
from typing import Any

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
