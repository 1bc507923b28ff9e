"""The files that a pretrained base's weights come from: Keras's cache, filled from the network, or a given one."""

import fcntl
import hashlib
import os
import shutil
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from urllib.request import urlopen

import keras
import numpy as np

from tasks.core.files import sha256_of
from tasks.core.params import Pretrained
from tasks.support.errors import BadInput

_TIMEOUT_S = 20  # of each silence while a file is fetched


@dataclass(frozen=True)
class _Published:
    """Keras's file of a base's ImageNet weights: where it lies, and Keras's own MD5, None where Keras has none."""

    file: str
    md5: str | None


_PUBLISHED = {
    "VGG16": _Published("vgg16/vgg16_weights_tf_dim_ordering_tf_kernels_notop.h5", "6d6bbae143d832006294945121d1f1fc"),
    "ResNet50V2": _Published(
        "resnet/resnet50v2_weights_tf_dim_ordering_tf_kernels_notop.h5", "fac2f116257151a9d068a22e544a4917"
    ),
    "MobileNetV2": _Published("mobilenet_v2/mobilenet_v2_weights_tf_dim_ordering_tf_kernels_1.0_224_no_top.h5", None),
    "EfficientNetV2B0": _Published("efficientnet_v2/efficientnetv2-b0_notop.h5", "893217f2bb855e2983157299931e43ff"),
}


def load_base(base: keras.Model, network: Pretrained) -> None:
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
    published = _PUBLISHED[network.base]
    expected = network.weights_sha256 or str(published.md5)  # params.yaml is refused without either
    cache = Path(os.environ.get("KERAS_HOME") or Path.home() / ".keras") / "models"
    target = cache / Path(published.file).name
    try:
        if not target.exists():
            _fetch(published.file, target, expected)
        found = _checksum(target, expected)
    except (OSError, HTTPException) as error:
        raise BadInput(
            f"train.network.weights imagenet needs {target.name}, which cannot be fetched ({error}): put that file, "
            f"with checksum {expected}, into {cache}, or give its path as train.network.weights"
        ) from error
    if found != expected:
        raise BadInput(
            f"{target} has checksum {found}, expected {expected}, and was left alone: remove it, so that the right "
            f"one is fetched, or put that there"
        )
    return target


def _fetch(file: str, target: Path, expected: str) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    sibling = target.with_name(f".{target.name}.partial")
    with target.with_name(f".{target.name}.lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # arms train side by side, and each asks for the file
        if target.exists():
            return
        try:
            url = f"https://storage.googleapis.com/tensorflow/keras-applications/{file}"
            with urlopen(url, timeout=_TIMEOUT_S) as answer, sibling.open("wb") as stream:
                shutil.copyfileobj(answer, stream)
            if (found := _checksum(sibling, expected)) != expected:
                raise OSError(f"what came has checksum {found}")
            sibling.replace(target)
        finally:
            sibling.unlink(missing_ok=True)


def _checksum(path: Path, like: str) -> str:
    """SHA-256 or MD5 of a file, whichever has the length of `like`."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256" if len(like) == 64 else "md5").hexdigest()


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


def _unfit(path: Path, network: Pretrained, why: str) -> BadInput:
    return BadInput(
        f"train.network.weights: {path} does not hold the weights of {network.base} without its top ({why}): give a "
        f"file that save_weights of keras.applications.{network.base}(include_top=False) wrote"
    )
