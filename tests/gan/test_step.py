import hashlib
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from tasks.core.params import Candidate
from tasks.gan.build import build_loop
from tasks.gan.loop import Loop
from tasks.gan.objectives import PENALTIES, Objective, lecam, non_saturating
from tasks.gan.step import METRICS, Draws, Networks, Step
from tasks.networks.arrays import get_weights
from tests.gan.candidates import COMPUTE, CONDITIONAL, DCGAN, KINDS, loop_of, train_eagerly


def digest(model: keras.Model) -> str:
    return hashlib.sha256(b"".join(value.tobytes() for value in get_weights(model).values())).hexdigest()


def trained(candidate: Candidate, seed: int = 0) -> str:
    """Digest of the average after an epoch."""
    loop = loop_of(candidate, seed=seed)
    train_eagerly(loop)
    return digest(loop.step.networks.average)


CHANGES: list[tuple[str, dict[str, Any]]] = [
    ("conditional", {"depth": 2}),
    ("conditional", {"loss": "hinge", "lecam": 0.3, "lecam_start": 1}),
    ("conditional", {"loss": "relativistic", "gradient_penalty": 0.1}),
    ("conditional", {"gradient_penalty": 0.1, "penalty": "approximate", "colour": True, "shared_pass": True}),
    ("dcgan", {"half_batches": True, "separate_updates": True, "d_dropout": 0.2, "g_dropout": 0.5}),
    ("dcgan", {"batch_norm": True, "d_steps": 2, "ema": 0.0}),
    ("dcgan", {"half_batches": True, "separate_updates": True, "shared_pass": True, "d_steps": 2, "lecam": 0.3}),
]


@pytest.mark.parametrize(("kind", "changed"), CHANGES)
def test_both_networks_learn_and_the_average_follows(kind: str, changed: dict[str, Any]) -> None:
    candidate = KINDS[kind].model_copy(update=changed)
    loop = loop_of(candidate)
    generator, average = loop.step.networks.generator, loop.step.networks.average
    networks = (generator, loop.step.networks.discriminator, average)
    before = [digest(network) for network in networks]
    metrics = train_eagerly(loop)
    assert all(digest(network) != old for network, old in zip(networks, before, strict=True))
    assert np.isfinite(list(metrics.values())).all()
    assert 0 <= metrics["real_accuracy"] <= 1
    assert metrics["d_loss_spread"] > metrics["d_loss"] ** 2  # the mean of its square: it varies
    assert metrics["g_gradient"] > 0
    assert (digest(average) == digest(generator)) == (candidate.ema == 0)


@pytest.fixture(scope="module")
def plain() -> str:
    return trained(DCGAN)


@pytest.mark.parametrize("option", ["shared_pass", "separate_updates", "d_steps", "d_dropout", "g_dropout"])
def test_each_option_changes_what_is_learnt(option: str, plain: str) -> None:
    value = {"d_steps": 2, "d_dropout": 0.5, "g_dropout": 0.5}.get(option, True)
    assert trained(DCGAN.model_copy(update={option: value})) != plain


def test_other_seeds_give_other_weights(plain: str) -> None:
    assert trained(DCGAN) == plain
    assert trained(DCGAN, seed=1) != plain


# A step on one logit of 2-D points, whose gradients the weights show: steps of 1 down the gradient.


def _dense(inputs: int, outputs: int, seed: int) -> keras.Model:
    start = keras.initializers.HeNormal(seed)
    x = keras.Input((inputs,))
    y = keras.layers.Dense(8, "tanh", kernel_initializer=start)(x)
    y = keras.layers.Dense(outputs, kernel_initializer=start)(y)
    return keras.Model(x, keras.layers.Reshape(())(y) if outputs == 1 else y)


def _step(objective: Objective, d_rate: float = 1.0, g_rate: float = 1.0, **options: bool) -> Step:
    generator, discriminator = _dense(3, 2, 0), _dense(2, 1, 1)
    networks = Networks(
        generator,
        discriminator,
        _dense(3, 2, 0),
        make=lambda latents, condition: generator(latents, training=True),  # noqa: ARG005
        rate=lambda points, condition: discriminator(points, training=True),  # noqa: ARG005
    )
    sgd = keras.optimizers.SGD
    return Step(networks, objective, sgd(d_rate), sgd(g_rate), **options)


def _draws() -> Draws:
    rng = np.random.default_rng(0)
    points, latents, more = (
        tf.constant(rng.normal(size=shape), tf.float32) for shape in ((1, 8, 2), (1, 8, 3), (8, 3))
    )
    seeds = tf.constant([[[1, 2], [3, 4]]])
    return Draws(points, (), (), latents, more, (), (), seeds, tf.constant(0.9), tf.constant(1.0))


def _moved(step: Step, draws: Draws) -> list[np.ndarray]:
    """What a step takes from the weights of D."""
    weights = step.networks.discriminator.trainable_variables
    before = [weight.numpy() for weight in weights]
    step(draws)
    return [old - weight.numpy() for old, weight in zip(before, weights, strict=True)]


