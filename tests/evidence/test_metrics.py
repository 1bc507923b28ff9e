import numpy as np
import pytest

from tasks.evidence import metrics

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


def test_wrong_shares_are_of_the_predictions_of_a_class():
    assert metrics.wrong_shares(PROBABILITIES, LABELS).tolist() == pytest.approx([1 / 4, 1 / 2, 0])
    assert np.isnan(metrics.wrong_shares(np.eye(3)[[0, 0, 1]], np.array([0, 0, 2]))[2])


def test_f1_and_g_mean_by_hand():
    f1 = [2 * 0.75 * 0.75 / 1.5, 2 * 0.5 * 0.5 / 1.0, 1.0]
    assert metrics.macro_f1(PROBABILITIES, LABELS) == pytest.approx(np.mean(f1))
    assert metrics.g_mean(PROBABILITIES, LABELS) == pytest.approx((0.75 * 0.5 * 1) ** (1 / 3))
    assert metrics.g_mean(np.eye(3)[[0, 0]], np.array([0, 1])) == 0


def test_calibration_error_is_the_gap_of_confidence_and_accuracy():
    sure = np.eye(2)[[0, 0, 0, 0]] * 0.8 + 0.1  # 90% sure, right in three of four
    assert metrics.calibration_error(sure, np.array([0, 0, 0, 1])) == pytest.approx(0.15)
    assert metrics.calibration_error(np.eye(2)[[0, 1]], np.array([0, 1])) == 0


@pytest.mark.parametrize("divisor", [0.5, 1.0, 3.0])
def test_temperature_finds_by_how_much_logits_are_too_large(divisor):
    rng = np.random.default_rng(0)
    logits = rng.normal(0, 2, (20_000, 3))
    true = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    labels = (true.cumsum(axis=1) > rng.random((20_000, 1))).argmax(axis=1)
    stretched = metrics.scale(true, 1 / divisor)
    found = metrics.temperature(stretched, labels)
    assert found == pytest.approx(divisor, rel=0.05)
    np.testing.assert_array_equal(stretched.argmax(axis=1), true.argmax(axis=1))
    assert metrics.calibration_error(metrics.scale(stretched, found), labels) < 0.02
