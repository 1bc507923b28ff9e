"""What trained classifiers make of images."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tasks.classifier.networks import build_classifier
from tasks.core.files import read_json
from tasks.core.params import Network
from tasks.networks.outputs import predict
from tasks.networks.weights import load_weights
from tasks.support.errors import BadInput

Probabilities = NDArray[np.floating[Any]]
Labels = NDArray[np.integer[Any]]


def predict_arm(
    network: Network, folder: Path, classes: list[str], images: Sequence[NDArray[np.uint8]]
) -> list[NDArray[np.float32]]:
    """Probabilities float32 (seeds, n, classes) of all trainings of an arm for each of several sets of images.

    Args:
        folder: as `train` writes it.
        images: uint8 (n, height, width, channels), of one size.

    Raises:
        BadInput: its labels stand for other classes.
    """
    known = read_json(folder / "classes.json")
    if known != classes:
        raise BadInput(
            f"classifier {folder.name} numbers the classes {', '.join(known)}; the data has {', '.join(classes)}: "
            f"train it again"
        )
    size_px, channels = images[0].shape[2:]
    model = build_classifier(network, size_px, channels, len(classes), seed=0)
    weights = load_weights(folder / "weights.npz")
    return [predict(model, weights, of_set) for of_set in images]


def accuracy(probabilities: Probabilities, labels: Labels) -> float:
    """Share of images (n,) predicted right from probabilities (n, classes). Best 1, worst 0."""
    return float((probabilities.argmax(axis=1) == labels).mean())


def balanced_accuracy(probabilities: Probabilities, labels: Labels) -> float:
    """Mean of the recalls of the classes present, from probabilities (n, classes). Best 1, worst 0, chance 1/classes.

    Brodersen et al. 2010, "The balanced accuracy and its posterior distribution".
    """
    right, counts = probabilities.argmax(axis=1) == labels, np.bincount(labels)
    recalls = np.bincount(labels, weights=right)[counts > 0] / counts[counts > 0]
    return float(recalls.mean())
