"""The GANs of which a candidate consists, each trained, watched, scored and kept in snapshots."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from tasks.core.params import Candidate, Compute, TrainGan
from tasks.gan.build import build_loop, settings_of, spec_for
from tasks.gan.loop import Loop, Record, Seen, Watch, train
from tasks.gan.scores import diversities, kid
from tasks.gan.watch import alarms
from tasks.networks.checkpoints import Generator, draw_latents
from tasks.networks.classifiers import random_network
from tasks.support.errors import BadInput


@dataclass(frozen=True)
class Setting:
    """A candidate and what its GANs are trained with: training images uint8 (n, h, w, c), labels ascending."""

    name: str
    params: TrainGan
    candidate: Candidate
    compute: Compute
    images: NDArray[np.uint8]
    labels: NDArray[np.int32]
    classes: list[str]


class Listener(Protocol):
    """Is told of trainings as they go on."""

    def epoch(self, record: Record) -> None:
        """A record with seed and part, as soon as it is known; those before a kill come again."""

    def snapshot(self, seed: int, part: "Part", epoch: int, generator: Generator) -> None:
        """A generator as it is in a snapshot that was just written."""


@dataclass(frozen=True)
class Part:
    """One GAN of a candidate.

    Attributes:
        name: its class, or "all".
        folder: name of its folder.
        classes: names of the classes that it makes, in label order; empty for a warm start, which makes none for use.
        rows: which training images it learns from.
        labels: int32, their labels in this GAN.
        epochs: to train.
    """

    name: str
    folder: str
    classes: list[str]
    rows: slice
    labels: NDArray[np.int32]
    epochs: int


def parts_of(setting: Setting) -> list[Part]:
    """The GANs of a candidate in the order of training.

    It is one GAN, or one for each class wanted, by default all but the largest, after a warm start on all images where
    it has one.
    """
    candidate, classes, labels = setting.candidate, setting.classes, setting.labels
    if not spec_for(candidate, setting.images).for_one_class:
        return [Part("all", "all", list(classes), slice(None), labels, candidate.epochs)]
    settings, counts = settings_of(candidate), np.bincount(labels, minlength=len(classes))
    largest = classes[int(counts.argmax())]
    wanted = [name for name in classes if name != largest] if settings["classes"] is None else settings["classes"]
    parts = []
    if epochs := settings["warm_start_epochs"]:
        parts.append(Part("all", "warm", [], slice(None), np.zeros_like(labels), epochs))
    for name in wanted:
        first, last = np.searchsorted(labels, [classes.index(name), classes.index(name) + 1])
        parts.append(
            Part(
                name,
                f"class_{classes.index(name)}",
                [name],
                slice(first, last),
                np.zeros(last - first, np.int32),
                candidate.epochs,
            )
        )
    return parts


def train_parts(setting: Setting, seed: int, folder: Path, listener: Listener) -> Iterator[tuple[Part, Loop, Seen]]:
    """Each GAN of a candidate once it is trained to its end or to an alarm that stops it.

    What an alarm stopped is no warm start: the classes then start afresh.
    `folder` keeps the state and the snapshots of each; a training that finds its state there goes on from it.
    """
    candidate, warm = setting.candidate, None
    for part in parts_of(setting):
        images, named = setting.images[part.rows], {"seed": seed, "part": part.name if part.classes else "warm start"}
        loop = build_loop(images, part.labels, max(1, len(part.classes)), candidate, seed, part.epochs, setting.compute)
        if warm is not None:
            loop.step.start_from(warm.step)
        watch = _watch(setting, part, loop, seed, named, listener)
        seen = train(loop, folder / part.folder, candidate.snapshot_every, watch, f"{named['part']}, seed {seed}")
        if not part.classes and not seen.stopped:
            warm = loop
        yield part, loop, seen


def _watch(setting: Setting, part: Part, loop: Loop, seed: int, named: Record, listener: Listener) -> Watch:
    average, images = loop.step.networks.average, setting.images[part.rows]
    generator = Generator([average], part.classes or [part.name], spec_for(setting.candidate, images))
    score = scorer(images, part.labels, setting.params.score_images, seed)

    def raised(history: Sequence[Record]) -> list[Record]:
        return [named | vars(alarm) for alarm in alarms(history, setting.params.detectors, setting.candidate.loss)]

    return Watch(
        score=partial(score, generator),
        alarms=raised,
        on_epoch=lambda record: listener.epoch(named | record),
        on_snapshot=lambda: listener.snapshot(seed, part, loop.epoch, generator),
    )


def scorer(
    images: NDArray[np.uint8], labels: NDArray[np.int32], most: int, seed: int
) -> Callable[[Generator], dict[str, float]]:
    """A function from a generator to its scores against some of its training images, by as many generated ones.

    Those are at most `most` in equal parts of all classes, so that a rare class is watched, and two of each at least.

    Raises:
        BadInput: no class has two different images, whose diversity a GAN could reach.
    """
    rng, of_class = np.random.default_rng(seed), max(2, most // (int(labels.max()) + 1))
    chosen = np.concatenate(
        [np.sort(rng.permutation(np.flatnonzero(labels == label))[:of_class]) for label in np.unique(labels)]
    )
    real, shown = images[chosen], labels[chosen]
    extract = random_network(images.shape[1], images.shape[3], seed)
    features = extract(real)
    varied = [label for label in np.unique(shown) if (real[shown == label] != real[shown == label][:1]).any()]
    if not varied:
        raise BadInput("no class has two different training images: a GAN cannot learn from them, add images")
    kept = np.isin(shown, varied)
    compact = np.searchsorted(varied, shown[kept]).astype(np.int32)

    def score(generator: Generator) -> dict[str, float]:
        made = generator.generate(draw_latents(seed, "scores", range(len(shown)), generator.latent), shown)
        spread = diversities(made[kept], compact, real[kept], compact)
        return {
            "kid": kid(features, extract(made)),
            "diversity_mean": float(spread.mean()),
            "diversity_least": float(spread.min()),
        }

    return score
