"""What trained classifiers make of images."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tasks.classifier.networks import build_classifier
from tasks.core.files import read_json
from tasks.core.params import Network
from tasks.networks.features import predict
from tasks.networks.weights import load_weights
from tasks.support.errors import BadInput


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
