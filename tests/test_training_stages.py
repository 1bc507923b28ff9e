"""train_gan and train: each opens the images it may open and no others, and both repeat themselves to the byte."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from mlflow import MlflowClient

from tasks.core.files import read_json, sha256_of
from tasks.core.params import Detector, Images, Params, Small, load
from tasks.data.images import write_image
from tasks.data.manifest import write_manifest
from tasks.networks.checkpoints import draw_latents, load_generator
from tasks.support.errors import BadInput
from tasks.train_gan import train_gan
from tests.pipeline.project import ROOT

IMAGES = Images(size_px=8, channels=1)
SNAPSHOT = ("generator.json", "generator.npz", "grid.png")


@pytest.fixture
def params() -> Params:
    params = load(ROOT / "params.yaml")
    tiny = {"width": 16, "batch": 8, "epochs": 2, "steps_per_epoch": 2, "snapshot_every": 1}
    one, two = (params.train_gan.candidates[kind].model_copy(update=tiny) for kind in ("conditional", "dcgan"))
    two = two.model_copy(update={"classes": ["dog"], "warm_start_epochs": 1, "seeds": 2})
    candidates = {"one": one, "two": two}
    object.__setattr__(params, "train_gan", params.train_gan.model_copy(update={"candidates": candidates}))
    few = {"seeds": 2, "steps": 5, "record_every": 2, "network": Small(kind="small", width=4)}
    object.__setattr__(params, "train", params.train.model_copy(update=few))
    return params


@pytest.fixture
def split(project: Path) -> Path:
    """A split manifest of two classes of noise; which image files exist is up to the test."""
    rows = [
        {
            "path": (path := f"data/raw/{label}/{split}-{number}.png"),
            "sha256": f"of {path}",
            "label": label,
            "split": split,
            "natural_test": False,
        }
        for label in ("cat", "dog")
        for split in ("train", "validation", "test", "withheld")
        for number in range(8)
    ]
    (project / "data/split").mkdir()
    write_manifest(project / "data/split", pd.DataFrame(rows))
    return project


def _draw(project: Path, *splits: str) -> None:
    rng = np.random.default_rng(0)
    for label in ("cat", "dog"):
        (project / "data/raw" / label).mkdir(parents=True, exist_ok=True)
        for split in splits:
            for number in range(8):
                write_image(
                    project / f"data/raw/{label}/{split}-{number}.png", rng.integers(0, 256, (8, 8, 1), np.uint8)
                )


def test_train_gan_needs_train_images_alone(split: Path, params: Params) -> None:
    _draw(split, "train")
    train_gan(params.train_gan, IMAGES, params.compute, "one")
    folder = split / "data/generators/one"
    assert {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()} == {
        "alarms.json",
        "discriminator.png",
        "generator.png",
        "history.csv",
        "history.png",
        *(f"seed_0/0000{epoch}/{name}" for epoch in (1, 2) for name in SNAPSHOT),
    }
    history = pd.read_csv(folder / "history.csv")
    assert list(history["epoch"]) == [1, 2]
    assert history["real_accuracy"].between(0, 1).all()
    assert (history["diversity_least"] <= history["diversity_mean"]).all()
    assert load_generator(folder / "seed_0/00001").classes == ["cat", "dog"]
    assert not any((split / ".state/train_gan").iterdir())


def test_mlflow_shows_pictures_and_grids_of_a_training(split: Path, params: Params) -> None:
    _draw(split, "train")
    for name in ("params.yaml", "data/sources.json"):  # what its parent run is known by
        (split / name).write_text("{}")
    train_gan(params.train_gan, IMAGES, params.compute, "one")
    client = MlflowClient()
    (run,) = client.search_runs(["1"], "attributes.run_name = 'one'")
    assert run.info.status == "FINISHED"
    shown = {file.path for folder in ("", "seed_0/00002") for file in client.list_artifacts(run.info.run_id, folder)}
    assert {"history.png", "generator.png", "alarms.json", "seed_0/00002/grid.png"} <= shown
    assert "seed_0_all_kid" in run.data.metrics


def test_a_dcgan_is_trained_for_its_classes_alone_from_a_start_on_all(split: Path, params: Params) -> None:
    _draw(split, "train")
    train_gan(params.train_gan, IMAGES, params.compute, "two")
    folder = split / "data/generators/two"
    history = pd.read_csv(folder / "history.csv")
    rows = history[["seed", "part", "epoch"]].apply(tuple, axis=1).tolist()
    assert rows == [(seed, *row) for seed in (0, 1) for row in (("warm start", 1), ("dog", 1), ("dog", 2))]
    first, second = (load_generator(folder / f"seed_{seed}/00002") for seed in (0, 1))
    assert first.classes == ["dog"]
    latents, labels = draw_latents(0, "dog", range(4), first.latent), np.zeros(4, np.int32)
    assert (first.generate(latents, labels) != second.generate(latents, labels)).any()


def test_an_alarm_stops_a_training_which_keeps_its_snapshots(split: Path, params: Params) -> None:
    _draw(split, "train")
    noisy = {"gradient_norm": Detector(threshold=0.0, windows=2, consequence="stop")}
    detectors = params.train_gan.detectors.model_copy(update=noisy)
    candidate = params.train_gan.candidates["one"].model_copy(update={"epochs": 5})
    changed = params.train_gan.model_copy(update={"detectors": detectors, "candidates": {"one": candidate}})
    train_gan(changed, IMAGES, params.compute, "one")
    folder = split / "data/generators/one"
    assert [path.name for path in (folder / "seed_0").iterdir()] == ["00001"]
    (alarm,) = [each for each in read_json(folder / "alarms.json") if each["consequence"] == "stop"]
    assert (alarm["detector"], alarm["epoch"], alarm["seed"], alarm["part"]) == ("gradient_norm", 2, 0, "all")
    assert list(pd.read_csv(folder / "history.csv")["epoch"]) == [1, 2]


def test_a_class_whose_gan_was_stopped_does_not_cost_the_others_their_snapshots(split: Path, params: Params) -> None:
    _draw(split, "train")
    dog = np.zeros((8, 8, 1), np.uint8)
    for number in range(8):  # nearly alike: D sees through G at once
        write_image(split / f"data/raw/dog/train-{number}.png", dog + number)
    two = params.train_gan.candidates["two"].model_copy(
        update={"classes": ["cat", "dog"], "seeds": 1, "warm_start_epochs": 0, "epochs": 4}
    )
    strict = {"collapse": Detector(threshold=1.5, windows=2, consequence="stop")}
    detectors = params.train_gan.detectors.model_copy(update=strict)
    changed = params.train_gan.model_copy(update={"detectors": detectors, "candidates": {"two": two}})
    train_gan(changed, IMAGES, params.compute, "two")
    folder = split / "data/generators/two"
    stopped = [alarm["part"] for alarm in read_json(folder / "alarms.json") if alarm["consequence"] == "stop"]
    assert stopped == ["cat"]  # noise is more varied than what an untrained generator makes; dogs are not
    made = {path.name: load_generator(path).classes for path in sorted((folder / "seed_0").iterdir())}
    assert made == {"00001": ["cat", "dog"]} | {f"0000{epoch}": ["dog"] for epoch in (2, 3, 4)}
    assert not list(Path(".state/train_gan").iterdir())


def test_train_gan_gives_the_same_bytes_again_from_memory_or_disk(split: Path, params: Params) -> None:
    _draw(split, "train")
    train_gan(params.train_gan, IMAGES, params.compute, "one")
    before = sha256_of(split / "data/generators/one")
    train_gan(params.train_gan.model_copy(update={"in_memory_mb": 0.0}), IMAGES, params.compute, "one")
    assert sha256_of(split / "data/generators/one") == before


@pytest.mark.usefixtures("split")
def test_unknown_names_are_answered_with_the_known_ones(params: Params) -> None:
    with pytest.raises(BadInput, match=r"no candidate three in params\.yaml; expected one of one, two"):
        train_gan(params.train_gan, IMAGES, params.compute, "three")
    two = params.train_gan.candidates["two"].model_copy(update={"classes": ["bat", "dog"]})
    wrong = params.train_gan.model_copy(update={"candidates": {"two": two}})
    with pytest.raises(BadInput, match=r"candidates\.two\.classes names bat, which the data does not have: it has cat"):
        train_gan(wrong, IMAGES, params.compute, "two")
