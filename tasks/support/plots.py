"""Pictures for people, drawn so that equal data gives equal bytes."""

import threading
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from numpy.typing import NDArray

_DRAWING = threading.Lock()  # matplotlib is not thread-safe; the flow maps candidates and arms on threads


def draw_grid(path: Path, images: NDArray[np.uint8], row_names: Sequence[str], title: str) -> None:
    """Images uint8 (rows, columns, height, width, channels), a name before each row."""
    rows, columns = images.shape[:2]
    figure = Figure(figsize=(0.7 * columns + 1.2, 0.7 * rows + 0.6), layout="constrained")
    axes = figure.subplots(rows, columns, squeeze=False)
    for row in range(rows):
        for column in range(columns):
            axis = axes[row, column]
            axis.imshow(images[row, column].squeeze(), cmap="gray", vmin=0, vmax=255, interpolation="nearest")
            axis.set(xticks=[], yticks=[])
            axis.spines[:].set_visible(False)
        axes[row, 0].set_ylabel(row_names[row], rotation=0, ha="right", va="center")
    figure.suptitle(title)
    _save(figure, path)


def draw_curves(path: Path, history: pd.DataFrame, x: str, panels: Mapping[str, Mapping[str, str]]) -> None:
    """One panel per entry of `panels` (title: name and column of each line) over the column `x` of `history`."""
    figure = Figure(figsize=(4.4 * len(panels), 3.4), layout="constrained")
    for axis, (title, lines) in zip(figure.subplots(1, len(panels), squeeze=False)[0], panels.items(), strict=True):
        for name, column in lines.items():
            axis.plot(history[x], history[column], label=name.replace("_", " "))
        axis.set(title=title, xlabel=x.replace("_", " "))
        axis.legend(frameon=False, fontsize="small")
        _plain(axis)
    _save(figure, path)


def draw_confusions(path: Path, matrices: Mapping[str, NDArray[np.float64]], classes: Sequence[str]) -> None:
    """Confusion matrices (classes, classes) side by side; rows are true classes, each cell a share of its row."""
    side = 0.42 * len(classes) + 1.3
    figure = Figure(figsize=(side * len(matrices), side + 0.4), layout="constrained")
    for axis, (name, matrix) in zip(figure.subplots(1, len(matrices), squeeze=False)[0], matrices.items(), strict=True):
        shares = matrix / matrix.sum(axis=1, keepdims=True)
        axis.imshow(shares, cmap="Blues", vmin=0, vmax=1)
        for (row, column), share in np.ndenumerate(shares):
            if share >= 0.005:
                colour = "white" if share > 0.5 else "black"
                axis.text(column, row, f"{100 * share:.0f}", ha="center", va="center", color=colour, fontsize=8)
        axis.set(title=name.replace("_", " "), xlabel="predicted", ylabel="true (cells: % of the class)")
        axis.set_xticks(range(len(classes)), classes, rotation=0 if max(map(len, classes)) < 4 else 90)
        axis.set_yticks(range(len(classes)), classes)
    _save(figure, path)


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
    _plain(axis)
    _save(figure, path)


def _plain(axis: Axes) -> None:
    axis.spines[["top", "right"]].set_visible(False)
    axis.grid(alpha=0.3)


def _save(figure: Figure, path: Path) -> None:
    with _DRAWING:
        FigureCanvasAgg(figure)
        figure.savefig(path, dpi=100, metadata={"Software": None})
