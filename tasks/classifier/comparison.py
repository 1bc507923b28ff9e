"""Every arm's predictions on the test set, and the one comparison that decides."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from tasks.classifier import metrics
from tasks.classifier.networks import build_classifier
from tasks.classifier.statistics import Difference, paired_difference, sign_flip
from tasks.classifier.training import predict
from tasks.classifier.verdict import Verdict, choose_pair, decide, free_arms
from tasks.support.params import Evaluate, Train
from tasks.support.weights import load_weights


@dataclass(frozen=True)
class Exam:
    """The images that decide: uint8 (n, h, w, c), labels int (n,), which are as imbalanced as train, class names."""

    images: NDArray[np.uint8]
    labels: NDArray[np.int32]
    natural: NDArray[np.bool_]
    classes: list[str]


@dataclass(frozen=True)
class ArmResult:
    """One arm on test; arrays over seeds.

    Attributes:
        correct: bool (seeds, n).
        accuracy, balanced, natural: float (seeds,); natural is the accuracy on the naturally imbalanced test images.
        recalls: float (classes,), mean over seeds.
        confusion: int (classes, classes), summed over seeds.
        validation: mean balanced accuracy on validation at the end of training.
        share_of_gap: of the mean balanced accuracies, None where there is no gap or no oracle.
        history: means over seeds by step.
    """

    correct: NDArray[np.bool_]
    accuracy: NDArray[np.float64]
    balanced: NDArray[np.float64]
    natural: NDArray[np.float64]
    recalls: NDArray[np.float64]
    confusion: NDArray[np.int64]
    validation: float
    share_of_gap: float | None
    history: pd.DataFrame

    @property
    def mean(self) -> float:
        return float(self.balanced.mean())

    @property
    def spread(self) -> float:
        """Standard deviation of the balanced accuracy over seeds."""
        return float(self.balanced.std(ddof=1))


@dataclass(frozen=True)
class Comparison:
    arms: dict[str, ArmResult]
    pair: tuple[str, str]
    difference: Difference
    p: float
    verdict: Verdict


def compare_arms(
    params: Evaluate, train: Train, test: Exam, trained: Path, none_made: str | None, unmade: list[str]
) -> Comparison:
    """Predict with every arm in `trained`, and compare the pair chosen on validation.

    Args:
        trained: folder with one folder per arm, as `train` writes them.
        none_made: why there are no synthetic images, where there are none.
        unmade: sentences on classes that should have some and do not.
    """
    probabilities = {name: _predict(train, test, trained / name) for name in train.arms}
    means = {name: _balanced(each, test).mean() for name, each in probabilities.items()}
    arms = {}
    for name, each in probabilities.items():
        history = pd.read_csv(trained / name / "history.csv").groupby("step", as_index=False).mean()
        share = (
            metrics.share_of_gap(means[name], means[params.baseline], means[params.oracle]) if params.oracle else None
        )
        arms[name] = _result(each, test, history, share)
    pair = choose_pair(train.arms, {name: arm.validation for name, arm in arms.items()})
    differences = {
        name: paired_difference(
            arms[pair[0]].correct,
            arms[name].correct,
            test.labels,
            params.resamples,
            params.confidence,
            np.random.default_rng(params.seed),
        )
        for name in free_arms(train.arms)
    }
    difference = differences[pair[1]]
    p = sign_flip(difference.by_seed)
    verdict = decide(pair, (arms[pair[0]].mean, arms[pair[1]].mean), differences, p, params.confidence, none_made)
    return Comparison(arms, pair, difference, p, Verdict(verdict.answer, verdict.reasons + unmade))


def _predict(train: Train, test: Exam, folder: Path) -> NDArray[np.float32]:
    size_px, channels = test.images.shape[2:]
    model = build_classifier(size_px, channels, len(test.classes), train.width, seed=0)
    return predict(model, load_weights(folder / "weights.npz"), test.images)


def _balanced(probabilities: NDArray[np.float32], test: Exam) -> NDArray[np.float64]:
    return np.array([metrics.balanced_accuracy(each, test.labels) for each in probabilities])


def _result(
    probabilities: NDArray[np.float32], test: Exam, history: pd.DataFrame, share_of_gap: float | None
) -> ArmResult:
    natural: Any = test.natural
    return ArmResult(
        correct=metrics.correct(probabilities, test.labels),
        accuracy=np.array([metrics.accuracy(each, test.labels) for each in probabilities]),
        balanced=_balanced(probabilities, test),
        natural=np.array([metrics.accuracy(each[natural], test.labels[natural]) for each in probabilities]),
        recalls=np.mean([metrics.recalls(each, test.labels) for each in probabilities], axis=0),
        confusion=np.sum([metrics.confusion(each, test.labels) for each in probabilities], axis=0),
        validation=float(history["validation_balanced_accuracy"].iloc[-1]),
        share_of_gap=share_of_gap,
        history=history,
    )
