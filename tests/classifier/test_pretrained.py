"""Pretrained networks; their weights are drawn here, since no test opens the network."""

import re
import socket
import warnings
from contextlib import contextmanager, nullcontext
from pathlib import Path
from urllib.error import URLError

import h5py
import keras
import numpy as np
import pytest
from keras import applications
from keras.src.legacy.saving.legacy_h5_format import save_weights_to_hdf5_group
from keras.src.utils import file_utils

from tasks.classifier.arms import draw
from tasks.classifier.networks import build_classifier, loaded_weights, reset
from tasks.classifier.pretrained import Base
from tasks.classifier.training import Examples, build_optimizer, compile_steps
from tasks.support.errors import BadInput
from tasks.support.files import sha256_of
from tasks.support.params import Pretrained
from tasks.support.weights import get_weights
from tests.classifier.examples import arm

PREPROCESSING = {
    "VGG16": applications.vgg16,
    "ResNet50V2": applications.resnet_v2,
    "MobileNetV2": applications.mobilenet_v2,
    "EfficientNetV2B0": applications.efficientnet_v2,
}


def _network(base="MobileNetV2", **settings) -> Pretrained:
    values = {"weights": "none", "weights_sha256": None, "fine_tune": False, "dense": 4}
    return Pretrained(kind="pretrained", base=base, **values | settings)


def _bytes(model) -> dict[str, bytes]:
    return {name: array.tobytes() for name, array in get_weights(model).items()}


