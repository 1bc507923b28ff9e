"""What one arm came to."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from tasks.evidence import metrics


@dataclass(frozen=True)
class Scores:
    """One arm's predictions on some images; arrays over seeds, (seeds,) or (seeds, classes), confusion summed."""

    accuracy: NDArray[np.float64]
    balanced: NDArray[np.float64]
    macro_f1: NDArray[np.float64]
    g_mean: NDArray[np.float64]
    recalls: NDArray[np.float64]
    wrong_shares: NDArray[np.float64]
    confusion: NDArray[np.int64]

    @property
    def mean(self) -> float:
        """Of the balanced accuracy."""
        return float(self.balanced.mean())

    @property
    def spread(self) -> float:
        """Standard deviation of the balanced accuracy over seeds."""
        return float(self.balanced.std(ddof=1))


def validated(history: pd.DataFrame) -> float:
    """Balanced accuracy on validation at the end of training."""
    return float(history["validation_balanced_accuracy"].iloc[-1])


@dataclass(frozen=True)
class ArmResult:
    """One arm on test.

    Attributes:
        test, natural: on all test images, and on those that are as imbalanced as train.
        validation: mean balanced accuracy on validation at the end of training.
        calibration: mean expected calibration error on test before and after temperature scaling, fitted on validation.
        history: means over seeds by step.
    """

    test: Scores
    natural: Scores
    validation: float
    calibration: tuple[float, float]
    history: pd.DataFrame

    @property
    def overfitting(self) -> float:
        """How much more accurate it is on training batches than on validation at the end of training."""
        last = self.history.iloc[-1]
        return float(last["train_accuracy"] - last["validation_accuracy"])


def scores_of(probabilities: NDArray[np.float32], labels: NDArray[np.int32]) -> Scores:
    """Scores of predictions (seeds, n, classes) of images with these labels (n,)."""

    def each(metric: Callable[..., Any]) -> NDArray[Any]:
        return np.array([metric(one, labels) for one in probabilities])

    return Scores(
        accuracy=each(metrics.accuracy),
        balanced=each(metrics.balanced_accuracy),
        macro_f1=each(metrics.macro_f1),
        g_mean=each(metrics.g_mean),
        recalls=each(metrics.recalls),
        wrong_shares=each(metrics.wrong_shares),
        confusion=each(metrics.confusion).sum(axis=0),
    )
