"""Pretrained networks; their weights are drawn here, since no test opens the network."""

import socket
import threading
import warnings
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import h5py
import keras
import numpy as np
import pytest
from keras import applications
from keras.src.legacy.saving.legacy_h5_format import save_weights_to_hdf5_group

from tasks.classifier.arms import draw
from tasks.classifier.feeding import Examples
from tasks.classifier.networks import Base, build_classifier, loaded_weights, reset
from tasks.classifier.steps import build_optimizer, compile_steps
from tasks.classifier.training import train_seeds
from tasks.core.files import sha256_of
from tasks.core.params import Pretrained, Train
from tasks.networks.arrays import get_weights
from tasks.support.errors import BadInput
from tests.classifier.examples import SHIFTS, arm, mixed

PREPROCESSING = {
    "VGG16": applications.vgg16,
    "ResNet50V2": applications.resnet_v2,
    "MobileNetV2": applications.mobilenet_v2,
    "EfficientNetV2B0": applications.efficientnet_v2,
}


def _network(base="MobileNetV2", **settings) -> Pretrained:
    values = {"weights": "none", "weights_sha256": None, "fine_tune": True, "dense": 4}
    return Pretrained(kind="pretrained", base=base, **values | settings)


def _bytes(model) -> dict[str, bytes]:
    return {name: array.tobytes() for name, array in get_weights(model).items()}


