"""A generator as files: weights as plain arrays, and what is needed to build its networks again."""

import hashlib
import json
from pathlib import Path
from typing import Any

from .kinds import build_generator
from .sampling import Generator
from .weights import Weights, load_weights, save_weights, set_weights

WEIGHTS, SETTINGS = "generator.npz", "generator.json"


def save_generator(folder: Path, weights: list[Weights], classes: list[str], settings: dict[str, Any]) -> None:
    """Write generator.npz and generator.json, equal bytes for equal weights.

    Args:
        weights: of one network for all classes, or of one for each.
        classes: names in label order.
        settings: kind, size_px, channels, latent, width; depth, or batch_norm of a dcgan.
    """
    text = json.dumps(settings | {"classes": classes}, indent=1, sort_keys=True)
    (folder / SETTINGS).write_text(text + "\n", encoding="utf-8")
    save_weights(folder / WEIGHTS, weights)


def load_generator(folder: Path) -> Generator:
    """The generator that `save_generator` wrote into a folder."""
    settings = json.loads((folder / SETTINGS).read_text(encoding="utf-8"))
    classes: list[str] = settings["classes"]
    networks = []
    for weights in load_weights(folder / WEIGHTS):
        network = build_generator(settings, len(classes), dropout=0.0, seed=0, policy="float32")
        set_weights(network, weights)
        networks.append(network)
    return Generator(networks, classes, settings["latent"])


def identity_of(folder: Path) -> str:
    """SHA-256 of a generator's weights and settings, as hex digits: what a generator is, with nothing drawn."""
    digest = hashlib.sha256()
    for name in (WEIGHTS, SETTINGS):
        digest.update(f"{name}\0{hashlib.sha256((folder / name).read_bytes()).hexdigest()}\n".encode())
    return digest.hexdigest()
