import numpy as np
import tensorflow as tf

from tasks.classifier.mixing import mix


def test_mixes_images_with_a_coefficient_for_each_example():
    first = tf.constant(np.full((3, 2, 2, 1), 1.0, np.float32))
    second = tf.constant(np.full((3, 2, 2, 1), -1.0, np.float32))
    mixed = mix(first, second, tf.constant([1.0, 0.75, 0.0]))
    np.testing.assert_allclose(mixed, np.broadcast_to(np.reshape([1.0, 0.5, -1.0], (3, 1, 1, 1)), (3, 2, 2, 1)))


def test_mixes_labels_with_the_same_coefficients():
    mixed = mix(tf.one_hot([0, 1], 3), tf.one_hot([2, 1], 3), tf.constant([0.75, 0.25]))
    np.testing.assert_allclose(mixed, [[0.75, 0, 0.25], [0, 1, 0]])
