"""The classification accuracy score: what a classifier learns from generated images."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tasks.classifier.examples import Examples
from tasks.classifier.fitting import fit, probabilities_of
from tasks.classifier.training import balanced_accuracy
from tasks.core.params import Training
from tasks.quality.guards import Labelled


def labels_to_make(
    training: Training, labels: NDArray[np.integer[Any]], made: Sequence[int], classes: int
) -> NDArray[np.int32]:
    """Labels int32 (n,) of the images to generate: of each class of `made` as many as the largest real class has.

    So the classes are balanced, as they shall be after synthesis. No more are made of a class than the classifier
    draws of it.

    Args:
        labels: int (m,), of the real training images.
    """
    drawn = -(-training.steps * training.batch // classes)
    return np.repeat(np.asarray(made, np.int32), min(int(np.bincount(labels).max()), drawn))


def cas(
    training: Training, made: Labelled, train: Labelled, validation: Labelled, classes: int, seeds: Sequence[int]
) -> float:
    """Balanced accuracy on real validation images of a classifier that learnt from generated ones, mean over seeds.

    Best 1, or rather what real images teach, worst 0, chance 1/classes. Ravuri & Vinyals 2019, "Classification accuracy
    score for conditional generative models", with one change: classes that are not among the made ones keep their real
    training images.

    Args:
        made: generated images; labels index the classes of the data, as those of `train` and `validation` do.
        seeds: of classifiers; the same for all generators that are compared.
    """
    kept = ~np.isin(train.labels, made.labels)
    labels = np.concatenate([made.labels, train.labels[kept]])
    images = np.concatenate([made.images, train.images[kept]])
    examples = Examples(images, labels, np.zeros(len(labels), np.bool_))  # `fit` draws all alike, whoever made them
    accuracies = [
        balanced_accuracy(
            probabilities_of(fit(training, examples, classes, seed))(validation.images).argmax(axis=1),
            validation.labels,
        )
        for seed in seeds
    ]
    return float(np.mean(accuracies))
