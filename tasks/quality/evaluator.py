"""What images are compared by where real ones have been learnt: features of a classifier."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tasks.classifier.examples import Examples
from tasks.classifier.fitting import features_of, fit
from tasks.core.params import Training
from tasks.networks.outputs import OfImages


def evaluator(
    training: Training, images: NDArray[np.uint8], labels: NDArray[np.integer[Any]], classes: int, seed: int
) -> OfImages:
    """A function from images to what a classifier of these real ones decides by: the input of its last layer.

    It sees what makes a class, and overlooks what does not.

    Args:
        images: uint8 (n, size_px, size_px, channels), training images; labels int (n,) below `classes`.
    """
    return features_of(fit(training, Examples(images, labels, np.zeros(len(labels), np.bool_)), classes, seed))
