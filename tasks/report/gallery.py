"""The part of the report on all arms that shows images: samples of each class, and what arms train on."""

from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from tasks.core.params import Arm
from tasks.evidence.comparison import Comparison, Exams
from tasks.evidence.results import ArmResult
from tasks.report.plots import draw_curves
from tasks.report.sheets import Cell, Row, draw_sheet
from tasks.report.tables import overfitting_table

_MOST_CLASSES, _MOST_SAMPLES, _SAMPLE_PX = 20, 8, 64
_PICTURES = {  # of a training, as `train` draws them, and what one sees
    "batch": "The first batch of seed 1 as the network was given it, each image with its label.",
    "beta": "How strongly images are mixed: the density of lambda, and what was drawn in the first steps.",
    "changes": "One training image as it is, as training changes it at random, and at the bounds of each change.",
}


def sample_lines(folder: Path, exams: Exams) -> list[str]:
    """Lines of Markdown on the classes; their picture samples.png is drawn into `folder`."""
    rows = [_sample(exams, kind) for kind in range(min(_MOST_CLASSES, len(exams.classes)))]
    more = f"the first {len(rows)} of {len(exams.classes)} classes" if len(rows) < len(exams.classes) else ""
    draw_sheet(folder / "samples.png", "Real images of validation, by class", rows, more, _SAMPLE_PX)
    mapping = ", ".join(f"{number} = {name}" for number, name in enumerate(exams.classes))
    return [
        "Real images of each class and how many it has in train, validation and test; train is what was left of it",
        f"after `split.keep`{f'; {more}' if more else ''}.",
        "",
        "![real images of each class](samples.png)",
        "",
        "Classes have the same numbers in train, validation, test and the weights of every arm, as was checked:",
        f"{mapping}.",
        "",
    ]


def _sample(exams: Exams, kind: int) -> Row:
    """Some validation images of a class, evenly spread over those there are."""
    places = np.flatnonzero(exams.validation.labels == kind)
    chosen = places[np.linspace(0, len(places) - 1, min(_MOST_SAMPLES, len(places))).round().astype(int)]
    counts = (exams.counts[kind], len(places), (exams.test.labels == kind).sum())
    told = ", ".join(f"{count} {split}" for count, split in zip(counts, ("train", "validation", "test"), strict=True))
    return Row(f"{exams.classes[kind]}\n{told}", [Cell(image) for image in exams.validation.images[chosen]])


def enlargement_lines(synthetic_px: int, size_px: int) -> list[str]:
    """A warning in Markdown where classifiers see larger images than the generator makes, else nothing."""
    if size_px <= synthetic_px:
        return []
    return [
        f"**Synthetic images have {synthetic_px} pixels a side and were enlarged to {size_px}: their blur may tell the",
        "class; do not take a difference here for one of content.**",
        "",
    ]


def training_lines(folder: Path, comparison: Comparison, arms: Mapping[str, Arm], trained: Path) -> list[str]:
    """Lines of Markdown on how the arms were trained; overfitting.png and pictures of the pair come into `folder`.

    Args:
        trained: folder with one folder per arm, as `train` writes them.
    """
    _draw_overfitting(folder / "overfitting.png", comparison.arms)
    others = [name for name in arms if name not in comparison.pair]
    return [
        "Validation and test images are never mixed, changed or synthetic. Accuracy on training batches (of mixed",
        "labels the larger part counts) against that on validation. Where training rises far above validation, an arm",
        "learns its images by heart; but batches of an arm that oversamples have other shares of the classes than",
        "validation has, so that gaps compare only between arms that draw alike.",
        "",
        *_augmentation_lines(comparison.arms, arms),
        "![accuracy on training batches and on validation](overfitting.png)",
        "",
        *overfitting_table(comparison, arms),
        "",
        "### What the arms train on",
        "",
        *_pictures_of(folder, comparison.pair, trained),
        "Pictures, histories and weights of the other arms: "
        + ", ".join(f"[{name}](../classifiers/{name}/)" for name in others)
        + ". All figures here are computed from such files, without training.",
        "",
    ]


def _draw_overfitting(path: Path, arms: Mapping[str, ArmResult]) -> None:
    columns = {"training": "train_accuracy", "validation": "validation_accuracy"}
    curves = {
        f"{name}|{column}": arm.history.set_index("step")[column]
        for name, arm in arms.items()
        for column in columns.values()
    }
    panels = {
        f"{name.replace('_', ' ')}\ngap {arm.overfitting:+.3f}": {
            line: f"{name}|{column}" for line, column in columns.items()
        }
        for name, arm in arms.items()
    }
    draw_curves(path, pd.DataFrame(curves).reset_index(), "step", panels, columns=3)


def _augmentation_lines(results: Mapping[str, ArmResult], arms: Mapping[str, Arm]) -> Iterator[str]:
    """A paragraph on each two arms that differ in nothing but that one changes images: what it does to the gap."""
    for name, arm in arms.items():
        still = next((other for other in arms if arms[other] == arm.model_copy(update={"augmentation": None})), name)
        if still != name:
            changed, unchanged = (f"{results[each].overfitting:+.3f}" for each in (name, still))
            yield f"{name} changes images and ends with a gap of {changed}; {still}, alike but for that, {unchanged}."
            yield ""


def _pictures_of(folder: Path, pair: tuple[str, str], trained: Path) -> Iterator[str]:
    """Copies pictures of both arms and yields the lines that show them, those that are equal once."""
    for kind, sentence in _PICTURES.items():
        drawn: dict[bytes, list[str]] = {}
        for name in pair:
            path = trained / name / f"{kind}.png"
            if path.exists():  # an arm may neither mix nor change images
                drawn.setdefault(path.read_bytes(), []).append(name)
        if drawn:
            yield from (sentence, "")
        for content, names in drawn.items():
            file = f"{kind}_{names[0]}.png"
            (folder / file).write_bytes(content)
            yield from (f"{' and '.join(names)}:", "", f"![{kind} of {names[0]}]({file})", "")
