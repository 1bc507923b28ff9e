"""Training all seeds of one arm, and predicting with what came out."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from tasks.classifier import metrics
from tasks.classifier.arms import Draws, draw
from tasks.classifier.mixing import mix
from tasks.classifier.networks import build_classifier, reset
from tasks.classifier.outputs import compile_outputs
from tasks.dataset.ranges import to_signed
from tasks.dataset.shifting import shift
from tasks.support.params import Arm, Train, Training
from tasks.support.weights import Weights, get_weights, set_weights

_BLACK = -1.0


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
    seed are a pair. Validation images are neither shifted nor mixed.

    Args:
        report: called with each record as soon as it is known.
    """
    size_px, channels = training.images.shape[2:]
    model = build_classifier(size_px, channels, classes, params.width, seed=1)
    optimizer = build_optimizer(model, params)
    fresh = [variable.value.numpy() for variable in optimizer.variables]
    run = compile_steps(model, optimizer, arm, params.batch, classes, training)
    probabilities = compile_outputs(model, tf.nn.softmax)
    for seed in range(1, params.seeds + 1):
        reset(model, seed)
        for variable, value in zip(optimizer.variables, fresh, strict=True):
            variable.assign(value)
        history = []
        rng = np.random.default_rng(seed)
        step = 0
        for draws in draw(arm, training.labels, training.synthetic, params.batch, _chunks(params), rng):
            loss, accuracy = run(draws)
            step += len(draws.indices)
            predicted = probabilities(validation.images)
            history.append(_record(seed, step, loss, accuracy, predicted, validation.labels))
            report(history[-1])
        yield Trained(seed, history, get_weights(model), predicted)


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
    model: keras.Model, optimizer: keras.Optimizer, arm: Arm, batch: int, classes: int, examples: Examples
) -> Callable[[Draws], tuple[float, float]]:
    """A function that makes the steps of some draws and returns mean loss and accuracy."""
    images = tf.constant(examples.images)
    labels = tf.one_hot(examples.labels, classes)

    shape = [None, batch]
    kinds = [(shape, tf.int32), (shape, tf.int32), (shape, tf.float32), ([*shape, 2], tf.int32)]

    @tf.function(input_signature=[tf.TensorSpec(*kind) for kind in kinds])
    def steps(indices, partners, coefficients, offsets_px):  # type: ignore[no-untyped-def]
        losses, hits = tf.constant(0.0), tf.constant(0.0)
        for step in tf.range(tf.shape(indices)[0]):
            x, y = _signed(images, indices[step]), tf.gather(labels, indices[step])
            if arm.mixup_alpha:
                x = mix(x, _signed(images, partners[step]), coefficients[step])
                y = mix(y, tf.gather(labels, partners[step]), coefficients[step])
            if arm.shift_px:
                x = shift(x, offsets_px[step], _BLACK)
            loss, hit = _train_step(model, optimizer, x, y)
            losses, hits = losses + loss, hits + hit
        return losses, hits

    compiled = steps.get_concrete_function()  # one trace, whatever the number of steps

    def run(draws: Draws) -> tuple[float, float]:
        tensors = (draws.indices, draws.partners, draws.coefficients, draws.offsets_px)
        losses, hits = compiled(*(tf.constant(value) for value in tensors))
        return float(losses) / len(draws.indices), float(hits) / len(draws.indices)

    return run


def _train_step(
    model: keras.Model, optimizer: keras.Optimizer, x: tf.Tensor, y: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor]:
    """Loss and accuracy of one step of softmax cross-entropy on soft labels float32 (batch, classes)."""
    with tf.GradientTape() as tape:
        logits = model(x, training=True)
        loss = tf.reduce_mean(tf.nn.softmax_cross_entropy_with_logits(y, logits))
    optimizer.apply(tape.gradient(loss, model.trainable_variables), model.trainable_variables)
    hits = tf.equal(tf.argmax(logits, axis=1), tf.argmax(y, axis=1))
    return loss, tf.reduce_mean(tf.cast(hits, tf.float32))


def _signed(images: tf.Tensor, indices: tf.Tensor) -> tf.Tensor:
    return to_signed(tf.cast(tf.gather(images, indices), tf.float32))


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
