"""The part of the report on how arms were trained: curves, overfitting, and what the arms train on."""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import pandas as pd

from tasks.core.files import read_json
from tasks.core.params import Arm
from tasks.core.params.classifiers import side_px
from tasks.evidence.results import ArmResult, Comparison
from tasks.report.batches import draw_training
from tasks.report.network_plot import draw_network
from tasks.report.plots import draw_curves
from tasks.report.run import Run, read_arrays
from tasks.report.tables import overfitting_table

_CURVES = ("train_loss", "validation_loss", "validation_balanced_accuracy")
_PICTURES = {  # of a training, and what one sees
    "batch.png": "The first batch of seed 1 as the network was given it, each image with its label.",
    "beta.png": "How strongly images are mixed: the density of lambda, and what was drawn in the first steps.",
    "changes.png": "One training image as it is, as training changes it at random, and at the bounds of each change.",
}


def curves_section(folder: Path, run: Run) -> list[str]:
    """Lines of Markdown; curves.png, and curves.csv for `dvc plots`, are written into `folder`."""
    table = pd.concat([history.assign(arm=name) for name, history in run.histories.items()])
    table.to_csv(folder / "curves.csv", index=False, float_format="%.6g")
    panels = {column.replace("_", " "): {name: f"{name}|{column}" for name in run.histories} for column in _CURVES}
    draw_curves(folder / "curves.png", _side_by_side(run.histories, _CURVES), "step", panels)
    return [
        "## Training",
        "",
        "Means over seeds; the oracle and arms that mix or oversample see other training images, hence other losses.",
        "",
        "![curves](curves.png)",
        "",
    ]


def overfitting_section(folder: Path, run: Run) -> list[str]:
    """Lines of Markdown; overfitting.png is drawn into `folder`."""
    arms, images = run.params.arms, run.params.images
    _draw_overfitting(folder / "overfitting.png", run.comparison, run.histories)
    return [
        *enlargement_lines(images.size_px, side_px(run.params.train, images)),
        "Validation and test images are never mixed, changed or synthetic. Accuracy on training batches (of mixed",
        "labels the larger part counts) against that on validation. Where training rises far above validation, an arm",
        "learns its images by heart; but batches of an arm that oversamples have other shares of the classes than",
        "validation has, so that gaps compare only between arms that draw alike.",
        "",
        *augmentation_lines(run.comparison.arms, arms),
        "![accuracy on training batches and on validation](overfitting.png)",
        "",
        *overfitting_table(run.comparison, arms, run.histories),
        "",
    ]


def arms_section(folder: Path, run: Run) -> list[str]:
    """Lines of Markdown that show what the pair trains on; a page on all arms, arms.md, is written beside its pictures
    below arms/."""
    pages = []
    for name, arm in run.params.arms.items():
        pictures = folder / "arms" / name
        pictures.mkdir(parents=True)
        drawn = draw_training(pictures, arm, read_arrays(run.folders.classifiers / name / "batch.npz"), run.classes)
        pages += [f"## {name}", "", *(f"![{file} of {name}](arms/{name}/{file})\n" for file in drawn)]
    network = read_json(run.folders.classifiers / run.pair[1] / "network.json")
    draw_network(folder / "classifier.png", network)
    text = [
        "# What the arms train on",
        "",
        *_PICTURES.values(),
        "",
        *pages,
        "# Network",
        "",
        "![network](classifier.png)",
    ]
    (folder / "arms.md").write_text("\n".join(text) + "\n", encoding="utf-8")
    return [
        "### What the arms train on",
        "",
        *_pictures_of(folder, run.pair),
        "The other arms are shown [on a page of their own](arms.md), with their network. All figures here are computed",
        "from files, without training.",
        "",
    ]


def enlargement_lines(synthetic_px: int, size_px: int) -> list[str]:
    """A warning where classifiers see larger images than the generator makes, else nothing."""
    if size_px <= synthetic_px:
        return []
    return [
        f"**Synthetic images have {synthetic_px} pixels a side and were enlarged to {size_px}: their blur may tell the",
        "class; do not take a difference here for one of content.**",
        "",
    ]


def augmentation_lines(results: Mapping[str, ArmResult], arms: Mapping[str, Arm]) -> Iterator[str]:
    """A paragraph on each two arms that differ in nothing but that one changes images: what it does to the gap."""
    for name, arm in arms.items():
        still = next((other for other in arms if arms[other] == arm.model_copy(update={"augmentation": None})), name)
        if still != name:
            changed, unchanged = (f"{results[one].overfitting:+.3f}" for one in (name, still))
            yield f"{name} changes images and ends with a gap of {changed}; {still}, alike but for that, {unchanged}."
            yield ""


def _draw_overfitting(path: Path, comparison: Comparison, histories: Mapping[str, pd.DataFrame]) -> None:
    columns = {"training": "train_accuracy", "validation": "validation_accuracy"}
    panels = {
        f"{name.replace('_', ' ')}\ngap {arm.overfitting:+.3f}": {
            line: f"{name}|{column}" for line, column in columns.items()
        }
        for name, arm in comparison.arms.items()
    }
    draw_curves(path, _side_by_side(histories, columns.values()), "step", panels, columns=3)


def _side_by_side(histories: Mapping[str, pd.DataFrame], columns: Iterable[str]) -> pd.DataFrame:
    """A column step, and `arm|column` for each of the columns of each arm."""
    curves = {
        f"{name}|{column}": history.set_index("step")[column]
        for name, history in histories.items()
        for column in columns
    }
    return pd.DataFrame(curves).reset_index()


def _pictures_of(folder: Path, pair: tuple[str, str]) -> Iterator[str]:
    """The lines that show the pictures of both arms, those that are equal once."""
    for file, sentence in _PICTURES.items():
        drawn: dict[bytes, list[str]] = {}
        for name in pair:
            path = folder / "arms" / name / file
            if path.exists():  # an arm may neither mix nor change images
                drawn.setdefault(path.read_bytes(), []).append(name)
        if drawn:
            yield from (sentence, "")
        for names in drawn.values():
            yield from (f"{' and '.join(names)}:", "", f"![{file} of {names[0]}](arms/{names[0]}/{file})", "")
