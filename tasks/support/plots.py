"""Pictures for people, drawn so that equal data gives equal bytes."""

import itertools
import textwrap
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.ticker import StrMethodFormatter, SymmetricalLogLocator
from numpy.typing import NDArray

if TYPE_CHECKING:
    from tasks.gan.diagrams import Layer

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
        _plain(axis)
    left.set(title="KID, against validation (lower is better)")
    left.set_yscale("symlog", linthresh=0.1)  # of first snapshots it may be thousands of times that of the last
    left.set_ylim(bottom=min(-0.1, 1.2 * scores["kid_low"].min()))
    right.set(title="CAS, on validation (higher is better)")
    left.legend(frameon=False, fontsize="small")
    _save(figure, path)


@dataclass(frozen=True)
class Pair:
    """An image uint8 (height, width, channels), one of equal shape to compare it with, and two short lines about it."""

    image: NDArray[np.uint8]
    beside: NDArray[np.uint8]
    caption: str


def draw_pairs(path: Path, blocks: Mapping[str, Sequence[Pair | None]], names: tuple[str, str], title: str) -> None:
    """One block per entry of `blocks`, under its name: images in one line, below each the one to compare it with.

    Args:
        blocks: None leaves a column empty.
        names: of the two lines.
    """
    columns = max(map(len, blocks.values()))
    side = next(pair.image.shape[0] for block in blocks.values() for pair in block if pair)
    gap, inch = side // 8, max(0.75, side / 100)  # at least one pixel of the picture for each of an image's
    figure = Figure(
        figsize=(inch * 1.125 * columns + 1.2, (inch * 2.25 + 0.75) * len(blocks) + 0.5), layout="constrained"
    )
    for axis, (name, block) in zip(figure.subplots(len(blocks), 1, squeeze=False)[:, 0], blocks.items(), strict=True):
        axis.imshow(_mosaic(block, columns, side, gap), cmap="gray", vmin=0, vmax=255, interpolation="nearest")
        for column, pair in enumerate(block):
            if pair:
                middle = column * (side + gap) + side / 2 - 0.5
                place = {"xytext": (0, 3), "textcoords": "offset points", "ha": "center", "va": "bottom"}
                axis.annotate(pair.caption, (middle, -0.5), **place, fontsize=7)
        axis.set_title(name, loc="left", pad=26, fontsize=10)
        axis.set_xticks([])
        axis.set_yticks([side / 2, side * 1.5 + gap], names)
        axis.tick_params(length=0)
        axis.spines[:].set_visible(False)
    figure.suptitle(title)
    _save(figure, path)


def _mosaic(block: Sequence[Pair | None], columns: int, side: int, gap: int) -> NDArray[np.uint8]:
    """A white picture with the images of the block in one line and those to compare them with in a second one."""
    channels = next(pair.image.shape[-1] for pair in block if pair)
    picture = np.full((2 * side + gap, columns * (side + gap) - gap, channels), 255, np.uint8)
    for column, pair in enumerate(block):
        if pair:
            left = column * (side + gap)
            picture[:side, left : left + side] = pair.image
            picture[side + gap :, left : left + side] = pair.beside
    return picture.squeeze(-1) if channels == 1 else picture


