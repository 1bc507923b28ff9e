from typing import Any

import numpy as np
import pandas as pd

from tasks.core.params import load
from tasks.evidence.comparison import Predicted, Targets, compare_arms
from tasks.evidence.results import ClassGain, Comparison
from tasks.evidence.statistics import Difference
from tasks.report.tables import (
    arms_table,
    by_class_tables,
    checks_table,
    conditions_table,
    markdown_table,
    natural_table,
    overfitting_table,
    recalls_table,
)
from tests.classifier.examples import arm, made, mixed
from tests.parameters import ROOT

LABELS = np.array([0, 0, 0, 0, 1, 1, 2], np.int32)
NATURAL = LABELS < 2  # of the third class none is left
ARMS = {"one": arm(), "gan": arm(**made(), **mixed(0.2), augmentation="shifts")}
ARMS["twin"] = ARMS["gan"].model_copy(update={"twin": True})
HISTORY = pd.DataFrame(
    {
        "step": [10, 20, 30],
        "train_accuracy": [0.5, 0.6, 1.0],
        "validation_accuracy": [0.5, 0.7, 0.7],
        "validation_balanced_accuracy": [0.5, 0.7, 0.9],
        "validation_loss": [0.9, 0.5, 0.6],
    }
)


def _comparison() -> Comparison:
    """Arms that are always right, twice."""
    right = np.eye(3, dtype=np.float32)[[LABELS, LABELS]]
    predicted = {name: Predicted(right, right, HISTORY) for name in ARMS}
    targets = Targets(["a", "b", "c"], np.array([9, 5, 1]), LABELS, LABELS, NATURAL)
    evaluate = load(ROOT).evaluate.model_copy(update={"resamples": 100, "baseline": "one", "oracle": None})
    return compare_arms(evaluate, ARMS, targets, predicted, None)


def test_the_majority_is_scored_by_the_classes_that_are_there() -> None:
    assert natural_table(_comparison())[2:] == [
        *(f"| {name} | 1.0000 | 1.0000 | 1.0000 |" for name in ARMS),
        "| majority | 0.6667 | 0.5000 | 0.4000 |",  # (2 * 4/6 / (1 + 4/6)) / 2
    ]
    line = arms_table(_comparison())[-1]
    assert line.startswith("| majority | 0.3333 | 0.0000 | 0.5714 | 0.2424 | 0.0000 |")


def test_an_arm_has_its_scores_in_a_row() -> None:
    line = next(line for line in arms_table(_comparison()) if line.startswith("| twin"))
    start = "| twin | 1.0000 | 0.0000 | 1.0000 | 1.0000 | 1.0000 | undefined | 0.9000 | "
    assert line.startswith(start)
    assert line.endswith(" | +0.3000 | 1.000 |")


def test_a_class_that_is_absent_has_no_recall() -> None:
    lines = by_class_tables(_comparison())
    assert lines[0] == "Recall, on all test images:"
    assert [line for line in lines if line.startswith("| one")] == [
        "| one | 1.000 | 1.000 | 1.000 |",
        "| one | 0.000 | 0.000 | 0.000 |",
        "| one | 1.000 | 1.000 | none |",
        "| one | 0.000 | 0.000 | none |",
    ]


def test_conditions_that_fail_are_bold() -> None:
    table = conditions_table(_comparison())
    assert table[0] == "| condition | holds | found |"
    assert any(line.startswith("| gain | **no** | The balanced accuracy differs by +0.0000") for line in table)


def test_a_class_called_with_a_bar_keeps_its_cell_and_has_its_reason() -> None:
    balance = pd.DataFrame([{"label": "a|b", "real": 3, "synthetic": 0, "abstained": "few"}])
    none = ClassGain(Difference(0.0, 0.0, 0.0, 1.0, (0.0, 0.0)), 1.0)
    comparison: Any = type("Compared", (), {"recalls": {"a|b": none}})
    line = recalls_table(comparison, balance, {"a|b": "it has too few images"})[-1]
    assert line == r"| a\|b | 3 | 0 | +0.0000 [+0.0000, +0.0000] | 1.000 | it has too few images |"


def test_the_table_says_what_an_arm_does_and_how_far_its_accuracies_part() -> None:
    table = overfitting_table(_comparison(), ARMS, dict.fromkeys(ARMS, HISTORY))
    assert table[2:4] == [
        "| one | none | none | 1.0000 | 0.7000 | +0.3000 | 20 of 30 |",
        "| gan | shifts | 0.2 | 1.0000 | 0.7000 | +0.3000 | 20 of 30 |",
    ]


def test_a_check_shows_its_bounds_and_what_it_leads_to() -> None:
    row = {"table": "t", "column": "c", "rule": "between", "minimum": 1, "maximum": None, "observed": 0.5}
    table = checks_table([row | {"passed": False, "fatal": True}, row | {"passed": True, "fatal": False}])
    assert table[2:] == [
        "| t | c | between | 1 |  | 0.5 | no | stops |",
        "| t | c | between | 1 |  | 0.5 | yes | is reported |",
    ]


def test_columns_of_text_are_aligned_to_the_left() -> None:
    assert markdown_table(["a", "b"], [["x", "1"]]) == ["| a | b |", "| --- | --: |", "| x | 1 |"]
