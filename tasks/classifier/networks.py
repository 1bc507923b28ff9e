"""The classifiers' networks: small, plain, or a base of keras.applications with weights from a file."""

import hashlib
import os
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
from filelock import FileLock
from keras import applications

from tasks.core.files import sha256_of
from tasks.core.params import Network, Plain, Pretrained, Small
from tasks.networks.arrays import Weights, get_weights
from tasks.networks.classifiers import assign_initial, build_small, convolution, initialiser, with_logits
from tasks.support.errors import BadInput

_PLACE = "https://storage.googleapis.com/tensorflow/keras-applications"


@dataclass(frozen=True)
class _Kind:
    """A base of Keras.

    Attributes:
        build: its network, and preprocess what it expects of bytes.
        file: below `_PLACE`, its ImageNet weights, and md5 Keras's own checksum of it, None where Keras has none.
    """

    build: Callable[..., keras.Model]
    preprocess: Callable[[Any], Any]
    file: str
    md5: str | None


_KINDS = {
    "VGG16": _Kind(
        applications.VGG16,
        applications.vgg16.preprocess_input,
        "vgg16/vgg16_weights_tf_dim_ordering_tf_kernels_notop.h5",
        "6d6bbae143d832006294945121d1f1fc",
    ),
    "ResNet50V2": _Kind(
        applications.ResNet50V2,
        applications.resnet_v2.preprocess_input,
        "resnet/resnet50v2_weights_tf_dim_ordering_tf_kernels_notop.h5",
        "fac2f116257151a9d068a22e544a4917",
    ),
    "MobileNetV2": _Kind(
        applications.MobileNetV2,
        applications.mobilenet_v2.preprocess_input,
        "mobilenet_v2/mobilenet_v2_weights_tf_dim_ordering_tf_kernels_1.0_224_no_top.h5",
        None,
    ),
    "EfficientNetV2B0": _Kind(
        applications.EfficientNetV2B0,
        applications.efficientnet_v2.preprocess_input,
        "efficientnet_v2/efficientnetv2-b0_notop.h5",
        "893217f2bb855e2983157299931e43ff",
    ),
}


class Base(keras.layers.Layer):  # type: ignore[misc]
    """Layer from images float32 (n, size_px, size_px, 1 or 3) in [-1, 1] to a base's last maps.

    The base is always in inference mode: no dropout, and batch statistics stay, fine-tuned or not. That takes a layer
    of its own: a functional model passes `training` on to its layers whatever they were called with.

    Raises:
        BadInput: the file with the weights is missing or not the one expected.
    """

    def __init__(self, network: Pretrained, size_px: int, seed: int) -> None:
        super().__init__(name="base")
        kind = _KINDS[network.base]
        self._preprocess = kind.preprocess
        self.model = kind.build(include_top=False, weights=None, input_shape=(size_px, size_px, 3))
        if network.weights == "none":
            assign_initial(self.model.trainable_weights, seed, {})
        else:
            _load(self.model, network)
        self.trainable = network.fine_tune

    def call(self, images: Any) -> Any:
        colour = keras.ops.repeat(images, 3, axis=-1) if images.shape[-1] == 1 else images
        return self.model(self._preprocess(127.5 * (colour + 1.0)), training=False)


def _load(base: keras.Model, network: Pretrained) -> None:
    """Give all variables of a base their values in the file that `network` names.

    Raises:
        BadInput: the file is missing, not the one expected, or lacks a value.
    """
    path = imagenet_file(network) if network.weights == "imagenet" else _given(network)
    for variable in base.weights:
        variable.assign(keras.ops.full_like(variable, np.nan))  # Keras merely warns of layers that a file lacks
    try:
        base.load_weights(path)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:  # all that Keras answers
        raise _unfit(path, network, f"Keras: {' '.join(str(error).split())[:120]}") from error
    empty = [variable.path for variable in base.weights if np.isnan(variable.value.numpy()).any()]
    if empty:
        raise _unfit(path, network, f"no numbers for {len(empty)} of {len(base.weights)} weights, such as {empty[0]}")


