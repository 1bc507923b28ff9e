"""Where a killed training goes on: all of its state in one file, replaced in one step.

The randomness of an epoch depends on the seed and the epoch's number alone, and dropout's on variables that are saved
with the rest, so that a training that was killed ends with the bits of one that was not, given the same processor type,
number of threads and versions.
"""

import hashlib
import json
import os
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from tasks.gan.model import Gan
from tasks.support.progress import log

_CODE = Path(__file__).parents[1]
_SEEN = "seen"  # the member beside the weights, JSON as bytes


def key_of(settings: Mapping[str, Any], images: NDArray[np.uint8], labels: NDArray[np.int32]) -> str:
    """What a state is good for: a hash of settings, training images, and of the code and libraries that train."""
    digest = hashlib.sha256(json.dumps(settings, sort_keys=True).encode())
    for name in ("tensorflow", "keras", "numpy"):
        digest.update(version(name).encode())
    for file in sorted(file for room in ("core", "data", "networks", "gan") for file in (_CODE / room).rglob("*.py")):
        digest.update(file.read_bytes())
    digest.update(repr(images.shape).encode())
    for image in images:
        digest.update(image)
    digest.update(labels.tobytes())
    return digest.hexdigest()[:32]


def save_state(path: Path, gan: Gan, seen: Mapping[str, Any]) -> None:
    """Write a training's state and JSON of what was `seen` so far; a kill leaves the old file or the new one."""
    partial = path.with_name(f".{path.name}.partial")
    with partial.open("wb") as file:
        arrays: dict[str, Any] = {_SEEN: np.frombuffer(json.dumps({"epoch": gan.epoch, **seen}).encode(), np.uint8)}
        np.savez(file, allow_pickle=False, **arrays, **gan.state())
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)


def load_state(path: Path, gan: Gan) -> dict[str, Any] | None:
    """Put a training where `save_state` saw it and give what it had seen; None where no file can be read."""
    try:
        with path.open("rb") as opened, np.load(opened, allow_pickle=False) as file:
            state = {name: file[name] for name in file.files}
    except FileNotFoundError:
        return None
    except (OSError, ValueError, EOFError, BadZipFile) as error:
        log.warning("  %s cannot be read (%s): this training starts again", path, error)
        return None
    seen: dict[str, Any] = json.loads(state.pop(_SEEN).tobytes())
    gan.restore(state, seen.pop("epoch"))
    return seen
