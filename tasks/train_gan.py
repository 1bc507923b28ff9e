"""Train generators: the GANs of one candidate, on training images alone; killed, they go on where they were."""

import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from tasks.core.files import remove_others, replacing, write_json
from tasks.core.params import Candidate, Dcgan, Params
from tasks.data.images import read_images
from tasks.data.manifest import class_names, label_indices, read_manifest, rows_of
from tasks.report.history_plot import draw_history
from tasks.report.network_plot import draw_network
from tasks.report.sheets import draw_grid
from tasks.support.commands import stage_command
from tasks.support.errors import BadInput
from tasks.support.progress import log
from tasks.support.stages import stage
from tasks.support.tracking import Run, child_run

if TYPE_CHECKING:
    from tasks.gan.model import Gan
    from tasks.gan.parts import Part, Setting
    from tasks.networks.checkpoints import Generator

STATE = Path(".state/train_gan")
_GRID = {"conditional": (1, 10), "dcgan": (7, 7)}  # rows for each class, and columns


@stage(
    params=("compute", "images", "train_gan", "candidates"),
    rooms=("data", "networks", "gan"),
    out="generators",
    each="candidates",
)
def train_gan(params: Params, out: Path, *, raw: Path, split: Path) -> None:
    """Write the folder of a candidate: its snapshots, history and alarms, and pictures of all of it.

    Each snapshot is a folder seed_<seed>/<epoch> with generator.npz, generator.json and grid.png, made from the same
    latents each time. Beside them lie history.csv, history.png, alarms.json and a diagram of each network.

    Only images of the split train are opened; KID and diversity here are against those. A training that was killed goes
    on from its last snapshot, whose state lies in `.state/train_gan/`.

    Raises:
        BadInput: the candidate names a class that the data does not have.
    """
    from tasks.gan.parts import Setting  # deferred: TensorFlow takes seconds to start
    from tasks.gan.resuming import key_of

    name, images = out.name, params.images
    candidate = params.candidates[name]
    manifest = read_manifest(split)
    classes = class_names(manifest)
    _check_classes(name, candidate, classes)
    rows = rows_of(manifest, "train").sort_values(["label", "path"])
    pixels = read_images(rows["path"], images.size_px, images.channels, params.machine.in_memory_mb)
    setting = Setting(params.train_gan, candidate, params.compute, pixels, label_indices(rows, classes), classes)
    trained_with = [candidate, params.compute, params.train_gan]
    key = key_of({"settings": str(trained_with), "classes": classes}, pixels, setting.labels)
    remove_others(STATE / name, {key})
    with child_run(name, candidate.model_dump()) as run, replacing(out) as folder:
        history = _train(setting, STATE / name / key, folder, run)
        for path in sorted(folder.glob("*.*")):
            run.file(path)
        for path in sorted(folder.glob("*/*/grid.png")):
            run.file(path, path.parent.relative_to(folder).as_posix())
    shutil.rmtree(STATE / name)
    for row in history.groupby(["seed", "part"], sort=False).last().reset_index().to_dict("records"):
        found = (row["seed"], row["part"], row["kid"], row["diversity_least"])
        log.info("  %s, seed %d, %s: KID %.4f against train, least diversity %.2f", name, *found)


def _check_classes(name: str, candidate: Candidate, classes: list[str]) -> None:
    unknown = sorted(set((candidate.classes if isinstance(candidate, Dcgan) else None) or []) - set(classes))
    if unknown:
        raise BadInput(
            f"candidates.{name}.classes names {', '.join(unknown)}, which the data does not have: "
            f"it has {', '.join(classes)}"
        )


def _train(setting: "Setting", state: Path, folder: Path, run: Run) -> pd.DataFrame:
    """History of all GANs of all seeds, written into `folder` with all else that they leave."""
    from tasks.gan.parts import train_parts
    from tasks.report.diagrams import layers_of

    history: list[dict[str, Any]] = []
    alarms: list[dict[str, Any]] = []

    def tell(record: dict[str, Any]) -> None:
        history.append(record)
        prefix = re.sub(r"[^\w. -]", "_", f"seed_{record['seed']}_{record['part']}")
        values = {f"{prefix}_{key}": value for key, value in record.items() if key not in ("seed", "part", "epoch")}
        run.metrics(values, record["epoch"])

    def show(part: "Part", gan: "Gan", path: Path) -> None:
        from tasks.networks.checkpoints import Generator

        _draw(path, Generator([gan.average], part.classes or [part.name], gan.settings["latent"]), gan.settings["kind"])
        run.file(path, f"grids/seed_{seed}/{part.folder}")

    for seed in range(setting.candidate.seeds):
        makers = []
        for part, trained, raised in train_parts(setting, seed, state / f"seed_{seed}", tell, show):
            gan = trained
            alarms += raised
            if part.classes:
                makers.append(part)
        _write_snapshots(folder / f"seed_{seed}", state / f"seed_{seed}", makers, gan.settings)
    table = pd.DataFrame(history)
    table.to_csv(folder / "history.csv", index=False, float_format="%.6g")
    write_json(folder / "alarms.json", alarms)
    draw_history(folder / "history.png", table, alarms, _epochs(folder))
    for network in (gan.generator, gan.discriminator):
        draw_network(folder / f"{network.name}.png", layers_of(network))
    for alarm in alarms:
        log.warning("  %s, seed %d, epoch %d: %s", alarm["part"], alarm["seed"], alarm["epoch"], alarm["sentence"])
    return table


def _epochs(folder: Path) -> list[int]:
    return sorted({int(path.name) for path in folder.glob("seed_*/*")})


def _write_snapshots(folder: Path, state: Path, parts: list["Part"], settings: dict[str, Any]) -> None:
    """A folder for each epoch of which a GAN left a snapshot, with the classes of those that did: some may stop."""
    from tasks.networks.checkpoints import load_generator, save_generator
    from tasks.networks.weights import load_weights

    folder.mkdir()
    kept: dict[str, list[Part]] = {}
    for part in parts:
        for path in (state / part.folder).glob("[0-9]*.npz"):
            kept.setdefault(path.stem, []).append(part)
    for epoch, makers in sorted(kept.items()):
        (folder / epoch).mkdir()
        weights = [load_weights(state / part.folder / f"{epoch}.npz")[0] for part in makers]
        save_generator(folder / epoch, weights, [name for part in makers for name in part.classes], settings)
        _draw(folder / epoch / "grid.png", load_generator(folder / epoch), settings["kind"])


def _draw(path: Path, generator: "Generator", kind: str) -> None:
    from tasks.networks.checkpoints import draw_latents

    rows, columns = _GRID[kind]
    labels = np.repeat(np.arange(len(generator.classes), dtype=np.int32), rows * columns)
    made = generator.generate(draw_latents(0, "grid", range(len(labels)), generator.latent), labels)
    names = [name if row == 0 else "" for name in generator.classes for row in range(rows)]
    draw_grid(path, made.reshape(-1, columns, *made.shape[1:]), names, "generated, by class")


if __name__ == "__main__":
    stage_command(train_gan)
