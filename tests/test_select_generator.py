import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tasks.core.files import TRAINING_STATE, read_json, sha256_of, write_json
from tasks.core.params import Candidate, Guards, Images, Machine, Params, SelectGenerator, Training, load
from tasks.data.images import write_image
from tasks.data.manifest import read_manifest, rows_of, write_manifest
from tasks.networks.arrays import Weights, get_weights, set_weights
from tasks.networks.checkpoints import Generator, draw_latents, identity_of, save_generator, spec_of
from tasks.report.selection import refusal_sentence, why_chosen, why_not
from tasks.select_generator import select_generator
from tasks.support.errors import BadInput
from tests.gan.candidates import CONDITIONAL, DCGAN
from tests.pipeline.project import ROOT

CLASSES = ["cat", "dog", "owl"]
COUNTS = {"train": (60, 60, 40), "validation": (40, 40, 40), "test": (5, 5, 5)}
IMAGES = Images(size_px=8, channels=1)
SELECT = SelectGenerator(
    seed=0,
    per_image=2,
    pool_below=0,
    cas_snapshots=3,
    cas_seeds=1,
    classifier=Training(steps=60, batch=16, learning_rate=0.005, width=8),
    guards=Guards(min_diversity=0.5, min_coverage=0.5, max_kid=0.5, min_c_t=-3.0, min_authenticity=0.2),
)
CANDIDATES = {
    "conditional": CONDITIONAL.model_copy(update={"seeds": 2}),
    "dcgan": DCGAN.model_copy(update={"classes": ["owl"]}),
}
SETTINGS = {"kind": "conditional", "size_px": 8, "channels": 1, "latent": 4, "width": 16, "depth": 2}
OTHER = {"kind": "dcgan", "size_px": 8, "channels": 1, "latent": 4, "width": 16, "batch_norm": False}
STOPPED = {"part": "all", "detector": "collapse", "seed": 1, "epoch": 3, "consequence": "stop"}
WARNED = STOPPED | {"detector": "d_wins", "epoch": 2, "consequence": "warn"}


def _select(data: Path, candidates: dict[str, Candidate], **changed: object) -> None:
    params: Params = replace(load(ROOT), images=IMAGES, select_generator=SELECT, candidates=candidates, **changed)
    inputs = {name: data / name for name in select_generator.inputs}
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(data)
        select_generator(params, data / "generator", **inputs)


def _build(settings: dict, classes: int) -> Weights:
    return get_weights(spec_of(settings).build_generator(classes, dropout=0.0, seed=0, policy="float32"))


def _truth() -> Weights:
    """Weights of a generator whose images the tests take for the real ones: no other can be better."""
    weights = _build(SETTINGS, len(CLASSES))
    for name in weights:
        if name.endswith("embeddings"):
            weights[name] *= 5  # classes differ
        if name == "g_pixels/kernel":
            weights[name] *= 0.3  # and not all is black or white
    return weights


def _worse(weights: Weights, share: float) -> Weights:
    """Weights whose kernels have noise, as a share of what they are."""
    rng = np.random.default_rng(0)
    return {
        name: (array * (1 + share * name.endswith("kernel") * rng.normal(size=array.shape))).astype(np.float32)
        for name, array in weights.items()
    }


def _snapshot(folder: Path, weights: Weights, classes: list[str], settings: dict) -> None:
    folder.mkdir(parents=True)
    save_generator(folder, [weights], classes, spec_of(settings))
    np.savez(folder / "samples.npz", labels=np.arange(len(classes)))


