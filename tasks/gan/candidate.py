"""A candidate trained to its end, and the files that it leaves: numbers, weights and images, nothing drawn."""

import hashlib
import json
import re
from collections.abc import Iterable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from tasks.core.files import write_json
from tasks.gan.build import spec_for
from tasks.gan.loop import Record, snapshots_in
from tasks.gan.parts import Part, Setting, train_parts
from tasks.networks.arrays import load_weights
from tasks.networks.checkpoints import Generator, Spec, draw_latents, load_generator, save_generator
from tasks.networks.layers import layers_of
from tasks.support.progress import log, tell_metrics, tell_samples

SAMPLES = "samples.npz"


def key_of(setting: Setting, code: Iterable[Path]) -> str:
    """What a state is good for: a hash of settings, images, libraries, and of the code in files and folders."""
    settings = [str(values) for values in (setting.candidate, setting.compute, setting.params)]
    digest = hashlib.sha256(json.dumps([*settings, setting.classes]).encode())
    for name in ("tensorflow", "keras", "numpy"):
        digest.update(version(name).encode())
    for place in code:
        files = [place] if place.is_file() else sorted(place.rglob("*"))
        for file in (file for file in files if file.suffix in (".py", ".json")):
            digest.update(f"{file.relative_to(place.parent)}".encode() + b"\0" + file.read_bytes())
    digest.update(repr(setting.images.shape).encode())
    for image in setting.images:
        digest.update(image)
    digest.update(setting.labels.tobytes())
    return digest.hexdigest()[:32]


def train_candidate(setting: Setting, state: Path, folder: Path) -> None:
    """Train all GANs of all seeds, or go on from what lies in `state`, and write what they leave into `folder`.

    That is history.csv, alarms.json, networks.json, and for each snapshot seed_<seed>/<epoch> with generator.npz,
    generator.json and samples.npz.
    """
    recorder, spec = _Recorder(), spec_for(setting.candidate, setting.images)
    alarms: list[Record] = []
    for seed in range(setting.candidate.seeds):
        makers = []
        for part, loop, seen in train_parts(setting, seed, state / f"seed_{seed}", recorder):
            networks, alarms = loop.step.networks, alarms + seen.alarms
            makers += [part] if part.classes else []
        _write_snapshots(folder / f"seed_{seed}", state / f"seed_{seed}", makers, spec)
    history = pd.DataFrame(recorder.history)
    history.to_csv(folder / "history.csv", index=False, float_format="%.6g")
    write_json(folder / "alarms.json", alarms)
    tables = {name: layers_of(getattr(networks, name)) for name in ("generator", "discriminator")}
    write_json(folder / "networks.json", tables)
    _log(setting.name, history, alarms)


class _Recorder:
    """Keeps the history of all trainings, and tells whoever listens of it."""

    def __init__(self) -> None:
        self.history: list[Record] = []

    def epoch(self, record: Record) -> None:
        self.history.append(record)
        prefix = re.sub(r"[^\w. -]", "_", f"seed_{record['seed']}_{record['part']}")
        values = {f"{prefix}_{key}": value for key, value in record.items() if key not in ("seed", "part", "epoch")}
        tell_metrics(values, record["epoch"])

    def snapshot(self, seed: int, part: Part, epoch: int, generator: Generator) -> None:
        (rows, columns), (images, _) = generator.spec.grid, samples_of(generator)
        names = [name if row == 0 else "" for name in generator.classes for row in range(rows)]
        tell_samples(f"seed_{seed}/{part.folder}/{epoch:05d}", images.reshape(-1, columns, *images.shape[1:]), names)


def samples_of(generator: Generator) -> tuple[NDArray[np.uint8], NDArray[np.int32]]:
    """As many images of each class as its kind shows, from the same latents each time, and their labels."""
    count = int(np.prod(generator.spec.grid))
    latents = [draw_latents(0, f"samples/{name}", range(count), generator.latent) for name in generator.classes]
    labels = np.repeat(np.arange(len(generator.classes), dtype=np.int32), count)
    return generator.generate(np.concatenate(latents), labels), labels


def _write_snapshots(folder: Path, state: Path, parts: list[Part], spec: Spec) -> None:
    """A folder for each epoch of which a GAN left a snapshot, with the classes of those that did: some may stop."""
    folder.mkdir()
    makers: dict[str, list[Part]] = {}
    for part in parts:
        for path in snapshots_in(state / part.folder):
            makers.setdefault(path.stem, []).append(part)
    for epoch, of_epoch in sorted(makers.items()):
        (folder / epoch).mkdir()
        weights = [load_weights(state / part.folder / f"{epoch}.npz")[0] for part in of_epoch]
        save_generator(folder / epoch, weights, [name for part in of_epoch for name in part.classes], spec)
        images, labels = samples_of(load_generator(folder / epoch))
        with (folder / epoch / SAMPLES).open("wb") as file:
            np.savez(file, allow_pickle=False, images=images, labels=labels)


def _log(name: str, history: pd.DataFrame, alarms: list[dict[str, Any]]) -> None:
    for alarm in alarms:
        place = f"{name}, {alarm['part']}, seed {alarm['seed']}, epoch {alarm['epoch']}"
        numbers = f"{alarm['value']:g} (threshold {alarm['threshold']:g}, windows {alarm['windows']})"
        log.warning("  %s: alarm %s %s, %s", place, alarm["detector"], numbers, alarm["consequence"])
    for row in history.groupby(["seed", "part"], sort=False).last().reset_index().to_dict("records"):
        values = (row["seed"], row["part"], row["kid"], row["diversity_least"])
        log.info("  %s, seed %d, %s: KID %.4f against train, least diversity %.2f", name, *values)