@pytest.mark.parametrize("penalty", ["exact", "approximate"])
def test_ds_gradients_are_those_of_the_loss_with_half_of_both_penalties_and_lecam(penalty: str) -> None:
    step, draws = _step(Objective("non_saturating", penalty, 3.0, lecam=0.5), g_rate=0.0), _draws()
    (anchors,) = step.variables()["lecam"]
    anchors.assign([0.2, -0.1])
    networks = step.networks
    samples = draws.samples[0], networks.make(draws.d_latents[0], ())
    with tf.GradientTape() as tape:
        real, fake = (networks.rate(half, ()) for half in samples)
        total = non_saturating(real, fake)[1] + 0.5 * lecam(real, fake, tf.constant([0.2, -0.1]))
        for half, logits, seed in zip(samples, (real, fake), draws.seeds[0], strict=True):
            total += 1.5 * PENALTIES[penalty](lambda points: networks.rate(points, ()), half, logits, seed)
    expected = tape.gradient(total, networks.discriminator.trainable_variables)
    for one, other in zip(_moved(step, draws), expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-3, atol=1e-5)
    means = np.array([float(tf.reduce_mean(real)), float(tf.reduce_mean(fake))])
    assert anchors.numpy() == pytest.approx(0.99 * np.array([0.2, -0.1]) + 0.01 * means, abs=1e-6)


def test_separate_updates_are_one_on_real_and_then_one_on_generated_samples() -> None:
    step, draws = _step(Objective("hinge", "exact", 2.0), g_rate=0.0, separate_updates=True), _draws()
    other = _step(Objective("hinge", "exact", 2.0))
    networks, weights = other.networks, other.networks.discriminator.trainable_variables
    start = [weight.numpy() for weight in weights]
    for half, sign in ((draws.samples[0], -1), (networks.make(draws.d_latents[0], ()), 1)):
        with tf.GradientTape() as tape:
            logits = networks.rate(half, ())
            total = tf.reduce_mean(tf.nn.relu(1 + sign * logits))
            total += PENALTIES["exact"](lambda points: networks.rate(points, ()), half, logits, tf.zeros(2, tf.int32))
        for weight, gradient in zip(weights, tape.gradient(total, weights), strict=True):
            weight.assign_sub(gradient)
    moved = _moved(step, draws)
    assert int(step.d_optimizer.iterations) == 2
    for one, first, last in zip(moved, start, weights, strict=True):
        np.testing.assert_allclose(one, first - last.numpy(), rtol=1e-3, atol=1e-5)


def test_in_gs_step_d_does_not_move_and_in_ds_step_g_does_not() -> None:
    draws = _draws()
    for still, moving in (("discriminator", "generator"), ("generator", "discriminator")):
        step = _step(Objective("non_saturating"), **{f"{still[0]}_rate": 0.0})  # type: ignore[arg-type]
        before = {name: digest(getattr(step.networks, name)) for name in (still, moving)}
        step(draws)
        assert digest(getattr(step.networks, still)) == before[still]
        assert digest(getattr(step.networks, moving)) != before[moving]
        assert int(step.d_optimizer.iterations) == int(step.g_optimizer.iterations) == 1


def test_a_shared_pass_gives_the_gradients_of_two_passes_over_the_same_latents() -> None:
    draws = _draws()._replace(g_latents=_draws().d_latents[0])  # D's latents are G's
    shared, apart = (_step(Objective("non_saturating"), shared_pass=value) for value in (True, False))
    metrics = [dict(zip(METRICS, step(draws).numpy(), strict=True)) for step in (shared, apart)]
    assert metrics[0] == pytest.approx(metrics[1])
    both = (get_weights(step.networks.generator).values() for step in (shared, apart))
    for one, other in zip(*both, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5)


def test_a_warm_start_takes_over_weights_and_no_more() -> None:
    first, second = loop_of(DCGAN).step, loop_of(DCGAN, seed=1).step
    assert digest(first.networks.average) != digest(second.networks.average)
    second.start_from(first)
    for name in ("generator", "discriminator", "average"):
        assert digest(getattr(first.networks, name)) == digest(getattr(second.networks, name))
    assert int(second.g_optimizer.iterations) == 0


def _loop(images: np.ndarray, labels: np.ndarray, candidate: Candidate) -> Loop:
    return build_loop(images, labels, int(labels.max()) + 1, candidate, 0, 1, COMPUTE)


def _made(loop: Loop, labels: np.ndarray) -> np.ndarray:
    """Images of the average, in [-1, 1]."""
    average = loop.step.networks.average
    latents = tf.constant(np.random.default_rng(0).normal(size=(len(labels), 4)), tf.float32)
    return average([latents, tf.constant(labels)] if len(average.inputs) == 2 else latents, training=False).numpy()


def test_it_learns_which_class_is_bright() -> None:
    images = np.zeros((20, 8, 8, 1), np.uint8)
    images[10:] = 255
    labels = np.repeat(np.arange(2, dtype=np.int32), 10)
    candidate = CONDITIONAL.model_copy(update={"steps_per_epoch": 300, "batch": 16, "cutout_share": 0.0})
    loop = _loop(images, labels, candidate)
    loop.train_epoch()
    made = 127.5 * (_made(loop, labels) + 1)
    assert made[:10].mean() < 60
    assert made[10:].mean() > 195


def test_a_dcgan_learns_where_its_images_are_bright() -> None:
    images = np.zeros((20, 8, 8, 1), np.uint8)
    images[:, :4] = 255
    plain = {"translation_share": 0.0, "cutout_share": 0.0, "half_batches": True, "batch": 16, "width": 32}
    loop = _loop(
        images,
        np.zeros(20, np.int32),
        DCGAN.model_copy(update={"steps_per_epoch": 250, "g_learning_rate": 0.002, **plain}),
    )
    loop.train_epoch()
    made = 127.5 * (_made(loop, np.zeros(20, np.int32)) + 1)
    assert made[:, :3].mean() > 195
    assert made[:, 5:].mean() < 60
