"""train_gan opens the images it may open and no others, repeats itself to the byte and leaves numbers alone."""

import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from multiprocessing.pool import ThreadPool
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

from tasks.core.files import TRAINING_STATE as STATE
from tasks.core.files import read_json, sha256_of
from tasks.core.params import Candidate, Detector, Images, Params, load
from tasks.data.images import write_image
from tasks.data.manifest import write_manifest
from tasks.networks.checkpoints import draw_latents, load_generator
from tasks.support import environment
from tasks.support.errors import BadInput
from tasks.support.progress import listening
from tasks.train_gan import train_gan

ROOT = Path(__file__).parents[1]
SNAPSHOT = ("generator.json", "generator.npz", "samples.npz")


@dataclass
class Events:
    """What a listener was told."""

    values: dict[tuple[str, int], float] = field(default_factory=dict)
    shown: dict[str, tuple[tuple[int, ...], list[str]]] = field(default_factory=dict)

    def metrics(self, values: Mapping[str, float], step: int) -> None:
        self.values |= {(name, step): value for name, value in values.items()}

    def samples(self, name: str, images: NDArray[np.uint8], row_names: Sequence[str]) -> None:
        self.shown[name] = images.shape, list(row_names)


def _params() -> Params:
    params = load(ROOT)
    tiny = {"width": 16, "batch": 8, "epochs": 2, "steps_per_epoch": 2, "snapshot_every": 1}
    one, two = (params.candidates[kind].model_copy(update=tiny) for kind in ("conditional", "dcgan"))
    two = two.model_copy(update={"classes": ["dog"], "warm_start_epochs": 1, "seeds": 2})
    few = params.train_gan.model_copy(update={"score_images": 20})
    return replace(params, images=Images(size_px=8, channels=1), train_gan=few, candidates={"one": one, "two": two})


def _candidate(name: str, detectors: Mapping[str, Detector] | None = None, **changed: Any) -> Params:
    params = _params()
    watched = params.train_gan.detectors.model_copy(update=dict(detectors or {}))
    candidate: Candidate = params.candidates[name].model_copy(update=changed)
    train = params.train_gan.model_copy(update={"detectors": watched})
    return replace(params, train_gan=train, candidates={name: candidate})


def _lay_out(root: Path) -> None:
    """A split of two classes of noise, of which the images of train alone have files."""
    rng, rows = np.random.default_rng(0), []
    for label in ("cat", "dog"):
        (root / "data/raw" / label).mkdir(parents=True)
        for split in ("train", "validation", "test", "withheld"):
            for number in range(8):
                path = f"data/raw/{label}/{split}-{number}.png"
                rows.append({"path": path, "sha256": f"of {path}", "label": label, "split": split})
                if split == "train":
                    write_image(root / path, rng.integers(0, 256, (8, 8, 1), np.uint8))
    (root / "data/split").mkdir()
    write_manifest(root / "data/split", pd.DataFrame(rows).assign(natural_test=False))


def _train(params: Params, name: str) -> Path:
    out = Path("data/generators") / name
    train_gan(params, out, raw=Path("data/raw"), split=Path("data/split"))
    return out.absolute()


@pytest.fixture
def split(project: Path) -> Path:
    _lay_out(project)
    return project


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, Events]]:
    """The project in which both candidates were trained, and what was told of it."""
    root = tmp_path_factory.mktemp("trained")
    _lay_out(root)
    events = Events()
    with pytest.MonkeyPatch.context() as patch, listening(events):
        patch.chdir(root)
        patch.setattr(environment, "ROOT", root)
        for name in ("one", "two"):
            _train(_params(), name)
        yield root, events


def test_train_gan_needs_train_images_alone_and_leaves_numbers(trained: tuple[Path, Events]) -> None:
    folder = trained[0] / "data/generators/one"
    assert {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()} == {
        "alarms.json",
        "history.csv",
        "networks.json",
        *(f"seed_0/0000{epoch}/{name}" for epoch in (1, 2) for name in SNAPSHOT),
    }
    history = pd.read_csv(folder / "history.csv")
    assert list(history["epoch"]) == [1, 2]
    assert history["real_accuracy"].between(0, 1).all()
    assert (history["diversity_least"] <= history["diversity_mean"]).all()
    assert load_generator(folder / "seed_0/00001").classes == ["cat", "dog"]
    networks = read_json(folder / "networks.json")
    assert [networks[name][0]["name"] for name in ("generator", "discriminator")] == ["latents", "images"]
    assert not any((trained[0] / STATE).iterdir())


def test_samples_are_images_of_each_class_that_the_generator_makes_again(trained: tuple[Path, Events]) -> None:
    generators = trained[0] / "data/generators"
    for folder, counts in ((generators / "one/seed_0/00002", [10, 10]), (generators / "two/seed_1/00001", [49])):
        generator = load_generator(folder)
        with np.load(folder / "samples.npz") as file:
            images, labels = file["images"], file["labels"]
        assert np.bincount(labels).tolist() == counts
        assert (images.shape[1:], images.dtype) == ((8, 8, 1), np.uint8)
        latents = draw_latents(0, f"samples/{generator.classes[0]}", range(counts[0]), generator.latent)
        np.testing.assert_array_equal(images[labels == 0], generator.generate(latents, np.zeros(counts[0], np.int32)))


