"""Evaluate opens validation and test, notes that in the ledger, and writes codes and numbers."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from tasks.classifier.networks import build_classifier
from tasks.core.files import read_json, sha256_of, write_json
from tasks.core.params import Images, Params, Small, load
from tasks.data.manifest import read_manifest, rows_of
from tasks.evaluate import evaluate
from tasks.evidence.results import read_comparison
from tasks.networks.arrays import get_weights, save_weights
from tests.parameters import ROOT
from tests.splits import draw_images, write_split

INPUTS = ("raw", "split", "generator", "synthetic", "classifiers")
SEEDS = 2


@pytest.fixture
def params() -> Params:
    params = load(ROOT)
    network = Small(kind="small", width=4)
    return replace(
        params,
        images=Images(size_px=8, channels=1),
        train=params.train.model_copy(update={"seeds": SEEDS, "network": network}),
        evaluate=params.evaluate.model_copy(update={"resamples": 100}),
    )


@pytest.fixture
def trained(project: Path, params: Params) -> Path:
    """A project up to classifiers, which never learnt and each predict something else."""
    write_split(project / "data/split")
    draw_images("validation", "test")
    write_json(_made(project / "data/generator") / "selection.json", {"generator_sha256": "abc"})
    _write_balance(synthetic=3)
    shapes, rng = get_weights(build_classifier(params.train.network, 8, 1, 2, seed=0)), np.random.default_rng(0)
    for number, name in enumerate(params.arms):
        folder = _made(project / "data/classifiers" / name)
        weights = [{key: rng.normal(size=value.shape) for key, value in shapes.items()} for _ in range(SEEDS)]
        save_weights(folder / "weights.npz", weights)
        write_json(folder / "classes.json", ["cat", "dog"])
        history = {"seed": [1, 2], "step": 5, "train_accuracy": 0.5, "validation_accuracy": 0.25}
        history |= {"validation_balanced_accuracy": number / 100, "train_loss": 1.0, "validation_loss": 1.0}
        pd.DataFrame(history).to_csv(folder / "history.csv", index=False)
    return project


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True)
    return folder


def _write_balance(synthetic: int = 0, abstained: str = "") -> None:
    Path("data/synthetic").mkdir(exist_ok=True)
    rows = pd.DataFrame({"label": ["cat", "dog"], "synthetic": [0, synthetic], "abstained": ["", abstained]})
    rows.to_csv("data/synthetic/balance.csv", index=False)


def _evaluate(params: Params) -> Path:
    out = Path("data/evaluation")
    evaluate(params, out, **{name: Path("data") / name for name in INPUTS})
    return out


@pytest.mark.usefixtures("trained")
def test_it_writes_predictions_and_the_numbers_of_the_verdict_and_nothing_for_people(params: Params) -> None:
    out = _evaluate(params)
    files = {path.relative_to(out).as_posix() for path in out.rglob("*") if path.is_file()}
    numbers = {"comparison.json", "images.parquet", "metrics.json", "verdict.json"}
    assert files == numbers | {f"predictions/{name}.npz" for name in params.arms}
    verdict = read_json(out / "verdict.json")
    assert {"answer", "conditions", "pair", "gain"} <= set(verdict)
    assert verdict["generator_sha256"] == "abc"
    for name in ("split", "synthetic", "classifiers"):
        assert verdict[f"{name}_sha256"] == sha256_of(Path("data") / name)
    texts = [text for file in out.glob("*.json") for text in _strings(json.loads(file.read_text()))]
    assert all(len(text.split()) <= 3 for text in texts), "codes, names and hashes; sentences are made by the report"


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        value = [*value, *value.values()]
    if isinstance(value, list):
        for part in value:
            yield from _strings(part)
    elif isinstance(value, str):
        yield value


@pytest.mark.usefixtures("trained")
def test_predictions_are_in_the_order_of_the_images(params: Params) -> None:
    out, comparison = _evaluate(params), read_comparison(Path("data/evaluation"))
    images = pd.read_parquet(out / "images.parquet")
    assert images.groupby("split").size().to_dict() == {"test": 16, "validation": 16}
    test = rows_of(read_manifest(Path("data/split")), "test")
    assert images.loc[images["split"] == "test", "path"].tolist() == test["path"].tolist()
    with np.load(out / "predictions/imbalanced.npz") as file:
        predicted = dict(file)
    assert {name: array.shape for name, array in predicted.items()} == dict.fromkeys(
        ("validation", "test"), (SEEDS, 16, 2)
    )
    right = (predicted["test"].argmax(axis=2) == (test["label"] == "dog").to_numpy()).mean(axis=1)
    assert comparison.arms["imbalanced"].test.accuracy == pytest.approx(right.tolist())


@pytest.mark.usefixtures("trained")
def test_it_notes_the_opening_of_test_and_removes_what_is_no_arm_any_more(params: Params) -> None:
    Path("data/classifiers/old").mkdir()
    first = sha256_of(_evaluate(params))
    assert not Path("data/classifiers/old").exists()
    (line,) = Path("ledger.jsonl").read_text().splitlines()
    entry = json.loads(line)
    assert (entry["event"], entry["by"]) == ("test opened", "evaluate")
    assert sha256_of(_evaluate(params)) == first


@pytest.mark.usefixtures("trained")
@pytest.mark.parametrize(("abstained", "code"), [("too_few", "no_class"), ("", "balanced")])
def test_without_synthetic_images_the_answer_is_no_with_a_code(params: Params, abstained: str, code: str) -> None:
    _write_balance(abstained=abstained)
    verdict = read_json(_evaluate(params) / "verdict.json")
    assert (verdict["answer"], verdict["none_made"]) == ("do not synthesise", code)
