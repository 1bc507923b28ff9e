import itertools
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from matplotlib.figure import Figure

from tasks.report import network_plot
from tasks.report.network_plot import draw_network


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[Figure]:
    """The figures that would be saved."""
    figures: list[Figure] = []
    monkeypatch.setattr(network_plot, "save", lambda figure, path: figures.append(figure))  # noqa: ARG005
    return figures


def _box(name: str, row: int, column: int = 0, lane: int = 0, inputs: tuple[str, ...] = (), **more: Any) -> Any:
    values = {"kind": "Conv2D 3x3", "shape": "8x8x4", "parameters": 7, **more}
    return SimpleNamespace(name=name, inputs=inputs, row=row, column=column, lane=lane, **values)


# A residual net with a shortcut of its own weights, noise that enters it in two places, and two outputs.
NET = [
    _box("images", 0, parameters=0),
    _box("stem", 1, lane=1, inputs=("images",)),
    _box("noise", 1, column=1, parameters=0),
    _box("first", 2, inputs=("stem", "noise"), kind=" · ".join(["Conv2D 3x3 stride 2", *["BatchNormalization"] * 3])),
    _box("short", 2, column=2, inputs=("stem",)),
    _box("second", 3, lane=2, inputs=("first", "short", "stem")),
    _box("third", 4, inputs=("second", "noise")),
    _box("side", 4, column=2, inputs=("second",)),
    _box("last", 5, inputs=("third", "side", "second")),
]


def test_a_network_is_drawn_with_all_that_its_boxes_say(tmp_path: Path, drawn: list[Figure]) -> None:
    draw_network(tmp_path / "net.png", NET)
    texts = [text.get_text().replace("\u00a0", " ") for text in drawn[0].axes[0].texts]
    assert texts[0] == "49 parameters"
    assert "images, 8x8x4" in texts
    assert "first, 8x8x4, 7 parameters" in texts
    assert "Conv2D 3x3 stride 2 · BatchNormalization ·" in texts  # lines break between layers
    heads = [text for text in drawn[0].axes[0].texts if getattr(text, "arrow_patch", None)]
    assert len(heads) == sum(len(box.inputs) for box in NET)


def _geometry() -> tuple[Any, dict[str, list[str]], dict[tuple[str, str], list[tuple[float, float]]]]:
    lines = {box.name: network_plot._lines_of(box) for box in NET}
    page, named = network_plot._page(NET, lines), {box.name: box for box in NET}
    ways = {
        (name, box.name): network_plot._way(
            page, named[name], box, page.tops[named[name].row] + network_plot._height(lines[name])
        )
        for box in NET
        for name in box.inputs
    }
    return page, lines, ways


def test_arrows_go_straight_and_through_no_box() -> None:
    page, lines, ways = _geometry()
    for way in ways.values():
        for (x, y), (to_x, to_y) in itertools.pairwise(way):
            assert x == to_x or y == to_y
            assert to_y >= y
            for box in NET:
                half, top = network_plot._width(box) / 2, page.tops[box.row]
                beside = max(x, to_x) < page.middles[box.name] - half or min(x, to_x) > page.middles[box.name] + half
                assert beside or to_y <= top or y >= top + network_plot._height(lines[box.name]), (box.name, way)


def test_arrows_of_different_boxes_share_no_part_and_end_apart() -> None:
    _, _, ways = _geometry()
    for (one, target), (other, other_target) in itertools.combinations(ways, 2):
        first, second = ways[one, target], ways[other, other_target]
        assert one == other or first[-1] != second[-1]
        if one != other:
            for (a, b), (c, d) in itertools.product(itertools.pairwise(first), itertools.pairwise(second)):
                for axis in (0, 1):  # both upright, or both level, on one line
                    if a[axis] == b[axis] == c[axis] == d[axis]:
                        along = 1 - axis
                        low = max(min(a[along], b[along]), min(c[along], d[along]))
                        high = min(max(a[along], b[along]), max(c[along], d[along]))
                        assert low >= high, (one, target, other, other_target)


def test_a_dot_marks_where_arrows_part_and_none_where_they_cross(tmp_path: Path, drawn: list[Figure]) -> None:
    draw_network(tmp_path / "net.png", NET)
    _, _, ways = _geometry()
    dots = {
        (line.get_xdata()[0], line.get_ydata()[0])
        for line in drawn[0].axes[0].get_lines()
        if len(line.get_xdata()) == 1
    }
    stem, noise = ways["stem", "short"], ways["noise", "first"]
    assert stem[1] in dots  # where the shortcut leaves the column
    assert noise[1] in dots  # the noise goes on downwards
    assert ways["noise", "third"][1] not in dots  # its last turn
    assert ways["short", "second"][1] not in dots


def test_equal_data_gives_equal_bytes(tmp_path: Path) -> None:
    for name in ("a.png", "b.png"):
        draw_network(tmp_path / name, NET)
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()
