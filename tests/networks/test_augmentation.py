import numpy as np
import pytest
import tensorflow as tf

from tasks.networks.augmentation import Augmentation

BOTH = Augmentation(translation=0.25, cutout=0.5, colour=False)
COLOUR = Augmentation(translation=0.0, cutout=0.0, colour=True)


def _image() -> tf.Tensor:
    return tf.reshape(tf.range(16, dtype=tf.float32), (1, 4, 4, 1))


def _draw(*values: float) -> tf.Tensor:
    return tf.constant([values], tf.float32)


def test_shifts_then_cuts_out_where_the_draw_says() -> None:
    changed = BOTH.apply(_image(), _draw(1, -1, 2, 0, 0, 0, 0)).numpy()[0, :, :, 0]
    assert changed.tolist() == [
        [-1, -1, -1, -1],
        [1, 2, 3, -1],
        [-1, -1, 7, -1],
        [-1, -1, 11, -1],
    ]


def test_switched_off_nothing_changes() -> None:
    off = Augmentation(translation=0.0, cutout=0.0, colour=False)
    np.testing.assert_array_equal(off.apply(_image(), _draw(1, 1, 1, 1, 1, 1, 1)), _image())


def test_brightness_saturation_and_contrast_by_hand() -> None:
    pixels = tf.constant([[[[0.0, 0.2, 0.4]], [[0.6, 0.6, 0.6]]]])  # one image, two pixels
    brighter = COLOUR.apply(pixels, _draw(0, 0, 0, 0, 0.1, 1, 1)).numpy()
    np.testing.assert_allclose(brighter, pixels + 0.1, rtol=1e-6)
    grey = COLOUR.apply(pixels, _draw(0, 0, 0, 0, 0, 0, 1)).numpy()[0, :, 0]
    np.testing.assert_allclose(grey, [[0.2] * 3, [0.6] * 3], rtol=1e-5)
    flat = COLOUR.apply(pixels, _draw(0, 0, 0, 0, 0, 1, 0.5)).numpy()[0, :, 0]
    np.testing.assert_allclose(flat, [[0.2, 0.3, 0.4], [0.5] * 3], rtol=1e-5)  # halfway to the mean, .4


def test_draws_cover_their_range_and_no_more() -> None:
    draws = Augmentation(0.125, 0.5, colour=True).draw((2000,), 8, np.random.default_rng(0))
    assert draws.shape == (2000, 7)
    assert set(draws[:, 0]) == set(draws[:, 1]) == {-1, 0, 1}
    assert (draws[:, 2:4].min(), draws[:, 2:4].max()) == (-2, 6)
    for column, (low, high) in zip(draws[:, 4:].T, [(-0.5, 0.5), (0, 2), (0.5, 1.5)], strict=True):
        assert low <= column.min() < low + 0.01 * (high - low) + 1e-6
        assert high - 0.01 * (high - low) < column.max() <= high
    assert not Augmentation(0.125, 0.5, colour=False).draw((9,), 8, np.random.default_rng(0))[:, 4:].any()


@pytest.mark.parametrize("augmentation", [BOTH, COLOUR])
def test_gradients_flow_through_what_is_left(augmentation: Augmentation) -> None:
    images = tf.Variable(_image())
    with tf.GradientTape() as tape:
        total = tf.reduce_sum(augmentation.apply(images, _draw(0, 0, 0, 0, 0.1, 1, 0.5)))
    gradient = tf.convert_to_tensor(tape.gradient(total, images)).numpy()[0, :, :, 0]
    cut = [[0, 0, 1, 1], [0, 0, 1, 1], [1, 1, 1, 1], [1, 1, 1, 1]]
    np.testing.assert_allclose(gradient, cut if augmentation is BOTH else np.ones((4, 4)), rtol=1e-6)
