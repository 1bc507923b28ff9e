"""Losses of a GAN: functions from the logits of real and of generated images, float32 (n,), to (g_loss, d_loss)."""

from collections.abc import Callable

import tensorflow as tf

Loss = Callable[[tf.Tensor, tf.Tensor], tuple[tf.Tensor, tf.Tensor]]


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


def lecam(real: tf.Tensor, fake: tf.Tensor, anchors: tf.Tensor) -> tf.Tensor:
    """E relu(D(x) - a_fake)² + E relu(a_real - D(G))², which keeps D near its past.

    The regulariser of Tseng et al. 2021 as their code has it (google/lecam-gan).

    Args:
        anchors: float32 (2,), moving averages of D on real and on generated images.
    """
    return tf.reduce_mean(tf.nn.relu(real - anchors[1]) ** 2) + tf.reduce_mean(tf.nn.relu(anchors[0] - fake) ** 2)


def accuracies(real: tf.Tensor, fake: tf.Tensor, loss: str) -> tuple[tf.Tensor, tf.Tensor]:
    """Share of real and of generated images that the discriminator takes for what they are. In the limit 0.5.

    Relativistic logits mean something in comparison only: there the boundary is midway between the two means.
    """
    boundary = (tf.reduce_mean(real) + tf.reduce_mean(fake)) / 2 if loss == "relativistic" else tf.zeros(())
    return tf.reduce_mean(tf.cast(real > boundary, tf.float32)), tf.reduce_mean(tf.cast(fake <= boundary, tf.float32))
