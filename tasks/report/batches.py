"""What an arm trains on, as pictures: its first batch, how strongly it mixes, and how it changes images."""

from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray
from scipy import stats

from tasks.classifier.arms import Draws, most_shift_px, steps_before_tail
from tasks.classifier.feeding import batch_of, change, hand_overs
from tasks.classifier.steps import Examples
from tasks.classifier.training import draws_of
from tasks.core.params import Arm, Augmentation, Train
from tasks.networks.augmentation import affine_transforms
from tasks.networks.pixels import to_bytes, to_signed
from tasks.report.plots import plain, save
from tasks.report.sheets import Cell, Row, draw_sheet

_SEED = 1
_COLUMNS, _MOST_IMAGES = 6, 24
_LEAST_SHARE = 0.005  # of an image or a label; less is neither named nor marked
_BINS = 20


def draw_pictures(
    folder: Path, arm: Arm, augmentation: Augmentation | None, params: Train, examples: Examples, classes: list[str]
) -> None:
    """Write batch.png, beta.png of an arm that mixes, and changes.png of one that changes images, into `folder`."""
    draws = next(draws_of(arm, augmentation, params, examples, _SEED))
    first = _some(draws, 0, slice(None))
    batch = batch_images(arm, augmentation, examples, len(classes), first)
    _draw_batch(folder / "batch.png", arm, batch, captions(first, examples, classes), with_synthetic(first, examples))
    mixed = draws.coefficients[: steps_before_tail(arm, params.steps)]
    if arm.mixup_alpha and len(mixed):  # the tail may be the whole of a short training
        _draw_beta(folder / "beta.png", arm.mixup_alpha, mixed)
    if augmentation:
        _draw_changes(folder / "changes.png", arm, augmentation, examples, _some(draws, 0, slice(_COLUMNS - 1)))


def _some(draws: Draws, step: int, places: slice) -> Draws:
    """Some places of the batch of one step."""
    return Draws(*(getattr(draws, field.name)[step][places] for field in fields(Draws)))


def batch_images(
    arm: Arm, augmentation: Augmentation | None, examples: Examples, classes: int, drawn: Draws
) -> NDArray[np.uint8]:
    """Images uint8 (batch, height, width, channels) as the network is given them in a step, up to rounding."""
    step = Draws(*(getattr(drawn, field.name)[None] for field in fields(Draws)))
    fed = next(hand_overs(examples.images, examples.labels, step, bool(arm.mixup_alpha)))
    images, _ = batch_of(fed, 0, arm, augmentation, classes)
    return to_bytes(images.numpy())


def captions(drawn: Draws, examples: Examples, classes: list[str]) -> list[str]:
    """The label of each image of a step, `.83 cat` and `+ .17 dog` in two lines, or one name where it has all."""
    lines = []
    for own, other, share in zip(drawn.indices, drawn.partners, drawn.label_coefficients.tolist(), strict=True):
        first, second = classes[examples.labels[own]], classes[examples.labels[other]]
        if first == second or share > 1 - _LEAST_SHARE:
            lines.append(first)
        elif share < _LEAST_SHARE:
            lines.append(second)
        else:
            lines.append(f"{_part(share, first)}\n+ {_part(1 - share, second)}")
    return lines


def _part(share: float, name: str) -> str:
    told = name if name[0].isalpha() else f'"{name}"'  # a class may be called 7
    return f"{share:.2f} {told}".removeprefix("0")


def with_synthetic(drawn: Draws, examples: Examples) -> NDArray[np.bool_]:
    """bool (batch,), in which images of a step a synthetic one takes part."""
    own = examples.synthetic[drawn.indices] & (drawn.coefficients >= _LEAST_SHARE)
    return np.asarray(own | (examples.synthetic[drawn.partners] & (drawn.coefficients <= 1 - _LEAST_SHARE)))


def _draw_batch(path: Path, arm: Arm, images: NDArray[np.uint8], lines: list[str], marks: NDArray[np.bool_]) -> None:
    cells = [Cell(*each) for each in zip(images, lines, marks.tolist(), strict=True)][:_MOST_IMAGES]
    done = " and ".join(
        ["mixed"] * (arm.mixup_alpha is not None) + [f"changed by {arm.augmentation}"] * bool(arm.augmentation)
    )
    note = f"{len(cells)} of {len(images)} images{f', {done},' * bool(done)} as the network is given them"
    if arm.synthetic_share:
        made = "a real image in place of a synthetic one" if arm.twin else "a synthetic image"
        note += f"; in an orange frame: {made} takes part"
    draw_sheet(path, f"First batch of seed {_SEED}, with its labels", _rows("", cells), note)


