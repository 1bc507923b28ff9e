"""How good predictions are. Probabilities are float (n, classes), labels int (n,); a prediction is the largest one."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import accuracy_score, confusion_matrix, recall_score

Probabilities = NDArray[np.floating[Any]]
Labels = NDArray[np.integer[Any]]


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


def share_of_gap(arm: float, baseline: float, oracle: float) -> float | None:
    """Share of what the imbalance cost that an arm wins back: (arm - baseline) / (oracle - baseline).

    Best 1 (as good as with the images that were removed; more is possible), 0 no better than the baseline, negative
    worse. None where the oracle is not better than the baseline: there is nothing to win back.
    """
    gap = oracle - baseline
    return (arm - baseline) / gap if gap > 0 else None