def draw_sheet(path: Path, images: NDArray[np.uint8], row_names: Sequence[str], title: str) -> None:
    """Images uint8 (rows, columns, height, width, channels) pixel for pixel, small ones enlarged by a whole number.

    Args:
        row_names: one before each row, or none at all.
    """
    rows, columns, height, _, channels = images.shape
    scale, gap = max(1, 64 // height), 4
    cells = images.repeat(scale, axis=2).repeat(scale, axis=3)
    cells = np.pad(cells, ((0, 0), (0, 0), (0, gap), (0, gap), (0, 0)), constant_values=255)
    picture = cells.swapaxes(1, 2).reshape(rows * cells.shape[2], columns * cells.shape[3], channels)
    left, top = 10 + 9 * max(map(len, row_names), default=0), 34
    full = (max(left + picture.shape[1] + gap, 9 * len(title)), top + picture.shape[0] + gap)  # pixels, 100 to the inch
    figure = Figure(figsize=(full[0] / 100, full[1] / 100))
    figure.figimage(np.broadcast_to(picture, (*picture.shape[:2], 3)), left, gap, origin="upper")
    for row, name in enumerate(row_names):
        middle = top + row * cells.shape[2] + height * scale / 2
        place = ((left - 6) / full[0], 1 - middle / full[1])
        figure.text(*place, name, ha="right", va="center", parse_math=False)
    figure.text(0.5, 1 - top / 2 / full[1], title, ha="center", va="center", fontsize=12, parse_math=False)
    _save(figure, path)


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
    path: Path, history: pd.DataFrame, alarms: Sequence[Mapping[str, Any]], *, snapshots: Sequence[int] = ()
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
        marks = 0
        for number, ((seed, part), rows) in enumerate(trainings):
            colour = f"C{number % 10}"
            for column, style in zip(columns, ("-", "--"), strict=False):
                label = f"seed {seed}, {part}" if style == "-" else None
                axis.plot(rows["epoch"], rows[column], style, color=colour, marker=".", markersize=2, label=label)
            if "d_loss" in columns:
                low, high = (rows["d_loss"] + sign * rows["d_loss_spread"] for sign in (-1, 1))
                axis.fill_between(rows["epoch"], low, high, color=colour, alpha=0.15, linewidth=0)
            for alarm in alarms:
                if (alarm["seed"], alarm["part"]) == (seed, part) and alarm["detector"] in detectors:
                    _mark(axis, alarm, colour, marks)
                    marks += 1
        for epoch in snapshots:
            axis.plot(epoch, 0, "^", color="0.4", markersize=4, clip_on=False, transform=axis.get_xaxis_transform())
        if linear:  # KID may be negative, a gradient 0
            axis.set_yscale("symlog", linthresh=linear)
            axis.yaxis.set_major_locator(SymmetricalLogLocator(base=10, linthresh=linear, subs=(1, 2, 3, 5)))
            axis.yaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
        axis.set(title=title, xlabel="epoch")
        _plain(axis)
    legend = figure.legend(*axis.get_legend_handles_labels(), loc="outside lower center", ncols=6, frameon=False)
    for text in legend.get_texts():
        text.set_parse_math(False)  # a class may be called $
    _save(figure, path)


def _mark(axis: Axes, alarm: Mapping[str, Any], colour: str, number: int) -> None:
    """A vertical line with the detector's name, in turn at its upper and its lower end."""
    axis.axvline(alarm["epoch"], color=colour, linestyle="-" if alarm["consequence"] == "stop" else ":", linewidth=1)
    height, end = ((0.98, "top"), (0.06, "bottom"))[number % 2]
    place: dict[str, Any] = {"transform": axis.get_xaxis_transform(), "va": end, "ha": "right", "rotation": 90}
    ground = {"facecolor": "white", "edgecolor": "none", "alpha": 0.8, "pad": 0.5}
    axis.text(
        alarm["epoch"], height, alarm["detector"].replace("_", " "), **place, fontsize=7, color=colour, bbox=ground
    )


_WIDTHS, _LINE, _LANE = (3.3, 2.3), 0.15, 0.2  # inches: of boxes in column 0 and beside it, of text lines, of lanes


@dataclass(frozen=True)
class _Page:
    """Where things are in the picture of a network, in inches from its upper left corner.

    Attributes:
        middles: of boxes by name; trunks: of the long arrows that leave them.
        tops: of boxes by row.
        bends: by row and name, heights above the row in which the arrows of that box turn sideways.
        height: of all.
    """

    middles: dict[str, float]
    trunks: dict[str, float]
    tops: dict[int, float]
    bends: dict[tuple[int, str], float]
    height: float


def draw_network(path: Path, layers: Sequence["Layer"]) -> None:
    """A network from top to bottom: boxes with kinds, first name, shape of the output and number of parameters.

    Args:
        layers: boxes with their places, as `tasks.gan.diagrams.layers_of` gives them.
    """
    lines = {layer.name: _lines_of(layer) for layer in layers}
    page = _page(layers, lines)
    width = max(page.middles[layer.name] + _width(layer) / 2 for layer in layers) + 0.2
    figure = Figure(figsize=(width, page.height))
    axis = figure.add_axes((0, 0, 1, 1), xlim=(0, width), ylim=(page.height, 0))
    axis.set_axis_off()
    axis.text(width / 2, 0.25, f"{sum(layer.parameters for layer in layers):,} parameters", ha="center")
    for layer in layers:
        left, top = page.middles[layer.name] - _width(layer) / 2, page.tops[layer.row]
        height = _height(lines[layer.name])
        face = "#dce9f7" if layer.parameters else "#eeeeee"
        axis.add_patch(Rectangle((left, top), _width(layer), height, facecolor=face, edgecolor="0.4", linewidth=0.8))
        for number, line in enumerate(lines[layer.name]):
            style: dict[str, Any] = {"weight": "bold"} if line != lines[layer.name][-1] else {"color": "0.3"}
            place = (left + 0.1, top + 0.07 + _LINE * (number + 0.5))
            axis.text(*place, line, va="center", fontsize=7.5, parse_math=False, **style)
        takers = [each for each in layers if layer.name in each.inputs]
        _draw_arrows(axis, [_way(page, layer, each, top + height) for each in takers])
    _save(figure, path)


def _lines_of(layer: "Layer") -> list[str]:
    """Kinds, as many lines as they need, and one of details."""
    whole = layer.kind.replace(" ", "\u00a0").replace("\u00a0·\u00a0", "\u00a0· ")  # breaks between layers only
    kinds = [line for part in whole.splitlines() for line in textwrap.wrap(part, 48 if layer.column == 0 else 32)]
    count = f"{layer.parameters:,} parameters" if layer.parameters else ""
    return [*kinds, ", ".join(part for part in (layer.name, layer.shape, count) if part)]


def _width(layer: "Layer") -> float:
    return _WIDTHS[layer.column > 0]


def _height(lines: Sequence[str]) -> float:
    return 0.14 + _LINE * len(lines)


def _page(layers: Sequence["Layer"], lines: Mapping[str, Sequence[str]]) -> _Page:
    edge = 0.2 + _WIDTHS[0]
    beside = edge + 0.3 + _LANE * max(layer.lane for layer in layers) + _WIDTHS[1] / 2
    columns = [edge - _WIDTHS[0] / 2, *(beside + number * (_WIDTHS[1] + 0.3) for number in range(len(layers)))]
    middles = {layer.name: columns[layer.column] for layer in layers}
    trunks = {layer.name: edge + _LANE * layer.lane if layer.lane else middles[layer.name] for layer in layers}
    named = {layer.name: layer for layer in layers}
    turning = set()
    for target in layers:
        for source in (named[name] for name in target.inputs):
            if _is_long(source, target):
                turning |= {(source.row + 1, source.name), (target.row, source.name)}
            elif source.column != target.column:
                turning.add((target.row, source.name))
    tops: dict[int, float] = {}
    bends: dict[tuple[int, str], float] = {}
    y = 0.2
    for row in range(max(layer.row for layer in layers) + 1):
        here = sorted((name for at, name in turning if at == row), key=lambda name: (trunks[name], name))
        bends |= {(row, name): y + 0.1 + 0.08 * number for number, name in enumerate(here)}
        tops[row] = y + 0.24 + 0.08 * len(here)
        y = tops[row] + max(_height(lines[layer.name]) for layer in layers if layer.row == row)
    return _Page(middles, trunks, tops, bends, y + 0.2)


def _is_long(source: "Layer", target: "Layer") -> bool:
    """Whether the arrow has to pass boxes of column 0."""
    return source.column == 0 and target.row > source.row + 1


def _way(page: _Page, source: "Layer", target: "Layer", start: float) -> list[tuple[float, float]]:
    """Corners of the arrow from `source`, whose lower edge is at `start`, to `target`."""
    x = page.middles[source.name]
    middle = page.middles[target.name]
    in_order = sorted(target.inputs, key=lambda name: (page.trunks[name] != middle, page.trunks[name], name))
    end = middle + 0.3 * in_order.index(source.name)
    ways = [(x, start)]
    if _is_long(source, target):
        turn, trunk = page.bends[source.row + 1, source.name], page.trunks[source.name]
        ways += [(x, turn), (trunk, turn)]
        x = trunk
    if x != end:
        turn = page.bends[target.row, source.name]
        ways += [(x, turn), (end, turn)]
    return [*ways, (end, page.tops[target.row])]


def _draw_arrows(axis: Axes, ways: Sequence[Sequence[tuple[float, float]]]) -> None:
    """The arrows that leave one box, with a dot where they part, which tells that from two that cross."""
    style: dict[str, Any] = {
        "color": "0.25",
        "linewidth": 0.72,
    }  # one pixel, so that nothing grows where arrows overlap
    for way in ways:
        axis.plot(*zip(*way, strict=True), **style)
        (x, y), head = way[-1], {"arrowstyle": "-|>", "shrinkA": 0, "shrinkB": 0, **style}
        axis.annotate("", (x, y), (x, y - 0.1), arrowprops=head)
        for corner in way[1:-1]:
            others = (pair for other in ways for pair in itertools.pairwise(other))
            if any(_inside(corner, *pair) for pair in others):
                axis.plot(*corner, "o", color="0.25", markersize=3.5)


def _inside(point: tuple[float, float], start: tuple[float, float], end: tuple[float, float]) -> bool:
    """Whether the point lies between the ends of a line that goes straight down or sideways."""
    (x, y), (left, right), (top, bottom) = point, sorted((start[0], end[0])), sorted((start[1], end[1]))
    return (left == x == right and top < y < bottom) or (top == y == bottom and left < x < right)


def _plain(axis: Axes) -> None:
    axis.spines[["top", "right"]].set_visible(False)
    axis.grid(alpha=0.3)


def _save(figure: Figure, path: Path) -> None:
    with _DRAWING:
        FigureCanvasAgg(figure)
        figure.savefig(path, dpi=100, metadata={"Software": None})
