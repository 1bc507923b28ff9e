"""Shifting images by whole pixels, inside a compiled graph."""

import tensorflow as tf


def shift(images: tf.Tensor, offsets: tf.Tensor, fill: float) -> tf.Tensor:
    """Images float32 (n, height, width, channels), each moved by its own offset; differentiable, XLA-friendly.

    Args:
        offsets: int32 (n, 2), pixels down and right; negative is up and left.
        fill: value of the pixels that move in from outside.
    """
    height, width = images.shape[1], images.shape[2]
    rows = tf.range(height)[None] - offsets[:, :1]  # (n, height), the source row of each row
    columns = tf.range(width)[None] - offsets[:, 1:]  # (n, width)
    inside_rows = tf.logical_and(rows >= 0, rows < height)
    inside_columns = tf.logical_and(columns >= 0, columns < width)
    moved = tf.gather(images, tf.clip_by_value(rows, 0, height - 1), batch_dims=1, axis=1)
    moved = tf.gather(moved, tf.clip_by_value(columns, 0, width - 1), batch_dims=1, axis=2)
    inside = tf.logical_and(inside_rows[:, :, None], inside_columns[:, None, :])[..., None]
    return tf.where(inside, moved, tf.constant(fill, images.dtype))
