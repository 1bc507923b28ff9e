import math

import pytest
import tensorflow as tf

from tasks.gan.losses import accuracies, non_saturating, relativistic


def test_non_saturating_of_a_discriminator_that_cannot_tell() -> None:
    g_loss, d_loss = non_saturating(tf.zeros(4), tf.zeros(4))
    assert float(g_loss) == pytest.approx(math.log(2))
    assert float(d_loss) == pytest.approx(2 * math.log(2))


def test_non_saturating_by_hand() -> None:
    g_loss, d_loss = non_saturating(tf.constant([2.0]), tf.constant([-1.0]))
    assert float(g_loss) == pytest.approx(math.log(1 + math.exp(1)))
    assert float(d_loss) == pytest.approx(math.log(1 + math.exp(-2)) + math.log(1 + math.exp(-1)))


def test_relativistic_sees_differences_only() -> None:
    g_loss, d_loss = relativistic(tf.constant([5.0, 3.0]), tf.constant([4.0, 3.0]))
    assert float(g_loss) == pytest.approx((math.log(1 + math.e) + math.log(2)) / 2)
    assert float(d_loss) == pytest.approx((math.log(1 + math.exp(-1)) + math.log(2)) / 2)


def test_accuracies() -> None:
    real, fake = tf.constant([3.0, 1.0, -1.0, 4.0]), tf.constant([-2.0, 1.0, -1.0, -3.0])
    assert [float(share) for share in accuracies(real, fake, "non_saturating")] == [0.75, 0.75]
    shifted = [float(share) for share in accuracies(real + 100, fake + 100, "relativistic")]
    assert shifted == [0.75, 0.75]
