"""Time to S0's KID: `python -m benchmarks.gan_kid --pets FOLDER --work FOLDER --minutes 15 --seeds 3`, about an hour.

FOLDER of --pets holds cats_dogs.zip and birds.tar, 5,000 training and 1,000 test photographs a class. For each seed
S0's DCGAN as published trains on the cats for so many CPU-minutes, then kind `conditional` (one class: cats) until its
KID is at or below the lowest that S0 reached. CPU time is that of training, compilation included and scores excluded.
KID is that of stage select_generator: the mean over the features of a classifier of all three classes' training images
and of three random networks, here of 2,000 generated cats against the 1,000 held-out ones. Runs in --work are kept.
"""

import argparse
import io
import json
import tarfile
import time
import zipfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from tasks.core.environment import pin
from tasks.core.params import Conditional, Dcgan, load

if TYPE_CHECKING:
    from tasks.gan.loop import Loop
    from tasks.networks.checkpoints import Spec

SIZE_PX = 32
FOLDERS = {"cat": "PetImages/Cat/", "dog": "PetImages/Dog/", "bird": "birds/images/"}
# Kind `dcgan` as published: no average of G. An epoch is about half a CPU-minute.
S0 = {"d_learning_rate": 2e-4, "g_learning_rate": 2e-5, "ema": 0.0, "steps_per_epoch": 60}
# Kind `conditional` as shipped, but for more latents and some dropout in D; an epoch is about 8 CPU-seconds.
OURS = {"latent": 64, "d_dropout": 0.3, "steps_per_epoch": 50}
Score = Callable[[NDArray[np.uint8]], float]
Curve = list[tuple[float, float]]  # CPU seconds, KID


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pets", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--minutes", type=float, required=True)
    parser.add_argument("--seeds", type=int, required=True)
    arguments = parser.parse_args()
    params = load(Path(__file__).parents[1])
    pin(params.compute)
    candidates = params.candidates
    s0, ours = candidates["dcgan"].model_copy(update=S0), candidates["conditional"].model_copy(update=OURS)
    images = read_pets(arguments.pets)
    score = scorer(images)
    budget_s = 60 * arguments.minutes
    runs = Runs(arguments.work / f"kid_{arguments.minutes:g}.json")
    print(f"training cats against held-out ones: KID {score(images['cat', 'train'][:2000]):.4f}\n")
    print("| seed | lowest KID of S0 | after CPU-minutes | Equipoise at or below it after CPU-s | of S0's time |")
    print("| --: | --: | --: | --: | --: |")
    shares = []
    for seed in range(arguments.seeds):
        curve = runs.get(f"dcgan {seed}", partial(trained, s0, images, score, seed, budget_s, -1.0))
        seconds, lowest = min(curve, key=lambda point: point[1])
        own = runs.get(f"conditional {seed}", partial(trained, ours, images, score, seed, budget_s, lowest))
        shares.append(own[-1][0] / budget_s if own[-1][1] <= lowest else np.inf)
        print(f"| {seed} | {lowest:.4f} | {seconds / 60:.1f} | {own[-1][0]:.0f} | {shares[-1]:.3f} |", flush=True)
    print(f"| median | | | | {median(shares):.3f} |")


class Runs:
    """Curves in a file, by name."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._path = path
        self._known: dict[str, Curve] = json.loads(path.read_text()) if path.exists() else {}

    def get(self, name: str, run: Callable[[], Iterator[tuple[float, float]]]) -> Curve:
        """The curve in the file, or else that of the run, which is added to it."""
        if name not in self._known:
            self._known[name] = list(run())
            self._path.write_text(json.dumps(self._known, indent=1))
        return self._known[name]


def trained(
    candidate: Conditional | Dcgan,
    images: dict[tuple[str, str], NDArray[np.uint8]],
    score: Score,
    seed: int,
    budget_s: float,
    target: float,
) -> Iterator[tuple[float, float]]:
    """CPU seconds trained and KID after each epoch, until the budget is spent or KID is at or below the target."""
    from tasks.core.params import Compute
    from tasks.gan.build import build_loop, spec_for

    cats = images["cat", "train"]
    compute = Compute(intra_op_threads=1, xla=False, mixed_precision=False)
    loop = build_loop(cats, np.zeros(len(cats), np.int32), 1, candidate, seed, candidate.epochs, compute)
    seconds, kid = 0.0, np.inf
    while seconds < budget_s and kid > target:
        start = time.process_time()
        loop.train_epoch()
        seconds += time.process_time() - start
        kid = score(_made(loop, spec_for(candidate, cats)))
        yield round(seconds, 2), round(kid, 6)


def _made(loop: "Loop", spec: "Spec") -> NDArray[np.uint8]:
    from tasks.networks.checkpoints import Generator, draw_latents

    latents = draw_latents(0, "cat", range(2000), spec.latent)
    return Generator([loop.step.networks.average], ["cat"], spec).generate(latents, np.zeros(2000, np.int32))


def scorer(images: dict[tuple[str, str], NDArray[np.uint8]]) -> Score:
    """KID against the held-out cats, mean over feature spaces in units of their root mean square on training cats."""
    from tasks.core.params import Training
    from tasks.gan.scores import kid
    from tasks.networks.classifiers import random_network
    from tasks.quality.spaces import Labelled, evaluator

    training = Training(steps=1000, batch=32, learning_rate=0.002, width=32)
    train = np.concatenate([images[label, "train"] for label in FOLDERS])
    labels = np.repeat(np.arange(len(FOLDERS)), [len(images[label, "train"]) for label in FOLDERS])
    spaces = [evaluator(training, Labelled(train, labels), len(FOLDERS), 0)]
    spaces += [random_network(SIZE_PX, 3, number) for number in range(3)]
    units = [float(np.sqrt(np.mean(np.square(space(images["cat", "train"]))))) for space in spaces]
    held_out = [space(images["cat", "test"]) / unit for space, unit in zip(spaces, units, strict=True)]

    def score(made: NDArray[np.uint8]) -> float:
        triples = zip(spaces, units, held_out, strict=True)
        return float(np.mean([kid(real, space(made) / unit) for space, unit, real in triples]))

    return score


def read_pets(folder: Path) -> dict[tuple[str, str], NDArray[np.uint8]]:
    """Images uint8 (n, 32, 32, 3) by class and split; the archives' empty and foreign files are left out."""
    found: dict[tuple[str, str], list[NDArray[np.uint8]]] = {}
    for name, content in _members(folder):
        label = next(label for label, start in FOLDERS.items() if name.startswith(start))
        split = Path(name).name.partition("-")[0]
        if split in ("train", "test"):
            image = Image.open(io.BytesIO(content)).convert("RGB")
            found.setdefault((label, split), []).append(np.asarray(image, np.uint8))
    return {key: np.stack(images) for key, images in found.items()}


def _members(folder: Path) -> Iterator[tuple[str, bytes]]:
    with zipfile.ZipFile(folder / "cats_dogs.zip") as archive:
        for name in sorted(archive.namelist()):
            if name.endswith(".jpg"):
                yield name, archive.read(name)
    with tarfile.open(folder / "birds.tar") as birds:
        for member in sorted(birds.getmembers(), key=lambda member: member.name):
            if member.name.endswith(".jpg"):
                file = birds.extractfile(member)
                yield member.name, file.read()


if __name__ == "__main__":
    main()
