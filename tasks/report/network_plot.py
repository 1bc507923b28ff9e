"""The picture of a network."""

import itertools
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from tasks.report.plots import save

if TYPE_CHECKING:
    from tasks.report.diagrams import Layer

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
        layers: boxes with their places, as `tasks.report.diagrams.layers_of` gives them.
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
    save(figure, path)


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
