"""Pages on candidates: how each was trained, its alarms, grids of its snapshots and its networks."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import StrMethodFormatter, SymmetricalLogLocator
from numpy.typing import NDArray

from tasks.core.files import read_json
from tasks.core.params import Candidate
from tasks.report.network_plot import draw_network
from tasks.report.plots import plain, save
from tasks.report.run import read_arrays
from tasks.report.sheets import Cell, draw_sheet, rows_of_cells
from tasks.report.words import sentence_of

_COLUMNS = 10  # images of a class in a line
_MOST_ALARMS = 20


def write_candidates(folder: Path, generators: Path, candidates: Mapping[str, Candidate]) -> list[str]:
    """Lines of Markdown that link a page for each candidate; pages and pictures are written into `folder`/candidates.

    Args:
        generators: the folder of all candidates, as `train_gan` writes them.
        candidates: their settings.
    """
    (folder / "candidates").mkdir()
    for name in candidates:
        text = "\n".join(_page(folder / "candidates" / name, generators / name, candidates)) + "\n"
        (folder / f"candidates/{name}.md").write_text(text, encoding="utf-8")
    links = ", ".join(f"[{name}](candidates/{name}.md)" for name in candidates)
    return [f"How the candidates were trained, with all snapshots: {links}.", ""]


def alarm_lines(alarms: Sequence[Mapping[str, Any]], candidates: Mapping[str, Candidate]) -> list[str]:
    """Lines of Markdown on alarms, each with its candidate beside what alarms.json says of it."""
    if not alarms:
        return []
    lines = [
        f"- {alarm['candidate']} ({alarm['part']}, seed {alarm['seed']}), epoch {alarm['epoch']}: "
        f"{sentence_of(alarm, candidates[alarm['candidate']].loss)}"
        for alarm in alarms[:_MOST_ALARMS]
    ]
    more = [f"- {len(alarms) - _MOST_ALARMS} more"] if len(alarms) > _MOST_ALARMS else []
    return ["What the detectors saw in training:", "", *lines, *more, ""]


def draw_samples(path: Path, samples: Path, classes: Sequence[str], title: str) -> None:
    """Write a sheet of the images in a samples.npz, in lines by class."""
    arrays = read_arrays(samples)
    rows = [
        row
        for label, name in enumerate(classes)
        for row in rows_of_cells(name, _cells(arrays["images"][arrays["labels"] == label]), _COLUMNS)
    ]
    draw_sheet(path, title, rows, cell_px=max(64, arrays["images"].shape[1]))


def _cells(images: NDArray[np.uint8]) -> list[Cell]:
    return [Cell(image) for image in images]


def _page(pictures: Path, candidate: Path, candidates: Mapping[str, Candidate]) -> list[str]:
    """Lines of a candidate's page; its pictures are drawn."""
    name, alarms = candidate.name, read_json(candidate / "alarms.json")
    snapshots = sorted(path.parent for path in candidate.glob("seed_*/*/samples.npz"))
    pictures.mkdir()
    history, epochs = pd.read_csv(candidate / "history.csv"), sorted({int(path.name) for path in snapshots})
    draw_history(pictures / "history.png", history, alarms, epochs)
    lines = [f"# {name}", "", f"![history]({name}/history.png)", ""]
    lines += alarm_lines([{"candidate": name, **alarm} for alarm in alarms], candidates)
    lines += ["## Snapshots", ""]
    for snapshot in snapshots:
        file = f"{snapshot.parent.name}_{snapshot.name}.png"
        title = f"{snapshot.parent.name.replace('_', ' ')}, epoch {int(snapshot.name)}"
        classes = read_json(snapshot / "generator.json")["classes"]
        draw_samples(pictures / file, snapshot / "samples.npz", classes, f"generated, by class: {title}")
        lines += [f"![{title}]({name}/{file})", ""]
    lines += ["## Networks", ""]
    for network, layers in read_json(candidate / "networks.json").items():
        draw_network(pictures / f"{network}.png", layers)
        lines += [f"![{network}]({name}/{network}.png)", ""]
    return lines


