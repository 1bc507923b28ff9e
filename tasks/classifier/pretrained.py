"""Bases of keras.applications: what they make of images, and the files that their weights come from."""

import os
import socket
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
from keras import applications

from tasks.classifier.initial import assign_initial
from tasks.support.errors import BadInput
from tasks.support.files import sha256_of
from tasks.support.params import Pretrained

_ORIGIN = "https://storage.googleapis.com/tensorflow/keras-applications"
_TIMEOUT_S = 20  # of each silence while a file is fetched
_FROZEN_SEED = 0  # of a frozen base that no file gives: all trainings share it


@dataclass(frozen=True)
class _Kind:
    """One base: how it is built, the preprocessing of bytes it was trained with, and the file of ImageNet weights.

    `md5` is Keras's own checksum, None where Keras has none.
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
        self._preprocess = _KINDS[network.base].preprocess
        with warnings.catch_warnings():  # MobileNetV2 says that its weights are those for 224 pixels
            warnings.simplefilter("ignore")
            self.model = _KINDS[network.base].build(include_top=False, weights=None, input_shape=(size_px, size_px, 3))
        if network.weights == "none":
            assign_initial(self.model.trainable_weights, seed if network.fine_tune else _FROZEN_SEED, {})
        else:
            _load(self.model, network)
        self.trainable = network.fine_tune

    def call(self, images: Any) -> Any:
        colour = keras.ops.repeat(images, 3, axis=-1) if images.shape[-1] == 1 else images
        return self.model(self._preprocess(127.5 * (colour + 1.0)), training=False)


def _load(model: keras.Model, network: Pretrained) -> None:
    path = _fetched(network) if network.weights == "imagenet" else _given(network)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", UserWarning)  # Keras merely warns of layers that the file lacks
            model.load_weights(path)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, UserWarning) as error:  # all that Keras answers
        raise BadInput(
            f"train.network.weights: {path} does not hold weights of {network.base} without its top "
            f"({' '.join(str(error).split())[:200]}): save them by save_weights of the same base"
        ) from error


def _given(network: Pretrained) -> Path:
    """The file that params.yaml names, if it is the one whose hash it records."""
    path = Path(network.weights)
    if not path.is_file():
        raise BadInput(f"train.network.weights names {path}, which is no file: put it there or correct the path")
    if (found := sha256_of(path)) != network.weights_sha256:
        raise BadInput(
            f"train.network.weights: {path} has SHA-256 {found}, expected {network.weights_sha256}: give the right "
            f"file, or set train.network.weights_sha256 if you trust this one"
        )
    return path


def _fetched(network: Pretrained) -> Path:
    """The file with ImageNet weights from Keras's cache, else from the network."""
    kind = _KINDS[network.base]
    name = Path(kind.file).name
    checksum = network.weights_sha256 or kind.md5
    try:
        with _no_long_silence():
            path = keras.utils.get_file(name, f"{_ORIGIN}/{kind.file}", cache_subdir="models", file_hash=checksum)
    except Exception as error:  # Keras raises nothing narrower
        cache = Path(os.environ.get("KERAS_HOME", Path.home() / ".keras")) / "models"
        raise BadInput(
            f"train.network.weights imagenet needs {name}, which cannot be fetched ({' '.join(str(error).split())}): "
            f"put that file, with checksum {checksum}, into {cache}, or give its path as train.network.weights"
        ) from error
    return Path(path)


@contextmanager
def _no_long_silence() -> Iterator[None]:
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(_TIMEOUT_S)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)
