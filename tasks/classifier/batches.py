"""What the network is given in the first step of a training, and what changes do to an image, as arrays to be drawn."""

from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tasks.classifier.arms import Draws, most_shift_px, steps_before_tail
from tasks.classifier.feeding import Examples, batch_of, change, hand_overs
from tasks.core.params import Arm, Augmentation
from tasks.networks.arrays import to_bytes, to_signed
from tasks.networks.augmentation import affine_transforms

_DRAWN = 5  # changes of one image, as drawn for the first examples of the batch

Arrays = dict[str, NDArray[Any]]


@dataclass(frozen=True)
class Change:
    """How an image is changed, as `affine_transforms` takes it: shifted as far down as right, zoomed alike in both.

    Attributes:
        kind: which change is at a bound, or `all`.
        value: the bound, or of `all` -1 for the lower and 1 for the upper ones.
    """

    kind: str
    value: float
    rotation_deg: float = 0.0
    shift_px: int = 0
    shear: float = 0.0
    zoom: float = 1.0
    flip: bool = False
    brightness: float = 1.0


def arrays_of(
    arm: Arm, augmentation: Augmentation | None, examples: Examples, classes: int, draws: Draws, steps: int
) -> Arrays:
    """The first batch of a training, of an arm that mixes the coefficients it drew, and of one that changes images
    one image in all its changes.

    Args:
        draws: the first of the training.
        steps: of the whole training.
    """
    arrays = first_batch(arm, augmentation, examples, classes, draws)
    lambdas = draws.coefficients[: steps_before_tail(arm, steps)]
    if arm.mixup_alpha and len(lambdas):  # the tail may be the whole of a short training
        arrays["lambdas"] = lambdas
    return arrays | (changes(augmentation, examples, draws) if augmentation else {})


def first_batch(arm: Arm, augmentation: Augmentation | None, examples: Examples, classes: int, draws: Draws) -> Arrays:
    """Images uint8 (batch, height, width, channels) as the network is given them, up to rounding; of each the label,
    that of its partner, both shares that remain its own, and whether it or its partner is synthetic."""
    first = Draws(*(getattr(draws, field.name)[:1] for field in fields(Draws)))
    fed = next(hand_overs(examples.images, examples.labels, first, bool(arm.mixup_alpha)))
    images, _ = batch_of(fed, 0, arm, augmentation, classes)
    own, other = first.indices[0], first.partners[0]
    return {
        "images": to_bytes(images.numpy()),
        "labels": examples.labels[own],
        "partners": examples.labels[other],
        "coefficients": first.coefficients[0],
        "label_coefficients": first.label_coefficients[0],
        "synthetic": examples.synthetic[own],
        "partner_synthetic": examples.synthetic[other],
    }


def changes(augmentation: Augmentation, examples: Examples, draws: Draws) -> Arrays:
    """The first real image as it is, as the changes drawn for a batch make it, and at each bound."""
    image = examples.images[np.flatnonzero(~examples.synthetic)[0]]
    transforms, brightness = draws.transforms[0, :_DRAWN], draws.brightness[0, :_DRAWN]
    extremes = bounds(augmentation, len(image))
    return {
        "original": image,
        "drawn": to_bytes(change(_copies(image, len(transforms)), transforms, brightness, augmentation).numpy()),
        "bounds": changed(image, extremes, augmentation) if extremes else image[None][:0],  # all amounts may be 0
        "bound_kinds": np.array([extreme.kind for extreme in extremes], np.str_),
        "bound_values": np.array([extreme.value for extreme in extremes], np.float64),
    }


def bounds(augmentation: Augmentation, size_px: int) -> list[Change]:
    """Each kind of change that the augmentation makes, at its lower and its upper bound, and all of them together."""
    turn, shift = augmentation.rotation_deg, most_shift_px(augmentation, size_px)
    shear, zoom, lights = augmentation.shear, augmentation.zoom, augmentation.brightness
    kinds = [
        [Change("rotation", sign * turn, rotation_deg=sign * turn) for sign in (-1, 1) if turn],
        [Change("shift", sign * shift, shift_px=sign * shift) for sign in (-1, 1) if shift],
        [Change("shear", sign * shear, shear=sign * shear) for sign in (-1, 1) if shear],
        [Change("zoom", 1 + sign * zoom, zoom=1 + sign * zoom) for sign in (-1, 1) if zoom],
        [Change("flip", 1, flip=True)] if augmentation.flip else [],
        [Change("brightness", light, brightness=light) for light in lights if light != 1],
    ]
    together = [
        Change("all", sign, sign * turn, sign * shift, sign * shear, 1 + sign * zoom, flip, light)
        for sign, flip, light in ((-1, False, lights[0]), (1, augmentation.flip, lights[1]))
    ]
    several = sum(map(bool, kinds)) > 1
    return [extreme for kind in kinds for extreme in kind] + (together if several else [])


def changed(image: NDArray[np.uint8], extremes: list[Change], augmentation: Augmentation) -> NDArray[np.uint8]:
    """Images uint8 (changes, height, width, channels): one image, changed in each of these ways."""
    matrices = affine_transforms(
        rotation_deg=np.array([extreme.rotation_deg for extreme in extremes]),
        shifts_px=np.array([[extreme.shift_px] * 2 for extreme in extremes]),
        shear=np.array([extreme.shear for extreme in extremes]),
        zooms=np.array([[extreme.zoom] * 2 for extreme in extremes]),
        flips=np.array([extreme.flip for extreme in extremes]),
        size_px=len(image),
    )
    brightness = np.array([extreme.brightness for extreme in extremes], np.float32)
    return to_bytes(change(_copies(image, len(extremes)), matrices, brightness, augmentation).numpy())


def _copies(image: NDArray[np.uint8], count: int) -> NDArray[np.float32]:
    """The image `count` times, in [-1, 1]."""
    copies: NDArray[np.float32] = to_signed(np.repeat(image[None].astype(np.float32), count, axis=0))
    return copies
