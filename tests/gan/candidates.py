"""Candidates with the least of everything, to be changed by tests, and images to train them on."""

from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from tasks.core.params import Candidate, Compute, Conditional, Dcgan, Detector, load
from tasks.gan.build import build_loop
from tasks.gan.loop import Loop, Record
from tasks.gan.parts import Part, Setting
from tasks.gan.step import METRICS, part
from tasks.networks.arrays import get_weights
from tasks.networks.checkpoints import Generator, save_generator, spec_of

ROOT = Path(__file__).parents[2]
COMPUTE = Compute(intra_op_threads=1, xla=False, mixed_precision=False)
_BOTH: dict[str, Any] = {
    "seeds": 1,
    "loss": "non_saturating",
    "latent": 4,
    "width": 16,
    "batch": 8,
    "epochs": 2,
    "steps_per_epoch": 3,
    "snapshot_every": 1,
    "d_learning_rate": 0.001,
    "g_learning_rate": 0.001,
    "beta_1": 0.5,
    "beta_2": 0.99,
    "ema": 0.9,
    "d_steps": 1,
    "half_batches": False,
    "separate_updates": False,
    "shared_pass": False,
    "d_dropout": 0.0,
    "g_dropout": 0.0,
    "gradient_penalty": 0.0,
    "penalty": "exact",
    "lecam": 0.0,
    "lecam_start": 0,
    "translation_share": 0.125,
    "cutout_share": 0.5,
    "colour": False,
}
CONDITIONAL = Conditional(kind="conditional", depth=1, label_power=0.5, ramp_share=0.2, **_BOTH)
DCGAN = Dcgan(kind="dcgan", classes=None, batch_norm=False, warm_start_epochs=0, **_BOTH)
KINDS: dict[str, Conditional | Dcgan] = {"conditional": CONDITIONAL, "dcgan": DCGAN}


def noise(size_px: int = 8, channels: int = 1) -> tuple[NDArray[np.uint8], NDArray[np.int32]]:
    """24 images of noise in three classes of eight."""
    rng = np.random.default_rng(0)
    return rng.integers(0, 256, (24, size_px, size_px, channels), np.uint8), np.repeat(np.arange(3, dtype=np.int32), 8)


def save_untrained(folder: Path, classes: list[str], seed: int = 0) -> None:
    """Write a conditional generator of 8x8 grey images with its initial weights into a folder, which exists."""
    spec = spec_of({"kind": "conditional", "size_px": 8, "channels": 1, "latent": 4, "width": 16, "depth": 1})
    network = spec.build_generator(len(classes), dropout=0.0, seed=seed, policy="float32")
    save_generator(folder, [get_weights(network)], classes, spec)


def train_eagerly(loop: Loop) -> dict[str, float]:
    """The means over an epoch's steps, taken without the seconds that compiling them takes."""
    of_steps = []
    for draws in loop.draw(0):
        for number in range(len(draws.samples)):
            draws_of_step = part(tf.nest.map_structure(tf.constant, draws), number)
            of_steps.append(loop.step(draws_of_step).numpy())
            loop.step.follow(draws_of_step.decay)
    return dict(zip(METRICS, np.mean(of_steps, axis=0).tolist(), strict=True))


def loop_of(candidate: Candidate, compute: Compute = COMPUTE, seed: int = 0) -> Loop:
    """A training on that noise, of all three classes or of one that holds them all."""
    images, labels = noise()
    if candidate.kind == "dcgan":
        return build_loop(images, np.zeros_like(labels), 1, candidate, seed, candidate.epochs, compute)
    return build_loop(images, labels, 3, candidate, seed, candidate.epochs, compute)


class Quiet:
    """A listener to trainings that does nothing."""

    def epoch(self, record: Record) -> None:
        pass

    def snapshot(self, seed: int, part: Part, epoch: int, generator: Generator) -> None:
        pass


def setting_of(candidate: Candidate, images: NDArray[np.uint8] | None = None, **detectors: Detector) -> Setting:
    """A candidate on that noise, or on other images of its labels, scored on a few; nothing stops it by default."""
    shipped = load(ROOT).train_gan
    watched = {"collapse": shipped.detectors.collapse.model_copy(update={"consequence": "warn"})} | detectors
    params = shipped.model_copy(update={"detectors": shipped.detectors.model_copy(update=watched), "score_images": 10})
    noisy, labels = noise()
    pixels = noisy if images is None else images
    return Setting("noisy", params, candidate, COMPUTE, pixels, labels, ["0", "1", "2"])
