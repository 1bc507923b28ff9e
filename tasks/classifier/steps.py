"""Compiled steps of training on the draws of one arm."""

from collections.abc import Callable
from typing import Literal

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from tasks.classifier.arms import Draws
from tasks.classifier.feeding import Examples, Fed, ahead, batch_of, hand_overs
from tasks.core.params import Arm, Augmentation


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
    prior = tf.constant(log_prior(examples, classes) * (arm.loss == "balanced_softmax"))
    correction = tf.constant(post_hoc(arm, examples, classes))

    @tf.function(
        input_signature=[tf.TensorSpec([2]), Fed.spec(batch, examples.images.shape[1:], bool(arm.mixup_alpha))]
    )
    def steps(sums, fed):  # type: ignore[no-untyped-def]
        for step in tf.range(tf.shape(fed.images)[0]):
            x, y = batch_of(fed, step, arm, augmentation, classes)
            sums += train_step(model, optimizer, x, y, fed.weights[step], prior, correction)
        return sums

    compiled = steps.get_concrete_function()  # one trace, whatever the number of steps

    def run(draws: Draws) -> tuple[float, float]:
        sums = tf.zeros(2)
        for fed in ahead(hand_overs(examples.images, examples.labels, draws, bool(arm.mixup_alpha))):
            sums = compiled(sums, Fed(*map(tf.constant, fed)))
        loss, accuracy = (float(total) / len(draws.indices) for total in sums)
        return loss, accuracy

    return run


def train_step(
    model: keras.Model,
    optimizer: keras.Optimizer,
    x: tf.Tensor,
    y: tf.Tensor,
    weights: tf.Tensor,
    prior: tf.Tensor,
    correction: tf.Tensor,
) -> tuple[tf.Tensor, tf.Tensor]:
    """Loss and accuracy of one step of weighted softmax cross-entropy on soft labels float32 (batch, classes).

    Args:
        weights: float32 (batch,).
        prior: float32 (classes,), added to logits: the log prior makes it Balanced Softmax (Ren et al. 2020, equation
            4), which is the logit-adjusted loss of Menon et al. 2021, equation 10, as well.
        correction: float32 (classes,), added to logits of predictions, of which the accuracy is.
    """
    with tf.GradientTape() as tape:
        logits = model(x, training=True)
        loss = tf.reduce_mean(weights * tf.nn.softmax_cross_entropy_with_logits(y, logits + prior))
    optimizer.apply(tape.gradient(loss, model.trainable_variables), model.trainable_variables)
    hits = tf.equal(tf.argmax(logits + correction, axis=1), tf.argmax(y, axis=1))
    return loss, tf.reduce_mean(tf.cast(hits, tf.float32))


def post_hoc(arm: Arm, examples: Examples, classes: int) -> NDArray[np.float32]:
    """What an arm adds to the logits of predictions, (classes,): post-hoc logit adjustment or nothing.

    Menon et al. 2021, equation 9, with tau = 1.
    """
    return -log_prior(examples, classes) * np.float32(arm.loss == "logit_adjusted")


def log_prior(examples: Examples, classes: int) -> NDArray[np.float32]:
    """Logarithm of the share of each class in the real images, (classes,); an absent one counts as one image."""
    counts = np.bincount(examples.labels[~examples.synthetic], minlength=classes)
    return np.asarray(np.log(np.maximum(counts, 1) / max(1, counts.sum())), np.float32)
