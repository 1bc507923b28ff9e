"""How good predictions are. Probabilities are float (n, classes), labels int (n,); a prediction is the largest one."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from scipy.special import softmax
from scipy.stats import gmean
from sklearn.metrics import accuracy_score, confusion_matrix, f1_score, precision_score, recall_score

Probabilities = NDArray[np.floating[Any]]
Labels = NDArray[np.integer[Any]]
_BINS = 15
_LEAST = 1e-12  # a probability that rounds to 0


def correct(probabilities: Probabilities, labels: Labels) -> NDArray[np.bool_]:
    """Whether each prediction is right, bool (..., n), for probabilities (..., n, classes)."""
    return np.asarray(probabilities.argmax(axis=-1) == labels)


def accuracy(probabilities: Probabilities, labels: Labels) -> float:
    """Share of all images predicted right. Best 1, worst 0; a class weighs as much as it has images."""
    return float(accuracy_score(labels, probabilities.argmax(axis=1)))


def balanced_accuracy(probabilities: Probabilities, labels: Labels) -> float:
    """Mean of the recalls of the classes present. Best 1, worst 0, chance 1/classes.

    Brodersen et al. 2010, "The balanced accuracy and its posterior distribution".
    """
    return float(np.nanmean(recalls(probabilities, labels)))


def recalls(probabilities: Probabilities, labels: Labels) -> NDArray[np.float64]:
    """Share of each class's images predicted as that class, (classes,). Best 1, worst 0; NaN for an absent class."""
    classes = np.arange(probabilities.shape[1])
    predicted = probabilities.argmax(axis=1)
    return np.asarray(recall_score(labels, predicted, labels=classes, average=None, zero_division=np.nan), np.float64)


def confusion(probabilities: Probabilities, labels: Labels) -> NDArray[np.int64]:
    """Number of images by true class (row) and predicted class (column), (classes, classes). Best: diagonal."""
    classes = np.arange(probabilities.shape[1])
    return np.asarray(confusion_matrix(labels, probabilities.argmax(axis=1), labels=classes), np.int64)


def wrong_shares(probabilities: Probabilities, labels: Labels) -> NDArray[np.float64]:
    """Share of the predictions of each class that are wrong, 1 - precision, (classes,). Best 0, worst 1.

    NaN for a class that is never predicted.
    """
    classes, predicted = np.arange(probabilities.shape[1]), probabilities.argmax(axis=1)
    precisions = precision_score(labels, predicted, labels=classes, average=None, zero_division=np.nan)
    return 1 - np.asarray(precisions, np.float64)


def known_mean(values: NDArray[np.float64]) -> float:
    """Mean of those values that are numbers, NaN where none is: of recalls or wrong shares over seeds."""
    known = values[~np.isnan(values)]
    return float(known.mean()) if len(known) else np.nan


def macro_f1(probabilities: Probabilities, labels: Labels) -> float:
    """Mean over classes of the harmonic mean of precision and recall. Best 1, worst 0."""
    return float(f1_score(labels, probabilities.argmax(axis=1), average="macro", zero_division=0.0))


def g_mean(probabilities: Probabilities, labels: Labels) -> float:
    """Geometric mean of the recalls of the classes present. Best 1, worst 0: one class is never found.

    Kubat & Matwin 1997, "Addressing the curse of imbalanced training sets".
    """
    values = recalls(probabilities, labels)
    return float(gmean(values[~np.isnan(values)]))


def calibration_error(probabilities: Probabilities, labels: Labels) -> float:
    """Expected calibration error: mean distance of confidence from accuracy over 15 bins of confidence, by images.

    Best 0, worst 1. Guo et al. 2017, "On calibration of modern neural networks", equation 5.
    """
    confidence, right = probabilities.max(axis=1), correct(probabilities, labels)
    bins = np.minimum((confidence * _BINS).astype(int), _BINS - 1)
    gaps = np.bincount(bins, weights=confidence - right, minlength=_BINS)
    return float(np.abs(gaps).sum() / len(labels))


def temperature(probabilities: Probabilities, labels: Labels) -> float:
    """The divisor of logits with the least negative log-likelihood, between 0.05 and 20; 1 changes nothing.

    To be fitted on validation (Guo et al. 2017, section 4.2).
    """

    def loss(log_divisor: float) -> float:
        scaled = scale(probabilities, float(np.exp(log_divisor)))
        return float(-np.log(np.maximum(scaled[np.arange(len(labels)), labels], _LEAST)).mean())

    return float(np.exp(minimize_scalar(loss, bounds=np.log([0.05, 20]), method="bounded").x))


def scale(probabilities: Probabilities, divisor: float) -> NDArray[np.float64]:
    """Probabilities (n, classes) after their logits were divided; which is largest does not change."""
    return np.asarray(softmax(np.log(np.maximum(probabilities, _LEAST)) / divisor, axis=1))
