"""What an arm trains on, as pictures: its first batch, how strongly it mixes, and how it changes images."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray
from scipy import stats

from tasks.core.params import Arm
from tasks.report.plots import plain, save
from tasks.report.sheets import Cell, draw_sheet, rows_of_cells

_COLUMNS, _MOST_IMAGES = 6, 24
_LEAST_SHARE = 0.005  # of an image or a label; less is neither named nor marked
_BINS = 20
_CAPTIONS = {  # of a kind of change, and its amount
    "rotation": "rotation {:+g}°",
    "shift": "shift {:+g} px",
    "shear": "shear {:+g}",
    "zoom": "zoom {:g}",
    "flip": "flip",
    "brightness": "brightness {:g}",
}

Arrays = Mapping[str, NDArray[Any]]


def draw_training(folder: Path, arm: Arm, arrays: Arrays, classes: Sequence[str]) -> list[str]:
    """Names of the pictures written into `folder`: batch.png, beta.png of an arm that mixes, and changes.png of one
    that changes images.

    Args:
        arrays: batch.npz of `train`.
    """
    _draw_batch(folder / "batch.png", arm, arrays, classes)
    drawn = ["batch.png"]
    if arm.mixup_alpha and "lambdas" in arrays:  # the tail may be the whole of a short training
        _draw_beta(folder / "beta.png", arm.mixup_alpha, arrays["lambdas"])
        drawn.append("beta.png")
    if arm.augmentation:
        _draw_changes(folder / "changes.png", arm.augmentation, arrays)
        drawn.append("changes.png")
    return drawn


def captions(arrays: Arrays, classes: Sequence[str]) -> list[str]:
    """The label of each image of a batch, `.83 cat` and `+ .17 dog` in two lines, or one name where it has all."""
    lines = []
    shares = arrays["label_coefficients"].tolist()
    for own, other, share in zip(arrays["labels"], arrays["partners"], shares, strict=True):
        first, second = classes[own], classes[other]
        if first == second or share > 1 - _LEAST_SHARE:
            lines.append(first)
        elif share < _LEAST_SHARE:
            lines.append(second)
        else:
            lines.append(f"{_part(share, first)}\n+ {_part(1 - share, second)}")
    return lines


def with_synthetic(arrays: Arrays) -> NDArray[np.bool_]:
    """bool (batch,), in which images of a batch a synthetic one takes part."""
    shares = arrays["coefficients"]
    own = arrays["synthetic"] & (shares >= _LEAST_SHARE)
    return np.asarray(own | (arrays["partner_synthetic"] & (shares <= 1 - _LEAST_SHARE)))


def beta_density(alpha: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Places in (0, 1), and the density of Beta(alpha, alpha) there; below alpha 1 it is infinite at 0 and 1."""
    places = (1 - np.cos(np.pi * np.arange(1, 400) / 400)) / 2  # dense where it is steep
    return places, np.asarray(stats.beta.pdf(places, alpha, alpha))


def change_captions(kinds: Sequence[str], values: Sequence[float]) -> list[str]:
    """What is written below images that were changed to a bound; `all` at -1 is the lower bound of every change."""
    sides = {-1: "lower", 1: "upper"}
    return [
        f"all at the {sides[int(value)]} bound" if kind == "all" else _CAPTIONS[kind].format(value)
        for kind, value in zip(kinds, values, strict=True)
    ]


def _part(share: float, name: str) -> str:
    quoted = name if name[0].isalpha() else f'"{name}"'  # a class may be called 7
    return f"{share:.2f} {quoted}".removeprefix("0")


def _draw_batch(path: Path, arm: Arm, arrays: Arrays, classes: Sequence[str]) -> None:
    images, marks = arrays["images"], with_synthetic(arrays).tolist()
    cells = [Cell(*parts) for parts in zip(images, captions(arrays, classes), marks, strict=True)][:_MOST_IMAGES]
    done = " and ".join(["mixed"] * bool(arm.mixup_alpha) + [f"changed by {arm.augmentation}"] * bool(arm.augmentation))
    note = f"{len(cells)} of {len(images)} images{f', {done},' * bool(done)} as the network is given them"
    if arm.synthetic_share:
        made = "a real image in place of a synthetic one" if arm.twin else "a synthetic image"
        note += f"; in an orange frame: {made} takes part"
    draw_sheet(path, "First batch of seed 1, with its labels", rows_of_cells("", cells, _COLUMNS), note)


def _draw_beta(path: Path, alpha: float, lambdas: NDArray[np.float32]) -> None:
    figure = Figure(figsize=(6, 3.6), layout="constrained")
    axis = figure.subplots()
    label = f"{lambdas.size} drawn in the first {len(lambdas)} steps of seed 1"
    shares, edges = np.histogram(lambdas, _BINS, (0, 1), density=True)
    axis.stairs(shares, edges, fill=True, color="tab:blue", alpha=0.35, label=label)
    places, density = beta_density(alpha)
    axis.plot(places, density, color="black", label="density")
    inner = density[(places > 1 / _BINS) & (places < 1 - 1 / _BINS)]  # at the ends it may be infinite
    axis.set(xlim=(0, 1), ylim=(0, 1.2 * max(shares.max(), inner.max())))
    axis.set(xlabel="λ, the share of an image that remains its own", title=f"mixup: λ ~ Beta({alpha:g}, {alpha:g})")
    axis.legend(frameon=False, fontsize="small", loc="upper center")
    plain(axis)
    save(figure, path)


def _draw_changes(path: Path, augmentation: str, arrays: Arrays) -> None:
    """One training image as it is, as the changes drawn for a batch make it, and at each bound."""
    normal = [Cell(arrays["original"], "as it is"), *(Cell(image, "drawn") for image in arrays["drawn"])]
    names = change_captions(arrays["bound_kinds"].tolist(), arrays["bound_values"].tolist())
    extreme = [Cell(image, name) for image, name in zip(arrays["bounds"], names, strict=True)]
    rows = rows_of_cells("as drawn in training", normal, _COLUMNS)
    rows += rows_of_cells("each change at its bounds", extreme, _COLUMNS)
    draw_sheet(path, f"One training image under the changes of {augmentation}", rows)
