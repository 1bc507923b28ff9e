"""2-D points about a circle, and a dense generator and discriminator of them: a GAN of no kind that the project has."""

from functools import partial
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from tasks.gan.draws import Drawing, draw_steps
from tasks.gan.loop import Loop
from tasks.gan.objectives import Objective
from tasks.gan.step import Networks, Step

LATENT = 2


def points(count: int = 600) -> tuple[NDArray[np.float32], NDArray[np.int32]]:
    """Points float32 (n, 2) about a circle of radius 1, and which half of it they are in."""
    rng = np.random.default_rng(0)
    angles, radii = rng.uniform(0, 2 * np.pi, count), 1 + 0.05 * rng.normal(size=count)
    on_circle = (radii * np.array([np.cos(angles), np.sin(angles)])).T
    return on_circle.astype(np.float32), (on_circle[:, 1] > 0).astype(np.int32)


def dense(inputs: int, outputs: int, name: str) -> keras.Model:
    x = features = keras.Input((inputs,), name="inputs")
    for number in range(2):
        start = keras.initializers.HeNormal(seed=number)
        features = keras.layers.Dense(32, "leaky_relu", kernel_initializer=start, name=f"{name}_{number}")(features)
    last = keras.layers.Dense(outputs, kernel_initializer=keras.initializers.HeNormal(seed=9), name=f"{name}_last")
    y = last(features)
    return keras.Model(x, keras.layers.Reshape((), name=f"{name}_flat")(y) if outputs == 1 else y, name=name)


def loop_of_points(objective: Objective, logits: int, epochs: int, steps: int = 100, **drawing: Any) -> Loop:
    """A training of a dense pair on the points, whose D gives so many logits; the condition is the labels."""
    samples, labels = points()
    generator, discriminator = dense(LATENT, 2, "generator"), dense(2, logits, "discriminator")
    networks = Networks(
        generator,
        discriminator,
        dense(LATENT, 2, "generator"),
        make=lambda latents, condition: generator(latents, training=True),  # noqa: ARG005
        rate=lambda batch, condition: discriminator(batch, training=True),  # noqa: ARG005
    )
    adam = partial(keras.optimizers.Adam, 0.003, 0.5, 0.99)
    drawn = Drawing(steps_per_epoch=steps, batch=32, latent=LATENT, ema=0.98, **drawing)
    draw = partial(draw_steps, samples, labels, drawn, lambda labels, ramp: labels, lambda *_: (), 0, epochs=epochs)  # noqa: ARG005
    return Loop(Step(networks, objective, adam(), adam()), draw, epochs)


def made(loop: Loop, count: int = 500) -> NDArray[np.float32]:
    """Points of the average."""
    latents = np.random.default_rng(1).normal(size=(count, LATENT)).astype(np.float32)
    return np.asarray(loop.step.networks.average(tf.constant(latents), training=False))
