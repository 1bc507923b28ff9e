from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from tasks.evidence import metrics
from tasks.evidence.comparison import Exam, Exams
from tasks.evidence.results import ArmResult, scores_of
from tasks.evidence.statistics import Difference
from tasks.report.tables import arms_table, natural_table, recalls_table

LABELS = np.array([0, 0, 0, 0, 1, 1, 2], np.int32)
NATURAL = LABELS < 2  # of the third class none is left


def _exams() -> Exams:
    exam = Exam(np.zeros((7, 8, 8, 1), np.uint8), LABELS, NATURAL)
    return Exams(exam, exam, ["a", "b", "c"], np.array([9, 5, 1]))


def _comparison() -> Any:
    """One arm that is always right, twice."""
    right = np.eye(3, dtype=np.float32)[[LABELS, LABELS]]
    history = pd.DataFrame({"train_accuracy": [1.0], "validation_accuracy": [0.9]})
    arm = ArmResult(scores_of(right, LABELS), scores_of(right[:, NATURAL], LABELS[NATURAL]), 0.9, (0.1, 0.1), history)
    return SimpleNamespace(arms={"one": arm}, p_values={}, gaps={"one": None})


def test_the_majority_is_scored_by_the_classes_that_are_there() -> None:
    assert natural_table(_comparison(), _exams())[2:] == [
        "| one | 1.0000 | 1.0000 | 1.0000 |",
        "| majority | 0.6667 | 0.5000 | 0.4000 |",  # (2 * 4/6 / (1 + 4/6)) / 2
    ]
    line = arms_table(_comparison(), _exams())[-1]
    assert line.startswith("| majority | 0.3333 | 0.0000 | 0.5714 | 0.2424 | 0.0000 |")


def test_a_class_called_with_a_bar_keeps_its_cell() -> None:
    balance = pd.DataFrame([{"label": "a|b", "real": 3, "synthetic": 0, "abstained": ""}])
    none = Difference(0.0, 0.0, 0.0, 1.0, np.zeros(2))
    comparison: Any = SimpleNamespace(recalls={"a|b": (none, 1.0)})
    line = recalls_table(comparison, balance)[-1]
    assert line.startswith(r"| a\|b | 3 | 0 |")


def test_the_mean_of_known_values_leaves_out_those_that_are_none() -> None:
    assert metrics.known_mean(np.array([1.0, np.nan, 3.0])) == pytest.approx(2)
    assert np.isnan(metrics.known_mean(np.array([np.nan])))
