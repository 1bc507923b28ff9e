"""What a GAN is trained for: losses, gradient penalties, LeCam's term and accuracies, as functions of logits.

Logits are float32 (n,), those of real and of generated samples; an objective for K logits a sample derives its own.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import tensorflow as tf

Loss = Callable[[tf.Tensor, tf.Tensor], tuple[tf.Tensor, tf.Tensor]]  # from logits to (g_loss, d_loss)
Rate = Callable[[tf.Tensor], tf.Tensor]  # from samples to logits: a discriminator whose condition is given
_STEP = 0.01  # standard deviation of the noise, of a range of pixels from -1 to 1


def non_saturating(real: tf.Tensor, fake: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """L_G = E sp(-D(G)), L_D = E sp(-D(x)) + E sp(D(G)), sp = softplus (Goodfellow et al. 2014, section 3).

    L_D is 2 log 2 where the discriminator cannot tell, 0 where it can without fail.
    """
    d_loss = tf.reduce_mean(tf.nn.softplus(-real)) + tf.reduce_mean(tf.nn.softplus(fake))
    return tf.reduce_mean(tf.nn.softplus(-fake)), d_loss


def hinge(real: tf.Tensor, fake: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """L_G = -E D(G), L_D = E relu(1 - D(x)) + E relu(1 + D(G)) (Lim & Ye 2017; Miyato et al. 2018, equations 16, 17).

    L_D is 2 where the discriminator cannot tell, 0 where all logits are beyond the margin.
    """
    return -tf.reduce_mean(fake), tf.reduce_mean(tf.nn.relu(1 - real)) + tf.reduce_mean(tf.nn.relu(1 + fake))


def relativistic(real: tf.Tensor, fake: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """L_G = E sp(D(x) - D(G)), L_D = E sp(D(G) - D(x)) over pairs (Jolicoeur-Martineau 2019; Huang et al. 2024, R3GAN).

    Both are log 2 where the discriminator cannot tell. Meant for use with a gradient penalty.
    """
    return tf.reduce_mean(tf.nn.softplus(real - fake)), tf.reduce_mean(tf.nn.softplus(fake - real))


LOSSES: dict[str, Loss] = {"non_saturating": non_saturating, "hinge": hinge, "relativistic": relativistic}


def exact(rate: Rate, samples: tf.Tensor, logits: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
    """Mean squared norm of the gradient of each sample's logit by the sample (Mescheder et al. 2018, equation 9).

    0 where D is flat. Only where each logit depends on its own sample alone (no batch norm in D).
    """
    with tf.GradientTape() as tape:
        tape.watch(samples)
        total = tf.reduce_sum(rate(samples))
    gradient = tape.gradient(total, samples)
    return tf.reduce_mean(tf.reduce_sum(tf.square(gradient), axis=list(range(1, len(samples.shape)))))


def approximate(rate: Rate, samples: tf.Tensor, logits: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
    """The same in expectation, by E (D(x + s·e) - D(x))² / s² with normal noise e: no second derivative.

    The approximated R1 of Lin et al. 2025 (arXiv 2501.08316), scaled. For a linear D it holds at any s.

    Args:
        logits: float32 (n,), D(samples).
        seed: int32 (2,), of the noise.
    """
    noise = tf.random.stateless_normal(tf.shape(samples), seed, dtype=samples.dtype)
    return tf.reduce_mean(tf.square((rate(samples + _STEP * noise) - logits) / _STEP))


PENALTIES = {"exact": exact, "approximate": approximate}


def lecam(real: tf.Tensor, fake: tf.Tensor, anchors: tf.Tensor) -> tf.Tensor:
    """E relu(D(x) - a_fake)² + E relu(a_real - D(G))², which keeps D near its past.

    The regulariser of Tseng et al. 2021 as their code has it (google/lecam-gan).

    Args:
        anchors: float32 (2,), moving averages of D on real and on generated images.
    """
    return tf.reduce_mean(tf.nn.relu(real - anchors[1]) ** 2) + tf.reduce_mean(tf.nn.relu(anchors[0] - fake) ** 2)


@dataclass(frozen=True)
class Objective:
    """What G and D are trained for, of one logit a sample.

    Attributes:
        loss: name of one of LOSSES.
        penalty: name of one of PENALTIES.
        gradient_penalty: weight of the penalties of real and of generated samples, of which each counts half.
        lecam: weight of LeCam's term.
    """

    loss: str
    penalty: str = "exact"
    gradient_penalty: float = 0.0
    lecam: float = 0.0

    @property
    def paired(self) -> bool:
        """Whether G's loss compares with logits of real samples."""
        return self.loss == "relativistic"

    def g_loss(self, real: tf.Tensor, fake: tf.Tensor, condition: Any) -> tf.Tensor:  # noqa: ARG002
        """Loss of G; `condition` is that of both."""
        return LOSSES[self.loss](real, fake)[0]

    def d_loss(self, real: tf.Tensor, fake: tf.Tensor, conditions: tuple[Any, Any]) -> tf.Tensor:  # noqa: ARG002
        """Loss of D without penalties; `conditions` are those of real and of generated samples."""
        return LOSSES[self.loss](real, fake)[1]

    def steepness(self, rate: Rate, samples: tf.Tensor, logits: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        """The gradient penalty without its weight."""
        return PENALTIES[self.penalty](rate, samples, logits, seed)

    def accuracies(self, real: tf.Tensor, fake: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Share of real and of generated samples that D takes for what they are. In the limit 0.5.

        Relativistic logits mean something in comparison only: there the boundary is midway between the two means.
        """
        boundary = (tf.reduce_mean(real) + tf.reduce_mean(fake)) / 2 if self.paired else tf.zeros(())
        right = tf.cast(real > boundary, tf.float32), tf.cast(fake <= boundary, tf.float32)
        return tf.reduce_mean(right[0]), tf.reduce_mean(right[1])
