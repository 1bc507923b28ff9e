"""The class-conditional GAN: one train step, compiled into a loop of many over randomness that numpy drew before."""

from collections.abc import Iterator

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from tasks.dataset.ranges import to_signed
from tasks.gan.augmentation import augment, draw_augmentation
from tasks.gan.losses import LOSSES, accuracies
from tasks.gan.networks import build_discriminator, build_generator
from tasks.support.params import Candidate

_METRICS = ("g_loss", "d_loss", "real_accuracy", "fake_accuracy")


class Gan:
    """A generator and a discriminator in training.

    `average` is the generator with exponential moving averages of the weights: the one to use.
    """

    def __init__(
        self, images: NDArray[np.uint8], labels: NDArray[np.int32], classes: int, candidate: Candidate
    ) -> None:
        """Args: images uint8 (n, size_px, size_px, channels), labels int32 (n,) below `classes`."""
        size_px, channels = images.shape[2:]
        self._candidate = candidate
        self._labels = labels
        self._images = tf.constant(images)
        self._rng = np.random.default_rng(candidate.seed)
        shape = (size_px, channels, classes)
        self._discriminator = build_discriminator(*shape, candidate.width, candidate.seed)
        self._generator, self.average = (
            build_generator(*shape, candidate.latent, candidate.width, candidate.seed) for _ in range(2)
        )
        self._g_optimizer, self._d_optimizer = (
            keras.optimizers.Adam(candidate.learning_rate, candidate.beta_1, candidate.beta_2) for _ in range(2)
        )
        self._g_optimizer.build(self._generator.trainable_variables)
        self._d_optimizer.build(self._discriminator.trainable_variables)
        self._many_steps = tf.function(self._loop, reduce_retracing=True)

    def epochs(self) -> Iterator[dict[str, float]]:
        """Train, and after each epoch give the means of its steps: losses, accuracy of D on real and on generated."""
        for epoch in range(self._candidate.epochs):
            draws = [tf.constant(values) for values in self._draw(epoch)]
            yield dict(zip(_METRICS, self._many_steps(*draws).numpy().tolist(), strict=True))

    def _draw(self, epoch: int) -> tuple[NDArray[np.generic], ...]:
        """All randomness of an epoch: images (steps, batch), latents, augmentation, and ramp and EMA decay (steps,).

        Classes are drawn in proportion to n_class^label_power, and generated images get the labels of the real ones.
        """
        candidate, rng = self._candidate, self._rng
        shape = (candidate.steps_per_epoch, candidate.batch)
        counts = np.bincount(self._labels)
        weights = (counts**candidate.label_power / np.maximum(counts, 1))[self._labels]
        indices = rng.choice(len(self._labels), shape, p=weights / weights.sum()).astype(np.int32)
        latents = rng.standard_normal((shape[0], 2, shape[1], candidate.latent), np.float32)
        size_px = self._images.shape[1]
        # (steps, 4, batch, 4): real and generated, for D's update and for G's
        draws = draw_augmentation(
            (shape[0], 4, shape[1]), size_px, candidate.translation_share, candidate.cutout_share, rng
        )
        step = epoch * shape[0] + np.arange(shape[0])
        ramp = np.minimum(1, step / max(1, candidate.ramp_share * candidate.epochs * shape[0]))
        decay = np.minimum(candidate.ema, (1 + step) / (10 + step))  # a warm-up: the first weights are forgotten
        return indices, latents, draws, ramp.astype(np.float32), decay.astype(np.float32)

    def _loop(
        self, indices: tf.Tensor, latents: tf.Tensor, draws: tf.Tensor, ramp: tf.Tensor, decay: tf.Tensor
    ) -> tf.Tensor:
        labels = tf.constant(self._labels)
        sums = tf.zeros(len(_METRICS))
        for step in tf.range(tf.shape(indices)[0]):
            real = to_signed(tf.cast(tf.gather(self._images, indices[step]), tf.float32))
            ramps = tf.fill([self._candidate.batch], ramp[step])
            sums += self.train_step(real, tf.gather(labels, indices[step]), latents[step], draws[step], ramps)
            for mean, value in zip(self.average.weights, self._generator.weights, strict=True):
                mean.assign(mean * decay[step] + value * (1 - decay[step]))
        return sums / tf.cast(tf.shape(indices)[0], tf.float32)

    def train_step(
        self, real: tf.Tensor, labels: tf.Tensor, latents: tf.Tensor, draws: tf.Tensor, ramp: tf.Tensor
    ) -> tf.Tensor:
        """One update of D, then one of G; the four metrics float32 (4,).

        Args:
            real: float32 (batch, size_px, size_px, channels) in [-1, 1].
            labels: int32 (batch,) of real and of generated images.
            latents: float32 (2, batch, latent), for D's update and for G's.
            draws: int32 (4, batch, 4), augmentation.
            ramp: float32 (batch,), weight of the projection.
        """
        loss, cutout = LOSSES[self._candidate.loss], self._candidate.cutout_share

        def judge(images: tf.Tensor) -> tf.Tensor:
            return self._discriminator([images, labels, ramp], training=True)

        fake = self._generator([latents[0], labels], training=True)
        real_seen, fake_seen = augment(real, draws[0], cutout), augment(fake, draws[1], cutout)
        with tf.GradientTape() as tape:
            real_logits, fake_logits = judge(real_seen), judge(fake_seen)
            d_loss = loss(real_logits, fake_logits)[1]
            if self._candidate.gradient_penalty:
                penalty = gradient_penalty(judge, real_seen) + gradient_penalty(judge, fake_seen)
                d_loss += self._candidate.gradient_penalty / 2 * penalty
        self._update(tape, d_loss, self._discriminator, self._d_optimizer)
        real_seen = augment(real, draws[2], cutout)
        with tf.GradientTape() as tape:
            fake = self._generator([latents[1], labels], training=True)
            g_loss = loss(judge(real_seen), judge(augment(fake, draws[3], cutout)))[0]
        self._update(tape, g_loss, self._generator, self._g_optimizer)
        return tf.stack([g_loss, d_loss, *accuracies(real_logits, fake_logits, self._candidate.loss)])

    @staticmethod
    def _update(tape: tf.GradientTape, loss: tf.Tensor, model: keras.Model, optimizer: keras.Optimizer) -> None:
        variables = model.trainable_variables
        optimizer.apply(tape.gradient(loss, variables), variables)


def gradient_penalty(judge, images: tf.Tensor) -> tf.Tensor:  # type: ignore[no-untyped-def]
    """Mean squared norm of the gradient of each image's logit by the image: R1 on real, R2 on generated ones.

    Mescheder et al. 2018, equation 9. 0 where D is flat; it keeps D smooth, which keeps G from jumping between modes.
    """
    with tf.GradientTape() as tape:
        tape.watch(images)
        logits = tf.reduce_sum(judge(images))
    gradient = tape.gradient(logits, images)
    return tf.reduce_mean(tf.reduce_sum(tf.square(gradient), axis=[1, 2, 3]))
