import itertools
import math
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from numpy.typing import NDArray
from PIL import Image

from tasks.support import plots
from tasks.support.params import Detectors
from tasks.support.plots import draw_history, draw_network, draw_sheet


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[Figure]:
    """The figures that would be saved."""
    figures: list[Figure] = []
    monkeypatch.setattr(plots, "_save", lambda figure, path: figures.append(figure))  # noqa: ARG005
    return figures


def _pixels(path: Path) -> NDArray[np.uint8]:
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB"))


def test_a_sheet_enlarges_small_images_by_a_whole_number(tmp_path: Path) -> None:
    images = np.random.default_rng(0).integers(0, 256, (7, 7, 8, 8, 1), np.uint8)
    draw_sheet(tmp_path / "sheet.png", images, [], "epoch 10")
    pixels = _pixels(tmp_path / "sheet.png")
    assert pixels.shape == (34 + 7 * 68 + 4, 10 + 7 * 68 + 4, 3)
    for row, column in ((0, 0), (3, 5), (6, 6)):
        cell = pixels[34 + 68 * row :, 10 + 68 * column :][:64, :64]
        expected = images[row, column].repeat(8, axis=0).repeat(8, axis=1)
        np.testing.assert_array_equal(cell, np.broadcast_to(expected, (64, 64, 3)))
    assert (pixels[34 + 64 : 34 + 68, 10:] == 255).all()  # the gap between two rows


def test_a_sheet_shows_each_pixel_of_a_large_image_once(tmp_path: Path) -> None:
    images = np.random.default_rng(0).integers(0, 256, (2, 3, 128, 128, 3), np.uint8)
    draw_sheet(tmp_path / "sheet.png", images, ["bird", ""], "generated, by class")
    pixels = _pixels(tmp_path / "sheet.png")
    left = 10 + 9 * len("bird")
    assert pixels.shape[:2] == (34 + 2 * 132 + 4, left + 3 * 132 + 4)
    np.testing.assert_array_equal(pixels[34 + 132 :, left + 264 :][:128, :128], images[1, 2])
    names = pixels[34:, :left].min(axis=(1, 2)) < 128
    assert names[40:90].any()  # beside the middle of the first row
    assert not names[132:].any()


def test_a_sheet_of_one_image_has_room_for_its_title(tmp_path: Path) -> None:
    draw_sheet(tmp_path / "sheet.png", np.zeros((1, 1, 64, 64, 1), np.uint8), [], "a title with $ and $ in it")
    pixels = _pixels(tmp_path / "sheet.png")
    assert pixels.shape[1] == 9 * 26
    assert (pixels[:34, [0, -1]] == 255).all()
    assert (pixels[:34] < 128).any()


