"""Train classifiers: one arm, all its seeds in one process."""

from pathlib import Path

from tasks.core.files import replacing
from tasks.core.params import Params
from tasks.data.manifest import read_manifest
from tasks.support.commands import stage_command
from tasks.support.progress import log
from tasks.support.stages import stage


@stage(
    params=("compute", "images", "train", "augmentations", "arms"),
    rooms=("data", "networks", "classifier"),
    out="classifiers",
    each="arms",
)
def train(params: Params, out: Path, *, raw: Path, split: Path, synthetic: Path) -> None:
    """Write the trainings of an arm: weights, history, and what one may see of them; see `train_arm`.

    An arm reads the rows of its `rows`, and trains on those of `training_rows`. No arm opens the test set.

    Raises:
        BadInput: a loss is no number.
    """
    from tasks.classifier.training import train_arm  # deferred: TensorFlow takes seconds to start

    manifest = read_manifest(synthetic if params.arms[out.name].rows == "synthetic" else split)
    with replacing(out) as folder:
        history = train_arm(params, out.name, manifest, folder)
    reached = history.groupby("seed")["validation_balanced_accuracy"].last().mean()
    log.info("  %s: balanced accuracy on validation %.3f", out.name, reached)


if __name__ == "__main__":
    stage_command(train)
