"""The GAN in training, of either kind: one train step, compiled into a loop over randomness that numpy drew before."""

from collections.abc import Iterator
from functools import partial
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from tasks.core.params import Candidate, Compute, Dcgan
from tasks.gan.draws import draw_steps
from tasks.gan.losses import LOSSES, accuracies, lecam
from tasks.gan.penalties import PENALTIES
from tasks.networks.augmentation import DiffAugment
from tasks.networks.kinds import build_discriminator, build_generator, judge, make
from tasks.networks.pixels import to_signed
from tasks.networks.weights import Weights, get_weights, set_weights

METRICS = ("g_loss", "d_loss", "d_loss_spread", "real_accuracy", "fake_accuracy", "g_gradient", "d_gradient")
_LECAM_DECAY = 0.99


class Gan:
    """A generator and a discriminator in training.

    `average` is the generator with exponential moving averages of the weights: the one to use. `epoch` counts those
    trained of `epochs`. `images` are left where they are, in memory or on disk: each step reads its own.
    """

    def __init__(
        self,
        images: NDArray[np.uint8],
        labels: NDArray[np.int32],
        classes: int,
        candidate: Candidate,
        seed: int,
        epochs: int,
        compute: Compute,
    ) -> None:
        """Args: images uint8 (n, size_px, size_px, channels), labels int32 (n,) below `classes`, `epochs` in all."""
        size_px, channels = images.shape[2:]
        self._images, self._labels = images, labels
        self._candidate, self._seed, self.epochs = candidate, seed, epochs
        self.epoch = 0
        self._augmentation = DiffAugment(candidate.translation_share, candidate.cutout_share, candidate.colour)
        self.settings: dict[str, Any] = {
            "kind": candidate.kind,
            "size_px": size_px,
            "channels": channels,
            "latent": candidate.latent,
            "width": candidate.width,
        }
        if isinstance(candidate, Dcgan):
            self.settings["batch_norm"] = candidate.batch_norm
        else:
            self.settings["depth"] = candidate.depth
        policy = "mixed_bfloat16" if compute.mixed_precision else "float32"
        self.discriminator = build_discriminator(self.settings, classes, candidate.d_dropout, seed, policy)
        self.generator = build_generator(self.settings, classes, candidate.g_dropout, seed, policy)
        self.average = build_generator(self.settings, classes, 0.0, seed, "float32")
        self._d_optimizer = keras.optimizers.Adam(candidate.d_learning_rate, candidate.beta_1, candidate.beta_2)
        self._g_optimizer = keras.optimizers.Adam(candidate.g_learning_rate, candidate.beta_1, candidate.beta_2)
        self._d_optimizer.build(self.discriminator.trainable_variables)
        self._g_optimizer.build(self.generator.trainable_variables)
        self._anchors = tf.Variable(tf.zeros(2), name="anchors")  # LeCam: averages of D on real and on generated images
        self._step = tf.function(self.train_step, jit_compile=compute.xla)
        shapes = [tf.TensorSpec([None, *values.shape[1:]], values.dtype) for values in next(self._draw())]
        many_steps = tf.function(self._loop, input_signature=shapes)
        self._many_steps = many_steps.get_concrete_function()  # one trace for any number of steps

    def train_epoch(self) -> dict[str, float]:
        """Train one epoch; the means over its steps, and `d_loss_spread`, the standard deviation of D's loss."""
        sums = np.zeros(len(METRICS))
        for draws in self._draw():
            sums += self._many_steps(*[tf.constant(values) for values in draws]).numpy()
        self.epoch += 1
        means = dict(zip(METRICS, (sums / self._candidate.steps_per_epoch).tolist(), strict=True))
        means["d_loss_spread"] = max(0.0, means["d_loss_spread"] - means["d_loss"] ** 2) ** 0.5
        return means

    def start_from(self, other: "Gan") -> None:
        """Take over the weights of another training of the same networks (a warm start); optimisers start afresh."""
        pairs = ((self.generator, other.generator), (self.discriminator, other.discriminator))
        for mine, theirs in (*pairs, (self.average, other.average)):
            set_weights(mine, get_weights(theirs))

    def state(self) -> Weights:
        """All that a training needs to go on: weights, averages, optimisers, seeds of dropout, LeCam's anchors."""
        return {name: variable.numpy() for name, variable in self._variables().items()}

    def restore(self, state: Weights, epoch: int) -> None:
        """Go on after `epoch` epochs, with the state they left."""
        for name, variable in self._variables().items():
            variable.assign(state[name])
        self.epoch = epoch

    def _variables(self) -> dict[str, Any]:
        parts = {
            "g": self.generator.variables,
            "d": self.discriminator.variables,
            "average": self.average.variables,
            "g_optimizer": self._g_optimizer.variables,
            "d_optimizer": self._d_optimizer.variables,
            "lecam": [self._anchors],
        }
        return {f"{part}/{at:03d}": each for part, variables in parts.items() for at, each in enumerate(variables)}

    def _draw(self) -> Iterator[tuple[NDArray[np.generic], ...]]:
        images, labels, candidate = self._images, self._labels, self._candidate
        return draw_steps(images, labels, candidate, self._augmentation, self._seed, self.epoch, self.epochs)

    def _loop(self, *draws: tf.Tensor) -> tf.Tensor:
        sums = tf.zeros(len(METRICS))
        for step in tf.range(tf.shape(draws[0])[0]):
            *now, pace = (each[step] for each in draws)
            sums += self._step(*now, pace[0], pace[2])
            for mean, value in zip(self.average.weights, self.generator.weights, strict=True):
                mean.assign(mean * pace[1] + value * (1 - pace[1]))
        return sums

    def train_step(
        self,
        images: tf.Tensor,
        labels: tf.Tensor,
        g_labels: tf.Tensor,
        d_latents: tf.Tensor,
        g_latents: tf.Tensor,
        d_draws: tf.Tensor,
        g_draws: tf.Tensor,
        seeds: tf.Tensor,
        ramp: tf.Tensor,
        lecam_on: tf.Tensor,
    ) -> tf.Tensor:
        """`d_steps` updates of D, then one of G; float32 (7,) as in METRICS, with D's squared loss for its spread.

        Args:
            images: uint8 (d_steps, seen, size_px, size_px, channels), where D sees `seen` real and generated images.
            labels: int32 (d_steps, seen) of both; g_labels int32 (batch,) of those that G makes for its own update.
            d_latents: float32 (d_steps, seen, latent), and g_latents float32 (batch, latent).
            d_draws: float32 (d_steps, 2, seen, 7), augmentation; g_draws float32 (2, batch, 7).
            seeds: int32 (d_steps, 2, 2), of the noise of approximate penalties.
            ramp: float32 (), weight of the projection; lecam_on float32 (), 1 once LeCam's term counts.
        """
        candidate, see, seen = self._candidate, self._augmentation.apply, images.shape[1]
        g_tape = tf.GradientTape()

        def make_for_g() -> tf.Tensor:
            with g_tape:
                return make(self.generator, g_latents, g_labels, training=True)

        made = make_for_g() if candidate.shared_pass else None
        for turn in range(candidate.d_steps):
            real = to_signed(tf.cast(images[turn], tf.float32))
            if made is not None and turn == candidate.d_steps - 1:
                fake, fake_labels = made[:seen], g_labels[:seen]
            else:
                fake, fake_labels = make(self.generator, d_latents[turn], labels[turn], training=True), labels[turn]
            seen_images = (see(real, d_draws[turn, 0]), see(fake, d_draws[turn, 1]))
            d_metrics = self._update_d(seen_images, (labels[turn], fake_labels), seeds[turn], ramp, lecam_on)
        made = make_for_g() if made is None else made
        g_loss, g_norm = self._update_g(g_tape, made, g_labels, real, g_draws, ramp)
        d_loss, real_accuracy, fake_accuracy, d_norm = d_metrics
        return tf.stack([g_loss, d_loss, d_loss**2, real_accuracy, fake_accuracy, g_norm, d_norm])

    def _update_d(
        self,
        images: tuple[tf.Tensor, tf.Tensor],
        labels: tuple[tf.Tensor, tf.Tensor],
        seeds: tf.Tensor,
        ramp: tf.Tensor,
        lecam_on: tf.Tensor,
    ) -> tuple[tf.Tensor, ...]:
        """Loss without penalties, accuracy on real and on generated images, and norm of the gradient."""
        candidate, loss = self._candidate, LOSSES[self._candidate.loss]
        anchors = tf.identity(self._anchors)
        see = [partial(judge, self.discriminator, labels=each, ramp=ramp) for each in labels]
        # One update on both halves, or one on each; what the other half would add to a loss has no gradient then.
        real, fake = (tf.zeros([tf.shape(each)[0]]) for each in images)
        norms = []
        for halves in ((0,), (1,)) if candidate.separate_updates else ((0, 1),):
            with tf.GradientTape() as tape:
                real = see[0](images[0]) if 0 in halves else real
                fake = see[1](images[1]) if 1 in halves else fake
                total = loss(real, fake)[1]
                if candidate.lecam:
                    total += candidate.lecam * lecam_on * lecam(real, fake, anchors)
                if candidate.gradient_penalty:  # by the image that D sees, after augmentation
                    penalty, logits = PENALTIES[candidate.penalty], (real, fake)
                    steepness = [penalty(see[half], images[half], logits[half], seeds[half]) for half in halves]
                    total += candidate.gradient_penalty / 2 * tf.add_n(steepness)
            norms.append(self._apply(tape.gradient(total, self._d_weights), self._d_weights, self._d_optimizer))
        if candidate.lecam:
            means = tf.stack([tf.reduce_mean(real), tf.reduce_mean(fake)])
            self._anchors.assign(_LECAM_DECAY * anchors + (1 - _LECAM_DECAY) * means)
        return loss(real, fake)[1], *accuracies(real, fake, candidate.loss), tf.reduce_mean(norms)

    def _update_g(
        self,
        tape: tf.GradientTape,
        made: tf.Tensor,
        labels: tf.Tensor,
        real: tf.Tensor,
        draws: tf.Tensor,
        ramp: tf.Tensor,
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Loss, and norm of the gradient. D is passed through, and no gradient of its weights is computed."""
        candidate = self._candidate
        logits = tf.zeros([tf.shape(made)[0]])
        if candidate.loss == "relativistic":
            logits = judge(self.discriminator, self._augmentation.apply(real, draws[0]), labels, ramp)
        with tf.GradientTape(watch_accessed_variables=False) as d_tape:
            d_tape.watch(made)
            fake = judge(self.discriminator, self._augmentation.apply(made, draws[1]), labels, ramp)
            loss = LOSSES[candidate.loss](logits, fake)[0]
        by_image = d_tape.gradient(loss, made)
        weights = self.generator.trainable_variables
        return loss, self._apply(tape.gradient(made, weights, by_image), weights, self._g_optimizer)

    @property
    def _d_weights(self) -> list[Any]:
        weights: list[Any] = self.discriminator.trainable_variables
        return weights

    @staticmethod
    def _apply(gradients: list[tf.Tensor], weights: list[Any], optimizer: keras.Optimizer) -> tf.Tensor:
        optimizer.apply(gradients, weights)
        return tf.linalg.global_norm(gradients)
