"""Evaluate: every arm on the test set, and the verdict. The only stage that opens test images."""

from pathlib import Path

import numpy as np
import pandas as pd

from tasks.core.files import remove_others, replacing
from tasks.core.params import Params
from tasks.data.manifest import class_names, label_indices, read_manifest, rows_of, rows_sha256
from tasks.evidence.comparison import Predicted, Targets, compare_arms, mean_history
from tasks.evidence.results import hashes_of, write_comparison
from tasks.evidence.verdict import BALANCED, NO_CLASS
from tasks.registry.ledger import open_test
from tasks.support.commands import stage_command
from tasks.support.progress import bar, log, tell_metrics
from tasks.support.stages import stage


@stage(
    params=("compute", "images", "train", "arms", "evaluate"),
    rooms=("data", "networks", "classifier", "evidence"),
    out="evaluation",
)
def evaluate(
    params: Params, out: Path, *, raw: Path, split: Path, generator: Path, synthetic: Path, classifiers: Path
) -> None:
    """Write predictions of all arms, images.parquet with what they are of, and the numbers of `write_comparison`.

    Classifiers of arms that the parameters no longer name are removed. The ledger notes that test was opened.
    """
    remove_others(classifiers, set(params.arms))
    rows = read_manifest(split)
    predicted = _predict(params, rows, classifiers)
    comparison = compare_arms(params.evaluate, params.arms, _targets(rows), predicted, _none_made(synthetic))
    with replacing(out) as folder:
        _write_predictions(folder, rows, predicted)
        write_comparison(folder, comparison, hashes_of(split, synthetic, classifiers, generator))
    tell_metrics({f"test_balanced_accuracy_{name}": arm.test.mean for name, arm in comparison.arms.items()}, 0)
    log.info("  verdict: %s", comparison.verdict.answer)


def _predict(params: Params, rows: pd.DataFrame, classifiers: Path) -> dict[str, Predicted]:
    """What all arms make of the images of validation and test."""
    from tasks.classifier.feeding import read_examples  # deferred: TensorFlow takes seconds to start
    from tasks.classifier.prediction import predict_arm

    classes, test = class_names(rows), rows_of(rows, "test")
    open_test(rows_sha256(test), test["sha256"], "evaluate")
    images = [read_examples(of_split, classes, params).images for of_split in (rows_of(rows, "validation"), test)]
    predicted = {}
    for name in bar(list(params.arms), "predicting", "arm"):
        folder = classifiers / name
        history = mean_history(pd.read_csv(folder / "history.csv"))
        validation, of_test = predict_arm(params.train.network, folder, classes, images)
        predicted[name] = Predicted(validation, of_test, history)
    return predicted


def _targets(rows: pd.DataFrame) -> Targets:
    classes, test = class_names(rows), rows_of(rows, "test")
    train, validation = (label_indices(rows_of(rows, split), classes) for split in ("train", "validation"))
    return Targets(
        classes=classes,
        counts=np.bincount(train, minlength=len(classes)),
        validation=validation,
        test=label_indices(test, classes),
        natural=test["natural_test"].to_numpy(bool),
    )


def _none_made(synthetic: Path) -> str | None:
    """Why there are no synthetic images, where there are none."""
    balance = pd.read_csv(synthetic / "balance.csv", keep_default_na=False)
    if balance["synthetic"].any():
        return None
    return NO_CLASS if (balance["abstained"] != "").any() else BALANCED


def _write_predictions(folder: Path, rows: pd.DataFrame, predicted: dict[str, Predicted]) -> None:
    """A file for each arm, and the images of validation and test in the order of the predictions."""
    (folder / "predictions").mkdir()
    for name, of_arm in predicted.items():
        path = folder / f"predictions/{name}.npz"
        np.savez(path, allow_pickle=False, validation=of_arm.validation, test=of_arm.test)
    images = pd.concat([rows_of(rows, split) for split in ("validation", "test")], ignore_index=True)
    images[["split", "path", "sha256", "label", "natural_test"]].to_parquet(folder / "images.parquet", index=False)


if __name__ == "__main__":
    stage_command(evaluate)
