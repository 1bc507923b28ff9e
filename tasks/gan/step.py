"""The step of a GAN: updates of any discriminator and any generator for any objective (after R3GAN's Trainer).

It knows nothing of what samples, latents and conditions are: networks are called by the functions that come with them.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import keras
import tensorflow as tf

from tasks.gan.objectives import Objective, lecam
from tasks.networks.arrays import get_weights, set_weights

METRICS = ("g_loss", "d_loss", "d_loss_spread", "real_accuracy", "fake_accuracy", "g_gradient", "d_gradient")
_LECAM_DECAY = 0.99

Structure = Any  # of arrays or tensors: nested tuples, an empty one where there is nothing


@dataclass(frozen=True)
class Networks:
    """The networks of a GAN, and how they are called in training.

    Attributes:
        average: the generator with moving averages of its weights, which is the one to use.
        make: samples from latents and a condition.
        rate: logits from a discriminator, samples and a condition.
        scale: what networks see of real samples as they are stored.
        change: samples changed by draws, real and generated ones in the same way (DiffAugment).
    """

    generator: keras.Model
    discriminator: keras.Model
    average: keras.Model
    make: Callable[[tf.Tensor, Structure], tf.Tensor]
    rate: Callable[[tf.Tensor, Structure], tf.Tensor]
    scale: Callable[[tf.Tensor], tf.Tensor] = tf.identity
    change: Callable[[tf.Tensor, Structure], tf.Tensor] = lambda samples, draws: samples  # noqa: ARG005


class Draws(NamedTuple):
    """What a step takes, all drawn before; in each update D sees `seen` real and `seen` generated samples.

    Attributes:
        samples: (d_steps, seen, ...), real ones as they are stored.
        condition: of these and of as many that G makes, each part (d_steps, seen).
        g_condition: of the samples that G makes for its own update, each part (batch,).
        d_latents: float32 (d_steps, seen, latent); g_latents float32 (batch, latent).
        d_changes: for `Networks.change`, each part (d_steps, 2, seen, ...); g_changes (2, batch, ...).
        seeds: int32 (d_steps, 2, 2), of the noise of approximate penalties.
        decay: float32 (), of the moving average; lecam_on: float32 (), 1 once LeCam's term counts.
    """

    samples: Any
    condition: Structure
    g_condition: Structure
    d_latents: Any
    g_latents: Any
    d_changes: Structure
    g_changes: Structure
    seeds: Any
    decay: Any
    lecam_on: Any


def part(structure: Structure, index: Any) -> Structure:
    """The same structure of `leaf[index]` for each of its leaves."""
    return tf.nest.map_structure(lambda leaf: leaf[index], structure)


class _Half(NamedTuple):
    """What D sees of real, or of generated samples; the seed is that of the noise of an approximate penalty."""

    samples: tf.Tensor
    condition: Structure
    seed: tf.Tensor


class Step:
    """Updates of two networks; called with the draws of a step, which also say how many updates of D there are."""

    def __init__(
        self,
        networks: Networks,
        objective: Objective,
        d_optimizer: keras.Optimizer,
        g_optimizer: keras.Optimizer,
        *,
        separate_updates: bool = False,
        shared_pass: bool = False,
    ) -> None:
        """Args:
        separate_updates: D learns from real and then from generated samples, not from both at once.
        shared_pass: D's last update sees samples of the pass of G by which G learns.
        """
        self.networks, self._objective = networks, objective
        self.d_optimizer, self.g_optimizer = d_optimizer, g_optimizer
        self._separate_updates, self._shared_pass = separate_updates, shared_pass
        d_optimizer.build(networks.discriminator.trainable_variables)
        g_optimizer.build(networks.generator.trainable_variables)
        self._anchors = tf.Variable(tf.zeros(2), name="anchors")  # LeCam: averages of D on real and generated samples

    def __call__(self, draws: Draws) -> tf.Tensor:
        """`d_steps` updates of D, then one of G; float32 (7,) as in METRICS, with D's squared loss for its spread."""
        networks, (d_steps, seen) = self.networks, draws.samples.shape[:2]
        g_tape = tf.GradientTape()

        def make_for_g() -> tf.Tensor:
            with g_tape:
                return networks.make(draws.g_latents, draws.g_condition)

        made = make_for_g() if self._shared_pass else None
        for turn in range(d_steps):
            real, condition = networks.scale(draws.samples[turn]), part(draws.condition, turn)
            if made is not None and turn == d_steps - 1:
                fake, fake_condition = made[:seen], part(draws.g_condition, slice(seen))
            else:
                fake, fake_condition = networks.make(draws.d_latents[turn], condition), condition
            changes, seeds = part(draws.d_changes, turn), draws.seeds[turn]
            halves = (
                _Half(networks.change(real, part(changes, 0)), condition, seeds[0]),
                _Half(networks.change(fake, part(changes, 1)), fake_condition, seeds[1]),
            )
            d_metrics = self._update_d(halves, draws.lecam_on)
        made = make_for_g() if made is None else made
        g_loss, g_norm = self._update_g(g_tape, made, real, draws)
        d_loss, real_accuracy, fake_accuracy, d_norm = d_metrics
        return tf.stack([g_loss, d_loss, d_loss**2, real_accuracy, fake_accuracy, g_norm, d_norm])

    def follow(self, decay: tf.Tensor) -> None:
        """Move the average towards the generator."""
        for mean, value in zip(self.networks.average.weights, self.networks.generator.weights, strict=True):
            mean.assign(mean * decay + value * (1 - decay))

    def start_from(self, other: "Step") -> None:
        """Take over the weights of another training of the same networks (a warm start); optimisers start afresh."""
        for name in ("generator", "discriminator", "average"):
            set_weights(getattr(self.networks, name), get_weights(getattr(other.networks, name)))

    def variables(self) -> dict[str, list[Any]]:
        """All that training changes: weights, averages, optimisers, seeds of dropout, LeCam's anchors."""
        return {
            "g": self.networks.generator.variables,
            "d": self.networks.discriminator.variables,
            "average": self.networks.average.variables,
            "g_optimizer": self.g_optimizer.variables,
            "d_optimizer": self.d_optimizer.variables,
            "lecam": [self._anchors],
        }

    def _update_d(self, halves: tuple[_Half, _Half], lecam_on: tf.Tensor) -> tuple[tf.Tensor, ...]:
        """Loss without penalties, accuracy on real and on generated samples, and norm of the gradient."""
        networks, objective, anchors = self.networks, self._objective, tf.identity(self._anchors)
        # One update on both halves, or one on each; what the other half would add to a loss has no gradient then.
        real, fake = (self._no_logits(half.samples) for half in halves)
        norms = []
        for turn in ((0,), (1,)) if self._separate_updates else ((0, 1),):
            with tf.GradientTape() as tape:
                real = networks.rate(halves[0].samples, halves[0].condition) if 0 in turn else real
                fake = networks.rate(halves[1].samples, halves[1].condition) if 1 in turn else fake
                total = objective.d_loss(real, fake, (halves[0].condition, halves[1].condition))
                if objective.lecam:
                    total += objective.lecam * lecam_on * lecam(real, fake, anchors)
                if objective.gradient_penalty:  # by what D sees, after augmentation
                    steepness = [self._steepness(halves[half], (real, fake)[half]) for half in turn]
                    total += objective.gradient_penalty / 2 * tf.add_n(steepness)
            norms.append(_apply(tape, total, networks.discriminator, self.d_optimizer))
        if objective.lecam:
            means = tf.stack([tf.reduce_mean(real), tf.reduce_mean(fake)])
            self._anchors.assign(_LECAM_DECAY * anchors + (1 - _LECAM_DECAY) * means)
        d_loss = objective.d_loss(real, fake, (halves[0].condition, halves[1].condition))
        return d_loss, *objective.accuracies(real, fake), tf.reduce_mean(norms)

    def _steepness(self, half: _Half, logits: tf.Tensor) -> tf.Tensor:
        def rate(samples: tf.Tensor) -> tf.Tensor:
            return self.networks.rate(samples, half.condition)

        return self._objective.steepness(rate, half.samples, logits, half.seed)

    def _update_g(
        self, tape: tf.GradientTape, made: tf.Tensor, real: tf.Tensor, draws: Draws
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Loss, and norm of the gradient. D is passed through, and no gradient of its weights is computed."""
        networks, condition = self.networks, draws.g_condition
        real_logits = self._no_logits(made)
        if self._objective.paired:
            real_logits = networks.rate(networks.change(real, part(draws.g_changes, 0)), condition)
        with tf.GradientTape(watch_accessed_variables=False) as d_tape:
            d_tape.watch(made)
            fake_logits = networks.rate(networks.change(made, part(draws.g_changes, 1)), condition)
            loss = self._objective.g_loss(real_logits, fake_logits, condition)
        by_sample = d_tape.gradient(loss, made)
        return loss, _apply(tape, made, networks.generator, self.g_optimizer, by_sample)

    def _no_logits(self, samples: tf.Tensor) -> tf.Tensor:
        return tf.zeros([tf.shape(samples)[0], *self.networks.discriminator.output_shape[1:]])


def _apply(
    tape: tf.GradientTape,
    target: tf.Tensor,
    network: keras.Model,
    optimizer: keras.Optimizer,
    upstream: tf.Tensor | None = None,
) -> tf.Tensor:
    """Norm of the gradient by which a network was moved."""
    weights = network.trainable_variables
    gradients = tape.gradient(target, weights, upstream)
    optimizer.apply(gradients, weights)
    return tf.linalg.global_norm(gradients)
