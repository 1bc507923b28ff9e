"""The GANs of which a candidate consists, each trained epoch by epoch, watched, scored and kept in snapshots."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tasks.core.params import Candidate, Compute, Dcgan, TrainGan
from tasks.gan.model import Gan
from tasks.gan.resuming import load_state, save_state
from tasks.gan.scores import diversities, kid
from tasks.gan.watching import alarms
from tasks.networks.checkpoints import Generator, draw_latents
from tasks.networks.features import random_network
from tasks.networks.weights import get_weights, save_weights
from tasks.support.errors import BadInput
from tasks.support.progress import bar

Record = dict[str, Any]
_STATE = "state.npz"


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


def parts_of(candidate: Candidate, classes: Sequence[str], labels: NDArray[np.int32]) -> list[Part]:
    """The GANs of a candidate in the order of training; `labels` int32 (n,) are in ascending order.

    A `conditional` is one GAN. A `dcgan` is one for each class, after a warm start on all of them where it has one.
    """
    if not isinstance(candidate, Dcgan):
        return [Part("all", "all", list(classes), slice(None), labels, candidate.epochs)]
    counts = np.bincount(labels, minlength=len(classes))
    largest = classes[int(counts.argmax())]
    wanted = [name for name in classes if name != largest] if candidate.classes is None else candidate.classes
    parts = []
    if candidate.warm_start_epochs:
        parts.append(Part("all", "warm", [], slice(None), np.zeros_like(labels), candidate.warm_start_epochs))
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


@dataclass(frozen=True)
class Setting:
    """What all GANs of a candidate are trained with: training images uint8 (n, h, w, c), labels ascending."""

    params: TrainGan
    candidate: Candidate
    compute: Compute
    images: NDArray[np.uint8]
    labels: NDArray[np.int32]
    classes: list[str]


def train_parts(
    setting: Setting,
    seed: int,
    folder: Path,
    tell: Callable[[Record], None],
    show: Callable[[Part, Gan, Path], None],
) -> Iterator[tuple[Part, Gan, list[Record]]]:
    """Each GAN of a candidate once it is trained to its end or to an alarm that stops it, with its alarms.

    What an alarm stopped is no warm start: the classes then start afresh.

    `folder` keeps the state of each and a file <epoch>.npz of averaged weights for each snapshot; a training that finds
    its state there goes on from it.

    Args:
        tell: called with each epoch's record as soon as it is known, those before a kill included.
        show: called after each snapshot with the file name of its picture.
    """
    warm = None
    for part in parts_of(setting.candidate, setting.classes, setting.labels):
        images, classes = setting.images[part.rows], max(1, len(part.classes))
        gan = Gan(images, part.labels, classes, setting.candidate, seed, part.epochs, setting.compute)
        if warm is not None:
            gan.start_from(warm)
        score = _scorer(images, part.labels, setting.params.score_images, seed)
        named = {"seed": seed, "part": part.name if part.classes else "warm start"}
        raised = _train(gan, score, setting, folder / part.folder, named, tell, partial(show, part))
        if not part.classes and not _stopped(raised):
            warm = gan
        yield part, gan, raised


def _train(
    gan: Gan,
    score: Callable[[Gan], dict[str, float]],
    setting: Setting,
    folder: Path,
    named: Record,
    tell: Callable[[Record], None],
    show: Callable[[Gan, Path], None],
) -> list[Record]:
    folder.mkdir(parents=True, exist_ok=True)
    seen = load_state(folder / _STATE, gan) or {"history": [], "alarms": []}
    history: list[Record] = seen["history"]
    raised: list[Record] = seen["alarms"]
    for record in history:
        tell(named | record)
    for _ in bar(range(gan.epoch, gan.epochs), f"{named['part']}, seed {named['seed']}", "epoch"):
        metrics = gan.train_epoch()
        history.append({"epoch": gan.epoch, **metrics, **score(gan)})
        tell(named | history[-1])
        now = alarms(history, setting.params.detectors, setting.candidate.loss)
        raised += [named | vars(alarm) for alarm in now]
        if _stopped(raised):
            break
        if gan.epoch % setting.candidate.snapshot_every == 0 or gan.epoch == gan.epochs:
            save_weights(folder / f"{gan.epoch:05d}.npz", [get_weights(gan.average)])
            show(gan, folder / f"{gan.epoch:05d}.png")
            save_state(folder / _STATE, gan, {"history": history, "alarms": raised})
    return raised


def _stopped(raised: list[Record]) -> bool:
    return any(alarm["consequence"] == "stop" for alarm in raised)


def _scorer(
    images: NDArray[np.uint8], labels: NDArray[np.int32], most: int, seed: int
) -> Callable[[Gan], dict[str, float]]:
    """A function from a GAN to its scores against some of its training images, by as many generated ones.

    Those are at most `most` in equal parts of all classes, so that a rare class is watched, and two of each at least.

    Raises:
        BadInput: no class has two different images, whose diversity a GAN could reach.
    """
    rng, each = np.random.default_rng(seed), max(2, most // (int(labels.max()) + 1))
    chosen = np.concatenate(
        [np.sort(rng.permutation(np.flatnonzero(labels == kind))[:each]) for kind in np.unique(labels)]
    )
    real, kinds = images[chosen], labels[chosen]
    extract = random_network(images.shape[1], images.shape[3], seed)
    features = extract(real)
    varied = [kind for kind in np.unique(kinds) if (real[kinds == kind] != real[kinds == kind][:1]).any()]
    if not varied:
        raise BadInput("no class has two different training images: a GAN cannot learn from them, add images")
    kept = np.isin(kinds, varied)
    compact = np.searchsorted(varied, kinds[kept]).astype(np.int32)

    def score(gan: Gan) -> dict[str, float]:
        generator = Generator([gan.average], [], gan.settings["latent"])
        made = generator.generate(draw_latents(seed, "scores", range(len(kinds)), generator.latent), kinds)
        spread = diversities(made[kept], compact, real[kept], compact)
        return {
            "kid": kid(features, extract(made)),
            "diversity_mean": float(spread.mean()),
            "diversity_least": float(spread.min()),
        }

    return score
