"""Step and loop with networks, samples and objectives of which they know nothing."""

from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from tasks.gan.loop import Watch, snapshots_in, train
from tasks.gan.objectives import Objective
from tests.gan.circle import loop_of_points, made, points

R1 = Objective("non_saturating", "exact", gradient_penalty=0.5)


def _equal(one: dict[str, Any], other: dict[str, Any]) -> bool:
    return one.keys() == other.keys() and all((one[name] == other[name]).all() for name in one)


def test_a_dense_pair_learns_a_circle_of_points_in_snapshots_and_goes_on_from_them(tmp_path: Path) -> None:
    loop = loop_of_points(R1, logits=1, epochs=12)
    start = loop.state()
    seen = train(loop, tmp_path / "whole", 4, Watch(), "circle")
    assert [record["epoch"] for record in seen.history] == [*range(1, 13)]
    assert [path.stem for path in snapshots_in(tmp_path / "whole")] == ["00004", "00008", "00012"]
    radii = np.linalg.norm(made(loop), axis=1)
    assert np.abs(radii - 1).mean() < 0.25
    assert np.abs(made(loop).mean(axis=0)).max() < 0.3
    expected = loop.state()

    class Killed(Exception):
        pass

    def kill(record: dict[str, Any]) -> None:
        if record["epoch"] == 6:
            raise Killed

    loop.restore(start, 0)
    try:
        train(loop, tmp_path / "killed", 4, Watch(on_epoch=kill), "circle")
    except Killed:
        loop.restore(start, 0)
    assert train(loop, tmp_path / "killed", 4, Watch(), "circle") == seen
    assert _equal(loop.state(), expected)
    for one, other in zip(snapshots_in(tmp_path / "whole"), snapshots_in(tmp_path / "killed"), strict=True):
        assert one.read_bytes() == other.read_bytes()


class SemiSupervised(Objective):
    """D classifies real points, and the sum of its logits' exponentials says that they are real (Salimans 2016)."""

    def g_loss(self, real: tf.Tensor, fake: tf.Tensor, condition: Any) -> tf.Tensor:  # noqa: ARG002
        return tf.reduce_mean(tf.nn.softplus(-tf.reduce_logsumexp(fake, axis=1)))

    def d_loss(self, real: tf.Tensor, fake: tf.Tensor, conditions: tuple[Any, Any]) -> tf.Tensor:
        supervised = tf.nn.sparse_softmax_cross_entropy_with_logits(conditions[0], real)
        real, fake = (tf.reduce_logsumexp(logits, axis=1) for logits in (real, fake))
        return tf.reduce_mean(supervised) + tf.reduce_mean(tf.nn.softplus(-real)) + tf.reduce_mean(tf.nn.softplus(fake))

    def accuracies(self, real: tf.Tensor, fake: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        return super().accuracies(*(tf.reduce_logsumexp(logits, axis=1) for logits in (real, fake)))


def test_a_discriminator_of_two_logits_learns_classes_beside_what_is_real() -> None:
    loop = loop_of_points(SemiSupervised("non_saturating"), logits=2, epochs=4, d_steps=2)
    metrics = [loop.train_epoch() for _ in range(4)][-1]
    assert np.isfinite(list(metrics.values())).all()
    samples, labels = points()
    logits = loop.step.networks.discriminator(tf.constant(samples), training=False).numpy()
    assert (logits.argmax(axis=1) == labels).mean() > 0.95
    assert np.linalg.norm(made(loop), axis=1).mean() > 0.3
