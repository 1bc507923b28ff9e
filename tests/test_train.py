"""An arm opens the images it may open and no others, and repeats itself to the byte."""

import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tasks.classifier.feeding import read_examples
from tasks.classifier.networks import Base, build_classifier
from tasks.classifier.prediction import predict_arm
from tasks.core.files import read_json, sha256_of
from tasks.core.params import Augmentation, Images, Machine, Params, Pretrained, Small, load
from tasks.data.manifest import read_manifest, rows_of
from tasks.evidence.metrics import accuracy
from tasks.networks.arrays import load_weights
from tasks.support.errors import BadInput
from tasks.support.progress import listening
from tasks.train import train
from tests.parameters import ROOT
from tests.splits import draw_images, write_split

MIXED = "mixup_oversampled_augmented"
FILES = {"batch.npz", "classes.json", "history.csv", "network.json", "weights.npz"}


@pytest.fixture
def params() -> Params:
    params = load(ROOT)
    few = {"seeds": 2, "steps": 5, "record_every": 2, "network": Small(kind="small", width=4)}
    return replace(params, images=Images(size_px=8, channels=1), train=params.train.model_copy(update=few))


@pytest.fixture
def split(project: Path) -> Path:
    write_split(project / "data/split")
    return project


def _train(params: Params, arm: str) -> Path:
    out = Path("data/classifiers") / arm
    train(params, out, raw=Path("data/raw"), split=Path("data/split"), synthetic=Path("data/synthetic"))
    return out


@pytest.mark.usefixtures("split")
@pytest.mark.parametrize(("arm", "opened"), [("imbalanced", []), ("full", ["withheld"])])
def test_only_the_oracle_opens_withheld_images_and_no_arm_opens_test(
    params: Params, arm: str, opened: list[str]
) -> None:
    draw_images("train", "validation")
    if opened:
        with pytest.raises(FileNotFoundError, match="withheld"):
            _train(params, arm)
        assert not (Path("data/classifiers") / arm).exists()
    draw_images(*opened)
    history = pd.read_csv(_train(params, arm) / "history.csv")
    assert list(history["seed"]) == [1, 1, 1, 2, 2, 2]
    assert list(history["step"]) == [2, 4, 5] * 2


class Heard:
    """The metrics that a stage tells."""

    def __init__(self) -> None:
        self.steps: dict[str, list[int]] = {}

    def metrics(self, values: dict[str, float], step: int) -> None:
        for name in values:
            self.steps.setdefault(name, []).append(step)

    def samples(self, *_: object) -> None:
        raise AssertionError("a classifier makes no images")


@pytest.mark.usefixtures("split")
def test_an_arm_is_kept_as_data_and_gives_the_same_bytes_again_from_memory_or_disk(params: Params) -> None:
    draw_images("train", "validation")
    heard = Heard()
    with listening(heard):
        folder = _train(params, MIXED)
    assert {path.name for path in folder.iterdir()} == FILES
    assert read_json(folder / "classes.json") == ["cat", "dog"]
    assert heard.steps["seed_2_validation_loss"] == [2, 4, 5]
    assert heard.steps["validation_balanced_accuracy"] == [5]  # the mean over seeds at the end
    layers = read_json(folder / "network.json")
    assert [layers[0]["name"], layers[-1]["name"]] == ["images", "logits"]
    assert layers[-1]["inputs"] == [layers[-2]["name"]]
    parameters = sum(array.size for array in load_weights(folder / "weights.npz")[0].values())
    assert sum(layer["parameters"] for layer in layers) == parameters
    before = sha256_of(folder)
    assert sha256_of(_train(replace(params, machine=Machine(in_memory_mb=0.0)), MIXED)) == before


def test_the_published_mixup_training_runs_and_its_weights_predict_what_was_recorded(
    split: Path, params: Params
) -> None:
    """A frozen VGG16 on 32 pixels, RMSprop, batches of 5, mixup, slight changes; its weights are drawn here."""
    draw_images("train", "validation")
    published = _published(split, params)
    folder = _train(published, "mixed")
    weights = load_weights(folder / "weights.npz")
    assert list(weights[0]) == ["dense/kernel", "dense/bias", "logits/kernel", "logits/bias"]
    assert len(weights) == 2
    network = published.train.network
    fresh = build_classifier(network, 32, 1, 2, seed=1)
    assert np.abs(weights[0]["dense/kernel"] - fresh.get_layer("dense").kernel).max() > 1e-5
    validation = read_examples(rows_of(read_manifest(Path("data/split")), "validation"), ["cat", "dog"], published)
    assert validation.images.shape == (16, 32, 32, 1)
    (predicted,) = predict_arm(network, folder, ["cat", "dog"], [validation.images])
    last = pd.read_csv(folder / "history.csv").groupby("seed").last()
    assert predicted.shape == (2, 16, 2)
    assert [accuracy(of_seed, validation.labels) for of_seed in predicted] == list(last["validation_accuracy"])
    likelihood = predicted[:, np.arange(16), validation.labels]
    np.testing.assert_allclose(-np.log(np.maximum(likelihood, 1e-7)).mean(axis=1), last["validation_loss"], rtol=1e-4)


def _published(folder: Path, params: Params) -> Params:
    drawn = Pretrained(kind="pretrained", base="VGG16", weights="none", weights_sha256=None, fine_tune=True, dense=256)
    file = folder / "drawn.weights.h5"
    with warnings.catch_warnings():  # Keras 3.15 saves weights by a copy that NumPy 2 warns of
        warnings.filterwarnings("ignore", "__array__ implementation", DeprecationWarning)
        Base(drawn, 32, seed=0).model.save_weights(file)
    given = {"weights": str(file), "weights_sha256": sha256_of(file), "fine_tune": False}
    slight = Augmentation(
        rotation_deg=5, shift_share=0.05, shear=0.05, zoom=0, flip=True, brightness=[1, 1.3], fill="edge"
    )
    settings = {"network": drawn.model_copy(update=given), "optimizer": "rmsprop", "schedule": "constant"}
    settings |= {"learning_rate": 2e-5, "batch": 5, "steps": 4, "size_px": 32}
    return replace(
        params,
        train=params.train.model_copy(update=settings),
        augmentations=params.augmentations | {"slight": slight},
        arms=params.arms | {"mixed": params.arms[MIXED].model_copy(update={"augmentation": "slight"})},
    )


@pytest.mark.usefixtures("split")
def test_a_training_that_diverges_ends_with_what_to_lower(params: Params) -> None:
    draw_images("train", "validation")
    settings = params.train.model_copy(update={"learning_rate": 1e30, "schedule": "constant"})
    expected = r"arm imbalanced, seed 1: the loss is no number at step \d: lower train\.learning_rate"
    with pytest.raises(BadInput, match=expected):
        _train(replace(params, train=settings), "imbalanced")
    assert not Path("data/classifiers/imbalanced").exists()


def test_an_unknown_arm_is_answered_with_the_known_ones(params: Params) -> None:
    with pytest.raises(BadInput, match=r"no none among arms in the parameters; expected one of imbalanced, full"):
        train.run(params, "none")
