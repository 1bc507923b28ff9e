"""All randomness of a GAN's epoch, drawn by numpy before the compiled steps that use it."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from tasks.core.params import Candidate, Conditional
from tasks.networks.augmentation import DiffAugment

_CHUNK_BYTES = 32_000_000  # of real images that are handed to TensorFlow at once; the draws depend on it


def draw_steps(
    images: NDArray[np.uint8],
    labels: NDArray[np.int32],
    candidate: Candidate,
    augmentation: DiffAugment,
    seed: int,
    epoch: int,
    epochs: int,
) -> Iterator[tuple[NDArray[np.generic], ...]]:
    """Real images and randomness of an epoch's steps, in chunks of steps: what `Gan.train_step` takes, stacked.

    The random generator is the epoch's own, so there is none to save. Classes are drawn in proportion to
    n_class^label_power, and generated images get the labels of the real ones.

    Args:
        images: uint8 (n, size_px, size_px, channels), read where they are; labels int32 (n,).
        epoch: that are done of `epochs`.
    """
    steps, batch = candidate.steps_per_epoch, candidate.batch
    rng = np.random.default_rng([seed, epoch])
    counts = np.bincount(labels)
    power = candidate.label_power if isinstance(candidate, Conditional) else 1.0
    weights = (counts**power / np.maximum(counts, 1))[labels]
    weights /= weights.sum()
    seen = batch // 2 if candidate.half_batches else batch
    size_px = images.shape[1]
    at_once = max(1, _CHUNK_BYTES // (candidate.d_steps * seen * int(images[0].nbytes)))
    for start in range(0, steps, at_once):
        size = min(at_once, steps - start)
        d_shape = (size, candidate.d_steps, seen)
        indices = rng.choice(len(labels), d_shape, p=weights)
        made = rng.choice(len(labels), (size, batch), p=weights)
        if seen == batch:
            made = indices[:, -1]
        yield (
            images[indices],
            labels[indices],
            labels[made],
            rng.standard_normal((*d_shape, candidate.latent), np.float32),
            rng.standard_normal((size, batch, candidate.latent), np.float32),
            augmentation.draw((size, candidate.d_steps, 2, seen), size_px, rng),
            augmentation.draw((size, 2, batch), size_px, rng),
            rng.integers(0, 2**31 - 1, (size, candidate.d_steps, 2, 2), np.int32),
            _pace(candidate, epoch * steps + start + np.arange(size), epochs * steps),
        )


def _pace(candidate: Candidate, done: NDArray[np.int64], steps: int) -> NDArray[np.float32]:
    """Weight of the projection, decay of the average and whether LeCam's term counts, (n, 3) for n steps of all."""
    share = candidate.ramp_share if isinstance(candidate, Conditional) else 0.0
    ramp = np.minimum(1, done / max(1, share * steps))
    decay = np.minimum(candidate.ema, (1 + done) / (10 + done))  # a warm-up: the first weights are forgotten
    return np.stack([ramp, decay, done >= candidate.lecam_start], axis=1).astype(np.float32)
