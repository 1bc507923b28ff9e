import numpy as np
import tensorflow as tf

from tasks.networks.brightness import brighten
from tasks.networks.ranges import to_signed


def test_bytes_are_multiplied_and_clipped() -> None:
    values = np.array([0, 50, 100, 200, 255], np.float32).reshape(1, 5, 1, 1)
    images = tf.constant(np.repeat(to_signed(values), 3, axis=0))
    lit = (brighten(images, tf.constant([1.0, 1.3, 0.5])).numpy() + 1) * 127.5
    expected = [[0, 50, 100, 200, 255], [0, 65, 130, 255, 255], [0, 25, 50, 100, 127.5]]
    np.testing.assert_allclose(lit[..., 0, 0], expected, atol=1e-4)