def _write_data(data: Path, weights: Weights) -> None:
    """Images of the splits, which the generator with these weights made; those of test have no files."""
    network = spec_of(SETTINGS).build_generator(len(CLASSES), dropout=0.0, seed=0, policy="float32")
    set_weights(network, weights)
    real, rows = Generator([network], CLASSES, spec_of(SETTINGS)), []
    for split, counts in COUNTS.items():
        labels = np.repeat(np.arange(3, dtype=np.int32), counts)
        made = real.generate(draw_latents(9, split, range(len(labels)), SETTINGS["latent"]), labels)
        for index, (image, label) in enumerate(zip(made, labels, strict=True)):
            path = data / "raw" / CLASSES[label] / f"{split}-{index}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            if split != "test":
                write_image(path, image)
            name = path.as_posix()
            rows.append({"path": name, "label": CLASSES[label], "split": split, "group": name, "sha256": name})
    (data / "split").mkdir()
    write_manifest(data / "split", pd.DataFrame(rows))


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A training that is best at epoch 20, worse at 30 and collapsed at 40; one that was stopped; and a poor dcgan."""
    data = tmp_path_factory.mktemp("selected")
    truth = _truth()
    _write_data(data, truth)
    collapsed = {name: array * (name != "g_dense/kernel") for name, array in truth.items()}
    for epoch, weights in {10: _worse(truth, 2), 20: truth, 30: _worse(truth, 0.38), 40: collapsed}.items():
        _snapshot(data / f"generators/conditional/seed_0/{epoch:05d}", weights, CLASSES, SETTINGS)
    (data / "generators/conditional/seed_1").mkdir()
    write_json(data / "generators/conditional/alarms.json", [WARNED, STOPPED])
    _snapshot(data / "generators/dcgan/seed_0/00008", _build(OTHER, 1), ["owl"], OTHER)
    write_json(data / "generators/dcgan/alarms.json", [])
    for place in (data / "generators", data / TRAINING_STATE):
        (place / "no_longer_named").mkdir(parents=True)
    (data / TRAINING_STATE / "conditional").mkdir()
    _select(data, CANDIDATES)
    return data


@pytest.fixture(scope="module")
def selection(data: Path) -> dict:
    return read_json(data / "generator/selection.json")


def test_a_late_degradation_makes_it_choose_the_earlier_snapshot(data: Path, selection: dict) -> None:
    assert (selection["candidate"], selection["seed"], selection["epoch"]) == ("conditional", 0, 20)
    assert selection["reason"] == {"code": "highest_cas", "rivals": 2, "passed": 1, "needed": 1}
    assert why_chosen(selection).startswith(
        "conditional seed 0 epoch 20 has the highest CAS of the 2 snapshots that pass the guards in most of the "
        "classes that need images, 1 of 1: CAS 0."
    )
    for name in ("generator.npz", "generator.json", "samples.npz"):
        chosen = data / "generators/conditional/seed_0/00020" / name
        assert (data / "generator" / name).read_bytes() == chosen.read_bytes()
    assert selection["generator_sha256"] == identity_of(data / "generator")
    assert not list((data / "generator").glob("*.png"))
    assert not (data / "generators/no_longer_named").exists()
    assert [path.name for path in (data / TRAINING_STATE).iterdir()] == ["conditional"]


def test_the_images_that_a_generator_has_seen_are_listed(data: Path) -> None:
    manifest, seen = read_manifest(data / "split"), pd.read_csv(data / "generator/seen.csv")
    rows = rows_of(manifest, "train", "validation")
    assert 0 < len(rows) < len(manifest)
    assert sorted(seen.itertuples(index=False)) == sorted(rows[["sha256", "label", "split"]].itertuples(index=False))


def test_every_loser_has_its_reason(selection: dict) -> None:
    losers = {(loser["candidate"], loser["seed"], loser["epoch"]): loser for loser in selection["losers"]}
    assert list(losers) == [
        ("conditional", 0, 10),
        ("conditional", 0, 30),
        ("conditional", 0, 40),
        ("dcgan", 0, 8),
        ("conditional", 1, None),
    ]
    garbage, later, collapsed, poor, stopped = losers.values()
    assert garbage["reason"] == {"code": "kid_not_lowest", "snapshots": 3}
    assert garbage["cas"] is None
    assert later["kid"] > selection["scores"]["kid"]
    assert later["cas"] < selection["scores"]["cas"] - 0.04
    assert later["reason"] == {"code": "lower_cas", "winner": selection["scores"]["cas"]}
    assert {label: refusal["guard"] for label, refusal in collapsed["reason"]["refused"].items()} == dict.fromkeys(
        CLASSES, "collapsed"
    )
    assert list(poor["reason"]["refused"]) == ["owl"]
    for loser in (collapsed, poor):
        assert (loser["reason"]["code"], loser["reason"]["passed"], loser["reason"]["most"]) == ("guards", 0, 1)
    assert why_not(collapsed, selection).startswith(
        "passes the guards in 0 of the classes that need images, conditional seed 0 epoch 20 in 1: refused in class "
        "cat collapsed: 0.00 (evaluator)"
    )
    assert stopped["reason"] == {"code": "no_snapshot", "alarms": [STOPPED]}
    assert selection["alarms"] == [{"candidate": "conditional", **alarm} for alarm in (WARNED, STOPPED)]


def test_scores_are_recorded_by_class_and_for_every_snapshot(data: Path, selection: dict) -> None:
    assert set(selection["classes"]) == set(CLASSES)
    for scores in selection["classes"].values():
        assert scores["refused"] is None
        assert scores["diversity"]["evaluator"] == pytest.approx(1, abs=0.2)
    flat = selection["scores"]
    assert {"kid", "kid_low", "kid_high", "cas", "diversity_least", "coverage_mean"} <= set(flat)
    assert flat["kid_low"] < 0 < flat["kid_high"]  # the truth itself
    assert flat["refused"] == 0
    table = pd.read_csv(data / "generator/scores.csv")
    assert table["epoch"].tolist() == [10, 20, 30, 40, 8]
    assert table.loc[table["chosen"], "epoch"].tolist() == [20]
    assert table["kid"].idxmin() == 1
    assert table["cas"].isna().tolist() == [True, False, False, False, False]
    assert table["refused"].tolist()[1:] == [0, 0, 3, 1]
    assert selection["cas_classes"] == CLASSES  # of the one training that passes
    assert table["cas_classes"].tolist()[1:] == ["cat, dog, owl"] * 3 + ["owl"]
    assert selection["run"] == "conditional/seed_0/00020"
    assert (selection["resizer"], selection["pixels"], selection["pooled"]) == ("LANCZOS", [0, 255], [])


@pytest.fixture(scope="module")
def only_refused(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same images, with the poor generator alone."""
    only = tmp_path_factory.mktemp("refused")
    for name in ("split", "generators/dcgan"):
        shutil.copytree(data / name, only / name)
    _select(only, {"dcgan": CANDIDATES["dcgan"]})
    return only


