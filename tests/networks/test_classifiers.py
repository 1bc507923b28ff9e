import numpy as np
import pytest

from tasks.classifier.feeding import Examples
from tasks.classifier.prediction import fit, probabilities_of
from tasks.core.params import Training
from tasks.gan.scores import kid
from tasks.networks.classifiers import random_network
from tasks.quality.spaces import evaluator
from tests.gan.bars import draw

TRAINING = Training(steps=40, batch=16, learning_rate=0.005, width=8)


def test_the_evaluator_gives_what_the_last_layer_of_its_classifier_reads() -> None:
    train, fresh = draw([20, 20, 5], 0), draw([6, 6, 6], 1)
    features = evaluator(TRAINING, train, 3, seed=4)(fresh.images)
    model = fit(TRAINING, Examples(train.images, train.labels, np.zeros(45, bool)), 3, seed=4)
    kernel, bias = (weight.numpy() for weight in model.get_layer("logits").weights)
    assert features.shape == (18, 4 * 4 * 2 * TRAINING.width)
    assert features.dtype == np.float32
    odds = np.exp(features @ kernel + bias)
    np.testing.assert_allclose(odds / odds.sum(axis=1, keepdims=True), probabilities_of(model)(fresh.images), atol=1e-5)


def test_the_evaluator_sees_the_class_better_than_networks_that_never_learnt() -> None:
    train, fresh = draw([40, 40, 40], 0), draw([30, 30, 30], 1)

    def contrast(features: np.ndarray) -> float:
        """KID between two classes, as a share of the scale of the kernel."""
        features = features / np.sqrt((features**2).mean())
        return kid(features[:30], features[30:60])

    learnt = contrast(evaluator(TRAINING, train, 3, seed=0)(fresh.images))
    random = [contrast(random_network(8, 1, seed)(fresh.images)) for seed in range(3)]
    assert learnt > 2 * max(random)


def test_features_of_an_image_do_not_depend_on_the_others() -> None:
    images = draw([300, 0, 0], 0).images  # more than are handed over at once
    for extract in (random_network(8, 1, 0), evaluator(TRAINING, draw([300, 0, 0], 0), 1, seed=0)):
        np.testing.assert_allclose(extract(images)[-7:], extract(images[-7:]), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(("size_px", "channels", "side_px"), [(8, 1, 4), (24, 3, 6), (40, 1, 5), (128, 3, 4)])
def test_random_networks_of_every_size_end_at_4_to_8_pixels(size_px: int, channels: int, side_px: int) -> None:
    images = np.random.default_rng(0).integers(0, 256, (2, size_px, size_px, channels), np.uint8)
    assert random_network(size_px, channels, 0)(images).shape == (2, 32 * side_px**2)


def test_random_networks_depend_on_their_seed_alone() -> None:
    images = draw([3, 3, 3], 0).images
    first = random_network(8, 1, 0)(images)
    assert random_network(8, 1, 0)(images).tobytes() == first.tobytes()
    assert not np.allclose(random_network(8, 1, 1)(images), first, rtol=0.1)