@contextmanager
def _deprecated_copies():
    """Keras 3.15 saves weights by a copy that NumPy 2 warns of."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "__array__ implementation", DeprecationWarning)
        yield


@pytest.fixture(scope="module")
def saved(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("weights") / "base.weights.h5"
    base = Base(_network(), 32, seed=9).model
    for variable in base.weights:  # statistics as well
        variable.assign(variable + 0.25)
    with _deprecated_copies():
        base.save_weights(path)
    return path


def _given(path: Path, **settings) -> Pretrained:
    return _network(weights=str(path), weights_sha256=sha256_of(path), **settings)


@pytest.mark.parametrize("base", PREPROCESSING)
def test_a_base_sees_what_its_own_preprocessing_makes_of_bytes_in_inference_mode(base):
    layer = Base(_network(base), 32, seed=1)
    pixels = np.random.default_rng(0).integers(0, 256, (2, 32, 32, 3)).astype(np.float32)
    seen = PREPROCESSING[base].preprocess_input(pixels.copy())
    expected = layer.model(seen, training=False).numpy()
    assert expected.std() > 0.01
    np.testing.assert_allclose(layer(pixels / 127.5 - 1), expected, rtol=1e-3, atol=1e-3 * np.abs(expected).max())
    grey = pixels[..., :1]
    repeated = PREPROCESSING[base].preprocess_input(np.repeat(grey, 3, axis=-1))
    expected = layer.model(repeated, training=False).numpy()
    np.testing.assert_allclose(layer(grey / 127.5 - 1), expected, rtol=1e-3, atol=1e-3 * np.abs(expected).max())
    # All weights have a name, the same in every build, and none of them an automatic one.
    names = [variable.path for variable in layer.weights]
    keras.layers.Dense(3).build((None, 4))
    assert len(set(names)) == len(names)
    assert names == [variable.path for variable in Base(_network(base), 32, seed=2).weights]


def test_the_head_is_flat_dense_and_logits():
    model = build_classifier(_network("VGG16", dense=256), 32, 1, 3, seed=1)
    assert model.input_shape == (None, 32, 32, 1)
    head = list(get_weights(model).items())[-4:]
    assert {name: array.shape for name, array in head} == {
        "dense/kernel": (512, 256),
        "dense/bias": (256,),
        "logits/kernel": (256, 3),
        "logits/bias": (3,),
    }
    assert sum(array.size for array in get_weights(model.get_layer("base")).values()) == 14_714_688
    assert get_weights(model)["block1_conv1/kernel"].shape == (3, 3, 3, 64)


def test_weights_of_none_depend_on_the_seed_alone():
    first = _bytes(build_classifier(_network(), 32, 3, 3, seed=1))
    keras.utils.set_random_seed(5)
    assert _bytes(build_classifier(_network(), 32, 3, 3, seed=1)) == first
    other = _bytes(build_classifier(_network(), 32, 3, 3, seed=2))
    assert {name for name in first if name.endswith("kernel") and first[name] == other[name]} == set()


@pytest.mark.parametrize("fine_tune", [False, True])
def test_training_changes_the_head_and_a_fine_tuned_base_and_never_statistics(saved, fine_tune):
    network = _network() if fine_tune else _given(saved, fine_tune=False)
    model = build_classifier(network, 32, 3, 3, seed=1)
    before = _bytes(model)
    labels, real = np.arange(6) % 3, np.zeros(6, bool)
    examples = Examples(np.random.default_rng(0).integers(0, 256, (6, 32, 32, 3), np.uint8), labels, real)
    run = compile_steps(model, build_optimizer(model, "rmsprop", "constant", 0.01, 2), arm(), None, 3, 3, examples)
    run(next(draw(arm(), None, labels, real, 32, 3, [2], np.random.default_rng(0))))
    changed = {name for name, value in _bytes(model).items() if value != before[name]}
    trained = get_weights(model, trainable=True)
    assert {"dense/kernel", "logits/kernel", "logits/bias"} <= changed <= set(trained)
    assert ("Conv1/kernel" in changed) == ("bn_Conv1/gamma" in changed) == fine_tune
    assert not any("moving" in name for name in trained)


@pytest.mark.parametrize("fine_tune", [False, True])
def test_a_file_gives_the_base_to_which_each_seed_returns(saved, fine_tune):
    network = _given(saved, fine_tune=fine_tune)
    model = build_classifier(network, 32, 3, 3, seed=1)
    drawn = get_weights(Base(_network(), 32, seed=9).model)
    for name, array in get_weights(model.get_layer("base")).items():
        np.testing.assert_array_equal(array, drawn[name] + np.float32(0.25))
    loaded = loaded_weights(model, network)
    assert bool(loaded) == fine_tune
    for weight in model.trainable_weights:
        weight.assign(weight + 1.0)
    reset(model, 7, loaded)
    assert _bytes(model) == _bytes(build_classifier(network, 32, 3, 3, seed=7))


def test_reset_draws_a_base_of_none_anew():
    network = _network()
    model = build_classifier(network, 32, 3, 3, seed=1)
    reset(model, 7, loaded_weights(model, network))
    assert _bytes(model) == _bytes(build_classifier(network, 32, 3, 3, seed=7))


def test_keras_own_files_are_read_by_their_older_format(tmp_path):
    base = Base(_network(), 32, seed=9).model
    path = tmp_path / "notop.h5"
    with _deprecated_copies(), h5py.File(path, "w") as file:
        save_weights_to_hdf5_group(file, base)
    network = _given(path)
    assert _bytes(build_classifier(network, 32, 3, 3, seed=1).get_layer("base")) == _bytes(base)


def test_a_file_that_is_missing_or_not_the_recorded_one_is_refused(saved):
    with pytest.raises(BadInput, match=r"train\.network\.weights names nowhere\.h5, which is no file: put it there"):
        build_classifier(_network(weights="nowhere.h5", weights_sha256="0" * 64), 32, 3, 3, seed=1)
    with pytest.raises(BadInput, match=f"has SHA-256 {sha256_of(saved)}, expected {'0' * 64}: give the right file"):
        build_classifier(_network(weights=str(saved), weights_sha256="0" * 64), 32, 3, 3, seed=1)


@pytest.mark.parametrize("name", ["garbage.h5", "garbage.weights.h5", "empty.h5"])
def test_a_file_without_weights_is_refused(tmp_path, name):
    path = tmp_path / name
    path.write_bytes(b"" if name.startswith("empty") else b"no weights at all" * 99)
    with pytest.raises(BadInput, match="does not hold the weights of MobileNetV2 without its top"):
        build_classifier(_given(path), 32, 3, 3, seed=1)


def _cut(base):
    return keras.Model(base.inputs, base.layers[60].output)


def _wrapped(base):
    return keras.Sequential([base, keras.layers.Flatten(), keras.layers.Dense(3)])


def _other(_base):
    return keras.Sequential([keras.Input((32, 32, 3)), keras.layers.Conv2D(32, 3), keras.layers.Dense(3)])


@pytest.mark.filterwarnings("ignore::UserWarning")  # Keras, of layers that a file lacks
@pytest.mark.parametrize("kind", [_cut, _wrapped, _other])
def test_weights_of_another_model_are_refused(tmp_path, kind):
    path = tmp_path / "other.weights.h5"
    with _deprecated_copies():
        kind(Base(_network(), 32, seed=9).model).save_weights(path)
    with pytest.raises(BadInput, match="does not hold the weights of MobileNetV2 without its top"):
        build_classifier(_given(path), 32, 3, 3, seed=1)


@pytest.mark.filterwarnings("ignore::UserWarning")  # as above
def test_the_answer_to_weights_of_another_base_says_which_to_give(saved):
    network = _given(saved, base="VGG16")
    told = (
        r"does not hold the weights of VGG16 without its top .*: give a file that save_weights of keras\.applications"
    )
    with pytest.raises(BadInput, match=told):
        build_classifier(network, 32, 3, 3, seed=1)


def test_a_file_with_a_weight_that_is_no_number_is_refused(tmp_path):
    base = Base(_network(), 32, seed=9).model
    base.get_layer("bn_Conv1").gamma.assign(np.full(32, np.nan))
    path = tmp_path / "broken.weights.h5"
    with _deprecated_copies():
        base.save_weights(path)
    with pytest.raises(BadInput, match=r"no numbers for 1 of 260 weights, such as bn_Conv1/gamma"):
        build_classifier(_given(path), 32, 3, 3, seed=1)


def test_networks_built_side_by_side_leave_the_process_as_it_was(saved):
    before = list(warnings.filters), socket.getdefaulttimeout()
    together = threading.Barrier(2)

    def build(seed):
        together.wait()
        return _bytes(build_classifier(_given(saved), 32, 3, 3, seed).get_layer("base"))

    with ThreadPoolExecutor(2) as executor:
        first, second = executor.map(build, (1, 2))
    assert first == second
    assert (list(warnings.filters), socket.getdefaulttimeout()) == before


def test_a_pretrained_network_trained_twice_gives_equal_bytes():
    rng = np.random.default_rng(0)
    examples = Examples(rng.integers(0, 256, (8, 32, 32, 1), np.uint8), np.arange(8) % 2, np.zeros(8, bool))
    values = {"seeds": 2, "steps": 3, "batch": 4, "learning_rate": 0.001, "optimizer": "rmsprop", "record_every": 3}
    values |= {"schedule": "constant", "size_px": 32, "network": _network("VGG16")}
    mixing = arm(augmentation="shifts", **mixed(0.5))
    params = Train(**values)

    def train():
        model = build_classifier(params.network, 32, 1, 2, seed=1)
        trained = train_seeds(model, mixing, SHIFTS, params, examples, examples, lambda _: None)
        return [array.tobytes() for each in trained for array in each.weights.values()]

    assert train() == train()
