"""Applying mixup: convex combinations of examples and of their labels (Zhang et al. 2018, arXiv 1710.09412).

`keras.layers.MixUp` is not used: it draws its partners itself, so it cannot keep synthetic images from each other.
"""

import tensorflow as tf


def mix(first: tf.Tensor, second: tf.Tensor, coefficients: tf.Tensor) -> tf.Tensor:
    """lambda * first + (1 - lambda) * second, example by example; images and one-hot labels alike.

    Args:
        first, second: float32 (n, ...).
        coefficients: float32 (n,) in [0, 1], lambda of each example.
    """
    share = tf.reshape(coefficients, [-1] + [1] * (first.shape.rank - 1))
    return share * first + (1 - share) * second
