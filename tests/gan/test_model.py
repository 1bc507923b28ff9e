import hashlib
import threading
from functools import partial
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from tasks.core.params import Compute
from tasks.gan.losses import lecam, non_saturating
from tasks.gan.model import Gan
from tasks.gan.penalties import PENALTIES
from tasks.networks.checkpoints import Generator, draw_latents
from tasks.networks.kinds import judge
from tasks.networks.pixels import to_signed
from tasks.networks.weights import get_weights
from tests.gan.candidates import COMPUTE, CONDITIONAL, DCGAN, KINDS, gan_of, noise


def digest(model: keras.Model) -> str:
    return hashlib.sha256(b"".join(value.tobytes() for value in get_weights(model).values())).hexdigest()


def trained(gan: Gan) -> str:
    while gan.epoch < gan.epochs:
        gan.train_epoch()
    return digest(gan.average)


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
    gan = gan_of(KINDS[kind].model_copy(update=changed))
    networks = (gan.generator, gan.discriminator, gan.average)
    before = [digest(network) for network in networks]
    metrics = gan.train_epoch()
    assert all(digest(network) != old for network, old in zip(networks, before, strict=True))
    assert np.isfinite(list(metrics.values())).all()
    assert 0 <= metrics["real_accuracy"] <= 1
    assert metrics["d_loss_spread"] > 0
    assert metrics["g_gradient"] > 0
    assert (digest(gan.average) == digest(gan.generator)) == (gan._candidate.ema == 0)


@pytest.mark.parametrize("option", ["shared_pass", "separate_updates", "d_steps", "d_dropout", "g_dropout"])
def test_each_option_changes_what_is_learnt(option: str) -> None:
    value = {"d_steps": 2, "d_dropout": 0.5, "g_dropout": 0.5}.get(option, True)
    assert trained(gan_of(DCGAN.model_copy(update={option: value}))) != trained(gan_of(DCGAN))