@contextmanager
def _deprecated_copies():
    """Keras 3.15 saves weights by a copy that NumPy 2 warns of."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "__array__ implementation", DeprecationWarning)
        yield


@pytest.mark.parametrize("base", PREPROCESSING)
def test_a_base_sees_what_its_own_preprocessing_makes_of_bytes_in_inference_mode(base):
    layer = Base(_network(base, fine_tune=True), 32, seed=1)
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
    assert names == [variable.path for variable in Base(_network(base, fine_tune=True), 32, seed=2).weights]


def test_the_head_is_flat_dense_and_logits():
    model = build_classifier(_network("VGG16", dense=256), 32, 1, 3, seed=1)
    assert model.input_shape == (None, 32, 32, 1)
    assert {name: array.shape for name, array in get_weights(model, trainable=True).items()} == {
        "dense/kernel": (512, 256),
        "dense/bias": (256,),
        "logits/kernel": (256, 3),
        "logits/bias": (3,),
    }
    assert sum(array.size for array in get_weights(model.get_layer("base")).values()) == 14_714_688
    assert get_weights(model)["block1_conv1/kernel"].shape == (3, 3, 3, 64)


def test_weights_of_none_depend_on_the_seed_alone_and_a_frozen_base_not_even_on_it():
    tuned = _network(fine_tune=True)
    first = _bytes(build_classifier(tuned, 32, 3, 3, seed=1))
    keras.utils.set_random_seed(5)
    assert _bytes(build_classifier(tuned, 32, 3, 3, seed=1)) == first
    other = _bytes(build_classifier(tuned, 32, 3, 3, seed=2))
    assert {name for name in first if name.endswith("kernel") and first[name] == other[name]} == set()
    frozen = [build_classifier(_network(), 32, 3, 3, seed).get_layer("base") for seed in (1, 2)]
    assert _bytes(frozen[0]) == _bytes(frozen[1])


@pytest.mark.parametrize("fine_tune", [False, True])
def test_training_changes_the_head_and_a_fine_tuned_base_and_never_statistics(fine_tune):
    model = build_classifier(_network(fine_tune=fine_tune), 32, 3, 3, seed=1)
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


@pytest.fixture(scope="module")
def saved(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("weights") / "base.weights.h5"
    base = Base(_network(fine_tune=True), 32, seed=9).model
    for variable in base.weights:  # statistics as well
        variable.assign(variable + 0.25)
    with _deprecated_copies():
        base.save_weights(path)
    return path


@pytest.mark.parametrize("fine_tune", [False, True])
def test_a_file_gives_the_base_to_which_each_seed_returns(saved, fine_tune):
    network = _network(weights=str(saved), weights_sha256=sha256_of(saved), fine_tune=fine_tune)
    model = build_classifier(network, 32, 3, 3, seed=1)
    drawn = get_weights(Base(_network(fine_tune=True), 32, seed=9).model)
    for name, array in get_weights(model.get_layer("base")).items():
        np.testing.assert_array_equal(array, drawn[name] + np.float32(0.25))
    loaded = loaded_weights(model, network)
    assert bool(loaded) == fine_tune
    for weight in model.trainable_weights:
        weight.assign(weight + 1.0)
    reset(model, 7, loaded)
    assert _bytes(model) == _bytes(build_classifier(network, 32, 3, 3, seed=7))


def test_reset_draws_a_base_of_none_anew():
    network = _network(fine_tune=True)
    model = build_classifier(network, 32, 3, 3, seed=1)
    reset(model, 7, loaded_weights(model, network))
    assert _bytes(model) == _bytes(build_classifier(network, 32, 3, 3, seed=7))


def test_keras_own_files_are_read_by_their_older_format(tmp_path):
    base = Base(_network(fine_tune=True), 32, seed=9).model
    path = tmp_path / "notop.h5"
    with _deprecated_copies(), h5py.File(path, "w") as file:
        save_weights_to_hdf5_group(file, base)
    network = _network(weights=str(path), weights_sha256=sha256_of(path))
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
    with pytest.raises(BadInput, match="does not hold weights of MobileNetV2 without its top"):
        build_classifier(_network(weights=str(path), weights_sha256=sha256_of(path)), 32, 3, 3, seed=1)


def test_weights_of_another_base_are_refused(saved):
    other = _network("VGG16", weights=str(saved), weights_sha256=sha256_of(saved))
    with pytest.raises(BadInput, match="does not hold weights of VGG16 without its top"):
        build_classifier(other, 32, 3, 3, seed=1)


@pytest.mark.parametrize(
    ("base", "name"),
    [
        ("VGG16", "vgg16_weights_tf_dim_ordering_tf_kernels_notop.h5"),
        ("ResNet50V2", "resnet50v2_weights_tf_dim_ordering_tf_kernels_notop.h5"),
        ("MobileNetV2", "mobilenet_v2_weights_tf_dim_ordering_tf_kernels_1.0_224_no_top.h5"),
        ("EfficientNetV2B0", "efficientnetv2-b0_notop.h5"),
    ],
)
def test_imagenet_without_network_names_the_file_to_supply_and_keras_knows_it_by_that_name(monkeypatch, base, name):
    asked = []

    def away(origin, *_):
        asked.append(origin)
        raise URLError("Name or service not known")

    monkeypatch.setattr(file_utils, "urlretrieve", away)
    monkeypatch.setenv("KERAS_HOME", "/cache")
    monkeypatch.setattr(file_utils.config, "keras_home", lambda: "/nowhere")
    before = socket.getdefaulttimeout()
    network = _network(base, weights="imagenet", weights_sha256="1" * 64 if base == "MobileNetV2" else None)
    with pytest.raises(BadInput, match=rf"needs {re.escape(name)}, which cannot be fetched .*into /cache/models, or"):
        build_classifier(network, 32, 3, 3, seed=1)
    assert socket.getdefaulttimeout() == before
    with pytest.warns() if base == "MobileNetV2" else nullcontext(), pytest.raises(Exception, match="URL fetch"):
        getattr(applications, base)(include_top=False, input_shape=(32, 32, 3))
    assert asked[0] == asked[1]
    assert asked[0].endswith(f"/{name}")


def test_imagenet_comes_from_the_cache(monkeypatch, tmp_path):
    (tmp_path / "models").mkdir()
    base = Base(_network(fine_tune=True), 32, seed=9).model
    path = tmp_path / "models/mobilenet_v2_weights_tf_dim_ordering_tf_kernels_1.0_224_no_top.h5"
    with _deprecated_copies(), h5py.File(path, "w") as file:
        save_weights_to_hdf5_group(file, base)
    monkeypatch.setattr(file_utils.config, "keras_home", lambda: str(tmp_path))
    network = _network(weights="imagenet", weights_sha256=sha256_of(path))
    assert _bytes(build_classifier(network, 32, 3, 3, seed=1).get_layer("base")) == _bytes(base)
