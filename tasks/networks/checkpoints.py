"""A trained generator: files whose bytes are those of equal weights, and images of named classes made with it."""

import hashlib
import json
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import keras
import numpy as np
from numpy.typing import ArrayLike, NDArray

from .arrays import Weights, load_weights, save_weights, set_weights, to_bytes
from .conditional import Conditional
from .dcgan import Dcgan

Spec = Conditional | Dcgan
KINDS: dict[str, type[Spec]] = {"conditional": Conditional, "dcgan": Dcgan}


def spec_of(values: Mapping[str, Any]) -> Spec:
    """The spec in `values`, which may hold more: the settings of a candidate, or what `as_json` gave.

    Raises:
        KeyError: there is no such kind, or a value is missing.
    """
    kind = KINDS[values["kind"]]
    return kind(**{field.name: values[field.name] for field in fields(kind)})


def as_json(spec: Spec) -> dict[str, Any]:
    """All values of a spec by name, with its kind."""
    (name,) = (name for name, kind in KINDS.items() if isinstance(spec, kind))
    return {"kind": name, **asdict(spec)}


WEIGHTS, SETTINGS = "generator.npz", "generator.json"
_AT_ONCE = 256  # rows of every batch, as an image's last bits may depend on it, and of every block of latents


def draw_latents(seed: int, label: str, indices: ArrayLike, size: int) -> NDArray[np.float32]:
    """Standard normal latents float32 (n, size) of the images with these indices int (n,), in any order.

    Row i of a seed and a label, a class's name, is always the same: it is in block i // 256, which is drawn alone.
    """
    blocks, rows = np.divmod(np.asarray(indices, np.int64), _AT_ONCE)
    latents = np.empty((len(rows), size), np.float32)
    order = np.argsort(blocks, kind="stable")
    numbers, starts = np.unique(blocks[order], return_index=True)
    for number, start, end in zip(numbers, starts, [*starts[1:], len(order)], strict=False):
        members = order[start:end]
        rng = np.random.default_rng([seed, zlib.crc32(label.encode()), number])
        latents[members] = rng.standard_normal((_AT_ONCE, size), np.float32)[rows[members]]
    return latents


class Generator:
    """A trained generator: images of named classes.

    Attributes:
        classes: names; an index into this list is a label below.
        spec: of its networks; latent: numbers from which an image is made.
        image_shape: (size_px, size_px, channels).
    """

    def __init__(self, networks: Sequence[keras.Model], classes: list[str], spec: Spec) -> None:
        """Args: one network for all classes, or one for each."""
        self._networks, self.spec, self.classes, self.latent = networks, spec, classes, spec.latent
        self.image_shape = (spec.size_px, spec.size_px, spec.channels)

    def generate(self, latents: NDArray[np.float32], labels: NDArray[np.int32]) -> NDArray[np.uint8]:
        """Images uint8 (n, size_px, size_px, channels) for latents float32 (n, latent) and labels int32 (n,).

        Networks see batches of one size, filled up with zeros, so that an image's bytes do not depend on the others.
        """
        images = np.empty((len(labels), *self.image_shape), np.uint8)
        for number, network in enumerate(self._networks):
            rows = np.flatnonzero(labels == number) if len(self._networks) > 1 else np.arange(len(labels))
            for start in range(0, len(rows), _AT_ONCE):
                batch = rows[start : start + _AT_ONCE]
                condition = self.spec.condition(_filled_up(labels[batch]), np.ones(_AT_ONCE, np.float32))
                made = self.spec.make(network, _filled_up(latents[batch]), condition, training=False)
                images[batch] = to_bytes(made.numpy()[: len(batch)])
        return images


def _filled_up(values: NDArray[Any]) -> NDArray[Any]:
    return np.pad(values, [(0, _AT_ONCE - len(values)), *[(0, 0)] * (values.ndim - 1)])


def save_generator(folder: Path, weights: list[Weights], classes: list[str], spec: Spec) -> None:
    """Write generator.npz and generator.json, equal bytes for equal weights.

    Args:
        weights: of one network for all classes, or of one for each.
        classes: names in label order.
    """
    text = json.dumps(as_json(spec) | {"classes": classes}, indent=1, sort_keys=True)
    (folder / SETTINGS).write_text(text + "\n", encoding="utf-8")
    save_weights(folder / WEIGHTS, weights)


def load_generator(folder: Path) -> Generator:
    """The generator that `save_generator` wrote into a folder."""
    settings = json.loads((folder / SETTINGS).read_text(encoding="utf-8"))
    classes, spec = settings["classes"], spec_of(settings)
    networks = []
    for weights in load_weights(folder / WEIGHTS):
        network = spec.build_generator(len(classes), dropout=0.0, seed=0, policy="float32")
        set_weights(network, weights)
        networks.append(network)
    return Generator(networks, classes, spec)


def identity_of(folder: Path) -> str:
    """SHA-256 of a generator's weights and settings, as hex digits: what a generator is, with nothing drawn."""
    digest = hashlib.sha256()
    for name in (WEIGHTS, SETTINGS):
        digest.update(f"{name}\0{hashlib.sha256((folder / name).read_bytes()).hexdigest()}\n".encode())
    return digest.hexdigest()
