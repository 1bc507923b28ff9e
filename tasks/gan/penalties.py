"""Gradient penalties: R1 on real images, R2 on generated ones. They keep D smooth, so that G need not jump."""

from collections.abc import Callable

import tensorflow as tf

_STEP = 0.01  # standard deviation of the noise, of a range of pixels from -1 to 1

Judge = Callable[[tf.Tensor], tf.Tensor]


def exact(judge: Judge, images: tf.Tensor, logits: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
    """Mean squared norm of the gradient of each image's logit by the image (Mescheder et al. 2018, equation 9).

    0 where D is flat. Only where each logit depends on its own image alone (no batch norm in D).
    """
    with tf.GradientTape() as tape:
        tape.watch(images)
        total = tf.reduce_sum(judge(images))
    gradient = tape.gradient(total, images)
    return tf.reduce_mean(tf.reduce_sum(tf.square(gradient), axis=[1, 2, 3]))


def approximate(judge: Judge, images: tf.Tensor, logits: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
    """The same in expectation, by E (D(x + s·e) - D(x))² / s² with normal noise e: no second derivative.

    The approximated R1 of Lin et al. 2025 (arXiv 2501.08316), scaled. For a linear D it holds at any s.

    Args:
        logits: float32 (n,), D(images).
        seed: int32 (2,), of the noise.
    """
    noise = tf.random.stateless_normal(tf.shape(images), seed, dtype=images.dtype)
    return tf.reduce_mean(tf.square((judge(images + _STEP * noise) - logits) / _STEP))


PENALTIES = {"exact": exact, "approximate": approximate}
