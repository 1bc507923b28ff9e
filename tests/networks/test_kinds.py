import json
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from tasks.networks.checkpoints import Generator, draw_latents
from tasks.networks.kinds import Spec, as_json, spec_of

POLICY: dict[str, Any] = {"dropout": 0.0, "seed": 0, "policy": "float32"}


def settings(kind: str, size_px: int, channels: int = 1, **more: Any) -> Spec:
    shape = {"kind": kind, "size_px": size_px, "channels": channels, "latent": 4, "width": 16}
    return spec_of(shape | {"batch_norm": False, "depth": 2} | more)


def test_a_spec_is_json_and_comes_back() -> None:
    conditional, dcgan = settings("conditional", 8), settings("dcgan", 16, batch_norm=True)
    for spec in (conditional, dcgan):
        assert spec_of(json.loads(json.dumps(as_json(spec)))) == spec
    assert as_json(conditional) == {
        "kind": "conditional",
        "size_px": 8,
        "channels": 1,
        "latent": 4,
        "width": 16,
        "depth": 2,
    }
    assert set(as_json(dcgan)) - set(as_json(conditional)) == {"batch_norm"}


@pytest.mark.parametrize(("kind", "more"), [("conditional", {"depth": 1}), ("conditional", {}), ("dcgan", {})])
@pytest.mark.parametrize("size_px", [8, 16, 24, 32, 40, 64, 88, 128])
def test_networks_of_every_size_fit_together(kind: str, more: dict[str, int], size_px: int) -> None:
    channels = 3 if size_px % 16 else 1
    spec = settings(kind, size_px, channels, **more)
    condition = tuple(map(tf.constant, spec.condition(np.zeros(1, np.int32), np.ones(1, np.float32))))
    made = spec.make(spec.build_generator(2, **POLICY), tf.zeros((1, 4)), condition, training=False)
    assert made.shape == (1, size_px, size_px, channels)
    assert spec.rate(spec.build_discriminator(2, **POLICY), made, condition).shape == (1,)


def test_the_dcgan_of_the_original_has_its_layers() -> None:
    shape = settings("dcgan", 128, 3, latent=100, width=128)
    generator = shape.build_generator(1, **POLICY)
    discriminator = shape.build_discriminator(1, **POLICY | {"dropout": 0.2})
    assert [tuple(weight.shape) for weight in generator.weights if len(weight.shape) > 1] == [
        (100, 16 * 16 * 256),
        (4, 4, 128, 256),
        (4, 4, 128, 128),
        (4, 4, 128, 128),
        (3, 3, 128, 3),
    ]
    assert [tuple(weight.shape) for weight in discriminator.weights if len(weight.shape) > 1] == [
        (3, 3, 3, 16),
        (3, 3, 16, 8),
        (3, 3, 8, 16),
        (3, 3, 16, 8),
        (16 * 16 * 8, 1),
    ]
    kinds = [type(layer).__name__ for layer in discriminator.layers]
    assert kinds[-4:] == ["Flatten", "Dropout", "Dense", "Reshape"]


def test_batch_norm_stands_everywhere_but_at_the_output_of_g_and_the_input_of_d() -> None:
    shape = settings("dcgan", 16, batch_norm=True)
    norms = [
        [layer.name for layer in network.layers if layer.name.endswith("_norm")]
        for network in (shape.build_generator(1, **POLICY), shape.build_discriminator(1, **POLICY))
    ]
    assert norms[0] == ["g_dense_norm", "g_up_0_norm", "g_up_1_norm", "g_up_2_norm"]
    assert norms[1] == ["d_conv_0_norm", "d_conv_1_norm", "d_conv_2_norm"]


@pytest.mark.parametrize(("depth", "halves"), [(1, "a"), (2, "ab")])
def test_low_resolutions_know_no_class(depth: int, halves: str) -> None:
    names = {layer.name for layer in settings("conditional", 32, depth=depth).build_generator(3, **POLICY).layers}
    assert {name for name in names if name.endswith("_conditional")} == {
        f"g_conv_{block}{half}_conditional" for block in (1, 2) for half in halves
    }


def test_labels_count_in_the_discriminator_as_far_as_the_ramp_says() -> None:
    spec = settings("conditional", 8)
    model = spec.build_discriminator(3, **POLICY)
    images = tf.constant(np.random.default_rng(0).normal(size=(3, 8, 8, 1)), tf.float32)
    logits = {
        (ramp, shift): spec.rate(model, images, ((tf.range(3) + shift) % 3, tf.fill([3], ramp))).numpy()
        for ramp in (0.0, 0.5, 1.0)
        for shift in (0, 1)
    }
    np.testing.assert_array_equal(logits[0.0, 0], logits[0.0, 1])
    assert (logits[1.0, 0] != logits[1.0, 1]).all()
    np.testing.assert_allclose(logits[0.5, 0], (logits[0.0, 0] + logits[1.0, 0]) / 2, rtol=1e-5)


def test_labels_and_latents_both_count_in_the_generator() -> None:
    spec = settings("conditional", 16, 3)
    generator = Generator([spec.build_generator(2, **POLICY)], ["cat", "dog"], spec)
    latents, labels = draw_latents(0, "cat", range(4), 4), np.zeros(4, np.int32)
    made = generator.generate(latents, labels)
    assert made.shape == (4, 16, 16, 3)
    assert (generator.generate(latents, labels + 1) != made).any(axis=(1, 2, 3)).all()
    assert (made[0] != made[1]).any()


def test_initial_weights_depend_on_seed_and_name_alone() -> None:
    first, again, other = (
        settings("conditional", 8).build_generator(2, **POLICY | {"seed": seed}).get_layer("g_dense").kernel.numpy()
        for seed in (0, 0, 1)
    )
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()