def beta_density(alpha: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Places in (0, 1), and the density of Beta(alpha, alpha) there; below alpha 1 it is infinite at 0 and 1."""
    places = (1 - np.cos(np.pi * np.arange(1, 400) / 400)) / 2  # dense where it is steep
    return places, np.asarray(stats.beta.pdf(places, alpha, alpha))


def _draw_beta(path: Path, alpha: float, drawn: NDArray[np.float32]) -> None:
    figure = Figure(figsize=(6, 3.6), layout="constrained")
    axis = figure.subplots()
    label = f"{drawn.size} drawn in the first {len(drawn)} steps of seed {_SEED}"
    shares, edges = np.histogram(drawn, _BINS, (0, 1), density=True)
    axis.stairs(shares, edges, fill=True, color="tab:blue", alpha=0.35, label=label)
    places, density = beta_density(alpha)
    axis.plot(places, density, color="black", label="density")
    inner = density[(places > 1 / _BINS) & (places < 1 - 1 / _BINS)]  # at the ends it may be infinite
    axis.set(xlim=(0, 1), ylim=(0, 1.2 * max(shares.max(), inner.max())))
    axis.set(xlabel="λ, the share of an image that remains its own", title=f"mixup: λ ~ Beta({alpha:g}, {alpha:g})")
    axis.legend(frameon=False, fontsize="small", loc="upper center")
    plain(axis)
    save(figure, path)


@dataclass(frozen=True)
class Change:
    """How an image is changed, as `affine_transforms` takes it: shifted as far down as right, zoomed alike in both."""

    caption: str
    rotation_deg: float = 0.0
    shift_px: int = 0
    shear: float = 0.0
    zoom: float = 1.0
    flip: bool = False
    brightness: float = 1.0


def bounds(augmentation: Augmentation, size_px: int) -> list[Change]:
    """Each kind of change that the augmentation makes, at its lower and its upper bound, and all of them together."""
    turn, shift = augmentation.rotation_deg, most_shift_px(augmentation, size_px)
    shear, zoom, lights = augmentation.shear, augmentation.zoom, augmentation.brightness
    kinds = [
        [Change(f"rotation {sign * turn:+g}°", rotation_deg=sign * turn) for sign in (-1, 1) if turn],
        [Change(f"shift {sign * shift:+d} px", shift_px=sign * shift) for sign in (-1, 1) if shift],
        [Change(f"shear {sign * shear:+g}", shear=sign * shear) for sign in (-1, 1) if shear],
        [Change(f"zoom {1 + sign * zoom:g}", zoom=1 + sign * zoom) for sign in (-1, 1) if zoom],
        [Change("flip", flip=True)] if augmentation.flip else [],
        [Change(f"brightness {light:g}", brightness=light) for light in lights if light != 1],
    ]
    together = [
        Change(f"all at the {name} bound", sign * turn, sign * shift, sign * shear, 1 + sign * zoom, flip, light)
        for name, sign, flip, light in (("lower", -1, False, lights[0]), ("upper", 1, augmentation.flip, lights[1]))
    ]
    several = sum(map(bool, kinds)) > 1
    return [change for kind in kinds for change in kind] + (together if several else [])


def changed(image: NDArray[np.uint8], changes: list[Change], augmentation: Augmentation) -> NDArray[np.uint8]:
    """Images uint8 (changes, height, width, channels): one image, changed in each of these ways."""
    matrices = affine_transforms(
        rotation_deg=np.array([each.rotation_deg for each in changes]),
        shifts_px=np.array([[each.shift_px] * 2 for each in changes]),
        shear=np.array([each.shear for each in changes]),
        zooms=np.array([[each.zoom] * 2 for each in changes]),
        flips=np.array([each.flip for each in changes]),
        size_px=len(image),
    )
    copies = to_signed(np.repeat(image[None].astype(np.float32), len(changes), axis=0))
    brightness = np.array([each.brightness for each in changes], np.float32)
    return to_bytes(change(copies, matrices, brightness, augmentation).numpy())


def _draw_changes(path: Path, arm: Arm, augmentation: Augmentation, examples: Examples, drawn: Draws) -> None:
    """The first real image as it is, as the changes drawn for a batch make it, and at each bound."""
    image = examples.images[np.flatnonzero(~examples.synthetic)[0]]
    copies = to_signed(np.repeat(image[None].astype(np.float32), len(drawn.indices), axis=0))
    seen = change(copies, drawn.transforms, drawn.brightness, augmentation)
    normal = [Cell(image, "as it is"), *(Cell(each, "drawn") for each in to_bytes(seen.numpy()))]
    extremes = bounds(augmentation, len(image))
    results = changed(image, extremes, augmentation) if extremes else image[None][:0]  # all amounts may be 0
    extreme = [Cell(each, change.caption) for each, change in zip(results, extremes, strict=True)]
    rows = [*_rows("as drawn in training", normal), *_rows("each change at its bounds", extreme)]
    draw_sheet(path, f"One training image under the changes of {arm.augmentation}", rows)


def _rows(name: str, cells: list[Cell]) -> list[Row]:
    """The cells in as many rows as they need, of which the first has the name."""
    starts = range(0, len(cells), _COLUMNS)
    return [Row("" if start else name, cells[start : start + _COLUMNS]) for start in starts]
