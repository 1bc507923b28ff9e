"""A generator as files: weights as plain arrays, and what is needed to build its network again."""

import json
from pathlib import Path
from typing import Any

import keras

from tasks.gan.networks import build_generator
from tasks.support.weights import get_weights, load_weights, save_weights, set_weights

WEIGHTS, SETTINGS = "generator.npz", "generator.json"


def save_generator(folder: Path, model: keras.Model, classes: list[str], latent: int, width: int, seed: int) -> None:
    """Write generator.npz and generator.json, equal bytes for equal weights; `classes` are names in label order."""
    _, size_px, _, channels = model.output_shape
    settings = {"size_px": size_px, "channels": channels, "classes": classes}
    settings |= {"latent": latent, "width": width, "seed": seed}
    (folder / SETTINGS).write_text(json.dumps(settings, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    save_weights(folder / WEIGHTS, [get_weights(model)])


def load_generator(folder: Path) -> tuple[keras.Model, dict[str, Any]]:
    """The generator in a folder, and its settings: size_px, channels, classes (names), latent, width, seed."""
    settings = json.loads((folder / SETTINGS).read_text(encoding="utf-8"))
    model = build_generator(**{**settings, "classes": len(settings["classes"])})
    set_weights(model, load_weights(folder / WEIGHTS)[0])
    return model, settings
