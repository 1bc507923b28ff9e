import time
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pandas as pd
import pytest

from tasks.core.files import sha256_of
from tasks.networks.checkpoints import Generator, draw_latents, load_generator, save_generator
from tasks.networks.kinds import Spec, spec_of
from tasks.networks.serving import ClassGenerator
from tasks.networks.weights import get_weights

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
