"""The files of a whole run, as all stages write them, made up: what the report is made from."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from tasks.core.files import write_json
from tasks.core.params import Images, Params, load
from tasks.data.manifest import class_names, label_indices, read_manifest, rows_of
from tasks.evidence.comparison import Predicted, Targets, compare_arms, mean_history
from tasks.evidence.results import write_comparison
from tests.parameters import ROOT
from tests.splits import EACH, draw_images, write_split

CLASSES, SIDE, SEEDS, BATCH = ["cat", "dog"], 8, 2, 8
INPUTS = ("raw", "manifest", "clean", "split", "generators", "generator", "synthetic", "classifiers", "evaluation")
LAYERS = [
    {"name": "images", "type": "InputLayer", "shape": [8, 8, 1], "parameters": 0, "inputs": [], "details": {}},
    {"name": "flat", "type": "Flatten", "shape": [64], "parameters": 0, "inputs": ["images"], "details": {}},
    {"name": "logits", "type": "Dense", "shape": [2], "parameters": 130, "inputs": ["flat"], "details": {}},
]
ALARM = {"seed": 0, "part": "all", "epoch": 2, "detector": "collapse", "value": 0.1, "threshold": 0.3, "windows": 2}
ALARM |= {"consequence": "warn"}
CHECK = {"table": "t", "column": "c", "rule": "r", "minimum": 1, "maximum": None, "observed": 3.0, "fatal": True}


def tiny() -> Params:
    """The shipped parameters with images of 8 pixels and one candidate."""
    params = load(ROOT)
    evaluate = params.evaluate.model_copy(update={"resamples": 100})
    candidates = dict(list(params.candidates.items())[:1])
    return replace(params, images=Images(size_px=SIDE, channels=1), evaluate=evaluate, candidates=candidates)


def write_run(params: Params) -> None:
    """Write data/ below the current folder; of the real images those of validation alone."""
    write_split(Path("data/split"))
    draw_images("validation")
    write_data()
    for name in params.candidates:
        write_candidate(Path("data/generators") / name)
    write_generator(next(iter(params.candidates)))
    write_synthetic()
    for name in params.arms:
        write_arm(params, name)
    write_evaluation(params)


def write_data() -> None:
    """One file in quarantine, another that was left out, and checks."""
    Path("data/raw/cat/broken.png").write_bytes(b"no image")
    for name in ("manifest", "clean", "synthetic"):
        Path("data", name).mkdir()
    left_out = pd.DataFrame({"source": [0], "name": ["x.txt"], "reason": ["not_an_image"]})
    left_out.to_csv("data/raw/left_out.csv", index=False)
    rows = {"path": ["data/raw/cat/broken.png"], "label": ["cat"], "bytes": [8], "reason": ["not_an_image"]}
    pd.DataFrame(rows | {"group": [""]}).to_csv("data/clean/quarantine.csv", index=False)
    for name in ("manifest", "clean", "split", "synthetic"):
        write_json(Path("data", name, "checks.json"), [CHECK | {"passed": True, "sentences": []}])


def write_candidate(folder: Path) -> None:
    """One seed with two snapshots, an alarm and the networks."""
    history: dict[str, Any] = {"seed": 0, "part": "all", "epoch": [1, 2]}
    names = ("g_loss", "d_loss", "d_loss_spread", "real_accuracy", "fake_accuracy", "g_gradient", "d_gradient", "kid")
    history |= dict.fromkeys((*names, "diversity_mean", "diversity_least"), 0.5)
    for epoch in (1, 2):
        write_snapshot(folder / f"seed_0/0000{epoch}")
    pd.DataFrame(history).to_csv(folder / "history.csv", index=False)
    write_json(folder / "alarms.json", [ALARM])
    write_json(folder / "networks.json", {"generator": LAYERS, "discriminator": LAYERS})


def write_snapshot(folder: Path) -> None:
    folder.mkdir(parents=True)
    write_json(folder / "generator.json", {"classes": CLASSES})
    labels = np.repeat(np.arange(2, dtype=np.int32), 12)
    np.savez(folder / "samples.npz", images=noise(24), labels=labels)


def write_generator(candidate: str) -> None:
    """The second snapshot of a candidate was chosen."""
    folder = Path("data/generator")
    write_snapshot(folder)
    place = {"candidate": candidate, "seed": 0}
    scores = [
        place
        | {"epoch": epoch, "chosen": epoch == 2, "kid": 0.1, "cas": 0.9, "kid_low": 0.0, "kid_high": 0.2}
        | {"cas_classes": "dog", "refused": 0.0, "diversity_least": 0.8, "coverage_least": 0.9}
        for epoch in (1, 2)
    ]
    pd.DataFrame(scores).to_csv(folder / "scores.csv", index=False)
    loser = place | {"epoch": 1, "kid": 0.1, "cas": 0.8, "reason": {"code": "lower_cas", "winner": 0.9}}
    classes = {label: {"refused": None, "held_out": 8} for label in CLASSES}
    why = {"code": "highest_cas", "rivals": 2, "passed": 1, "needed": 1}
    selection = place | {"epoch": 2, "reason": why, "losers": [loser], "pooled": [], "classes": classes}
    selection |= {"scores": {"kid": 0.1, "kid_low": 0.0, "kid_high": 0.2, "cas": 0.9}}
    selection |= {"alarms": [{"candidate": candidate, **ALARM}], "generator_sha256": "abc"}
    write_json(folder / "selection.json", selection)


def write_synthetic() -> None:
    """Dogs were synthesised, cats not."""
    rows = {"label": CLASSES, "real": [8, 8], "promised": [8, 10], "synthetic": [0, 2], "made": [0, 4]}
    balance = pd.DataFrame(rows | {"accepted_share": [None, 0.5], "abstained": ["min_images", ""]})
    balance.to_csv("data/synthetic/balance.csv", index=False)
    bounds = {"min_probability": 0.5, "min_distance": 0.8, "max_distance": 1.2}
    few = {"code": "min_images", "real": 8, "min_images": 50}
    given_up = {"bounds": None, "counts": {}, "made": 0, "accepted_share": None, "abstained": few}
    filled = {"bounds": bounds, "counts": {"accepted": 2, "copy": 2}, "made": 4, "accepted_share": 0.5}
    write_json(Path("data/synthetic/filter.json"), {"cat": given_up, "dog": filled | {"abstained": None}})
    examples = {"label": "dog", "outcome": ["accepted", "copy"], "probability": 0.9, "distance": [1.0, 0.1]}
    pd.DataFrame(examples).to_csv("data/synthetic/examples.csv", index=False)
    np.savez("data/synthetic/examples.npz", images=noise(2), nearest=noise(2))


def write_arm(params: Params, name: str) -> None:
    folder = Path("data/classifiers") / name
    folder.mkdir(parents=True)
    history(name).to_csv(folder / "history.csv", index=False)
    write_json(folder / "network.json", LAYERS)
    np.savez(folder / "batch.npz", **batch(params, name))


def history(name: str) -> pd.DataFrame:
    """Two seeds of two records; the longer the name, the better on validation."""
    value = len(name) / 100
    rows = {"seed": [1, 1, 2, 2], "step": [5, 10, 5, 10], "train_loss": 1.0, "validation_loss": [0.5, 0.6, 0.5, 0.6]}
    rows |= {"train_accuracy": 0.75, "validation_accuracy": 0.5, "validation_balanced_accuracy": value}
    return pd.DataFrame(rows)


def batch(params: Params, name: str) -> dict[str, NDArray[Any]]:
    """Arrays of an arm, as far as it mixes or changes images."""
    arm, shares = params.arms[name], np.full(BATCH, 0.75, np.float32)
    labels, real = np.arange(BATCH) % 2, np.zeros(BATCH, bool)
    arrays: dict[str, NDArray[Any]] = {"images": noise(BATCH), "labels": labels, "partners": 1 - labels}
    arrays |= {"coefficients": shares, "label_coefficients": shares, "synthetic": ~real, "partner_synthetic": real}
    if arm.mixup_alpha:
        arrays["lambdas"] = np.random.default_rng(0).random((5, BATCH)).astype(np.float32)
    if arm.augmentation:
        arrays |= {"original": noise(1)[0], "drawn": noise(5), "bounds": noise(2)}
        arrays |= {"bound_kinds": np.array(["shift", "shift"]), "bound_values": np.array([-1.0, 1.0])}
    return arrays


def write_evaluation(params: Params) -> None:
    rows = read_manifest(Path("data/split"))
    labels = label_indices(rows_of(rows, "test"), class_names(rows))
    natural = rows_of(rows, "test")["natural_test"].to_numpy(bool)
    predicted = {name: Predicted(guess(labels), guess(labels), mean_history(history(name))) for name in params.arms}
    targets = Targets(CLASSES, np.array([EACH, EACH - 2]), labels, labels, natural)
    Path("data/evaluation").mkdir()
    hashes: Mapping[str, str] = {"split_sha256": "abc"}
    write_comparison(
        Path("data/evaluation"), compare_arms(params.evaluate, params.arms, targets, predicted, None), hashes
    )


def guess(labels: NDArray[np.int32]) -> NDArray[np.float32]:
    """Predictions of two seeds, of which the last two images are wrong."""
    guesses = labels.copy()
    guesses[-2:] = 1 - guesses[-2:]
    return np.tile(np.where(np.eye(2)[guesses], 0.9, 0.1).astype(np.float32), (SEEDS, 1, 1))


def noise(count: int) -> NDArray[np.uint8]:
    return np.random.default_rng(count).integers(0, 256, (count, SIDE, SIDE, 1), np.uint8)
