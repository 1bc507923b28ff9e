import tensorflow as tf

from tasks.networks.shifting import shift


def test_each_image_moves_by_its_own_offset() -> None:
    image = tf.reshape(tf.range(4, dtype=tf.float32), (1, 2, 2, 1))
    moved = shift(tf.repeat(image, 3, axis=0), tf.constant([[0, 0], [1, 0], [0, -1]]), fill=-1.0)
    assert moved.numpy()[..., 0].tolist() == [
        [[0, 1], [2, 3]],
        [[-1, -1], [0, 1]],
        [[1, -1], [3, -1]],
    ]


def test_a_shift_beyond_the_image_leaves_the_fill() -> None:
    moved = shift(tf.ones((1, 2, 2, 3)), tf.constant([[5, -5]]), fill=0.5)
    assert moved.numpy().tolist() == tf.fill((1, 2, 2, 3), 0.5).numpy().tolist()
