"""Labelled images of an arm, read from the manifest's rows, and handed to compiled steps.

They are gathered on the host for several steps at once, while the steps before run, and mixed and changed in the step.
"""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeVar

import numpy as np
import pandas as pd
import tensorflow as tf
from numpy.typing import NDArray

from tasks.classifier.arms import Draws
from tasks.core.params import Arm, Augmentation, Params
from tasks.core.params.classifiers import side_px
from tasks.data.images import read_images
from tasks.data.manifest import label_indices, rows_of
from tasks.networks.arrays import to_signed
from tasks.networks.augmentation import brighten, transform


@dataclass(frozen=True)
class Examples:
    """Labelled images.

    Attributes:
        images: uint8 (n, height, width, channels), in memory or on disk.
        labels: int (n,).
        synthetic: bool (n,), which of them a generator made.
    """

    images: NDArray[np.uint8]
    labels: NDArray[np.integer[Any]]
    synthetic: NDArray[np.bool_]


def training_rows(manifest: pd.DataFrame, arm: Arm) -> pd.DataFrame:
    """Rows of the split train; for the oracle also withheld ones; for an arm without filter, unfiltered images instead
    of filtered ones.

    A twin has for each synthetic image a real one of its class, drawn with replacement and taken for synthetic.
    """
    rows = rows_of(manifest, "train", *(["withheld"] if arm.withheld else []))
    if arm.synthetic_share is None:
        return rows
    real, made = rows[rows["generator"].isna()], rows[rows["generator"].notna()]
    if not arm.filtered:
        made = rows_of(manifest, "unfiltered")
    if arm.twin:
        rng = np.random.default_rng(0)
        paths = {label: of_class["path"].to_numpy() for label, of_class in real.groupby("label")}
        made = made.assign(path=[rng.choice(paths[label]) for label in made["label"]])
    return pd.concat([real, made], ignore_index=True)


def read_examples(rows: pd.DataFrame, classes: list[str], params: Params) -> Examples:
    """The images of some rows of a manifest, of the size that classifiers see."""
    side, in_memory_mb = side_px(params.train, params.images), params.machine.in_memory_mb
    synthetic = rows["generator"].notna() if "generator" in rows else pd.Series(False, index=rows.index)
    return Examples(
        images=read_images(rows["path"], side, params.images.channels, in_memory_mb),
        labels=label_indices(rows, classes).astype(np.int64),
        synthetic=synthetic.to_numpy(bool),
    )


_BYTES = 8_000_000  # of images in one hand-over: three may exist at a time, and memory of this size is used again
Item = TypeVar("Item")


class Fed(NamedTuple):
    """What some steps need, arrays or tensors: their images and the rest of `Draws`, all (steps, batch, ...).

    `other_images` and `other_labels` are those to mix with, (steps, 0, ...) where nothing is mixed.
    """

    images: Any
    labels: Any
    other_images: Any
    other_labels: Any
    coefficients: Any
    label_coefficients: Any
    weights: Any
    transforms: Any
    brightness: Any

    @classmethod
    def spec(cls, batch: int, image: tuple[int, ...], mixed: bool) -> "Fed":
        """Types and shapes of it, for images of shape `image`, (height, width, channels)."""
        own, others = [None, batch], [None, batch if mixed else 0]
        images = [tf.TensorSpec([*shape, *image], tf.uint8) for shape in (own, others)]
        labels = [tf.TensorSpec(shape, tf.int32) for shape in (own, others)]
        number = tf.TensorSpec(own)
        return cls(images[0], labels[0], images[1], labels[1], number, number, number, tf.TensorSpec([*own, 8]), number)


def hand_overs(images: NDArray[np.uint8], labels: NDArray[np.integer[Any]], draws: Draws, mixed: bool) -> Iterator[Fed]:
    """The steps of some draws in order, with as many in each hand-over as fit into some megabytes.

    Args:
        images: uint8 (n, height, width, channels), read where they are; labels int (n,).
    """
    partners = draws.partners if mixed else draws.partners[:, :0]
    step_bytes = (draws.indices.shape[1] + partners.shape[1]) * int(images[0].nbytes)
    at_once = max(1, _BYTES // step_bytes)
    small = labels.astype(np.int32)
    for start in range(0, len(draws.indices), at_once):
        steps = slice(start, start + at_once)
        own, others = draws.indices[steps], partners[steps]
        yield Fed(
            images[own],
            small[own],
            images[others],
            small[others],
            draws.coefficients[steps],
            draws.label_coefficients[steps],
            draws.weights[steps],
            draws.transforms[steps],
            draws.brightness[steps],
        )


def batch_of(
    fed: Fed, step: tf.Tensor, arm: Arm, augmentation: Augmentation | None, classes: int
) -> tuple[tf.Tensor, tf.Tensor]:
    """What the network sees in one step: images float32 (batch, height, width, channels) in [-1, 1], and their soft
    labels float32 (batch, classes).
    """
    x, y = _signed(fed.images[step]), tf.one_hot(fed.labels[step], classes)
    if arm.mixup_alpha:
        x = mix(x, _signed(fed.other_images[step]), fed.coefficients[step])
        y = mix(y, tf.one_hot(fed.other_labels[step], classes), fed.label_coefficients[step])
    return change(x, fed.transforms[step], fed.brightness[step], augmentation), y


def mix(first: tf.Tensor, second: tf.Tensor, coefficients: tf.Tensor) -> tf.Tensor:
    """lambda * first + (1 - lambda) * second, example by example; images and one-hot labels alike.

    Mixup, Zhang et al. 2018, arXiv 1710.09412. `keras.layers.MixUp` is not used: it draws its partners itself, so it
    cannot keep synthetic images from each other.

    Args:
        first, second: float32 (n, ...).
        coefficients: float32 (n,) in [0, 1], lambda of each example.
    """
    share = tf.reshape(coefficients, [-1] + [1] * (first.shape.rank - 1))
    return share * first + (1 - share) * second


def change(
    images: tf.Tensor, transforms: tf.Tensor, brightness: tf.Tensor, augmentation: Augmentation | None
) -> tf.Tensor:
    """Images float32 (n, height, width, channels) in [-1, 1], changed as was drawn for each, (n, 8) and (n,)."""
    if augmentation is None:
        return images
    moved = transform(images, transforms, augmentation.fill)
    return moved if augmentation.brightness == [1, 1] else brighten(moved, brightness)


def _signed(images: tf.Tensor) -> tf.Tensor:
    return to_signed(tf.cast(images, tf.float32))


def ahead(items: Iterator[Item]) -> Iterator[Item]:
    """The same items, each made by a thread while the one before is in use."""
    with ThreadPoolExecutor(1) as executor:
        made = executor.submit(next, items, None)
        while (item := made.result()) is not None:
            made = executor.submit(next, items, None)
            yield item