def test_a_second_run_writes_equal_bytes(only_refused: Path) -> None:
    first = sha256_of(only_refused / "generator")
    shutil.rmtree(only_refused / "generator")
    _select(only_refused, {"dcgan": CANDIDATES["dcgan"]})
    assert sha256_of(only_refused / "generator") == first


def test_where_all_are_refused_the_best_is_kept_and_what_it_cannot_make_is_said(only_refused: Path) -> None:
    selection = read_json(only_refused / "generator/selection.json")
    assert selection["reason"] == {"code": "alone", "rivals": 1, "passed": 0, "needed": 1}
    assert why_chosen(selection).startswith(
        "dcgan seed 0 epoch 8 alone passes the guards in most of the classes that need images, 0 of 1: CAS 0."
    )
    refused = {label: scores["refused"] for label, scores in selection["classes"].items()}
    assert refused["cat"] == refused["dog"] == {"guard": "not_made"}
    assert f"Refused in class owl {refusal_sentence(refused['owl'])}." in why_chosen(selection)
    assert selection["losers"] == []


def test_without_any_snapshot_it_stops_and_says_what_stopped_them(tmp_path: Path) -> None:
    for name, alarms in (("conditional", [STOPPED, STOPPED | {"seed": 0}]), ("dcgan", [WARNED, STOPPED | {"seed": 0}])):
        for seed in range(2):
            (tmp_path / f"generators/{name}/seed_{seed}").mkdir(parents=True)
        write_json(tmp_path / f"generators/{name}/alarms.json", alarms)
    with pytest.raises(BadInput) as stop:
        _select(tmp_path, CANDIDATES)
    assert str(stop.value) == (
        "detectors stopped every training before its first snapshot (conditional seed 0: collapse in epoch 3; "
        "conditional seed 1: collapse in epoch 3; dcgan seed 0: collapse in epoch 3): change candidates or "
        "train_gan.detectors"
    )
    assert not (tmp_path / "generator").exists()


def test_images_that_exceed_the_memory_lie_on_disk_and_change_nothing(
    only_refused: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("split", "generators"):
        shutil.copytree(only_refused / name, tmp_path / name)
    monkeypatch.chdir(tmp_path)
    _select(tmp_path, {"dcgan": CANDIDATES["dcgan"]}, machine=Machine(in_memory_mb=0.001))
    assert (tmp_path / ".state").exists()
    assert sha256_of(tmp_path / "generator") == sha256_of(only_refused / "generator")
