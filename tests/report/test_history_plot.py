import math
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from numpy.typing import NDArray
from PIL import Image

from tasks.core.params import Detectors
from tasks.report import candidates
from tasks.report.candidates import draw_history


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[Figure]:
    """The figures that would be saved."""
    figures: list[Figure] = []
    monkeypatch.setattr(candidates, "save", lambda figure, path: figures.append(figure))  # noqa: ARG005
    return figures


def _pixels(path: Path) -> NDArray[np.uint8]:
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB"))


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
    draw_history(tmp_path / "history.png", _history(4), [], [10, 20])
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
    draw_history(tmp_path / "history.png", _history(3), raised, [])
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
    draw_history(tmp_path / "history.png", _history(1, 20), [_alarm(name, at) for at, name in enumerate(names)], [])
    marked = {text.get_text() for axis in drawn[0].axes for text in axis.texts}
    assert marked == {name.replace("_", " ") for name in names}


@pytest.mark.parametrize("epochs", [1, 3])
def test_a_history_that_diverged_can_be_drawn(tmp_path: Path, epochs: int) -> None:
    table = _history(1, epochs).assign(g_gradient=0.0, d_gradient=0.0)
    table.loc[epochs - 1, ["g_loss", "kid", "d_loss_spread"]] = [math.nan, math.inf, math.nan]
    draw_history(tmp_path / "history.png", table, [_alarm("not_finite", epochs, consequence="stop")], [])
    assert _pixels(tmp_path / "history.png").shape == (745, 1500, 3)


def test_equal_data_gives_equal_bytes(tmp_path: Path) -> None:
    for name in ("a.png", "b.png"):
        draw_history(tmp_path / name, _history(2), [_alarm("collapse", 3)], [5])
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()
