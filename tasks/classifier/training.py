"""Training all seeds of one arm."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray
from sklearn.metrics import recall_score

from tasks.classifier.arms import Draws, draw
from tasks.classifier.networks import build_classifier, loaded_weights, reset
from tasks.classifier.steps import Examples, build_optimizer, compile_steps, post_hoc
from tasks.core.params import Arm, Augmentation, Train
from tasks.networks.features import compile_outputs
from tasks.networks.weights import Weights, get_weights


@dataclass(frozen=True)
class Record:
    """Where a training stands. Training values are means over the steps since the last record, on mixed labels."""

    seed: int
    step: int
    train_loss: float
    train_accuracy: float
    validation_loss: float
    validation_accuracy: float
    validation_balanced_accuracy: float


@dataclass(frozen=True)
class Trained:
    """One training: its seed, history, last trainable weights and probabilities float32 (n, classes) on validation."""

    seed: int
    history: list[Record]
    weights: Weights
    validation: NDArray[np.float32]


def train_seeds(
    arm: Arm,
    augmentation: Augmentation | None,
    params: Train,
    classes: int,
    training: Examples,
    validation: Examples,
    report: Callable[[Record], None],
) -> Iterator[Trained]:
    """Train one arm once for each seed 1, 2, ..., `params.seeds`, all with one network and one compiled loop.

    Initial weights and each stream of draws depend on the seed and not on the arm: trainings of two arms with the same
    seed are a pair. Validation images are neither changed nor mixed.

    Args:
        report: called with each record as soon as it is known.
    """
    size_px, channels = training.images.shape[2:]
    model = build_classifier(params.network, size_px, channels, classes, seed=1)
    loaded = loaded_weights(model, params.network)
    optimizer = build_optimizer(model, params.optimizer, params.schedule, params.learning_rate, params.steps)
    fresh = [variable.value.numpy() for variable in optimizer.variables]
    run = compile_steps(model, optimizer, arm, augmentation, params.batch, classes, training)
    correction = post_hoc(arm, training, classes)
    probabilities = compile_outputs(model, tf.nn.softmax)
    for seed in range(1, params.seeds + 1):
        reset(model, seed, loaded)
        for variable, value in zip(optimizer.variables, fresh, strict=True):
            variable.assign(value)
        history, step = [], 0
        for draws in draws_of(arm, augmentation, params, training, seed):
            loss, accuracy = run(draws)
            step += len(draws.indices)
            _shift_bias(model, correction)
            predicted = probabilities(validation.images)
            history.append(_record(seed, step, loss, accuracy, predicted, validation.labels))
            report(history[-1])
            if step < params.steps:
                _shift_bias(model, -correction)
        yield Trained(seed, history, get_weights(model, trainable=True), predicted)


def draws_of(
    arm: Arm, augmentation: Augmentation | None, params: Train, training: Examples, seed: int
) -> Iterator[Draws]:
    """The draws of the training with that seed, one `Draws` for the steps up to each record."""
    size_px, rng = training.images.shape[2], np.random.default_rng(seed)
    of_training = (training.labels, training.synthetic, size_px, params.batch, _chunks(params), rng)
    return draw(arm, augmentation, *of_training)


def _chunks(params: Train) -> list[int]:
    """Numbers of steps between records."""
    whole, rest = divmod(params.steps, params.record_every)
    return [params.record_every] * whole + [rest] * (rest > 0)


def _shift_bias(model: keras.Model, by: NDArray[np.float32]) -> None:
    """What is added to logits lies in the bias, so that weights alone say what a classifier predicts."""
    model.get_layer("logits").bias.assign_add(by)


def _record(
    seed: int, step: int, loss: float, accuracy: float, predicted: NDArray[np.float32], labels: NDArray[np.integer[Any]]
) -> Record:
    likelihood, chosen = predicted[np.arange(len(labels)), labels], predicted.argmax(axis=1)
    return Record(
        seed=seed,
        step=step,
        train_loss=loss,
        train_accuracy=accuracy,
        validation_loss=float(-np.log(np.maximum(likelihood, 1e-7)).mean()),
        validation_accuracy=float((chosen == labels).mean()),
        validation_balanced_accuracy=balanced_accuracy(chosen, labels),
    )


def balanced_accuracy(chosen: NDArray[np.integer[Any]], labels: NDArray[np.integer[Any]]) -> float:
    """Mean of the recalls of the classes present, of chosen classes int (n,). Best 1, worst 0, chance 1/classes."""
    return float(recall_score(labels, chosen, labels=np.unique(labels), average="macro"))