def imagenet_file(network: Pretrained) -> Path:
    """The file with ImageNet weights in Keras's cache, fetched where it is not yet there.

    Raises:
        BadInput: it cannot be fetched, or the cache has another file of that name, which is left alone.
    """
    kind = _KINDS[network.base]
    expected = network.weights_sha256 or str(kind.md5)  # parameters are refused without either
    cache = Path(os.environ.get("KERAS_HOME") or Path.home() / ".keras") / "models"
    target = cache / Path(kind.file).name
    try:
        if not target.exists():
            _fetch(f"{_PLACE}/{kind.file}", target, expected)
        present = _checksum(target, expected)
    except Exception as error:  # Keras raises nothing narrower
        raise BadInput(
            f"train.network.weights imagenet needs {target.name}, which cannot be fetched ({error}): put that file, "
            f"with checksum {expected}, into {cache}, or give its path as train.network.weights"
        ) from error
    if present != expected:
        raise BadInput(
            f"{target} has checksum {present}, expected {expected}, and was left alone: remove it, so that the right "
            f"one is fetched, or put that there"
        )
    return target


def _fetch(url: str, target: Path, expected: str) -> None:
    """Fetch a file beside `target` and rename it: a kill leaves no part of one under that name."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(target.with_name(f".{target.name}.lock")):  # arms train side by side, and each asks for the file
        if not target.exists():
            with tempfile.TemporaryDirectory(dir=target.parent, prefix=".partial-") as folder:
                keras.utils.get_file(target.name, url, file_hash=expected, cache_dir=folder, cache_subdir="")
                Path(folder, target.name).replace(target)


def _checksum(path: Path, like: str) -> str:
    """SHA-256 or MD5 of a file, whichever has the length of `like`."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256" if len(like) == 64 else "md5").hexdigest()


def _given(network: Pretrained) -> Path:
    """The file that params.yaml names, if it is the one whose hash it records."""
    path = Path(network.weights)
    if not path.is_file():
        raise BadInput(f"train.network.weights names {path}, which is no file: put it there or correct the path")
    if (present := sha256_of(path)) != network.weights_sha256:
        raise BadInput(
            f"train.network.weights: {path} has SHA-256 {present}, expected {network.weights_sha256}: give the right "
            f"file, or set train.network.weights_sha256 if you trust this one"
        )
    return path


def _unfit(path: Path, network: Pretrained, why: str) -> BadInput:
    return BadInput(
        f"train.network.weights: {path} does not hold the weights of {network.base} without its top ({why}): give a "
        f"file that save_weights of keras.applications.{network.base}(include_top=False) wrote"
    )


_PLAIN_FILTERS, _PLAIN_DENSE = (32, 64, 64, 128), 512


def build_classifier(network: Network, size_px: int, channels: int, classes: int, seed: int) -> keras.Model:
    """Model from images float32 (n, size_px, size_px, channels) in [-1, 1] to logits float32 (n, classes).

    A step depends on its batch and its weights alone: no network has dropout or gathers batch statistics.

    Raises:
        BadInput: the file with a pretrained network's weights is missing or not the one expected.
    """
    if isinstance(network, Small):
        return build_small(network.width, size_px, channels, classes, seed)
    images = keras.Input((size_px, size_px, channels), name="images")
    x = _plain(images, seed) if isinstance(network, Plain) else _pretrained(images, network, seed)
    return with_logits(images, x, classes, seed)


def loaded_weights(model: keras.Model, network: Network) -> Weights:
    """What training changes of the weights that `build_classifier` read from a file: a fine-tuned base's."""
    if isinstance(network, Pretrained) and network.weights != "none":
        return get_weights(model.get_layer("base"), trainable=True)
    return {}


def reset(model: keras.Model, seed: int, loaded: Weights) -> None:
    """Give a model of `build_classifier` exactly the weights that a fresh build with this seed has.

    Functions compiled for the model stay valid, so that all seeds share one trace.

    Args:
        loaded: the model's `loaded_weights`.
    """
    assign_initial(model.trainable_weights, seed, loaded)


def _plain(images: keras.KerasTensor, seed: int) -> keras.KerasTensor:
    """Four 3x3 convolutions, each followed by max pooling, and a dense layer."""
    x = images
    for number, filters in enumerate(_PLAIN_FILTERS, start=1):
        x = convolution(x, filters, f"conv_{number}", seed)
        x = keras.layers.MaxPooling2D(name=f"pool_{number}")(x)
    return _dense(keras.layers.Flatten(name="flat")(x), _PLAIN_DENSE, seed)


def _pretrained(images: keras.KerasTensor, network: Pretrained, seed: int) -> keras.KerasTensor:
    x = Base(network, images.shape[1], seed)(images)
    return _dense(keras.layers.Flatten(name="flat")(x), network.dense, seed)


def _dense(x: keras.KerasTensor, units: int, seed: int) -> keras.KerasTensor:
    return keras.layers.Dense(units, activation="relu", kernel_initializer=initialiser(seed, "dense"), name="dense")(x)
