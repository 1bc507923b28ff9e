import hashlib
import threading

import keras
import numpy as np
import pytest
import tensorflow as tf
from numpy.typing import NDArray

from tasks.gan.model import Gan, gradient_penalty
from tasks.gan.networks import build_discriminator, build_generator
from tasks.gan.sampling import draw_latents, generate
from tasks.support.params import Candidate
from tasks.support.weights import get_weights

CANDIDATE = Candidate(
    loss="non_saturating",
    seed=0,
    latent=4,
    width=16,
    batch=8,
    epochs=2,
    steps_per_epoch=3,
    grid_every=1,
    learning_rate=0.001,
    beta_1=0.5,
    beta_2=0.99,
    ema=0.9,
    gradient_penalty=0.0,
    label_power=0.5,
    ramp_share=0.2,
    translation_share=0.125,
    cutout_share=0.5,
)


def _noise() -> tuple[NDArray[np.uint8], NDArray[np.int32]]:
    rng = np.random.default_rng(0)
    return rng.integers(0, 256, (24, 8, 8, 1), np.uint8), np.repeat(np.arange(3, dtype=np.int32), 8)


def _digest(model: keras.Model) -> str:
    return hashlib.sha256(b"".join(value.tobytes() for value in get_weights(model).values())).hexdigest()


def _trained(candidate: Candidate = CANDIDATE) -> str:
    gan = Gan(*_noise(), 3, candidate)
    for _ in gan.epochs():
        pass
    return _digest(gan.average)


@pytest.mark.parametrize("loss", ["non_saturating", "relativistic"])
@pytest.mark.parametrize("penalty", [0.0, 1.0])
def test_both_networks_learn_and_the_average_follows(loss: str, penalty: float) -> None:
    gan = Gan(*_noise(), 3, CANDIDATE.model_copy(update={"loss": loss, "gradient_penalty": penalty}))
    networks = (gan._generator, gan._discriminator, gan.average)
    before = [_digest(network) for network in networks]
    values = list(gan.epochs())
    assert all(_digest(network) != old for network, old in zip(networks, before, strict=True))
    assert len(values) == 2
    assert all(np.isfinite(list(epoch.values())).all() for epoch in values)
    assert all(0 <= epoch["real_accuracy"] <= 1 for epoch in values)
    assert _digest(gan.average) != _digest(gan._generator)


def test_equal_seeds_give_equal_bytes_whatever_was_built_before_and_in_whatever_thread() -> None:
    expected = _trained()
    build_generator(8, 1, 5, 4, 16, seed=9)
    digests: list[str] = []
    threads = [threading.Thread(target=lambda: digests.append(_trained())) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert digests == [expected, expected]
    assert _trained(CANDIDATE.model_copy(update={"seed": 1})) != expected


def test_it_learns_which_class_is_bright() -> None:
    images = np.zeros((20, 8, 8, 1), np.uint8)
    images[10:] = 255
    labels = np.repeat(np.arange(2, dtype=np.int32), 10)
    candidate = CANDIDATE.model_copy(update={"epochs": 5, "steps_per_epoch": 60, "batch": 16, "cutout_share": 0.0})
    gan = Gan(images, labels, 2, candidate)
    for _ in gan.epochs():
        pass
    made = generate(gan.average, draw_latents([0], 20, 4), labels)
    assert made[:10].mean() < 60
    assert made[10:].mean() > 195


def test_the_gradient_penalty_of_a_linear_discriminator_is_its_squared_weight() -> None:
    weights = tf.reshape(tf.range(16, dtype=tf.float32), (1, 4, 4, 1))
    penalty = gradient_penalty(lambda images: tf.reduce_sum(images * weights, axis=[1, 2, 3]), tf.ones((3, 4, 4, 1)))
    assert float(penalty) == pytest.approx(sum(number**2 for number in range(16)))


def test_labels_count_in_the_discriminator_as_far_as_the_ramp_says() -> None:
    model = build_discriminator(8, 1, 3, 16, seed=0)
    images = tf.constant(np.random.default_rng(0).normal(size=(3, 8, 8, 1)), tf.float32)
    logits = {
        (ramp, shift): model([images, (tf.range(3) + shift) % 3, tf.fill([3], ramp)]).numpy()
        for ramp in (0.0, 0.5, 1.0)
        for shift in (0, 1)
    }
    np.testing.assert_array_equal(logits[0.0, 0], logits[0.0, 1])
    assert (logits[1.0, 0] != logits[1.0, 1]).all()
    np.testing.assert_allclose(logits[0.5, 0], (logits[0.0, 0] + logits[1.0, 0]) / 2, rtol=1e-5)


def test_labels_and_latents_both_count_in_the_generator() -> None:
    model = build_generator(16, 3, 2, 4, 16, seed=0)
    latents, labels = draw_latents([0], 4, 4), np.zeros(4, np.int32)
    made = generate(model, latents, labels)
    assert made.shape == (4, 16, 16, 3)
    assert (generate(model, latents, labels + 1) != made).any(axis=(1, 2, 3)).all()
    assert (made[0] != made[1]).any()


@pytest.mark.parametrize("size_px", [8, 16, 32, 64, 128])
def test_networks_of_every_size_fit_together(size_px: int) -> None:
    made = build_generator(size_px, 1, 2, 4, 16, 0)([np.zeros((1, 4), np.float32), np.zeros(1, np.int32)]).numpy()
    assert made.shape == (1, size_px, size_px, 1)
    assert build_discriminator(size_px, 1, 2, 16, 0)([made, np.zeros(1, np.int32), np.ones(1, np.float32)]).shape == (
        1,
    )


def test_rare_classes_are_drawn_by_their_square_root() -> None:
    images = np.zeros((110, 8, 8, 1), np.uint8)
    labels = np.array([0] * 100 + [1] * 10, np.int32)
    gan = Gan(images, labels, 2, CANDIDATE.model_copy(update={"steps_per_epoch": 2000}))
    drawn = labels[gan._draw(0)[0]]
    assert drawn.mean() == pytest.approx(10**0.5 / (100**0.5 + 10**0.5), abs=0.01)
