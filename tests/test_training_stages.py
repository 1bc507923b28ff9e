"""train: it opens the images it may open and no others, and both repeat themselves to the byte."""

import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tasks.classifier.networks import build_classifier
from tasks.classifier.pretrained import Base
from tasks.core.files import read_json, sha256_of
from tasks.core.params import Augmentation, Images, Params, Pretrained, Small, load
from tasks.data.images import write_image
from tasks.data.manifest import read_manifest, write_manifest
from tasks.evaluate import read_exams
from tasks.evidence.comparison import _predict
from tasks.evidence.metrics import accuracy
from tasks.networks.weights import load_weights
from tasks.support.errors import BadInput
from tasks.train import train
from tests.pipeline.project import ROOT

IMAGES = Images(size_px=8, channels=1)


@pytest.fixture
def params() -> Params:
    params = load(ROOT / "params.yaml")
    few = {"seeds": 2, "steps": 5, "record_every": 2, "network": Small(kind="small", width=4)}
    object.__setattr__(params, "train", params.train.model_copy(update=few))
    return params


@pytest.fixture
def split(project: Path) -> Path:
    """A split manifest of two classes of noise; which image files exist is up to the test."""
    rows = [
        {
            "path": (path := f"data/raw/{label}/{split}-{number}.png"),
            "sha256": f"of {path}",
            "label": label,
            "split": split,
            "natural_test": False,
        }
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


def test_an_arm_is_kept_with_its_classes_and_pictures_and_gives_the_same_bytes_again(
    split: Path, params: Params
) -> None:
    _draw(split, "train", "validation")
    folder = split / "data/classifiers/mixup_oversampled_augmented"
    train(params.train, IMAGES, folder.name)
    pictures = {"batch.png", "beta.png", "changes.png"}
    assert {path.name for path in folder.iterdir()} == pictures | {"classes.json", "history.csv", "weights.npz"}
    assert read_json(folder / "classes.json") == ["cat", "dog"]
    before = sha256_of(folder)
    train(params.train, IMAGES, folder.name)
    assert sha256_of(folder) == before


def test_train_gives_the_same_bytes_again_from_memory_or_disk(split: Path, params: Params) -> None:
    _draw(split, "train", "validation")
    arm = params.train.arms["mixup_oversampled_augmented"]
    changed = params.train.model_copy(update={"arms": {"mixed": arm}})
    train(changed, IMAGES, "mixed")
    before = sha256_of(split / "data/classifiers/mixed")
    train(changed.model_copy(update={"in_memory_mb": 0.0}), IMAGES, "mixed")
    assert sha256_of(split / "data/classifiers/mixed") == before


def test_the_published_mixup_training_runs_and_evaluate_predicts_with_what_it_saved(
    split: Path, params: Params
) -> None:
    """A frozen VGG16 on 32 pixels, RMSprop, batches of 5, mixup, slight changes; its weights are drawn here."""
    _draw(split, "train", "validation", "test")
    drawn = Pretrained(kind="pretrained", base="VGG16", weights="none", weights_sha256=None, fine_tune=True, dense=256)
    file = split / "drawn.weights.h5"
    with warnings.catch_warnings():  # Keras 3.15 saves weights by a copy that NumPy 2 warns of
        warnings.filterwarnings("ignore", "__array__ implementation", DeprecationWarning)
        Base(drawn, 32, seed=0).model.save_weights(file)
    given = {"weights": str(file), "weights_sha256": sha256_of(file), "fine_tune": False}
    vgg16 = drawn.model_copy(update=given)
    slight = Augmentation(
        rotation_deg=5, shift_share=0.05, shear=0.05, zoom=0, flip=True, brightness=[1, 1.3], fill="edge"
    )
    arm = params.train.arms["mixup_oversampled_augmented"].model_copy(update={"augmentation": "slight"})
    published = params.train.model_copy(
        update={
            "network": vgg16,
            "optimizer": "rmsprop",
            "schedule": "constant",
            "learning_rate": 2e-5,
            "batch": 5,
            "steps": 4,
            "size_px": 32,
            "augmentations": {"slight": slight},
            "arms": {"mixed": arm},
        }
    )
    train(published, IMAGES, "mixed")
    folder = split / "data/classifiers/mixed"
    weights = load_weights(folder / "weights.npz")
    assert list(weights[0]) == ["dense/kernel", "dense/bias", "logits/kernel", "logits/bias"]
    assert len(weights) == 2
    fresh = build_classifier(vgg16, 32, 1, 2, seed=1)
    assert np.abs(weights[0]["dense/kernel"] - fresh.get_layer("dense").kernel).max() > 1e-5
    exams = read_exams(read_manifest(split / "data/split"), published, IMAGES, "evaluate")
    assert exams.test.images.shape == (16, 32, 32, 1)
    predicted = _predict(published, exams, exams.validation, folder)
    last = pd.read_csv(folder / "history.csv").groupby("seed").last()
    assert predicted.shape == (2, 16, 2)
    assert [accuracy(each, exams.validation.labels) for each in predicted] == list(last["validation_accuracy"])
    likelihood = predicted[:, np.arange(16), exams.validation.labels]
    found = -np.log(np.maximum(likelihood, 1e-7)).mean(axis=1)
    np.testing.assert_allclose(found, last["validation_loss"], rtol=1e-4)


def test_a_training_that_diverges_ends_with_what_to_lower(split: Path, params: Params) -> None:
    _draw(split, "train", "validation")
    wild = params.train.model_copy(update={"learning_rate": 1e30, "schedule": "constant"})
    told = r"arm imbalanced, seed 1: the loss is no number at step \d: lower train\.learning_rate"
    with pytest.raises(BadInput, match=told):
        train(wild, IMAGES, "imbalanced")
    assert not (split / "data/classifiers/imbalanced").exists()


@pytest.mark.usefixtures("split")
def test_unknown_names_are_answered_with_the_known_ones(params: Params) -> None:
    with pytest.raises(BadInput, match=r"no arm none in params\.yaml; expected one of imbalanced, full"):
        train(params.train, IMAGES, "none")
