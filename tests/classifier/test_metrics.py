import numpy as np
import pytest

from tasks.classifier import metrics

LABELS = np.array([0, 0, 0, 0, 1, 1, 2, 2])
PREDICTED = np.array([0, 0, 0, 1, 1, 0, 2, 2])
PROBABILITIES = np.eye(3)[PREDICTED] * 0.4 + 0.2


def test_accuracy_counts_images():
    assert metrics.accuracy(PROBABILITIES, LABELS) == 6 / 8


def test_balanced_accuracy_counts_classes():
    assert metrics.balanced_accuracy(PROBABILITIES, LABELS) == pytest.approx((3 / 4 + 1 / 2 + 1) / 3)


def test_recalls_by_class():
    assert metrics.recalls(PROBABILITIES, LABELS).tolist() == [0.75, 0.5, 1.0]


def test_confusion_has_true_classes_as_rows():
    assert metrics.confusion(PROBABILITIES, LABELS).tolist() == [[3, 1, 0], [1, 1, 0], [0, 0, 2]]


def test_correct_takes_several_trainings():
    right = PREDICTED == LABELS
    both = metrics.correct(np.stack([PROBABILITIES, np.eye(3)[LABELS]]), LABELS)
    assert both.tolist() == [right.tolist(), [True] * 8]


def test_an_absent_class_does_not_count():
    some = LABELS < 2
    recalls = metrics.recalls(PROBABILITIES[some], LABELS[some])
    np.testing.assert_array_equal(recalls, [0.75, 0.5, np.nan])
    assert metrics.balanced_accuracy(PROBABILITIES[some], LABELS[some]) == 0.625
    assert metrics.confusion(PROBABILITIES[some], LABELS[some]).shape == (3, 3)


@pytest.mark.parametrize(
    ("arm", "share"), [(0.9, 0.5), (0.8, 0.0), (1.0, 1.0), (0.7, -0.5)], ids=["half", "none", "all", "worse"]
)
def test_share_of_gap(arm, share):
    assert metrics.share_of_gap(arm, baseline=0.8, oracle=1.0) == pytest.approx(share)


@pytest.mark.parametrize("oracle", [0.8, 0.7])
def test_share_of_gap_is_undefined_without_a_gap(oracle):
    assert metrics.share_of_gap(0.9, baseline=0.8, oracle=oracle) is None
