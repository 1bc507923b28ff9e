"""A training in a process of its own, to be killed. TensorFlow is imported once, in the server that forks it."""

import multiprocessing
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import Any

import numpy as np

from tasks.core.params import load
from tasks.gan.parts import Setting, train_parts
from tasks.networks import import_tensorflow
from tests.gan.candidates import COMPUTE, KINDS, noise

import_tensorflow()
ROOT = Path(__file__).parents[2]
STEADY: dict[str, Any] = {"epochs": 45, "steps_per_epoch": 4, "snapshot_every": 4, "d_dropout": 0.3, "g_dropout": 0.2}
CHANGES: dict[str, dict[str, Any]] = {
    "conditional": {"lecam": 0.3},
    "dcgan": {"batch_norm": True, "warm_start_epochs": 20, "classes": ["2"], "half_batches": True},
}


def train(kind: str, folder: Path, begun: Event | None = None) -> list[dict[str, Any]]:
    """History of a candidate trained in `folder`, or on from what lies there; `begun` is set once it trains."""
    images, labels = noise()
    candidate = KINDS[kind].model_copy(update=STEADY | CHANGES[kind])
    detectors = load(ROOT / "params.yaml").train_gan
    stopping = {"collapse": detectors.detectors.collapse.model_copy(update={"consequence": "warn"})}
    params = detectors.model_copy(update={"detectors": detectors.detectors.model_copy(update=stopping)})
    setting = Setting(params, candidate, COMPUTE, images, labels, ["0", "1", "2"])
    history = []

    def tell(record: dict[str, Any]) -> None:
        history.append(record)
        if begun is not None:
            begun.set()

    for _ in train_parts(setting, 0, folder, tell, lambda *_: None):
        pass
    return history


def start(kind: str, folder: Path) -> tuple[Any, Event]:
    """A process that trains, and the event of its first record."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__])
    begun = context.Event()
    process = context.Process(target=train, args=(kind, folder, begun))
    process.start()
    return process, begun


def weights_in(folder: Path) -> dict[str, np.ndarray[Any, Any]]:
    """All arrays of all states and snapshots in a folder, by file and name."""
    found = {}
    for path in sorted(folder.rglob("*.npz")):
        with np.load(path) as file:
            found |= {f"{path.relative_to(folder)}/{name}": file[name] for name in file.files}
    return found
