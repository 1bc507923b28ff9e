"""All randomness of a GAN's epoch, drawn by numpy before the compiled steps that use it."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tasks.gan.step import Draws, Structure

CHUNK_BYTES = 32_000_000  # of real samples that are handed to TensorFlow at once; the draws depend on it

Condition = Callable[[NDArray[np.int32], NDArray[np.float32]], Structure]  # of labels and ramps of one shape
Changes = Callable[[tuple[int, ...], np.random.Generator], Structure]  # draws of changes for so many samples


@dataclass(frozen=True)
class Drawing:
    """How an epoch is drawn.

    Attributes:
        batch: samples that G makes for its own update; D sees as many real and as many generated ones.
        latent: numbers from which a sample is made.
        ema: decay of the moving average of G's weights, once the first steps are done.
        half_batches: D sees half as many.
        label_power: classes are drawn in proportion to their number of samples to this power.
        ramp_share: share of all steps over which the ramp of a condition grows from 0 to 1.
        lecam_start: steps before LeCam's term counts.
    """

    steps_per_epoch: int
    batch: int
    latent: int
    ema: float
    d_steps: int = 1
    half_batches: bool = False
    label_power: float = 1.0
    ramp_share: float = 0.0
    lecam_start: int = 0


def draw_steps(
    samples: NDArray[Any],
    labels: NDArray[np.int32],
    drawing: Drawing,
    condition: Condition,
    changes: Changes,
    seed: int,
    epoch: int,
    epochs: int,
) -> Iterator[Draws]:
    """The draws of an epoch's steps, in chunks of steps: every leaf has an axis of steps before its own.

    The random generator is the epoch's own, so there is none to save. Generated samples get the labels of real ones.

    Args:
        samples: (n, ...), read where they are; labels int32 (n,).
        epoch: that are done of `epochs`.
    """
    steps, batch, d_steps = drawing.steps_per_epoch, drawing.batch, drawing.d_steps
    rng = np.random.default_rng([seed, epoch])
    chances = _chances(labels, drawing.label_power)
    seen = batch // 2 if drawing.half_batches else batch
    at_once = max(1, CHUNK_BYTES // (d_steps * seen * int(samples[0].nbytes)))
    for start in range(0, steps, at_once):
        d_shape = (size := min(at_once, steps - start), d_steps, seen)
        indices, made = (rng.choice(len(labels), shape, p=chances) for shape in (d_shape, (size, batch)))
        made = indices[:, -1] if seen == batch else made
        ramp, decay, lecam_on = _pace(drawing, epoch * steps + start + np.arange(size), epochs * steps)
        yield Draws(
            samples=samples[indices],
            condition=condition(labels[indices], np.broadcast_to(ramp[:, None, None], d_shape)),
            g_condition=condition(labels[made], np.broadcast_to(ramp[:, None], made.shape)),
            d_latents=rng.standard_normal((*d_shape, drawing.latent), np.float32),
            g_latents=rng.standard_normal((size, batch, drawing.latent), np.float32),
            d_changes=changes((size, d_steps, 2, seen), rng),
            g_changes=changes((size, 2, batch), rng),
            seeds=rng.integers(0, 2**31 - 1, (size, d_steps, 2, 2), np.int32),
            decay=decay,
            lecam_on=lecam_on,
        )


def _chances(labels: NDArray[np.int32], power: float) -> NDArray[np.float64]:
    """Of each sample to be drawn, (n,)."""
    counts = np.bincount(labels)
    chances = (counts**power / np.maximum(counts, 1))[labels]
    return np.asarray(chances / chances.sum())


def _pace(drawing: Drawing, done: NDArray[np.int64], steps: int) -> NDArray[np.float32]:
    """Ramp, decay of the average and whether LeCam's term counts, (3, n) for n steps of all."""
    ramp = np.minimum(1, done / max(1, drawing.ramp_share * steps))
    decay = np.minimum(drawing.ema, (1 + done) / (10 + done))  # a warm-up: the first weights are forgotten
    return np.stack([ramp, decay, done >= drawing.lecam_start]).astype(np.float32)