# Panel: its title, the columns of its lines (solid, dashed), above what its scale is logarithmic, and which alarms are
# marked in it.
_HISTORY_PANELS = (
    ("loss of G", ("g_loss",), None, ("g_loss_falls_kid_rises", "not_finite")),
    ("loss of D (band: its spread)", ("d_loss",), None, ("d_loss_zero", "d_loss_drop", "d_loss_unsteady")),
    ("accuracy of D (solid: real, dashed: generated)", ("real_accuracy", "fake_accuracy"), None, ("d_wins",)),
    ("gradient norm (solid: G, dashed: D)", ("g_gradient", "d_gradient"), 0.1, ("gradient_norm",)),
    ("KID against train", ("kid",), 0.01, ("g_loss_falls_kid_rises",)),
    ("diversity (solid: mean, dashed: least)", ("diversity_mean", "diversity_least"), None, ("collapse",)),
)


def draw_history(
    path: Path, history: pd.DataFrame, alarms: Sequence[Mapping[str, Any]], snapshots: Sequence[int]
) -> None:
    """Six panels over the epochs of all GANs of a candidate, a colour for each; alarms are vertical lines.

    Args:
        history: columns seed, part, epoch, g_loss, d_loss, d_loss_spread, real_accuracy, fake_accuracy, g_gradient,
            d_gradient, kid, diversity_mean, diversity_least.
        alarms: each with seed, part, epoch, detector and consequence; solid lines are those that stopped a GAN.
        snapshots: epochs that are marked on the lower edge.
    """
    trainings = list(history.groupby(["seed", "part"], sort=False))
    figure = Figure(figsize=(15, 7.2 + 0.25 * -(-len(trainings) // 6)), layout="constrained")
    for axis, (title, columns, linear, detectors) in zip(figure.subplots(2, 3).flat, _HISTORY_PANELS, strict=True):
        marked = [alarm for alarm in alarms if alarm["detector"] in detectors]
        marks = 0
        for number, (training, rows) in enumerate(trainings):
            _draw_training(axis, training, rows, columns, f"C{number % 10}")
            for alarm in marked:
                if (alarm["seed"], alarm["part"]) == training:
                    _mark(axis, alarm, f"C{number % 10}", marks)
                    marks += 1
        for epoch in snapshots:
            axis.plot(epoch, 0, "^", color="0.4", markersize=4, clip_on=False, transform=axis.get_xaxis_transform())
        if linear:  # KID may be negative, a gradient 0
            axis.set_yscale("symlog", linthresh=linear)
            axis.yaxis.set_major_locator(SymmetricalLogLocator(base=10, linthresh=linear, subs=(1, 2, 3, 5)))
            axis.yaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
        axis.set(title=title, xlabel="epoch")
        plain(axis)
    legend = figure.legend(*axis.get_legend_handles_labels(), loc="outside lower center", ncols=6, frameon=False)
    for text in legend.get_texts():
        text.set_parse_math(False)  # a class may be called $
    save(figure, path)


def _draw_training(axis: Axes, training: Any, rows: pd.DataFrame, columns: Sequence[str], colour: str) -> None:
    """The lines of one GAN, and the spread of D's loss as a band."""
    seed, part = training
    for column, style in zip(columns, ("-", "--"), strict=False):
        label = f"seed {seed}, {part}" if style == "-" else None
        axis.plot(rows["epoch"], rows[column], style, color=colour, marker=".", markersize=2, label=label)
    if "d_loss" in columns:
        low, high = (rows["d_loss"] + sign * rows["d_loss_spread"] for sign in (-1, 1))
        axis.fill_between(rows["epoch"], low, high, color=colour, alpha=0.15, linewidth=0)


def _mark(axis: Axes, alarm: Mapping[str, Any], colour: str, number: int) -> None:
    """A vertical line with the detector's name, in turn at its upper and its lower end."""
    axis.axvline(alarm["epoch"], color=colour, linestyle="-" if alarm["consequence"] == "stop" else ":", linewidth=1)
    height, end = ((0.98, "top"), (0.06, "bottom"))[number % 2]
    place: dict[str, Any] = {"transform": axis.get_xaxis_transform(), "va": end, "ha": "right", "rotation": 90}
    ground = {"facecolor": "white", "edgecolor": "none", "alpha": 0.8, "pad": 0.5}
    axis.text(
        alarm["epoch"], height, alarm["detector"].replace("_", " "), **place, fontsize=7, color=colour, bbox=ground
    )
