from pathlib import Path

import numpy as np
import pytest

from tasks.classifier.networks import build_classifier
from tasks.classifier.prediction import predict_arm
from tasks.core.files import write_json
from tasks.networks.weights import get_weights, save_weights
from tasks.support.errors import BadInput
from tests.classifier.examples import small

CLASSES = ["cat", "dog", "emu"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    weights = [get_weights(build_classifier(small(4), 8, 1, 3, seed)) for seed in (1, 2)]
    save_weights(tmp_path / "weights.npz", weights)
    write_json(tmp_path / "classes.json", CLASSES)
    return tmp_path


def test_each_training_of_an_arm_predicts_each_set_of_images(folder: Path) -> None:
    images = np.random.default_rng(0).integers(0, 256, (7, 8, 8, 1), np.uint8)
    whole, part = predict_arm(small(4), folder, CLASSES, [images, images[:2]])
    assert (whole.shape, part.shape) == ((2, 7, 3), (2, 2, 3))
    np.testing.assert_allclose(whole.sum(axis=2), 1, rtol=1e-6)
    np.testing.assert_allclose(part, whole[:, :2], rtol=1e-5)
    assert not np.allclose(whole[0], whole[1])


def test_classifiers_that_number_the_classes_otherwise_are_refused(folder: Path) -> None:
    expected = f"classifier {folder.name} numbers the classes cat, dog, emu; the data has dog, cat, emu: train it again"
    with pytest.raises(BadInput, match=expected):
        predict_arm(small(4), folder, ["dog", "cat", "emu"], [np.zeros((1, 8, 8, 1), np.uint8)])
