"""Training all seeds of one arm, and predicting with what came out."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from tasks.classifier import metrics
from tasks.classifier.arms import Draws, draw
from tasks.classifier.mixing import apply_draws
from tasks.classifier.networks import build_classifier, reset
from tasks.classifier.outputs import compile_outputs
from tasks.support.params import Arm, Augmentation, Train, Training
from tasks.support.weights import Weights, get_weights, set_weights


@dataclass(frozen=True)
class Examples:
    """Labelled images.

    Attributes:
        images: uint8 (n, height, width, channels).
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
    """One training: its seed, history, last weights and probabilities float32 (n, classes) on validation."""

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
    model = build_classifier(size_px, channels, classes, params.width, seed=1)
    optimizer = build_optimizer(model, params)
    fresh = [variable.value.numpy() for variable in optimizer.variables]
    run = compile_steps(model, optimizer, arm, params.augmentation_of(arm), params.batch, classes, training)
    log_prior = _log_prior(training, classes)
    correction = -log_prior if arm.loss == "logit_adjusted" else np.zeros_like(log_prior)
    probabilities = compile_outputs(model, tf.nn.softmax)
    for seed in range(1, params.seeds + 1):
        reset(model, seed)
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
        yield Trained(seed, history, get_weights(model), predicted)


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
        set_weights(model, each)
        predicted.append(probabilities(images))
    return np.stack(predicted)


def _chunks(params: Train) -> list[int]:
    """Numbers of steps between records."""
    whole, rest = divmod(params.steps, params.record_every)
    return [params.record_every] * whole + [rest] * (rest > 0)


def build_optimizer(model: keras.Model, params: Training) -> keras.Optimizer:
    """Adam for the model's weights, whose rate falls to 0 along a cosine."""
    optimizer = keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(params.learning_rate, params.steps))
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
    images = tf.constant(examples.images)
    labels = tf.one_hot(examples.labels, classes)
    prior = tf.constant(_log_prior(examples, classes) * (arm.loss == "balanced_softmax"))

    shape = [None, batch]
    kinds = [(shape, tf.int32)] * 2 + [(shape, tf.float32)] * 3 + [([*shape, 8], tf.float32)]

    @tf.function(input_signature=[tf.TensorSpec(*kind) for kind in kinds])
    def steps(*of_steps):  # type: ignore[no-untyped-def]
        losses, hits = tf.constant(0.0), tf.constant(0.0)
        for step in tf.range(tf.shape(of_steps[0])[0]):
            drawn = Draws(*(values[step] for values in of_steps))
            own, others = (
                (tf.gather(images, places), tf.gather(labels, places)) for places in (drawn.indices, drawn.partners)
            )
            x, y = apply_draws(arm, augmentation, own, others, drawn)
            loss, hit = _train_step(model, optimizer, x, y, drawn.weights, prior)
            losses, hits = losses + loss, hits + hit
        return losses, hits

    compiled = steps.get_concrete_function()  # one trace, whatever the number of steps

    def run(draws: Draws) -> tuple[float, float]:
        losses, hits = compiled(*(tf.constant(getattr(draws, field.name)) for field in fields(Draws)))
        return float(losses) / len(draws.indices), float(hits) / len(draws.indices)

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
