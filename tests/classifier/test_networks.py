import threading

import keras
import numpy as np
import pytest

from tasks.classifier.networks import build_classifier, reset
from tasks.core.params import Plain
from tests.classifier.examples import small


def _bytes(model: keras.Model) -> list[tuple[str, bytes]]:
    return [(weight.path, weight.value.numpy().tobytes()) for weight in model.weights]


@pytest.mark.parametrize(
    ("size_px", "channels", "blocks", "rest_px"),
    [(8, 1, 2, 4), (16, 3, 3, 4), (24, 1, 3, 6), (32, 1, 4, 4), (56, 3, 4, 7), (64, 3, 5, 4), (128, 1, 6, 4)],
)
def test_gives_logits_for_each_size_from_few_pixels(size_px, channels, blocks, rest_px):
    model = build_classifier(small(4), size_px, channels, 5, seed=1)
    assert model.input_shape == (None, size_px, size_px, channels)
    assert model.output_shape == (None, 5)
    assert model.get_layer("flat").input.shape[1:3] == (rest_px, rest_px)
    convolutions = [f"conv_{block + 1}{half}" for block in range(blocks) for half in "ab"]
    named = {"images", "flat", "logits", *convolutions, *(f"pool_{block}" for block in range(1, blocks))}
    assert {layer.name for layer in model.layers} == named


def test_gives_logits_not_probabilities():
    model = build_classifier(small(4), 8, 1, 3, seed=1)
    model.get_layer("logits").bias.assign([10.0, -10.0, 0.0])
    np.testing.assert_allclose(model(np.zeros((2, 8, 8, 1), np.float32)), [[10, -10, 0]] * 2)


def test_weights_depend_on_the_seed_alone():
    first = _bytes(build_classifier(small(4), 8, 1, 3, seed=1))
    keras.utils.set_random_seed(5)
    keras.layers.Dense(3).build((None, 4))
    assert _bytes(build_classifier(small(4), 8, 1, 3, seed=1)) == first
    assert _bytes(build_classifier(small(4), 8, 1, 3, seed=2)) != first


def test_weights_are_the_same_in_another_thread():
    other = []
    thread = threading.Thread(target=lambda: other.append(_bytes(build_classifier(small(4), 8, 1, 3, seed=1))))
    thread.start()
    thread.join()
    assert other == [_bytes(build_classifier(small(4), 8, 1, 3, seed=1))]


def test_weights_are_the_same_in_every_process():
    # Written down from another process: a change of Keras or of the seeds' derivation changes all results.
    model = build_classifier(small(4), 8, 1, 3, seed=1)
    row = model.get_layer("logits").kernel.value.numpy()[0]
    np.testing.assert_allclose(row, [-0.0206242185, -0.0155345947, -0.0911393687], rtol=1e-6)


def test_layers_start_differently_and_with_the_scale_of_he():
    model = build_classifier(small(32), 8, 1, 3, seed=1)
    a, b = (model.get_layer(name).kernel.value.numpy() for name in ("conv_1b", "conv_2a"))
    assert not np.array_equal(a.ravel()[:9], b.ravel()[:9])
    assert a.std() == pytest.approx(np.sqrt(2 / (9 * 32)), rel=0.05)


def test_reset_equals_a_fresh_build():
    model = build_classifier(small(4), 8, 1, 3, seed=1)
    for weight in model.weights:
        weight.assign(weight + 1.0)
    reset(model, 7, {})
    assert _bytes(model) == _bytes(build_classifier(small(4), 8, 1, 3, seed=7))


def test_the_plain_network_is_the_published_one():
    model = build_classifier(Plain(kind="plain"), 150, 3, 3, seed=1)
    assert [layer.output.shape[1:] for layer in model.layers if layer.name.startswith("pool")] == [
        (75, 75, 32),
        (37, 37, 64),
        (18, 18, 64),
        (9, 9, 128),
    ]
    counts = {layer.name: layer.count_params() for layer in model.layers if layer.weights}
    convolutions = {"conv_1": 896, "conv_2": 18_496, "conv_3": 36_928, "conv_4": 73_856}
    assert counts == convolutions | {"dense": 10_368 * 512 + 512, "logits": 1_539}


def test_the_plain_network_starts_from_its_seed_on_the_least_side():
    first, second = (build_classifier(Plain(kind="plain"), 16, 1, 3, seed) for seed in (1, 2))
    assert first.get_layer("flat").output.shape == (None, 128)
    assert _bytes(first) != _bytes(second)
    reset(first, 2, {})
    assert _bytes(first) == _bytes(second)
