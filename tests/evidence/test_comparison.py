"""Planted predictions, from which every number of the comparison is known."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from tasks.core.files import read_json
from tasks.core.params import Arm, Evaluate
from tasks.evidence.comparison import Predicted, Targets, compare_arms, difference_of, mean_history
from tasks.evidence.results import Comparison, read_comparison, write_comparison
from tests.classifier.examples import arm, made, mixed

CLASSES, EACH, SEEDS = ["bird", "cat", "dog"], 100, 2
LABELS = np.repeat(np.arange(3), EACH).astype(np.int32)
EVALUATE = Evaluate(
    baseline="plain",
    oracle="oracle",
    seed=0,
    resamples=200,
    confidence=0.95,
    min_seeds=2,
    max_loss_of_others=0.01,
    max_calibration_loss=0.01,
)
ARMS: dict[str, Arm] = {
    "plain": arm(),
    "oversampled": arm(oversample=True),
    "oracle": arm(withheld=True),
    "gan": arm(**made()),
    "gan_mixed": arm(**made(), **mixed(0.2)),
    "twin": arm(**made(twin=True)),
    "mixed_twin": arm(**made(twin=True), **mixed(0.2)),
}
ON_TEST = {  # recalls of bird, cat and dog
    "plain": (0.9, 0.5, 0.4),
    "oversampled": (0.8, 0.6, 0.4),
    "oracle": (0.9, 0.9, 0.9),
    "gan": (0.9, 0.9, 0.9),  # the best on test, which must not choose
    "gan_mixed": (0.7, 0.8, 0.7),
    "twin": (0.9, 0.9, 0.9),
    "mixed_twin": (0.7, 0.7, 0.7),
}
ON_VALIDATION = dict.fromkeys(ARMS, 0.5) | {"gan_mixed": 0.8, "oversampled": 0.65}
CONFIDENCE = 0.95


def _predicted(recalls: tuple[float, ...]) -> Any:
    """Probabilities (seeds, images, classes), sure of a class, which is wrong for the last images of each class."""
    guesses = LABELS.copy()
    for kind, recall in enumerate(recalls):
        guesses[kind * EACH + round(recall * EACH) : (kind + 1) * EACH] = (kind + 1) % 3
    rest = (1 - CONFIDENCE) / 2
    return np.tile(np.where(np.eye(3)[guesses], CONFIDENCE, rest).astype(np.float32), (SEEDS, 1, 1))


@pytest.fixture(scope="module")
def compared() -> Comparison:
    predicted = {}
    for name, value in ON_VALIDATION.items():
        history = {"step": [5, 10], "validation_balanced_accuracy": [1 - value, value]}
        history |= {"train_accuracy": [0.5, 1.0], "validation_accuracy": [0.5, 0.75]}
        predicted[name] = Predicted(_predicted((value,) * 3), _predicted(ON_TEST[name]), pd.DataFrame(history))
    natural = np.arange(3 * EACH) % EACH < EACH // 2
    targets = Targets(CLASSES, np.array([100, 20, 10]), LABELS, LABELS, natural)
    return compare_arms(EVALUATE, ARMS, targets, predicted, None)


def test_the_pair_is_the_best_on_validation_whatever_test_says(compared: Comparison) -> None:
    assert compared.verdict.pair == ("gan_mixed", "oversampled")
    assert compared.verdict.twin == "mixed_twin"
    assert compared.arms["gan_mixed"].validation == 0.8


def test_the_differences_are_those_planted(compared: Comparison) -> None:
    evidence = compared.verdict
    assert evidence.means == pytest.approx((2.2 / 3, 1.8 / 3))
    assert evidence.gain.mean == pytest.approx(0.4 / 3)
    assert evidence.rare.mean == pytest.approx((0.2 + 0.3) / 2)  # cats and dogs, below the mean of 43 images
    assert evidence.others is not None
    assert evidence.others.mean == pytest.approx(-0.1)
    assert evidence.over_twin.mean == pytest.approx(0.1 / 3)
    recalls = {label: gain.difference.mean for label, gain in compared.recalls.items()}
    assert recalls == pytest.approx({"bird": -0.1, "cat": 0.2, "dog": 0.3})
    assert set(compared.p_values) == set(ARMS) - {"gan_mixed", "oversampled"}


def test_shares_of_the_gap_go_from_the_baseline_to_the_oracle(compared: Comparison) -> None:
    shares = {name: gap[0] for name, gap in compared.gaps.items() if gap}
    assert shares == pytest.approx(
        {"plain": 0, "oracle": 1, "gan": 1, "twin": 1, "oversampled": 0, "gan_mixed": 4 / 9, "mixed_twin": 1 / 3}
    )


def test_calibration_is_scaled_by_what_validation_says(compared: Comparison) -> None:
    before, after = compared.arms["gan_mixed"].calibration
    assert before == pytest.approx(CONFIDENCE - 2.2 / 3, abs=1e-4)
    assert after == pytest.approx(0.8 - 2.2 / 3, abs=1e-3)  # as sure as right on validation
    assert compared.verdict.calibration == (after, compared.arms["oversampled"].calibration[1])
    assert compared.verdict.calibration[1] == pytest.approx(0.65 - 0.6, abs=1e-3)


def test_the_verdict_follows(compared: Comparison) -> None:
    failed = {condition.name for condition in compared.verdict.conditions if not condition.holds}
    assert failed == {"other classes", "calibration"}
    assert compared.verdict.answer == "do not synthesise"


def test_natural_scores_are_of_the_natural_images(compared: Comparison) -> None:
    natural = compared.arms["gan_mixed"].natural
    assert np.sum(natural.confusion) == SEEDS * 3 * EACH // 2
    assert natural.recalls == pytest.approx([1, 1, 1])  # the wrong ones come last in each class


def test_overfitting_is_how_far_accuracies_part_at_the_end(compared: Comparison) -> None:
    assert compared.arms["gan"].overfitting == 0.25


def test_the_majority_names_the_class_with_the_most_training_images(compared: Comparison) -> None:
    assert compared.majority.test.recalls == [1, 0, 0]
    assert compared.majority.test.mean == pytest.approx(1 / 3)
    assert compared.majority.test.spread == 0
    assert compared.majority.natural.confusion == [[EACH // 2, 0, 0]] * 3


def test_two_arms_alone_differ_as_in_the_comparison(compared: Comparison) -> None:
    one, other = (_predicted(ON_TEST[name]) for name in compared.verdict.pair)
    assert difference_of(EVALUATE, LABELS, one, other) == compared.verdict.gain


def test_what_is_written_is_read_again(compared: Comparison, tmp_path: Path) -> None:
    write_comparison(tmp_path, compared, {"split_sha256": "abc"})
    assert read_comparison(tmp_path) == compared
    verdict = read_json(tmp_path / "verdict.json")
    assert (verdict["answer"], verdict["split_sha256"]) == ("do not synthesise", "abc")
    assert verdict["gain"]["mean"] == compared.verdict.gain.mean
    assert read_json(tmp_path / "metrics.json")["gain"] == round(0.4 / 3, 5)


def test_classes_without_images_or_predictions_are_written_as_nothing(tmp_path: Path) -> None:
    labels, guesses = np.array([0, 0, 1, 2], np.int32), [0, 0, 1, 1]
    guessed = np.eye(3, dtype=np.float32)[[guesses, guesses]]
    history = pd.DataFrame({"train_accuracy": [1.0], "validation_accuracy": [0.9], "validation_balanced_accuracy": 0.9})
    predicted = dict.fromkeys(ARMS, Predicted(guessed, guessed, history))
    targets = Targets(CLASSES, np.array([9, 5, 1]), labels, labels, labels < 1)
    compared = compare_arms(EVALUATE, ARMS, targets, predicted, "balanced")
    assert compared.arms["gan"].test.wrong_shares == [0, 0.5, None]
    assert compared.arms["gan"].natural.recalls == [1, None, None]
    write_comparison(tmp_path, compared, {})
    assert read_comparison(tmp_path) == compared


def test_a_mean_history_has_a_row_for_each_step() -> None:
    history = pd.DataFrame({"seed": [1, 1, 2, 2], "step": [5, 10, 5, 10], "train_loss": [3.0, 1.0, 5.0, 2.0]})
    assert mean_history(history).to_dict("list") == {"step": [5, 10], "train_loss": [4.0, 1.5]}
