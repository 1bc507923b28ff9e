import numpy as np
import pytest
import tensorflow as tf

from tasks.gan.penalties import approximate, exact

WEIGHTS = tf.reshape(tf.range(16, dtype=tf.float32), (1, 4, 4, 1))
SEED = tf.constant([0, 1])


def _linear(images: tf.Tensor) -> tf.Tensor:
    return tf.reduce_sum(images * WEIGHTS, axis=[1, 2, 3])


def test_the_penalty_of_a_linear_discriminator_is_its_squared_weight() -> None:
    images = tf.ones((3, 4, 4, 1))
    assert float(exact(_linear, images, _linear(images), SEED)) == pytest.approx(sum(at**2 for at in range(16)))


def test_the_approximation_has_the_same_expectation() -> None:
    images = tf.zeros((4000, 4, 4, 1))
    found = float(approximate(_linear, images, _linear(images), SEED))
    assert found == pytest.approx(sum(at**2 for at in range(16)), rel=0.1)  # standard error sqrt(2 / 4000), 2%
    other = float(approximate(_linear, images, _linear(images), SEED + 1))
    assert other != found


def test_a_flat_discriminator_is_not_penalised() -> None:
    images = tf.constant(np.random.default_rng(0).normal(size=(3, 4, 4, 1)), tf.float32)

    def flat(values: tf.Tensor) -> tf.Tensor:
        return tf.ones(3) + 0 * tf.reduce_sum(values, axis=[1, 2, 3])

    for penalty in (exact, approximate):
        assert float(penalty(flat, images, flat(images), SEED)) == 0
