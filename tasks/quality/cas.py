"""The classification accuracy score: what a classifier learns from generated images."""

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from tasks.classifier.feeding import Examples
from tasks.classifier.prediction import fit, probabilities_of
from tasks.classifier.training import balanced_accuracy
from tasks.core.params import Training
from tasks.data.images import empty_images
from tasks.quality.spaces import ClassIndices, Labelled

_AT_ONCE = 256  # real images that are copied at a time


def labels_to_make(training: Training, labels: ClassIndices, made: Sequence[int], classes: int) -> NDArray[np.int32]:
    """Labels int32 (n,) of the images to generate: of each class of `made` as many as the largest real class has.

    So the classes are balanced, as they shall be after synthesis. No more are made of a class than the classifier
    draws of it.

    Args:
        labels: int (m,), of the real training images.
    """
    drawn = -(-training.steps * training.batch // classes)
    return np.repeat(np.asarray(made, np.int32), min(int(np.bincount(labels).max()), drawn))


def beside_real(made: Iterable[Labelled], labels: ClassIndices, train: Labelled, in_memory_mb: float) -> Labelled:
    """What a classifier learns from: generated images, and the real training images of all other classes.

    Args:
        made: images with these labels, in batches.
        in_memory_mb: megabytes (10^6) of images; where there are more, they lie on disk.
    """
    kept = np.flatnonzero(~np.isin(train.labels, labels))
    images = empty_images((len(labels) + len(kept), *train.images.shape[1:]), in_memory_mb)
    end = 0
    for batch in made:
        images[end : end + len(batch.labels)] = batch.images
        end += len(batch.labels)
    for start in range(0, len(kept), _AT_ONCE):
        rows = kept[start : start + _AT_ONCE]
        images[end + start : end + start + len(rows)] = train.images[rows]
    return Labelled(images, np.concatenate([labels, train.labels[kept]]))


def cas(training: Training, taught: Labelled, validation: Labelled, classes: int, seeds: Sequence[int]) -> float:
    """Balanced accuracy on real validation images of a classifier that learnt from generated ones, mean over seeds.

    Best 1, or rather what real images teach, worst 0, chance 1/classes. Ravuri & Vinyals 2019, "Classification accuracy
    score for conditional generative models", with one change: classes of which no images are made keep their real
    training images.

    Args:
        taught: of `beside_real`; labels index the classes of the data, as those of `validation` do.
        seeds: of classifiers; the same for all generators that are compared.
    """
    unmarked = np.zeros(len(taught.labels), np.bool_)  # `fit` draws all alike, whoever made them
    examples = Examples(taught.images, taught.labels, unmarked)
    accuracies = []
    for seed in seeds:
        probabilities = probabilities_of(fit(training, examples, classes, seed))(validation.images)
        accuracies.append(balanced_accuracy(probabilities.argmax(axis=1), validation.labels))
    return float(np.mean(accuracies))
