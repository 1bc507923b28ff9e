"""train_gan and train: each opens the images it may open and no others, and both repeat themselves to the byte."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tasks.dataset.images import write_image
from tasks.dataset.manifest import write_manifest
from tasks.support.errors import BadInput
from tasks.support.files import sha256_of
from tasks.support.params import Images, Params, load
from tasks.train import train
from tasks.train_gan import train_gan
from tests.pipeline.project import ROOT

IMAGES = Images(size_px=8, channels=1)


@pytest.fixture
def params() -> Params:
    params = load(ROOT / "params.yaml")
    tiny = {"width": 16, "batch": 8, "epochs": 2, "steps_per_epoch": 2, "grid_every": 1}
    candidates = {"one": params.train_gan.candidates["non_saturating"].model_copy(update=tiny)}
    object.__setattr__(params, "train_gan", params.train_gan.model_copy(update={"candidates": candidates}))
    object.__setattr__(
        params, "train", params.train.model_copy(update={"seeds": 2, "steps": 5, "record_every": 2, "width": 4})
    )
    return params


@pytest.fixture
def split(project: Path) -> Path:
    """A split manifest of two classes of noise; which image files exist is up to the test."""
    rows = [
        {"path": f"data/raw/{label}/{split}-{number}.png", "label": label, "split": split, "natural_test": False}
        for label in ("cat", "dog")
        for split in ("train", "validation", "test", "withheld")
        for number in range(8)
    ]
    (project / "data/split").mkdir()
    write_manifest(project / "data/split", pd.DataFrame(rows))
    return project


def _draw(project: Path, *splits: str) -> None:
    rng = np.random.default_rng(0)
    for label in ("cat", "dog"):
        (project / "data/raw" / label).mkdir(parents=True, exist_ok=True)
        for split in splits:
            for number in range(8):
                write_image(
                    project / f"data/raw/{label}/{split}-{number}.png", rng.integers(0, 256, (8, 8, 1), np.uint8)
                )


def test_train_gan_needs_train_images_alone(split: Path, params: Params) -> None:
    _draw(split, "train")
    train_gan(params.train_gan, IMAGES, "one")
    folder = split / "data/generators/one"
    assert {path.name for path in folder.iterdir()} == {
        "generator.json",
        "generator.npz",
        "grid.png",
        "grids",
        "history.csv",
        "history.png",
    }
    assert [path.name for path in sorted((folder / "grids").iterdir())] == ["00001.png", "00002.png"]
    history = pd.read_csv(folder / "history.csv")
    assert list(history["epoch"]) == [1, 2]
    assert history["real_accuracy"].between(0, 1).all()
    assert (history["diversity_least"] <= history["diversity_mean"]).all()


def test_train_gan_gives_the_same_bytes_again(split: Path, params: Params) -> None:
    _draw(split, "train")
    train_gan(params.train_gan, IMAGES, "one")
    before = sha256_of(split / "data/generators/one")
    train_gan(params.train_gan, IMAGES, "one")
    assert sha256_of(split / "data/generators/one") == before


@pytest.mark.parametrize(("arm", "opened"), [("imbalanced", []), ("full", ["withheld"])])
def test_only_the_oracle_opens_withheld_images_and_no_arm_opens_test(
    split: Path, params: Params, arm: str, opened: list[str]
) -> None:
    _draw(split, "train", "validation")
    if opened:
        with pytest.raises(FileNotFoundError, match="withheld"):
            train(params.train, IMAGES, arm)
        assert not (split / "data/classifiers" / arm).exists()
    _draw(split, *opened)
    train(params.train, IMAGES, arm)
    history = pd.read_csv(split / "data/classifiers" / arm / "history.csv")
    assert list(history["seed"]) == [1, 1, 1, 2, 2, 2]
    assert list(history["step"]) == [2, 4, 5] * 2


@pytest.mark.usefixtures("split")
def test_unknown_names_are_answered_with_the_known_ones(params: Params) -> None:
    with pytest.raises(BadInput, match=r"no candidate two in params\.yaml; expected one of one"):
        train_gan(params.train_gan, IMAGES, "two")
    with pytest.raises(BadInput, match=r"no arm none in params\.yaml; expected one of imbalanced, full"):
        train(params.train, IMAGES, "none")
