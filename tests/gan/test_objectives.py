import math

import numpy as np
import pytest
import tensorflow as tf

from tasks.gan.objectives import (
    LOSSES,
    Objective,
    approximate,
    exact,
    hinge,
    lecam,
    non_saturating,
    relativistic,
)

WEIGHTS = tf.reshape(tf.range(16, dtype=tf.float32), (1, 4, 4, 1))
SEED = tf.constant([0, 1])


def test_non_saturating_of_a_discriminator_that_cannot_tell() -> None:
    g_loss, d_loss = non_saturating(tf.zeros(4), tf.zeros(4))
    assert float(g_loss) == pytest.approx(math.log(2))
    assert float(d_loss) == pytest.approx(2 * math.log(2))


def test_non_saturating_by_hand() -> None:
    g_loss, d_loss = non_saturating(tf.constant([2.0]), tf.constant([-1.0]))
    assert float(g_loss) == pytest.approx(math.log(1 + math.exp(1)))
    assert float(d_loss) == pytest.approx(math.log(1 + math.exp(-2)) + math.log(1 + math.exp(-1)))


def test_hinge_by_hand() -> None:
    g_loss, d_loss = hinge(tf.constant([2.0, 0.5, -1.0]), tf.constant([-3.0, 0.0, 0.25]))
    assert float(g_loss) == pytest.approx(2.75 / 3)
    # Real ones: beyond the margin, half of it short, two short; generated ones: beyond, one short, 1.25 short.
    assert float(d_loss) == pytest.approx((0 + 0.5 + 2) / 3 + (0 + 1 + 1.25) / 3)


def test_hinge_teaches_the_discriminator_nothing_beyond_the_margin_but_the_generator_still() -> None:
    real, fake = tf.constant([1.5, 0.0]), tf.constant([-1.5, 0.0])
    with tf.GradientTape(persistent=True) as tape:
        tape.watch([real, fake])
        g_loss, d_loss = hinge(real, fake)
    of_real, of_fake = tape.gradient(d_loss, [real, fake])
    assert of_real.numpy().tolist() == [0, -0.5]
    assert of_fake.numpy().tolist() == [0, 0.5]
    assert tape.gradient(g_loss, fake).numpy().tolist() == [-0.5, -0.5]


@pytest.mark.parametrize(
    ("loss", "chance"), [("non_saturating", 2 * math.log(2)), ("hinge", 2.0), ("relativistic", math.log(2))]
)
def test_the_discriminators_loss_between_chance_and_winning(loss: str, chance: float) -> None:
    assert float(LOSSES[loss](tf.zeros(3), tf.zeros(3))[1]) == pytest.approx(chance)
    logits = tf.constant([30.0, 40.0, 50.0])
    with tf.GradientTape() as tape:
        fake = -logits
        tape.watch(fake)
        g_loss, d_loss = LOSSES[loss](logits, fake)
    assert 0 <= float(d_loss) < 1e-12
    np.testing.assert_allclose(tape.gradient(g_loss, fake), [-1 / 3] * 3, rtol=1e-6)  # G is not left without one


def test_lecam_by_hand() -> None:
    anchors = tf.constant([1.0, -0.5])
    # Real logits above the generated ones' average by 2.5, and below it; generated ones 0.5 and 3 below the real ones'.
    found = lecam(tf.constant([2.0, -1.0]), tf.constant([0.5, -2.0]), anchors)
    assert float(found) == pytest.approx((2.5**2 + 0) / 2 + (0.5**2 + 3**2) / 2)
    assert float(lecam(tf.constant([-0.5, -3.0]), tf.constant([1.0, 4.0]), anchors)) == 0


def test_lecam_pulls_each_side_towards_the_others_average() -> None:
    real, fake = tf.constant([2.0, -1.0]), tf.constant([0.5, -2.0])
    with tf.GradientTape() as tape:
        tape.watch([real, fake])
        value = lecam(real, fake, tf.constant([1.0, -0.5]))
    of_real, of_fake = tape.gradient(value, [real, fake])
    assert of_real.numpy().tolist() == [2.5, 0]  # descending lowers the first
    assert of_fake.numpy().tolist() == [-0.5, -3]  # and raises both


def test_relativistic_sees_differences_only() -> None:
    g_loss, d_loss = relativistic(tf.constant([5.0, 3.0]), tf.constant([4.0, 3.0]))
    assert float(g_loss) == pytest.approx((math.log(1 + math.e) + math.log(2)) / 2)
    assert float(d_loss) == pytest.approx((math.log(1 + math.exp(-1)) + math.log(2)) / 2)


def test_accuracies() -> None:
    real, fake = tf.constant([3.0, 1.0, -1.0, 4.0]), tf.constant([-2.0, 1.0, -1.0, -3.0])
    assert [float(share) for share in Objective("non_saturating").accuracies(real, fake)] == [0.75, 0.75]
    shifted = [float(share) for share in Objective("relativistic").accuracies(real + 100, fake + 100)]
    assert shifted == [0.75, 0.75]
    hinged = [float(share) for share in Objective("hinge").accuracies(real, fake)]
    assert hinged == [0.75, 0.75]


def test_the_accuracies_of_different_numbers_of_real_and_generated_images() -> None:
    shares = Objective("hinge").accuracies(tf.constant([1.0, -1.0]), tf.constant([-1.0, -1.0, 1.0, -1.0]))
    assert [float(share) for share in shares] == [0.5, 0.75]


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


def test_penalties_take_samples_of_any_shape() -> None:
    points = tf.constant([[1.0, 2.0], [3.0, 4.0]])
    value = exact(lambda samples: 3 * samples[:, 0] - 4 * samples[:, 1], points, tf.zeros(2), SEED)
    assert float(value) == pytest.approx(25)
