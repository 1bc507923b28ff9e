import json
import time
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pandas as pd
import pytest
import tensorflow as tf

from tasks.core.files import sha256_of
from tasks.networks.arrays import get_weights
from tasks.networks.checkpoints import Generator, Spec, as_json, draw_latents, load_generator, save_generator, spec_of
from tasks.networks.serving import ClassGenerator

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


CLASSES = ["cat", "dog"]
SHAPE: dict[str, Any] = {"size_px": 8, "channels": 1, "latent": 4, "width": 16}
SPECS: dict[str, Spec] = {
    "conditional": spec_of({"kind": "conditional", **SHAPE, "depth": 1}),
    "dcgan": spec_of({"kind": "dcgan", **SHAPE, "batch_norm": True}),
}


def build(kind: str) -> Generator:
    return Generator(networks_of(kind), CLASSES, SPECS[kind])


def networks_of(kind: str) -> list[keras.Model]:
    """One network for both classes, or one for each."""
    seeds = [3] if kind == "conditional" else [3, 4]
    return [SPECS[kind].build_generator(2, dropout=0.0, seed=seed, policy="float32") for seed in seeds]


def save(folder: Path, kind: str) -> None:
    folder.mkdir()
    save_generator(folder, [get_weights(network) for network in networks_of(kind)], CLASSES, SPECS[kind])


@pytest.fixture(params=SPECS)
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def saved(tmp_path: Path, kind: str) -> Path:
    save(tmp_path / "one", kind)
    return tmp_path / "one"


def test_equal_weights_give_equal_files_at_any_time(tmp_path: Path) -> None:
    save(tmp_path / "one", "dcgan")
    time.sleep(2.1)  # the resolution of dates in zip files
    save(tmp_path / "two", "dcgan")
    assert sha256_of(tmp_path / "one") == sha256_of(tmp_path / "two")


def test_a_loaded_generator_makes_the_same_images(saved: Path, kind: str) -> None:
    loaded = load_generator(saved)
    latents, labels = draw_latents(0, "cat", range(6), 4), np.array([0, 1] * 3, np.int32)
    np.testing.assert_array_equal(loaded.generate(latents, labels), build(kind).generate(latents, labels))
    assert (loaded.classes, loaded.latent, loaded.image_shape) == (CLASSES, 4, (8, 8, 1))


def test_a_latent_depends_on_seed_label_and_index_alone() -> None:
    latents = draw_latents(3, "cat", range(600), 5)
    assert (latents.shape, latents.dtype) == ((600, 5), np.float32)
    assert latents.mean() == pytest.approx(0, abs=0.05)
    assert latents.std() == pytest.approx(1, abs=0.05)
    assert len(np.unique(latents)) == latents.size
    mixed = [512, 0, 255, 256, 599, 0]
    np.testing.assert_array_equal(draw_latents(3, "cat", mixed, 5), latents[mixed])
    assert draw_latents(3, "cat", [], 5).shape == (0, 5)
    for seed, label in ((4, "cat"), (3, "dog")):
        assert (draw_latents(seed, label, range(600), 5) != latents).all()


def test_latents_are_drawn_in_blocks_whatever_their_order_so_that_time_is_linear(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    drawn, make = [], np.random.default_rng
    monkeypatch.setattr(np.random, "default_rng", lambda seed: drawn.append(seed[2]) or make(seed))
    shuffled = make(0).permutation(10_000) + 1_000_000
    draw_latents(0, "cat", shuffled, 2)
    assert drawn == [*range(1_000_000 // 256, 1_010_000 // 256 + 1)]  # each block once, and none before the first


def test_an_images_bytes_do_not_depend_on_the_others(saved: Path) -> None:
    generator, labels = load_generator(saved), np.arange(700, dtype=np.int32) % 2
    latents = draw_latents(0, "cat", range(700), 4)
    whole = generator.generate(latents, labels)
    order = np.random.default_rng(0).permutation(700)
    np.testing.assert_array_equal(generator.generate(latents[order], labels[order]), whole[order])
    for rows in (slice(3, 4), slice(250, 260), slice(699, 700), slice(0, 0)):
        np.testing.assert_array_equal(generator.generate(latents[rows], labels[rows]), whole[rows])


def test_served_images_depend_on_class_seed_and_index_alone(saved: Path) -> None:
    served = ClassGenerator(saved)
    rows = pd.DataFrame({"class": ["cat", "dog", "cat", "cat"], "seed": [0, 1, 1, 0], "index": [700, 0, 0, 1]})
    many = served.predict(rows)
    assert (many.shape, many.dtype) == ((4, 8, 8, 1), np.uint8)
    assert len({image.tobytes() for image in many}) == 4
    for number in range(4):
        np.testing.assert_array_equal(served.predict(rows.iloc[[number]])[0], many[number])
    by_hand = load_generator(saved).generate(draw_latents(0, "cat", [700], 4), np.zeros(1, np.int32))
    np.testing.assert_array_equal(by_hand[0], many[0])


def test_what_it_cannot_make_is_named(saved: Path) -> None:
    with pytest.raises(ValueError, match="unknown class bird: this generator makes cat, dog"):
        ClassGenerator(saved).predict(pd.DataFrame({"class": ["bird"], "seed": [0], "index": [0]}))
    for seed, index in ((-1, 0), (0, -1)):
        with pytest.raises(ValueError, match="a seed or an index is below 0"):
            ClassGenerator(saved).predict(pd.DataFrame({"class": ["cat"], "seed": [seed], "index": [index]}))
