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


def relativistic(real: tf.Tensor, fake: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """L_G = E sp(D(x) - D(G)), L_D = E sp(D(G) - D(x)) over pairs (Jolicoeur-Martineau 2019; Huang et al. 2024, R3GAN).

    Both are log 2 where the discriminator cannot tell. Meant for use with a gradient penalty.
    """
    return tf.reduce_mean(tf.nn.softplus(real - fake)), tf.reduce_mean(tf.nn.softplus(fake - real))


LOSSES: dict[str, Loss] = {"non_saturating": non_saturating, "relativistic": relativistic}


def accuracies(real: tf.Tensor, fake: tf.Tensor, loss: str) -> tuple[tf.Tensor, tf.Tensor]:
    """Share of real and of generated images that the discriminator takes for what they are. In the limit 0.5.

    Relativistic logits mean something in comparison only: there the boundary is midway between the two means.
    """
    boundary = (tf.reduce_mean(real) + tf.reduce_mean(fake)) / 2 if loss == "relativistic" else tf.zeros(())
    hits = tf.stack([real > boundary, fake <= boundary])
    return tuple(tf.unstack(tf.reduce_mean(tf.cast(hits, tf.float32), axis=1)))
