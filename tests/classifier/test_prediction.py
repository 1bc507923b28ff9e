from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tasks.classifier.feeding import Examples
from tasks.classifier.networks import build_classifier
from tasks.classifier.prediction import features_of, fit, predict_arm, probabilities_of
from tasks.core.files import write_json
from tasks.core.params import Training
from tasks.evidence.metrics import balanced_accuracy, recalls
from tasks.networks.arrays import get_weights, save_weights
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


TRAINING = Training(steps=60, batch=16, learning_rate=0.005, width=4)


def _examples(counts: list[int], seed: int) -> Examples:
    """Noise with a bright 3x3 square in a corner that depends on the class."""
    labels = np.repeat(np.arange(len(counts)), counts)
    images = np.random.default_rng(seed).integers(0, 100, (len(labels), 8, 8, 1), np.uint8)
    for image, label in zip(images, labels, strict=True):
        top, left = ((0, 0), (0, 5), (5, 0))[label]
        image[top : top + 3, left : left + 3] = 255
    return Examples(images, labels, np.zeros(len(labels), bool))


def _bytes(model) -> list[bytes]:
    return [array.tobytes() for array in get_weights(model).values()]


@pytest.fixture(scope="module")
def fitted():
    return fit(TRAINING, _examples([60, 60, 3], 0), 3, seed=1)


def test_learns_rare_classes_as_well(fitted):
    held_out = _examples([20, 20, 20], 1)
    probabilities = probabilities_of(fitted)(held_out.images)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-5)
    assert balanced_accuracy(probabilities, held_out.labels) == 1


def test_a_class_without_images_is_never_predicted():
    training = replace(_examples([30, 0, 30], 0))
    predicted = probabilities_of(fit(TRAINING, training, 3, seed=1))(training.images)
    assert recalls(predicted, training.labels)[[0, 2]].tolist() == [1, 1]
    assert set(predicted.argmax(axis=1)) == {0, 2}


def test_depends_on_seed_and_examples_alone_and_not_on_who_made_them(fitted):
    examples = _examples([60, 60, 3], 0)
    made = replace(examples, synthetic=np.ones(len(examples.labels), bool))
    assert _bytes(fit(TRAINING, made, 3, seed=1)) == _bytes(fitted)
    assert _bytes(fit(TRAINING, examples, 3, seed=2)) != _bytes(fitted)


def test_features_are_what_the_last_layer_reads(fitted):
    images = _examples([2, 2, 2], 1).images
    features = features_of(fitted)(images)
    assert features.shape == (6, 4 * 4 * 8)
    kernel, bias = (weight.numpy() for weight in fitted.get_layer("logits").weights)
    odds = np.exp(features @ kernel + bias)
    np.testing.assert_allclose(
        odds / odds.sum(axis=1, keepdims=True), probabilities_of(fitted)(images), rtol=1e-4, atol=1e-6
    )
