"""Training all seeds of one arm, and predicting with what came out."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from tasks.classifier import metrics
from tasks.classifier.arms import Draws, draw
from tasks.classifier.feeding import Fed, ahead, batch_of, hand_overs
from tasks.classifier.networks import build_classifier, loaded_weights, reset
from tasks.classifier.outputs import compile_outputs
from tasks.support.params import Arm, Augmentation, Train
from tasks.support.weights import Weights, get_weights, set_weights


@dataclass(frozen=True)
class Examples:
    """Labelled images.

    Attributes:
        images: uint8 (n, height, width, channels), in memory or on disk.
        labels: int (n,).
        synthetic: bool (n,), which of them a generator made.
    """

    images: NDArray[np.uint8]
    labels: NDArray[np.integer[Any]]
    synthetic: NDArray[np.bool_]


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
    run = compile_steps(model, optimizer, arm, params.augmentation_of(arm), params.batch, classes, training)
    log_prior = _log_prior(training, classes)
    correction = -log_prior if arm.loss == "logit_adjusted" else np.zeros_like(log_prior)
    probabilities = compile_outputs(model, tf.nn.softmax)
    for seed in range(1, params.seeds + 1):
        reset(model, seed, loaded)
        for variable, value in zip(optimizer.variables, fresh, strict=True):
            variable.assign(value)
        history = []
        step = 0
        for draws in draws_of(arm, params, training, seed):
            loss, accuracy = run(draws)
            step += len(draws.indices)
            _shift_bias(model, correction)
            predicted = probabilities(validation.images)
            history.append(_record(seed, step, loss, accuracy, predicted, validation.labels))
            report(history[-1])
            if step < params.steps:
                _shift_bias(model, -correction)
        yield Trained(seed, history, get_weights(model, trainable=True), predicted)


def draws_of(arm: Arm, params: Train, training: Examples, seed: int) -> Iterator[Draws]:
    """The draws of the training with that seed, one `Draws` for the steps up to each record."""
    size_px, rng = training.images.shape[2], np.random.default_rng(seed)
    of_training = (training.labels, training.synthetic, size_px, params.batch, _chunks(params), rng)
    return draw(arm, params.augmentation_of(arm), *of_training)


def predict(model: keras.Model, weights: list[Weights], images: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Probabilities float32 (trainings, n, classes) of images uint8 (n, h, w, c) for each of several weights."""
    probabilities = compile_outputs(model, tf.nn.softmax)
    predicted = []
    for each in weights:
        set_weights(model, each, trainable=True)
        predicted.append(probabilities(images))
    return np.stack(predicted)


def _chunks(params: Train) -> list[int]:
    """Numbers of steps between records."""
    whole, rest = divmod(params.steps, params.record_every)
    return [params.record_every] * whole + [rest] * (rest > 0)


def build_optimizer(
    model: keras.Model,
    kind: Literal["adam", "rmsprop"],
    schedule: Literal["cosine", "constant"],
    learning_rate: float,
    steps: int,
) -> keras.Optimizer:
    """Optimizer of the model's trainable weights, whose rate stays or falls to 0 over `steps` along a cosine."""
    rate = keras.optimizers.schedules.CosineDecay(learning_rate, steps) if schedule == "cosine" else learning_rate
    optimizer = {"adam": keras.optimizers.Adam, "rmsprop": keras.optimizers.RMSprop}[kind](rate)
    optimizer.build(model.trainable_variables)
    return optimizer


def compile_steps(
    model: keras.Model,
    optimizer: keras.Optimizer,
    arm: Arm,
    augmentation: Augmentation | None,
    batch: int,
    classes: int,
    examples: Examples,
) -> Callable[[Draws], tuple[float, float]]:
    """A function that makes the steps of some draws and returns mean loss and accuracy."""
    prior = tf.constant(_log_prior(examples, classes) * (arm.loss == "balanced_softmax"))

    @tf.function(input_signature=[tf.TensorSpec([2]), Fed.spec(batch, examples.images.shape[1:], bool(arm.mixup))])
    def steps(sums, fed):  # type: ignore[no-untyped-def]
        for step in tf.range(tf.shape(fed.images)[0]):
            x, y = batch_of(fed, step, arm, augmentation, classes)
            sums += _train_step(model, optimizer, x, y, fed.weights[step], prior)
        return sums

    compiled = steps.get_concrete_function()  # one trace, whatever the number of steps

    def run(draws: Draws) -> tuple[float, float]:
        sums = tf.zeros(2)
        for fed in ahead(hand_overs(examples.images, examples.labels, draws, bool(arm.mixup))):
            sums = compiled(sums, Fed(*map(tf.constant, fed)))
        loss, accuracy = (float(total) / len(draws.indices) for total in sums)
        return loss, accuracy

    return run


def _log_prior(examples: Examples, classes: int) -> NDArray[np.float32]:
    """Logarithm of the share of each class in the real images, (classes,); an absent one counts as one image."""
    counts = np.bincount(examples.labels[~examples.synthetic], minlength=classes)
    return np.asarray(np.log(np.maximum(counts, 1) / max(1, counts.sum())), np.float32)


def _shift_bias(model: keras.Model, by: NDArray[np.float32]) -> None:
    """Post-hoc logit adjustment lies in the bias, so that weights alone say what a classifier predicts.

    Menon et al. 2021, equation 9, with tau = 1.
    """
    model.get_layer("logits").bias.assign_add(by)


def _train_step(
    model: keras.Model, optimizer: keras.Optimizer, x: tf.Tensor, y: tf.Tensor, weights: tf.Tensor, prior: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor]:
    """Loss and accuracy of one step of weighted softmax cross-entropy on soft labels float32 (batch, classes).

    Args:
        weights: float32 (batch,).
        prior: float32 (classes,), added to logits: the log prior makes it Balanced Softmax (Ren et al. 2020, equation
            4), which is the logit-adjusted loss of Menon et al. 2021, equation 10, as well.
    """
    with tf.GradientTape() as tape:
        logits = model(x, training=True)
        loss = tf.reduce_mean(weights * tf.nn.softmax_cross_entropy_with_logits(y, logits + prior))
    optimizer.apply(tape.gradient(loss, model.trainable_variables), model.trainable_variables)
    hits = tf.equal(tf.argmax(logits, axis=1), tf.argmax(y, axis=1))
    return loss, tf.reduce_mean(tf.cast(hits, tf.float32))


def _record(
    seed: int, step: int, loss: float, accuracy: float, predicted: NDArray[np.float32], labels: NDArray[np.integer[Any]]
) -> Record:
    likelihood = predicted[np.arange(len(labels)), labels]
    return Record(
        seed=seed,
        step=step,
        train_loss=loss,
        train_accuracy=accuracy,
        validation_loss=float(-np.log(np.maximum(likelihood, 1e-7)).mean()),
        validation_accuracy=metrics.accuracy(predicted, labels),
        validation_balanced_accuracy=metrics.balanced_accuracy(predicted, labels),
    )
