"""Applying what was drawn: mixup, then the changes of the augmentation.

mixup is convex combinations of examples and of their labels (Zhang et al. 2018, arXiv 1710.09412). `keras.layers.MixUp`
is not used: it draws its partners itself, so it cannot keep synthetic images from each other.
"""

import tensorflow as tf

from tasks.classifier.arms import Draws
from tasks.dataset.affine import transform
from tasks.dataset.ranges import to_signed
from tasks.support.params import Arm, Augmentation

Batch = tuple[tf.Tensor, tf.Tensor]  # images (n, height, width, channels) and soft labels float32 (n, classes)


def apply_draws(arm: Arm, augmentation: Augmentation | None, own: Batch, others: Batch, drawn: Draws) -> Batch:
    """What the network is given in one step: images float32 in [-1, 1], and their labels.

    Args:
        own, others: the examples drawn and their partners, images uint8; partners are used only where the arm mixes.
        drawn: of that step alone, each field without the axis of steps.
    """
    (x, y), (other_x, other_y) = own, others
    x = to_signed(tf.cast(x, tf.float32))
    if arm.mixup:
        x = mix(x, to_signed(tf.cast(other_x, tf.float32)), drawn.coefficients)
        y = mix(y, other_y, drawn.label_coefficients)
    if augmentation:
        x = transform(x, drawn.transforms, augmentation.fill)
    return x, y


def mix(first: tf.Tensor, second: tf.Tensor, coefficients: tf.Tensor) -> tf.Tensor:
    """lambda * first + (1 - lambda) * second, example by example; images and one-hot labels alike.

    Args:
        first, second: float32 (n, ...).
        coefficients: float32 (n,) in [0, 1], lambda of each example.
    """
    share = tf.reshape(coefficients, [-1] + [1] * (first.shape.rank - 1))
    return share * first + (1 - share) * second
