from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from tasks.evidence.comparison import Exam, Exams
from tasks.evidence.results import ArmResult
from tasks.report import gallery
from tasks.report.gallery import enlargement_lines, sample_lines, training_lines
from tasks.report.sheets import Row
from tasks.report.tables import overfitting_table
from tests.classifier.examples import arm, made, mixed


def _exams(validation: list[int], test: list[int], classes: list[str]) -> Exams:
    """Images whose pixels all have their place as value."""
    first, second = (
        Exam(
            images=np.arange(len(labels), dtype=np.uint8)[:, None, None, None].repeat(8, 1).repeat(8, 2),
            labels=np.array(labels, np.int32),
            natural=np.ones(len(labels), bool),
        )
        for labels in (validation, test)
    )
    return Exams(first, second, classes, np.arange(100, 100 + len(classes)))


@pytest.fixture
def sheets(monkeypatch: pytest.MonkeyPatch) -> list[list[Row]]:
    """The rows of the sheets that are drawn."""
    drawn: list[list[Row]] = []
    monkeypatch.setattr(gallery, "draw_sheet", lambda _path, _title, rows, *_: drawn.append(rows))
    return drawn


def test_each_class_has_a_row_of_its_validation_images_and_its_counts(tmp_path: Path, sheets: list[list[Row]]) -> None:
    lines = sample_lines(tmp_path, _exams([0] * 15 + [2, 2], [0, 1, 1, 2], ["cat", "dog", "emu"]))
    (rows,) = sheets
    assert [row.name for row in rows] == [
        "cat\n100 train, 15 validation, 1 test",
        "dog\n101 train, 0 validation, 2 test",
        "emu\n102 train, 2 validation, 1 test",
    ]
    shown = [[int(cell.image[0, 0, 0]) for cell in row.cells] for row in rows]
    assert shown == [[0, 2, 4, 6, 8, 10, 12, 14], [], [15, 16]]
    assert "0 = cat, 1 = dog, 2 = emu." in lines


def test_of_many_classes_twenty_are_shown_and_the_report_says_so(tmp_path: Path, sheets: list[list[Row]]) -> None:
    names = [f"class {number:02d}" for number in range(23)]
    lines = sample_lines(tmp_path, _exams(list(range(23)), [0], names))
    assert len(sheets[0]) == 20
    assert "after `split.keep`; the first 20 of 23 classes." in lines


def test_samples_are_drawn_where_a_class_has_none(tmp_path: Path) -> None:
    sample_lines(tmp_path, _exams([0], [0, 1], ["cat", "dog"]))
    assert (tmp_path / "samples.png").exists()


ARMS = {
    "plain": arm(),
    "changed": arm(augmentation="shifts"),
    "mixed": arm(augmentation="shifts", **mixed(0.2)),
    "gan": arm(augmentation="shifts", **mixed(0.4), **made()),
}


def _comparison(**gaps: float) -> Any:
    """Results whose accuracy in training exceeds that on validation by so much at the end."""
    none: Any = None
    arms = {}
    for name, gap in gaps.items():
        history = pd.DataFrame(
            {
                "step": [10, 20, 30],
                "train_accuracy": [0.5, 0.6, 0.7 + gap],
                "validation_accuracy": [0.5, 0.7, 0.7],
                "validation_loss": [0.9, 0.5, 0.6],
            }
        )
        arms[name] = ArmResult(none, none, 0.7, (0.0, 0.0), history)
    return SimpleNamespace(arms=arms, pair=("gan", "changed"))


def test_the_report_shows_pictures_of_the_pair_equal_ones_once_and_links_the_rest(tmp_path: Path) -> None:
    (tmp_path / "report").mkdir()
    drawn = {
        "plain": ["batch"],
        "changed": ["batch", "changes"],
        "mixed": ["beta"],
        "gan": ["batch", "beta", "changes"],
    }
    for name, kinds in drawn.items():
        (tmp_path / name).mkdir()
        for kind in kinds:
            content = "the same" if kind == "changes" else f"{kind} of {name}"
            (tmp_path / name / f"{kind}.png").write_text(content)
    comparison = _comparison(plain=0.3, changed=0.1, mixed=-0.2, gan=-0.1)
    text = "\n".join(training_lines(tmp_path / "report", comparison, ARMS, tmp_path))
    shown = {"batch_gan.png", "batch_changed.png", "beta_gan.png", "changes_gan.png"}
    assert {path.name for path in (tmp_path / "report").iterdir()} == shown | {"overfitting.png"}
    assert (tmp_path / "report/batch_changed.png").read_text() == "batch of changed"
    assert all(f"({name})" in text for name in shown)
    assert "gan and changed:\n\n![changes of gan](changes_gan.png)" in text
    assert "[plain](../classifiers/plain/), [mixed](../classifiers/mixed/)." in text
    pair = "changed changes images and ends with a gap of +0.100; plain, alike but for that, +0.300."
    assert [line for line in text.splitlines() if "a gap of" in line] == [pair]


def test_of_arms_that_differ_in_more_than_changes_of_images_the_report_says_nothing(tmp_path: Path) -> None:
    arms = ARMS | {"plain": arm(oversample=True)}
    text = "\n".join(training_lines(tmp_path, _comparison(plain=0.3, changed=0.1, mixed=0.1, gan=0.1), arms, tmp_path))
    assert "a gap of" not in text


def test_the_report_warns_where_synthetic_images_were_enlarged() -> None:
    assert enlargement_lines(64, 64) == enlargement_lines(64, 32) == []
    text = " ".join(enlargement_lines(128, 150))
    assert text.startswith("**Synthetic images have 128 pixels a side and were enlarged to 150: their blur may tell")


def test_the_table_says_what_an_arm_does_and_how_far_its_accuracies_part() -> None:
    comparison = _comparison(plain=0.3, mixed=-0.2)
    assert overfitting_table(comparison, ARMS)[2:] == [
        "| plain | none | none | 1.0000 | 0.7000 | +0.3000 | 20 of 30 |",
        "| mixed | shifts | 0.2 | 0.5000 | 0.7000 | -0.2000 | 20 of 30 |",
    ]
