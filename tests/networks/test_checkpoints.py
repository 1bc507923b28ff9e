import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from tasks.core.files import sha256_of
from tasks.networks.checkpoints import load_generator, save_generator
from tasks.networks.kinds import build_generator
from tasks.networks.sampling import Generator, draw_latents
from tasks.networks.serving import ClassGenerator
from tasks.networks.weights import get_weights

CLASSES = ["cat", "dog"]
SETTINGS: dict[str, dict[str, Any]] = {
    "conditional": {"kind": "conditional", "size_px": 8, "channels": 1, "latent": 4, "width": 16, "depth": 1},
    "dcgan": {"kind": "dcgan", "size_px": 8, "channels": 1, "latent": 4, "width": 16, "batch_norm": True},
}


def build(kind: str) -> Generator:
    """One network for both classes, or one for each."""
    seeds = [3] if kind == "conditional" else [3, 4]
    networks = [build_generator(SETTINGS[kind], 2, dropout=0.0, seed=seed, policy="float32") for seed in seeds]
    return Generator(networks, CLASSES, latent=4)


def save(folder: Path, kind: str) -> None:
    folder.mkdir()
    save_generator(folder, [get_weights(network) for network in build(kind)._networks], CLASSES, SETTINGS[kind])


@pytest.fixture(params=SETTINGS)
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
    latents, labels = draw_latents([0], 6, 4), np.array([0, 1] * 3, np.int32)
    np.testing.assert_array_equal(loaded.generate(latents, labels), build(kind).generate(latents, labels))
    assert (loaded.classes, loaded.latent, loaded.image_shape) == (CLASSES, 4, (8, 8, 1))


def test_served_images_depend_on_class_and_seed_alone(saved: Path) -> None:
    served = ClassGenerator(saved)
    many = served.predict(pd.DataFrame({"class": ["cat", "dog", "cat"], "seed": [0, 1, 1]}))
    assert (many.shape, many.dtype) == ((3, 8, 8, 1), np.uint8)
    one = served.predict(pd.DataFrame({"class": ["dog"], "seed": [1]}))
    assert np.abs(many[1].astype(int) - one[0]).max() <= 1
    assert (many[1] != many[2]).any()


def test_an_unknown_class_is_named_with_the_known_ones(saved: Path) -> None:
    with pytest.raises(ValueError, match="unknown class bird: this generator makes cat, dog"):
        ClassGenerator(saved).predict(pd.DataFrame({"class": ["bird"], "seed": [0]}))