def _history(trainings: int = 1, epochs: int = 30) -> pd.DataFrame:
    rows = [
        {"seed": training // 2, "part": ["bird", "$cat$"][training % 2], "epoch": epoch}
        | {"g_loss": 1.0 + training, "d_loss": 2.0, "d_loss_spread": 0.25, "real_accuracy": 0.7, "fake_accuracy": 0.6}
        | {"g_gradient": 3.0, "d_gradient": 4.0, "kid": 1 / epoch - 0.1, "diversity_mean": 0.9, "diversity_least": 0.5}
        for training in range(trainings)
        for epoch in range(1, epochs + 1)
    ]
    return pd.DataFrame(rows)


def _alarm(detector: str, epoch: int, seed: int = 0, part: str = "bird", consequence: str = "warn") -> dict[str, Any]:
    return {"detector": detector, "epoch": epoch, "seed": seed, "part": part, "consequence": consequence}


def test_a_history_has_one_line_per_training_and_side(tmp_path: Path, drawn: list[Figure]) -> None:
    draw_history(tmp_path / "history.png", _history(4), [], snapshots=[10, 20])
    [figure] = drawn
    lines = {axis.get_title().split(" (")[0]: axis.get_lines() for axis in figure.axes}
    counts = {title: sum(len(line.get_xdata()) == 30 for line in of) for title, of in lines.items()}
    assert counts == {
        "loss of G": 4,
        "loss of D": 4,
        "accuracy of D": 8,
        "gradient norm": 8,
        "KID against train": 4,
        "diversity": 8,
    }
    assert [line.get_ydata()[0] for line in lines["loss of G"][:4]] == [1, 2, 3, 4]
    assert {line.get_color() for line in lines["accuracy of D"][:8]} == {"C0", "C1", "C2", "C3"}
    for of in lines.values():
        assert [line.get_xdata()[0] for line in of if line.get_marker() == "^"] == [10, 20]
    names = [text.get_text() for text in figure.legends[0].get_texts()]
    assert names == ["seed 0, bird", "seed 0, $cat$", "seed 1, bird", "seed 1, $cat$"]


def test_an_alarm_is_a_named_line_where_it_belongs_in_its_trainings_colour(tmp_path: Path, drawn: list[Figure]) -> None:
    raised = [
        _alarm("d_loss_drop", 12),
        _alarm("d_loss_zero", 17, part="$cat$"),
        _alarm("collapse", 22, seed=1, consequence="stop"),
    ]
    draw_history(tmp_path / "history.png", _history(3), raised)
    marks = {
        text.get_text(): (axis.get_title().split(" (")[0], text.get_position()[0], text.get_color())
        for axis in drawn[0].axes
        for text in axis.texts
    }
    assert marks == {
        "d loss drop": ("loss of D", 12, "C0"),
        "d loss zero": ("loss of D", 17, "C1"),
        "collapse": ("diversity", 22, "C2"),
    }
    [line] = [line for line in drawn[0].axes[5].get_lines() if list(line.get_xdata()) == [22, 22]]
    assert (line.get_linestyle(), line.get_color()) == ("-", "C2")
    heights = [text.get_position()[1] for text in drawn[0].axes[1].texts]
    assert len(set(heights)) == 2  # neighbours do not cover each other


def test_every_detector_has_a_panel(tmp_path: Path, drawn: list[Figure]) -> None:
    names = ["not_finite", *Detectors.model_fields]
    draw_history(tmp_path / "history.png", _history(1, 20), [_alarm(name, at) for at, name in enumerate(names)])
    marked = {text.get_text() for axis in drawn[0].axes for text in axis.texts}
    assert marked == {name.replace("_", " ") for name in names}


@pytest.mark.parametrize("epochs", [1, 3])
def test_a_history_that_diverged_can_be_drawn(tmp_path: Path, epochs: int) -> None:
    table = _history(1, epochs).assign(g_gradient=0.0, d_gradient=0.0)
    table.loc[epochs - 1, ["g_loss", "kid", "d_loss_spread"]] = [math.nan, math.inf, math.nan]
    draw_history(tmp_path / "history.png", table, [_alarm("not_finite", epochs, consequence="stop")])
    assert _pixels(tmp_path / "history.png").shape == (745, 1500, 3)


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
    lines = {box.name: plots._lines_of(box) for box in NET}
    page, named = plots._page(NET, lines), {box.name: box for box in NET}
    ways = {
        (name, box.name): plots._way(page, named[name], box, page.tops[named[name].row] + plots._height(lines[name]))
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
                half, top = plots._width(box) / 2, page.tops[box.row]
                beside = max(x, to_x) < page.middles[box.name] - half or min(x, to_x) > page.middles[box.name] + half
                assert beside or to_y <= top or y >= top + plots._height(lines[box.name]), (box.name, way)


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


@pytest.mark.parametrize(
    "draw",
    [
        lambda path: draw_network(path, NET),
        lambda path: draw_history(path, _history(2), [_alarm("collapse", 3)], snapshots=[5]),
        lambda path: draw_sheet(path, np.full((2, 2, 8, 8, 3), 9, np.uint8), ["a", "b"], "title"),
    ],
)
def test_equal_data_gives_equal_bytes(tmp_path: Path, draw: Callable[[Path], None]) -> None:
    for name in ("a.png", "b.png"):
        draw(tmp_path / name)
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()
