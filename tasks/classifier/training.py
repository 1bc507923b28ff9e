"""Training all seeds of one arm."""

import math
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pandas as pd
import tensorflow as tf
from numpy.typing import NDArray
from sklearn.metrics import recall_score

from tasks.classifier.arms import Draws, draw
from tasks.classifier.batches import arrays_of
from tasks.classifier.feeding import Examples, read_examples, training_rows
from tasks.classifier.networks import build_classifier, loaded_weights, reset
from tasks.classifier.steps import build_optimizer, compile_steps, post_hoc
from tasks.core.files import write_json
from tasks.core.params import Arm, Augmentation, Params, Train
from tasks.core.params.classifiers import augmentation_of
from tasks.data.manifest import class_names, rows_of
from tasks.networks.arrays import Weights, get_weights, save_weights
from tasks.networks.classifiers import compile_outputs
from tasks.networks.layers import layers_of
from tasks.support.errors import BadInput
from tasks.support.progress import bar, tell_metrics


@dataclass(frozen=True)
class Record:
    """Where a training stands. Training values are means over the steps since the last record, on mixed labels."""

    seed: int
    step: int
    train_loss: float
    train_accuracy: float
    validation_loss: float
    validation_accuracy: float
    validation_balanced_accuracy: float


@dataclass(frozen=True)
class Trained:
    """One training: its history and last trainable weights."""

    history: list[Record]
    weights: Weights


def train_arm(params: Params, name: str, manifest: pd.DataFrame, folder: Path) -> pd.DataFrame:
    """Train all seeds of an arm on images of the manifest; gives their history.

    Written into `folder` are weights.npz (all seeds), classes.json with the names of their labels, history.csv,
    network.json with a row for each layer, and batch.npz with what one may see of the training, for the report.

    Raises:
        BadInput: a loss is no number.
    """
    arm, classes = params.arms[name], class_names(manifest)
    augmentation = augmentation_of(params.augmentations, arm)
    training = read_examples(training_rows(manifest, arm), classes, params)
    validation = read_examples(rows_of(manifest, "validation"), classes, params)
    size_px, channels = training.images.shape[2:]
    model = build_classifier(params.train.network, size_px, channels, len(classes), seed=1)

    def tell(record: Record) -> None:
        _refuse_divergence(name, record)
        values = {key: value for key, value in asdict(record).items() if key not in ("seed", "step")}
        tell_metrics({f"seed_{record.seed}_{key}": value for key, value in values.items()}, record.step)

    trainings = train_seeds(model, arm, augmentation, params.train, training, validation, tell)
    trained = list(bar(trainings, f"train {name}", "seed", total=params.train.seeds))
    save_weights(folder / "weights.npz", [one.weights for one in trained])
    write_json(folder / "classes.json", classes)
    write_json(folder / "network.json", layers_of(model))
    draws = next(draws_of(arm, augmentation, params.train, training, seed=1))
    arrays = arrays_of(arm, augmentation, training, len(classes), draws, params.train.steps)
    np.savez(folder / "batch.npz", allow_pickle=False, **arrays)
    history = pd.DataFrame([asdict(record) for one in trained for record in one.history])
    history.to_csv(folder / "history.csv", index=False, float_format="%.6g")
    last = history.groupby("seed").last().drop(columns="step").mean()
    tell_metrics({str(key): value for key, value in last.items()}, params.train.steps)
    return history


def train_seeds(
    model: keras.Model,
    arm: Arm,
    augmentation: Augmentation | None,
    params: Train,
    training: Examples,
    validation: Examples,
    tell: Callable[[Record], None],
) -> Iterator[Trained]:
    """Train one arm once for each seed 1, 2, ..., `params.seeds`, all with one network and one compiled loop.

    Initial weights and each stream of draws depend on the seed and not on the arm: trainings of two arms with the same
    seed are a pair. Validation images are neither changed nor mixed.

    Args:
        model: as `build_classifier` gives it; it is left with the weights of the last seed.
        tell: called with each record as soon as it is known.
    """
    loaded, classes = loaded_weights(model, params.network), model.output_shape[-1]
    optimizer = build_optimizer(model, params.optimizer, params.schedule, params.learning_rate, params.steps)
    fresh = [variable.value.numpy() for variable in optimizer.variables]
    run = compile_steps(model, optimizer, arm, augmentation, params.batch, classes, training)
    correction = post_hoc(arm, training, classes)
    probabilities = compile_outputs(model, tf.nn.softmax)
    for seed in range(1, params.seeds + 1):
        reset(model, seed, loaded)
        for variable, value in zip(optimizer.variables, fresh, strict=True):
            variable.assign(value)
        history, step = [], 0
        for draws in draws_of(arm, augmentation, params, training, seed):
            loss, accuracy = run(draws)
            step += len(draws.indices)
            _shift_bias(model, correction)
            history.append(_record(seed, step, loss, accuracy, probabilities(validation.images), validation.labels))
            tell(history[-1])
            if step < params.steps:
                _shift_bias(model, -correction)
        yield Trained(history, get_weights(model, trainable=True))


def draws_of(
    arm: Arm, augmentation: Augmentation | None, params: Train, training: Examples, seed: int
) -> Iterator[Draws]:
    """The draws of the training with that seed, one `Draws` for the steps up to each record."""
    size_px, rng = training.images.shape[2], np.random.default_rng(seed)
    of_training = (training.labels, training.synthetic, size_px, params.batch, _chunks(params), rng)
    return draw(arm, augmentation, *of_training)


def _chunks(params: Train) -> list[int]:
    """Numbers of steps between records."""
    whole, rest = divmod(params.steps, params.record_every)
    return [params.record_every] * whole + [rest] * (rest > 0)


def _shift_bias(model: keras.Model, by: NDArray[np.float32]) -> None:
    """What is added to logits lies in the bias, so that weights alone say what a classifier predicts."""
    model.get_layer("logits").bias.assign_add(by)


def _record(
    seed: int, step: int, loss: float, accuracy: float, predicted: NDArray[np.float32], labels: NDArray[np.integer[Any]]
) -> Record:
    likelihood, chosen = predicted[np.arange(len(labels)), labels], predicted.argmax(axis=1)
    return Record(
        seed=seed,
        step=step,
        train_loss=loss,
        train_accuracy=accuracy,
        validation_loss=float(-np.log(np.maximum(likelihood, 1e-7)).mean()),
        validation_accuracy=float((chosen == labels).mean()),
        validation_balanced_accuracy=balanced_accuracy(chosen, labels),
    )


def _refuse_divergence(name: str, record: Record) -> None:
    if not math.isfinite(record.train_loss + record.validation_loss):
        raise BadInput(
            f"arm {name}, seed {record.seed}: the loss is no number at step {record.step}: lower train.learning_rate"
        )


def balanced_accuracy(chosen: NDArray[np.integer[Any]], labels: NDArray[np.integer[Any]]) -> float:
    """Mean of the recalls of the classes present, of chosen classes int (n,). Best 1, worst 0, chance 1/classes."""
    return float(recall_score(labels, chosen, labels=np.unique(labels), average="macro"))
