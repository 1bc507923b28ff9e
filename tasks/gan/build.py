"""From a candidate's settings to a training: networks of its kind, objective, optimisers, draws and loop."""

from collections.abc import Mapping
from dataclasses import fields
from functools import partial
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from tasks.core.params import Candidate, Compute
from tasks.gan.draws import Drawing, draw_steps
from tasks.gan.loop import Loop
from tasks.gan.objectives import Objective
from tasks.gan.step import Networks, Step
from tasks.networks.arrays import to_signed
from tasks.networks.augmentation import DiffAugment
from tasks.networks.checkpoints import Spec, spec_of

# What a kind's settings lack has the value that changes nothing.
_NEUTRAL: dict[str, Any] = {"label_power": 1.0, "ramp_share": 0.0, "classes": None, "warm_start_epochs": 0}


def settings_of(candidate: Candidate) -> dict[str, Any]:
    """All settings of a candidate by name, whatever its kind."""
    return _NEUTRAL | candidate.model_dump()


def spec_for(candidate: Candidate, images: NDArray[np.uint8]) -> Spec:
    """The spec of a candidate's networks for images uint8 (n, size_px, size_px, channels)."""
    _, size_px, _, channels = images.shape
    return spec_of({**settings_of(candidate), "size_px": size_px, "channels": channels})


def build_loop(
    images: NDArray[np.uint8],
    labels: NDArray[np.int32],
    classes: int,
    candidate: Candidate,
    seed: int,
    epochs: int,
    compute: Compute,
) -> Loop:
    """A training of a GAN of `classes` on images uint8 (n, size_px, size_px, channels), labels int32 (n,) below them.

    Images are left where they are, in memory or on disk: each step reads its own.
    """
    settings, spec = settings_of(candidate), spec_for(candidate, images)
    augmentation = DiffAugment(candidate.translation_share, candidate.cutout_share, candidate.colour)
    adam = partial(keras.optimizers.Adam, beta_1=candidate.beta_1, beta_2=candidate.beta_2)
    step = Step(
        _networks(spec, classes, candidate, augmentation, seed, compute),
        _taken(Objective, settings),
        adam(candidate.d_learning_rate),
        adam(candidate.g_learning_rate),
        separate_updates=candidate.separate_updates,
        shared_pass=candidate.shared_pass,
    )

    def changes(shape: tuple[int, ...], rng: np.random.Generator) -> NDArray[np.float32]:
        return augmentation.draw(shape, spec.size_px, rng)

    draw = partial(draw_steps, images, labels, _taken(Drawing, settings), spec.condition, changes, seed, epochs=epochs)
    return Loop(step, draw, epochs, xla=compute.xla)


def _networks(
    spec: Spec, classes: int, candidate: Candidate, augmentation: DiffAugment, seed: int, compute: Compute
) -> Networks:
    policy = "mixed_bfloat16" if compute.mixed_precision else "float32"
    discriminator = spec.build_discriminator(classes, candidate.d_dropout, seed, policy)
    generator = spec.build_generator(classes, candidate.g_dropout, seed, policy)
    return Networks(
        generator,
        discriminator,
        average=spec.build_generator(classes, 0.0, seed, "float32"),
        make=partial(spec.make, generator, training=True),
        rate=partial(spec.rate, discriminator),
        scale=lambda images: to_signed(tf.cast(images, tf.float32)),
        change=augmentation.apply,
    )


def _taken(kind: type[Any], settings: Mapping[str, Any]) -> Any:
    """A dataclass filled from settings of the names of its fields."""
    return kind(**{field.name: settings[field.name] for field in fields(kind)})
