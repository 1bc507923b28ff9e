"""Trained classifiers at work: what they predict, and small ones fitted to images for other rooms to use."""

from collections.abc import Sequence
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from tasks.classifier.arms import draw
from tasks.classifier.feeding import Examples
from tasks.classifier.networks import build_classifier
from tasks.classifier.steps import build_optimizer, compile_steps
from tasks.core.files import read_json
from tasks.core.params import Arm, Network, Training
from tasks.networks.arrays import load_weights
from tasks.networks.classifiers import OfImages, build_small, compile_outputs, predict
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


_ALIKE = Arm(
    rows="split",
    withheld=False,
    oversample=True,
    loss="cross_entropy",
    augmentation=None,
    mixup_alpha=None,
    remix=False,
    synthetic_share=None,
    synthetic_weight=1.0,
    filtered=True,
    twin=False,
    tail_share=0.0,
)


def fit(training: Training, examples: Examples, classes: int, seed: int) -> keras.Model:
    """A classifier of `build_small` after `training.steps` steps, each class of the examples drawn equally often.

    Initial weights and draws depend on the seed and on how many examples each class has. No example counts as
    synthetic here: all of a class are drawn alike, whoever made them.
    """
    size_px, channels = examples.images.shape[2:]
    model = build_small(training.width, size_px, channels, classes, seed)
    optimizer = build_optimizer(model, "adam", "cosine", training.learning_rate, training.steps)
    run = compile_steps(model, optimizer, _ALIKE, None, training.batch, classes, examples)
    none = np.zeros(len(examples.labels), np.bool_)
    rng = np.random.default_rng(seed)
    for draws in draw(_ALIKE, None, examples.labels, none, size_px, training.batch, [training.steps], rng):
        run(draws)
    return model


def features_of(model: keras.Model) -> OfImages:
    """A function from images uint8 (n, h, w, c) to features float32 (n, d): what the classifier's last layer reads."""
    return compile_outputs(keras.Model(model.inputs, model.get_layer("flat").output, name="features"), tf.identity)


def probabilities_of(model: keras.Model) -> OfImages:
    """A function from images uint8 (n, h, w, c) to probabilities float32 (n, classes)."""
    return compile_outputs(model, tf.nn.softmax)
