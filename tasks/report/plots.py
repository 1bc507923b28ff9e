"""Pictures for people, drawn so that equal data gives equal bytes."""

import textwrap
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from numpy.typing import NDArray

_MATRICES = 3  # in a line
_NAME_LETTERS = 20  # in a line beside a matrix: three lines, the longest names, are as high as a cell
_PANEL_INCHES, _NAME_INCHES = 4.4, 2.4  # width of a panel of curves, and of a name in the legend
_DASHES = ("-", "--", ":")
_DRAWING = threading.Lock()  # matplotlib is not thread-safe; the flow maps candidates and arms on threads


def draw_curves(
    path: Path, history: pd.DataFrame, x: str, panels: Mapping[str, Mapping[str, str]], columns: int | None = None
) -> None:
    """One panel per entry of `panels` (title: name and column of each line) over the column `x` of `history`.

    All panels have lines of the same names, which one legend below them tells.

    Args:
        columns: panels in a line, all of one scale; without it, all in one line, each with a scale of its own.
    """
    across = columns or len(panels)
    down = -(-len(panels) // across)
    named, beside = len(next(iter(panels.values()))), int(_PANEL_INCHES * across / _NAME_INCHES)
    height = 3.4 * down + 0.2 * -(-named // beside)
    figure = Figure(figsize=(_PANEL_INCHES * across, height), layout="constrained")
    axes = figure.subplots(down, across, squeeze=False, sharey=columns is not None).ravel()
    for axis in axes[len(panels) :]:
        axis.remove()
    for axis, (title, lines) in zip(axes, panels.items(), strict=False):
        for number, (name, column) in enumerate(lines.items()):
            dashes = _DASHES[number // 10 % len(_DASHES)]  # there are ten colours
            axis.plot(history[x], history[column], f"C{number % 10}{dashes}", label=name.replace("_", " "))
        axis.set(title=title, xlabel=x.replace("_", " "))
        plain(axis)
    handles, names = axes[0].get_legend_handles_labels()
    figure.legend(handles, names, loc="outside lower center", ncols=beside, frameon=False, fontsize="small")
    save(figure, path)


def draw_confusions(path: Path, matrices: Mapping[str, NDArray[np.float64]], classes: Sequence[str]) -> None:
    """Confusion matrices (classes, classes), three in a line; rows are true classes, each cell a share of its row."""
    lines = [textwrap.wrap(name, _NAME_LETTERS) for name in classes]
    longest = max(len(line) for name in lines for line in name)
    side = 0.42 * len(classes) + 1.2 + 0.1 * longest
    across = min(_MATRICES, len(matrices))
    down = -(-len(matrices) // across)
    figure = Figure(figsize=(side * across, (side + 0.4) * down), layout="constrained")
    axes = figure.subplots(down, across, squeeze=False).ravel()
    for axis in axes[len(matrices) :]:
        axis.remove()
    for axis, (name, matrix) in zip(axes, matrices.items(), strict=False):
        shares = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)  # a class may have no images here
        axis.imshow(shares, cmap="Blues", vmin=0, vmax=1)
        for (row, column), share in np.ndenumerate(shares):
            if share >= 0.005:
                colour = "white" if share > 0.5 else "black"
                axis.text(column, row, f"{100 * share:.0f}", ha="center", va="center", color=colour, fontsize=8)
        axis.set(title=name.replace("_", " "), xlabel="predicted", ylabel="true (cells: % of the class)")
        turned = 0 if longest < 4 else 90
        names, text = ["\n".join(name) for name in lines], {"fontsize": 10 if longest < 10 else 7, "parse_math": False}
        axis.set_xticks(range(len(classes)), names, rotation=turned, **text)
        axis.set_yticks(range(len(classes)), names, **text)
    save(figure, path)


def draw_arms(path: Path, accuracies: Mapping[str, Sequence[float]], label: str) -> None:
    """One row per arm: a dot for each seed and a bar at the mean."""
    figure = Figure(figsize=(7, 0.45 * len(accuracies) + 1), layout="constrained")
    axis = figure.subplots()
    for row, values in enumerate(accuracies.values()):
        axis.plot(values, [row] * len(values), "o", color="tab:blue", alpha=0.4, markeredgewidth=0)
        axis.plot(np.mean(values), row, "|", color="black", markersize=18, markeredgewidth=2)
    axis.set_yticks(range(len(accuracies)), [name.replace("_", " ") for name in accuracies])
    axis.invert_yaxis()
    axis.set(xlabel=label, ylim=(len(accuracies) - 0.5, -0.5))
    plain(axis)
    save(figure, path)


def draw_scores(path: Path, scores: pd.DataFrame) -> None:
    """Snapshots over epochs: KID with its interval on the left, CAS of those that have one on the right.

    One line and colour per training. In the right panel a hollow dot is refused in some class; a ring marks the chosen
    one in both.

    Args:
        scores: columns candidate, seed, epoch, kid, kid_low, kid_high, cas, refused (classes), chosen (whether it is).
    """
    figure = Figure(figsize=(9.6, 3.8), layout="constrained")
    left, right = figure.subplots(1, 2)
    for number, ((candidate, seed), rows) in enumerate(scores.groupby(["candidate", "seed"], sort=False)):
        colour, name = f"C{number % 10}", f"{candidate} seed {seed}".replace("_", " ")
        left.fill_between(rows["epoch"], rows["kid_low"], rows["kid_high"], color=colour, alpha=0.15, linewidth=0)
        left.plot(rows["epoch"], rows["kid"], ".-", color=colour, label=name)
        for refused, faces in ((rows["refused"] == 0, colour), (rows["refused"] > 0, "none")):
            dots = rows[refused]
            right.scatter(dots["epoch"], dots["cas"], color=colour, facecolors=faces)
    chosen = scores[scores["chosen"]]
    for axis, column in ((left, "kid"), (right, "cas")):
        axis.scatter(chosen["epoch"], chosen[column], s=160, facecolors="none", edgecolors="black", label="chosen")
        axis.set(xlabel="epoch", xlim=(0, scores["epoch"].max() * 1.05))
        plain(axis)
    left.set(title="KID, against validation (lower is better)")
    left.set_yscale("symlog", linthresh=0.1)  # of first snapshots it may be thousands of times that of the last
    left.set_ylim(bottom=min(-0.1, 1.2 * scores["kid_low"].min()))
    right.set(title="CAS, on validation (higher is better)")
    left.legend(frameon=False, fontsize="small")
    save(figure, path)


def plain(axis: Axes) -> None:
    """Leave out the frame but for two sides, and show a faint grid."""
    axis.spines[["top", "right"]].set_visible(False)
    axis.grid(alpha=0.3)


def save(figure: Figure, path: Path) -> None:
    """Write a figure as PNG."""
    with _DRAWING:
        FigureCanvasAgg(figure)
        figure.savefig(path, dpi=100, metadata={"Software": None})
