"""Where a killed training goes on: all of its state in one file, replaced in one step.

The randomness of an epoch depends on the seed and the epoch's number alone, and dropout's on variables that are saved
with the rest, so that a training that was killed ends with the bits of one that was not, given the same processor type,
number of threads and versions.
"""

import hashlib
import json
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tasks.gan.model import Gan

_CODE = Path(__file__).parents[1]
_LOG = "log"  # the member beside the weights, JSON as bytes


def key_of(settings: Mapping[str, Any], images: NDArray[np.uint8], labels: NDArray[np.int32]) -> str:
    """What a state is good for: a hash of settings, training images, and of the code and libraries that train."""
    digest = hashlib.sha256(json.dumps(settings, sort_keys=True).encode())
    for name in ("tensorflow", "keras", "numpy"):
        digest.update(version(name).encode())
    for file in sorted([*_CODE.glob("gan/*.py"), *_CODE.glob("dataset/*.py"), *_CODE.glob("support/*.py")]):
        digest.update(file.read_bytes())
    digest.update(repr(images.shape).encode())
    for image in images:
        digest.update(image)
    digest.update(labels.tobytes())
    return digest.hexdigest()[:32]


def save_state(path: Path, gan: Gan, log: Mapping[str, Any]) -> None:
    """Write a training's state and `log`, JSON of what was seen so far; a kill leaves the old file or the new one."""
    partial = path.with_name(f".{path.name}.partial")
    with partial.open("wb") as file:
        arrays: dict[str, Any] = {_LOG: np.frombuffer(json.dumps({"epoch": gan.epoch, **log}).encode(), np.uint8)}
        np.savez(file, allow_pickle=False, **arrays, **gan.state())
    partial.replace(path)


def load_state(path: Path, gan: Gan) -> dict[str, Any] | None:
    """Put a training where `save_state` saw it and give the log; None where there is no file."""
    if not path.exists():
        return None
    with np.load(path, allow_pickle=False) as file:
        state = {name: file[name] for name in file.files}
    log: dict[str, Any] = json.loads(state.pop(_LOG).tobytes())
    gan.restore(state, log.pop("epoch"))
    return log