def test_metrics_and_samples_are_told_as_they_come(trained: tuple[Path, Events]) -> None:
    events = trained[1]
    assert {name for name, _ in events.values if name.endswith("_kid")} == {
        "seed_0_all_kid",
        *(f"seed_{seed}_{part}_kid" for seed in (0, 1) for part in ("warm start", "dog")),
    }
    history = pd.read_csv(trained[0] / "data/generators/one/history.csv")
    told = [events.values["seed_0_all_g_loss", epoch] for epoch in (1, 2)]
    assert told == pytest.approx(history["g_loss"].tolist(), rel=1e-5)
    assert events.shown["seed_0/all/00002"] == ((2, 10, 8, 8, 1), ["cat", "dog"])
    assert events.shown["seed_1/class_1/00002"] == ((7, 7, 8, 8, 1), ["dog", *[""] * 6])


def test_a_dcgan_is_trained_for_its_classes_alone_from_a_start_on_all(trained: tuple[Path, Events]) -> None:
    folder = trained[0] / "data/generators/two"
    history = pd.read_csv(folder / "history.csv")
    rows = history[["seed", "part", "epoch"]].apply(tuple, axis=1).tolist()
    assert rows == [(seed, *row) for seed in (0, 1) for row in (("warm start", 1), ("dog", 1), ("dog", 2))]
    first, second = (load_generator(folder / f"seed_{seed}/00002") for seed in (0, 1))
    assert first.classes == ["dog"]
    latents, labels = draw_latents(0, "dog", range(4), first.latent), np.zeros(4, np.int32)
    assert (first.generate(latents, labels) != second.generate(latents, labels)).any()


@pytest.mark.usefixtures("split")
def test_an_alarm_stops_a_training_which_keeps_its_snapshots() -> None:
    noisy = {"gradient_norm": Detector(threshold=0.0, windows=2, consequence="stop")}
    folder = _train(_candidate("one", noisy, epochs=5), "one")
    assert [path.name for path in (folder / "seed_0").iterdir()] == ["00001"]
    (alarm,) = [alarm for alarm in read_json(folder / "alarms.json") if alarm["consequence"] == "stop"]
    assert alarm.pop("value") > 0
    assert alarm == {
        "seed": 0,
        "part": "all",
        "epoch": 2,
        "detector": "gradient_norm",
        "threshold": 0.0,
        "windows": 2,
        "consequence": "stop",
        "columns": [],
    }
    assert list(pd.read_csv(folder / "history.csv")["epoch"]) == [1, 2]


def test_a_class_whose_gan_was_stopped_does_not_cost_the_others_their_snapshots(split: Path) -> None:
    for number in range(8):  # nearly alike: D sees through G at once
        write_image(split / f"data/raw/dog/train-{number}.png", np.full((8, 8, 1), number, np.uint8))
    strict = {"collapse": Detector(threshold=1.5, windows=2, consequence="stop")}
    changed = {"classes": ["cat", "dog"], "seeds": 1, "warm_start_epochs": 0, "epochs": 4}
    folder = _train(_candidate("two", strict, **changed), "two")
    stopped = [alarm["part"] for alarm in read_json(folder / "alarms.json") if alarm["consequence"] == "stop"]
    assert stopped == ["cat"]  # noise is more varied than what an untrained generator makes; dogs are not
    made = {path.name: load_generator(path).classes for path in sorted((folder / "seed_0").iterdir())}
    assert made == {"00001": ["cat", "dog"]} | {f"0000{epoch}": ["dog"] for epoch in (2, 3, 4)}
    assert not list(STATE.iterdir())


def test_train_gan_gives_the_same_bytes_again_from_memory_or_disk(trained: tuple[Path, Events], split: Path) -> None:
    params = _params()
    on_disk = replace(params, machine=params.machine.model_copy(update={"in_memory_mb": 0.0}))
    assert sha256_of(_train(on_disk, "one")) == sha256_of(trained[0] / "data/generators/one")
    assert not (split / "data/generators/two").exists()


def test_candidates_at_once_leave_each_others_state_alone(split: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each removes what it left itself of another key; that of a candidate no longer named is not its own."""
    stale = split / STATE / "no_longer_named/0/seed_0"
    stale.mkdir(parents=True)
    old = split / STATE / "one/old/seed_0"
    old.mkdir(parents=True)
    params, removed = _params(), []
    shorter = {
        name: candidate.model_copy(update={"epochs": 1, "seeds": 1}) for name, candidate in params.candidates.items()
    }
    rmtree = shutil.rmtree

    def watched(path: Any, *args: Any, **kwargs: Any) -> None:
        removed.append(Path(path).absolute().relative_to(split))
        rmtree(path, *args, **kwargs)

    monkeypatch.setattr(shutil, "rmtree", watched)
    with ThreadPool(2) as pool:
        pool.starmap(_train, [(replace(params, candidates={name: shorter[name]}), name) for name in shorter])
    assert stale.exists()
    assert not old.exists()
    assert [path for path in removed if path.parent == STATE] != []
    assert all(path.parts[2] in shorter for path in removed if path.parts[:2] == STATE.parts)


@pytest.mark.usefixtures("split")
def test_a_class_that_the_data_does_not_have_is_answered_with_those_it_has() -> None:
    wrong = _candidate("two", classes=["bat", "dog"])
    with pytest.raises(BadInput, match=r"candidates\.two\.classes names bat, which the data does not have: it has cat"):
        _train(wrong, "two")
