import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tasks.gan.checkpoints import load_generator, save_generator
from tasks.gan.networks import build_generator
from tasks.gan.sampling import draw_latents, generate
from tasks.gan.serving import ClassGenerator
from tasks.support.files import sha256_of


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    (tmp_path / "one").mkdir()
    save_generator(tmp_path / "one", build_generator(8, 1, 2, 4, 16, 3), ["cat", "dog"], latent=4, width=16, seed=3)
    return tmp_path / "one"


def test_equal_weights_give_equal_files_at_any_time(saved: Path, tmp_path: Path) -> None:
    time.sleep(2.1)  # the resolution of dates in zip files
    (tmp_path / "two").mkdir()
    save_generator(tmp_path / "two", build_generator(8, 1, 2, 4, 16, 3), ["cat", "dog"], latent=4, width=16, seed=3)
    assert sha256_of(saved) == sha256_of(tmp_path / "two")


def test_a_loaded_generator_makes_the_same_images(saved: Path) -> None:
    model, settings = load_generator(saved)
    latents, labels = draw_latents([0], 6, 4), np.array([0, 1] * 3, np.int32)
    np.testing.assert_array_equal(
        generate(model, latents, labels), generate(build_generator(8, 1, 2, 4, 16, 3), latents, labels)
    )
    assert settings["classes"] == ["cat", "dog"]


def test_served_images_depend_on_class_and_seed_alone(saved: Path) -> None:
    served = ClassGenerator(saved)
    many = served.predict(pd.DataFrame({"class": ["cat", "dog", "cat"], "seed": [0, 1, 2]}))
    assert (many.shape, many.dtype) == ((3, 8, 8, 1), np.uint8)
    one = served.predict(pd.DataFrame({"class": ["dog"], "seed": [1]}))
    assert np.abs(many[1].astype(int) - one[0]).max() <= 1


def test_an_unknown_class_is_named_with_the_known_ones(saved: Path) -> None:
    with pytest.raises(ValueError, match="unknown class bird: this generator makes cat, dog"):
        ClassGenerator(saved).predict(pd.DataFrame({"class": ["bird"], "seed": [0]}))
