import itertools
from pathlib import Path
from typing import Any

import pytest
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from tasks.report import network_plot
from tasks.report.network_plot import draw_network


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[Figure]:
    """The figures that would be saved."""
    figures: list[Figure] = []
    monkeypatch.setattr(network_plot, "save", lambda figure, path: figures.append(figure))  # noqa: ARG005
    return figures


def _layer(name: str, *inputs: str, parameters: int = 7, kind: str = "Conv2D", **details: Any) -> dict[str, Any]:
    values = {"type": kind, "shape": [8, 8, 4], "parameters": parameters, "inputs": list(inputs), "details": details}
    return {"name": name, **values}


# A residual net with a shortcut of its own weights, noise that enters it in two places, and two ways to its end.
NET = [
    _layer("images", parameters=0, kind="InputLayer"),
    _layer("stem", "images", kernel=[3, 3], stride=2),
    _layer("norm", "stem", parameters=16, kind="BatchNormalization"),
    _layer("noise", parameters=0, kind="InputLayer"),
    _layer("first", "norm", "noise"),
    _layer("relu", "first", parameters=0, kind="LeakyReLU", negative_slope=0.2),
    _layer("short", "norm"),
    _layer("sum", "relu", "short", parameters=0, kind="Add"),
    _layer("last", "sum", "noise", "norm", activation="tanh"),
]


def test_boxes_say_what_they_are_and_layers_without_weights_join_the_one_before(
    tmp_path: Path, drawn: list[Figure]
) -> None:
    draw_network(tmp_path / "net.png", NET)
    axis = drawn[0].axes[0]
    texts = [text.get_text() for text in axis.texts if text.get_text()]
    assert texts[0] == "44 parameters"
    assert texts[1:] == [
        "Input",
        "images, 8x8x4",
        "Conv2D 3x3 stride 2 · BatchNormalization",
        "stem, 8x8x4, 23 parameters",
        "Input",
        "noise, 8x8x4",
        "Conv2D · LeakyReLU 0.2",
        "first, 8x8x4, 7 parameters",
        "Conv2D",
        "short, 8x8x4, 7 parameters",
        "Add",
        "sum, 8x8x4",
        "Conv2D tanh",
        "last, 8x8x4, 7 parameters",
    ]
    heads = [text for text in axis.texts if getattr(text, "arrow_patch", None)]
    assert len(heads) == 9  # of all ways between boxes


def test_arrows_go_straight_through_no_box_and_share_no_lane(tmp_path: Path, drawn: list[Figure]) -> None:
    draw_network(tmp_path / "net.png", NET)
    axis = drawn[0].axes[0]
    boxes = [patch for patch in axis.patches if isinstance(patch, Rectangle)]
    upright: dict[float, set[tuple[float, float, float]]] = {}
    for line in axis.get_lines():
        corners = [*zip(line.get_xdata(), line.get_ydata(), strict=True)]
        for (x, y), (to_x, to_y) in itertools.pairwise(corners):
            assert x == to_x or y == to_y
            assert to_y >= y
            for box in boxes:
                beside = min(x, to_x) >= box.get_x() + box.get_width()
                assert beside or to_y <= box.get_y() or y >= box.get_y() + box.get_height()
            if x == to_x and len(corners) > 2:
                upright.setdefault(x, set()).add((corners[0][1], y, to_y))
    for ways in upright.values():
        for (one, _, end), (other, start, _) in itertools.permutations(ways, 2):
            assert one == other or one > other or end <= start


def test_equal_data_gives_equal_bytes(tmp_path: Path) -> None:
    for name in ("a.png", "b.png"):
        draw_network(tmp_path / name, NET)
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()