@pytest.mark.parametrize("penalty", ["exact", "approximate"])
@pytest.mark.parametrize("separate", [False, True])
def test_ds_gradients_are_those_of_the_loss_with_half_of_both_penalties_and_lecam(
    separate: bool, penalty: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    still = {"translation_share": 0.0, "cutout_share": 0.0, "separate_updates": separate}
    terms = {"gradient_penalty": 3.0, "penalty": penalty, "lecam": 0.5}
    gan = gan_of(DCGAN.model_copy(update=still | terms))
    gan._anchors.assign([0.2, -0.1])
    found: list[list[tf.Tensor]] = []
    monkeypatch.setattr(gan, "_apply", lambda gradients, *_: found.append(gradients) or tf.constant(0.0))
    images = [to_signed(tf.cast(noise()[0][rows], tf.float32)) for rows in (slice(0, 8), slice(8, 16))]
    labels, seeds = tf.zeros(8, tf.int32), tf.constant([[1, 2], [3, 4]])
    gan._update_d(tuple(images), (labels, labels), seeds, tf.constant(1.0), tf.constant(1.0))
    see = partial(judge, gan.discriminator, labels=labels, ramp=1.0)
    with tf.GradientTape() as tape:
        real, fake = see(images[0]), see(images[1])
        total = non_saturating(real, fake)[1] + 0.5 * lecam(real, fake, tf.constant([0.2, -0.1]))
        total += 1.5 * PENALTIES[penalty](see, images[0], real, seeds[0])
        total += 1.5 * PENALTIES[penalty](see, images[1], fake, seeds[1])
    expected = tape.gradient(total, gan.discriminator.trainable_variables)
    assert len(found) == 1 + separate
    summed = [sum(parts) for parts in zip(*found, strict=True)]
    for one, other in zip(summed, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-3, atol=1e-5)
    means = [float(tf.reduce_mean(real)), float(tf.reduce_mean(fake))]
    assert gan._anchors.numpy() == pytest.approx(0.99 * np.array([0.2, -0.1]) + 0.01 * np.array(means), abs=1e-6)


def test_in_gs_step_d_does_not_move_and_in_ds_step_g_does_not() -> None:
    gan = gan_of(DCGAN)
    gan._d_optimizer.learning_rate = 0.0
    before = digest(gan.generator), digest(gan.discriminator)
    gan.train_epoch()
    assert digest(gan.discriminator) == before[1]
    assert digest(gan.generator) != before[0]
    gan = gan_of(DCGAN)
    gan._g_optimizer.learning_rate = 0.0
    gan.train_epoch()
    assert digest(gan.generator) == before[0]
    assert digest(gan.discriminator) != before[1]


def test_a_shared_pass_gives_the_gradients_of_two_passes_over_the_same_latents() -> None:
    shared, apart = (gan_of(DCGAN.model_copy(update={"shared_pass": value})) for value in (True, False))
    (draws,) = shared._draw()
    same = [values[0] for values in draws[:-1]]
    same[3] = same[4][None]  # D's latents are G's
    for gan in (shared, apart):
        gan.train_step(*(tf.constant(values) for values in same), tf.constant(1.0), tf.constant(0.0))
    for one, other in zip(get_weights(shared.generator).values(), get_weights(apart.generator).values(), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5)


def test_separate_updates_are_two_steps_of_the_optimizer_and_one_otherwise() -> None:
    for separate, steps in ((False, 3), (True, 6)):
        gan = gan_of(DCGAN.model_copy(update={"separate_updates": separate}))
        gan.train_epoch()
        assert int(gan._d_optimizer.iterations) == steps
        assert int(gan._g_optimizer.iterations) == 3


@pytest.mark.parametrize("kind", KINDS)
def test_equal_seeds_give_equal_bytes_whatever_was_built_before_and_in_whatever_thread(kind: str) -> None:
    candidate = KINDS[kind].model_copy(update={"d_dropout": 0.3})
    expected = trained(gan_of(candidate))
    digests: list[str] = []
    threads = [threading.Thread(target=lambda: digests.append(trained(gan_of(candidate)))) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert digests == [expected, expected]
    assert trained(gan_of(candidate, seed=1)) != expected


def test_images_are_read_where_they_lie_some_steps_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []

    class Watched(np.ndarray):  # type: ignore[type-arg]
        def __getitem__(self, key: Any) -> Any:
            if isinstance(key, np.ndarray):
                seen.append(key.shape)
            return super().__getitem__(key)

    images, labels = noise()
    monkeypatch.setattr("tasks.gan.draws._CHUNK_BYTES", 2 * CONDITIONAL.batch * 64)
    gan = Gan(images.view(Watched), labels, 3, CONDITIONAL, 0, 2, COMPUTE)
    seen.clear()
    gan.train_epoch()
    assert seen == [(2, 1, 8), (1, 1, 8)]  # no more than two steps of images at once
    assert int(gan._g_optimizer.iterations) == CONDITIONAL.steps_per_epoch


def test_it_learns_which_class_is_bright() -> None:
    images = np.zeros((20, 8, 8, 1), np.uint8)
    images[10:] = 255
    labels = np.repeat(np.arange(2, dtype=np.int32), 10)
    candidate = CONDITIONAL.model_copy(update={"steps_per_epoch": 300, "batch": 16, "cutout_share": 0.0})
    gan = Gan(images, labels, 2, candidate, 0, 1, COMPUTE)
    gan.train_epoch()
    made = Generator([gan.average], ["dark", "bright"], 4).generate(draw_latents(0, "cat", range(20), 4), labels)
    assert made[:10].mean() < 60
    assert made[10:].mean() > 195


def test_a_dcgan_learns_where_its_images_are_bright() -> None:
    images = np.zeros((20, 8, 8, 1), np.uint8)
    images[:, :4] = 255
    plain = {"translation_share": 0.0, "cutout_share": 0.0, "half_batches": True, "batch": 32, "width": 64}
    candidate = DCGAN.model_copy(update={"steps_per_epoch": 300, **plain})
    gan = Gan(images, np.zeros(20, np.int32), 1, candidate, 0, 1, COMPUTE)
    gan.train_epoch()
    made = Generator([gan.average], ["half"], 4).generate(draw_latents(0, "cat", range(20), 4), np.zeros(20, np.int32))
    assert made[:, :3].mean() > 195
    assert made[:, 5:].mean() < 60


def test_mixed_precision_and_xla_learn_the_same_to_their_precision() -> None:
    plain = gan_of(CONDITIONAL).train_epoch()
    for compute in (
        Compute(intra_op_threads=1, xla=True, mixed_precision=False),
        Compute(intra_op_threads=1, xla=False, mixed_precision=True),
    ):
        gan = gan_of(CONDITIONAL, compute)
        metrics = gan.train_epoch()
        assert metrics["d_loss"] == pytest.approx(plain["d_loss"], rel=0.05)
        assert {weight.dtype for weight in gan.generator.weights} == {"float32"}
        policies = {layer.dtype_policy.name for layer in gan.generator.layers if layer.weights}
        assert policies == {"mixed_bfloat16" if compute.mixed_precision else "float32"}


def test_a_warm_start_takes_over_weights_and_no_more() -> None:
    first, second = gan_of(DCGAN), gan_of(DCGAN, seed=1)
    first.train_epoch()
    second.start_from(first)
    for mine, theirs in ((second.generator, first.generator), (second.average, first.average)):
        assert digest(mine) == digest(theirs)
    assert int(second._g_optimizer.iterations) == 0
