"""Train generators: the GANs of one candidate, on training images alone; killed, they go on where they were."""

import shutil
from pathlib import Path

from tasks.core.files import TRAINING_STATE, remove_others, replacing
from tasks.core.params import Candidate, Params
from tasks.data.images import read_images
from tasks.data.manifest import class_names, label_indices, read_manifest, rows_of
from tasks.support.commands import stage_command
from tasks.support.errors import BadInput
from tasks.support.stages import stage


@stage(
    params=("compute", "images", "train_gan", "candidates"),
    rooms=("data", "networks", "gan"),
    out="generators",
    each="candidates",
)
def train_gan(params: Params, out: Path, *, raw: Path, split: Path) -> None:
    """Write the folder of a candidate: its snapshots, history, alarms and tables of layers (`train_candidate`).

    Only images of the split train are opened; KID and diversity here are against those. A training that was killed goes
    on from its last snapshot, whose state lies in `.state/train_gan/`.

    Raises:
        BadInput: the candidate names a class that the data does not have.
    """
    from tasks.gan.candidate import key_of, train_candidate  # deferred: TensorFlow takes seconds to start
    from tasks.gan.parts import Setting

    manifest, images, candidate = read_manifest(split), params.images, params.candidates[out.name]
    classes, rows = class_names(manifest), rows_of(manifest, "train").sort_values(["label", "path"])
    _check_classes(out.name, candidate, classes)
    pixels = read_images(rows["path"], images.size_px, images.channels, params.machine.in_memory_mb)
    labels = label_indices(rows, classes)
    setting = Setting(out.name, params.train_gan, candidate, params.compute, pixels, labels, classes)
    rooms = [Path(__file__).parent / room for room in ("core", *train_gan.rooms)]
    state = TRAINING_STATE / out.name / key_of(setting, [Path(__file__), *rooms])
    remove_others(state.parent, {state.name})
    with replacing(out) as folder:
        train_candidate(setting, state, folder)
    shutil.rmtree(state.parent)


def _check_classes(name: str, candidate: Candidate, classes: list[str]) -> None:
    if unknown := sorted(set(getattr(candidate, "classes", None) or []) - set(classes)):
        raise BadInput(
            f"candidates.{name}.classes names {', '.join(unknown)}, which the data does not have: "
            f"it has {', '.join(classes)}"
        )


if __name__ == "__main__":
    stage_command(train_gan)
