"""The picture of a network, from its table of layers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from tasks.report.plots import save

_LEFT, _WIDTH, _LINE, _GAP, _LANE = 0.2, 3.6, 0.15, 0.16, 0.15  # inches: of boxes, text lines, gaps and lanes
_LETTERS = 45  # of a line

Layer = Mapping[str, Any]


@dataclass(eq=False)
class _Box:
    """A layer, and those after it that go without saying; `inputs` are the boxes whose output it takes."""

    lines: list[str]
    shape: str
    parameters: int
    inputs: list["_Box"]


def draw_network(path: Path, layers: Sequence[Layer]) -> None:
    """A network from top to bottom: boxes with types of layers, first name, shape of the output, and parameters.

    An arrow that passes boxes runs at their right.

    Args:
        layers: rows of networks.json, with name, type, shape, parameters, inputs and details; inputs come first.
    """
    boxes = _boxes(layers)
    heights = [0.14 + _LINE * len(box.lines) for box in boxes]
    tops = [0.5 + sum(heights[:row]) + _GAP * row for row in range(len(boxes))]
    ways = [(boxes.index(sender), row) for row, box in enumerate(boxes) for sender in box.inputs]
    lanes = _lanes([way for way in ways if way[1] > way[0] + 1])
    width, height = 2 * _LEFT + _WIDTH + 0.2 + _LANE * max([0, *lanes.values()]), tops[-1] + heights[-1] + 0.2
    figure = Figure(figsize=(width, height))
    axis = figure.add_axes((0, 0, 1, 1), xlim=(0, width), ylim=(height, 0))
    axis.set_axis_off()
    axis.text(_LEFT + _WIDTH / 2, 0.25, f"{sum(box.parameters for box in boxes):,} parameters", ha="center")
    for box, top, size in zip(boxes, tops, heights, strict=True):
        _draw_box(axis, box, top, size)
    middle, edge = _LEFT + _WIDTH / 2, _LEFT + _WIDTH
    for start, end in ways:
        if end == start + 1:
            _draw_arrow(axis, [(middle, tops[start] + heights[start]), (middle, tops[end])])
        else:
            lane, leaving = edge + 0.2 + _LANE * lanes[start], tops[start] + heights[start] - 0.06
            entering = tops[end] + 0.08 + 0.1 * [sender for sender, row in ways if row == end].index(start)
            _draw_arrow(axis, [(edge, leaving), (lane, leaving), (lane, entering), (edge, entering)])
    save(figure, path)


def _boxes(layers: Sequence[Layer]) -> list[_Box]:
    """Boxes in the order of the layers.

    A layer without parameters, or a normalisation, joins the box of its only input if no other layer takes that.
    """
    boxes: list[_Box] = []
    box_of: dict[str, _Box] = {}
    for layer in layers:
        words, shape = _words(layer), "x".join(str(size) for size in layer["shape"]) or "1"
        box = box_of[layer["inputs"][0]] if len(layer["inputs"]) == 1 else None
        light = not layer["parameters"] or "Normalization" in layer["type"]
        takers = [other for other in layers if set(other["inputs"]) & set(layer["inputs"])]
        if box and box.inputs and light and len(takers) == 1:
            if len(box.lines[-1]) + len(words) < _LETTERS:
                box.lines[-1] += f" · {words}"
            else:
                box.lines.append(words)
            box.shape, box.parameters = shape, box.parameters + layer["parameters"]
        else:
            inputs = list({id(box_of[name]): box_of[name] for name in layer["inputs"]}.values())
            box = _Box([layer["name"], words], shape, layer["parameters"], inputs)
            boxes.append(box)
        box_of[layer["name"]] = box
    for box in boxes:
        name, *kinds = box.lines
        count = f"{box.parameters:,} parameters" if box.parameters else ""
        box.lines = [*kinds, ", ".join(word for word in (name, box.shape, count) if word)]
    return boxes


def _lanes(ways: Sequence[tuple[int, int]]) -> dict[int, int]:
    """The lane, from 0, in which the arrows of a row run to the last row that they reach: the first that is free."""
    busy: list[int] = []
    lanes: dict[int, int] = {}
    for start in sorted({start for start, _ in ways}):
        last = max(end for sender, end in ways if sender == start)
        lanes[start] = next((lane for lane, row in enumerate(busy) if row < start), len(busy))
        busy[lanes[start] : lanes[start] + 1] = [last]
    return lanes


def _words(layer: Layer) -> str:
    """Type of a layer and its details: `Conv2D 3x3 stride 2`."""
    details = dict(layer["details"])
    kernel = "x".join(str(size) for size in details.pop("kernel", []))
    stride = f"stride {details.pop('stride')}" if "stride" in details else ""
    rest = [value if isinstance(value, str) else f"{value:g}" for value in details.values()]
    return " ".join(word for word in (layer["type"].removesuffix("Layer"), kernel, stride, *rest) if word)


def _draw_box(axis: Axes, box: _Box, top: float, height: float) -> None:
    face = "#dce9f7" if box.parameters else "#eeeeee"
    axis.add_patch(Rectangle((_LEFT, top), _WIDTH, height, facecolor=face, edgecolor="0.4", linewidth=0.8))
    for number, line in enumerate(box.lines, 1):
        style: dict[str, Any] = {"color": "0.3"} if number == len(box.lines) else {"weight": "bold"}
        place = (_LEFT + 0.1, top + 0.07 + _LINE * (number - 0.5))
        axis.text(*place, line, va="center", fontsize=7.5, parse_math=False, **style)


def _draw_arrow(axis: Axes, way: Sequence[tuple[float, float]]) -> None:
    style: dict[str, Any] = {"color": "0.25", "linewidth": 0.72}
    axis.plot(*zip(*way, strict=True), **style)
    axis.annotate("", way[-1], way[-2], arrowprops={"arrowstyle": "-|>", "shrinkA": 0, "shrinkB": 0, **style})
