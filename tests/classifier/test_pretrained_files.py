"""Files with ImageNet weights: found, fetched and refused. No test opens the network."""

import hashlib
import re
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from pathlib import Path
from urllib.error import URLError

import keras
import pytest
from keras import applications
from keras.src.utils import file_utils

from tasks.classifier.networks import imagenet_file
from tasks.core.params import Pretrained
from tasks.support.errors import BadInput

CONTENT = b"weights" * 1000
SHA256 = hashlib.sha256(CONTENT).hexdigest()
NAMES = {
    "VGG16": "vgg16_weights_tf_dim_ordering_tf_kernels_notop.h5",
    "ResNet50V2": "resnet50v2_weights_tf_dim_ordering_tf_kernels_notop.h5",
    "MobileNetV2": "mobilenet_v2_weights_tf_dim_ordering_tf_kernels_1.0_224_no_top.h5",
    "EfficientNetV2B0": "efficientnetv2-b0_notop.h5",
}


def _network(base: str = "VGG16", sha256: str | None = SHA256) -> Pretrained:
    return Pretrained(kind="pretrained", base=base, weights="imagenet", weights_sha256=sha256, fine_tune=False, dense=4)


@pytest.fixture
def target(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Where the file of `_network()` belongs; its cache does not exist yet."""
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    return tmp_path / "keras/models" / NAMES["VGG16"]


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The addresses that were asked for, which all answer with CONTENT."""
    addresses: list[str] = []

    def answer(url: str, path: str, _progress: object) -> None:
        addresses.append(url)
        Path(path).write_bytes(CONTENT)

    monkeypatch.setattr(file_utils, "urlretrieve", answer)
    return addresses


def _away(*_: object, **__: object) -> None:
    raise URLError("Name or service not known")


def test_the_file_is_fetched_once_by_arms_side_by_side(target: Path, asked: list[str]) -> None:
    with ThreadPoolExecutor(4) as executor:
        assert list(executor.map(imagenet_file, [_network()] * 4)) == [target] * 4
    assert len(asked) == 1
    assert target.read_bytes() == CONTENT
    assert {path.name for path in target.parent.iterdir()} == {target.name, f".{target.name}.lock"}


def test_a_file_in_the_cache_is_used_without_network(monkeypatch: pytest.MonkeyPatch, target: Path) -> None:
    monkeypatch.setattr(file_utils, "urlretrieve", _away)
    target.parent.mkdir(parents=True)
    target.write_bytes(CONTENT)
    assert imagenet_file(_network()) == target


def test_another_file_of_that_name_is_left_alone(target: Path, asked: list[str]) -> None:
    target.parent.mkdir(parents=True)
    target.write_bytes(b"mine")
    found = hashlib.md5(b"mine", usedforsecurity=False).hexdigest()
    message = f"{target} has checksum {found}, expected 6d6bbae143d832006294945121d1f1fc, and was left alone: remove"
    with pytest.raises(BadInput, match=re.escape(message)):
        imagenet_file(_network(sha256=None))
    assert target.read_bytes() == b"mine"
    assert asked == []


def test_what_comes_with_another_checksum_is_not_kept(target: Path, asked: list[str]) -> None:
    with pytest.raises(BadInput, match=f"cannot be fetched .*hash does not match the provided value of {'0' * 64}"):
        imagenet_file(_network(sha256="0" * 64))
    assert len(asked) == 1
    assert [path.name for path in target.parent.iterdir()] == [f".{target.name}.lock"]


def test_a_cache_that_cannot_be_written_is_named_and_no_other_taken(target: Path, asked: list[str]) -> None:
    target.parents[1].write_bytes(b"a file, where the cache should be")
    with pytest.raises(BadInput, match=f"put that file, with checksum {SHA256}, into {re.escape(str(target.parent))}"):
        imagenet_file(_network())
    assert asked == []


@pytest.mark.parametrize("base", NAMES)
def test_without_network_the_file_to_supply_is_named_as_keras_names_it(
    monkeypatch: pytest.MonkeyPatch, target: Path, base: str
) -> None:
    asked: dict[str, str | None] = {}

    def get_file(name: str, origin: str, file_hash: str | None = None, **_: object) -> None:
        asked.update(name=name, origin=origin, checksum=file_hash)
        raise URLError("away")

    monkeypatch.setattr(file_utils, "get_file", get_file)
    with pytest.warns() if base == "MobileNetV2" else nullcontext(), pytest.raises(URLError):
        getattr(applications, base)(include_top=False, input_shape=(32, 32, 3))
    of_keras = dict(asked)
    monkeypatch.setattr(keras.utils, "get_file", get_file)
    checksum = of_keras["checksum"] or SHA256
    needs = rf"needs {NAMES[base]}, which cannot be fetched .*with checksum {checksum}, into {target.parent}, or give"
    with pytest.raises(BadInput, match=needs):
        imagenet_file(_network(base, None if of_keras["checksum"] else SHA256))
    assert asked == of_keras | {"checksum": checksum}
    assert asked["name"] == NAMES[base]
