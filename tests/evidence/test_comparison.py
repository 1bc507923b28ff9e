"""Planted predictions, from which every number of the comparison is known."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from tasks.core.params import Arm, Evaluate, Train
from tasks.evidence import comparison
from tasks.evidence.comparison import Comparison, Exam, Exams, compare_arms
from tests.classifier.examples import arm, made, mixed, small

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
TRAIN = Train(
    seeds=SEEDS,
    steps=10,
    batch=2,
    learning_rate=0.001,
    record_every=10,
    network=small(8),
    optimizer="adam",
    schedule="constant",
    size_px=None,
    in_memory_mb=1,
    augmentations={},
    arms=ARMS,
)
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


@pytest.fixture
def compared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Comparison:
    for name, value in ON_VALIDATION.items():
        (tmp_path / name).mkdir()
        history = [
            {"seed": seed, "step": step, "validation_balanced_accuracy": value if step == 10 else 1 - value}
            for seed in (1, 2)
            for step in (5, 10)
        ]
        pd.DataFrame(history).to_csv(tmp_path / name / "history.csv")
    natural = np.arange(3 * EACH) % EACH < EACH // 2
    images = np.zeros((3 * EACH, 8, 8, 1), np.uint8)
    validation, test = Exam(images, LABELS, natural), Exam(images, LABELS, natural)

    def predict(_train: Train, _exams: Exams, exam: Exam, folder: Path) -> Any:
        name = folder.name
        return _predicted((ON_VALIDATION[name],) * 3 if exam is validation else ON_TEST[name])

    monkeypatch.setattr(comparison, "_predict", predict)
    exams = Exams(validation, test, CLASSES, np.array([100, 20, 10]))
    return compare_arms(EVALUATE, TRAIN, exams, tmp_path, None, ["No images of class emu were made: few."])


def test_the_pair_is_the_best_on_validation_whatever_test_says(compared: Comparison) -> None:
    assert compared.pair == ("gan_mixed", "oversampled")
    assert compared.evidence.twin == "mixed_twin"
    assert compared.arms["gan_mixed"].validation == 0.8


def test_the_differences_are_those_planted(compared: Comparison) -> None:
    evidence = compared.evidence
    assert evidence.means == pytest.approx((2.2 / 3, 1.8 / 3))
    assert evidence.overall.mean == pytest.approx(0.4 / 3)
    assert evidence.rare.mean == pytest.approx((0.2 + 0.3) / 2)  # cats and dogs, below the mean of 43 images
    assert evidence.others is not None
    assert evidence.others.mean == pytest.approx(-0.1)
    assert evidence.over_twin.mean == pytest.approx(0.1 / 3)
    recalls = {label: difference.mean for label, (difference, _) in compared.recalls.items()}
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
    assert compared.evidence.calibration == (after, compared.arms["oversampled"].calibration[1])
    assert compared.evidence.calibration[1] == pytest.approx(0.65 - 0.6, abs=1e-3)


def test_the_verdict_follows_and_tells_of_classes_without_images(compared: Comparison) -> None:
    failed = {condition.name for condition in compared.verdict.conditions if not condition.holds}
    assert failed == {"other classes", "calibration"}
    assert compared.verdict.answer == "do not synthesise"
    assert compared.verdict.reasons[-1] == "No images of class emu were made: few."


def test_natural_scores_are_of_the_natural_images(compared: Comparison) -> None:
    natural = compared.arms["gan_mixed"].natural
    assert natural.confusion.sum() == SEEDS * 3 * EACH // 2
    assert natural.recalls.mean(axis=0) == pytest.approx([1, 1, 1])  # the wrong ones come last in each class
