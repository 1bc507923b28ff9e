import numpy as np
import tensorflow as tf

from tasks.gan.augmentation import augment, draw_augmentation


def _image() -> tf.Tensor:
    return tf.reshape(tf.range(16, dtype=tf.float32), (1, 4, 4, 1))


def test_shifts_then_cuts_out_where_the_draw_says() -> None:
    changed = augment(_image(), tf.constant([[1, -1, 2, 0]]), cutout=0.5).numpy()[0, :, :, 0]
    assert changed.tolist() == [
        [-1, -1, -1, -1],
        [1, 2, 3, -1],
        [-1, -1, 7, -1],
        [-1, -1, 11, -1],
    ]


def test_without_cutout_and_shift_nothing_changes() -> None:
    changed = augment(_image(), tf.constant([[0, 0, 1, 1]]), cutout=0.0)
    np.testing.assert_array_equal(changed, _image())


def test_draws_cover_their_range_and_no_more() -> None:
    draws = draw_augmentation((2000,), 8, translation=0.125, cutout=0.5, rng=np.random.default_rng(0))
    assert draws.shape == (2000, 4)
    assert set(draws[:, 0]) == set(draws[:, 1]) == {-1, 0, 1}
    assert (draws[:, 2:].min(), draws[:, 2:].max()) == (-2, 6)


def test_gradients_flow_through_what_is_left() -> None:
    images = tf.Variable(_image())
    with tf.GradientTape() as tape:
        total = tf.reduce_sum(augment(images, tf.constant([[0, 0, 0, 0]]), cutout=0.5))
    gradient = tf.convert_to_tensor(tape.gradient(total, images)).numpy()[0, :, :, 0]
    assert gradient.tolist() == [[0, 0, 1, 1], [0, 0, 1, 1], [1, 1, 1, 1], [1, 1, 1, 1]]
