import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from tasks.core.files import read_json, sha256_of, write_json
from tasks.core.params import Images, Machine, Params, Synthesize, load
from tasks.data.balance import Promise
from tasks.data.images import read_images, write_image
from tasks.data.manifest import read_manifest, write_manifest
from tasks.networks.arrays import get_weights
from tasks.networks.checkpoints import Generator, draw_latents, identity_of, load_generator, save_generator, spec_of
from tasks.quality.balanced import LINEAGE
from tasks.quality.synthesis import UNFILTERED, fill_classes
from tasks.registry.champion import Registry
from tasks.registry.packaging import Candidacy
from tasks.support import environment
from tasks.synthesize import synthesize
from tests.evaluated import lay_project
from tests.parameters import ROOT
from tests.synthesis import PARAMS

COUNTS = {"bird": 60, "cat": 24, "dog": 50, "emu": 4, "fox": 30, "gnu": 20}
MADE = ["gnu", "dog", "cat"]  # classes in the generator's own order; of cats and dogs it makes the real images, too
IMAGES = Images(size_px=8, channels=1)
GENERATOR = spec_of({"kind": "dcgan", "size_px": 8, "channels": 1, "latent": 8, "width": 16, "batch_norm": False})
SELECTION: dict[str, Any] = {
    "candidate": "dcgan",
    "seed": 1,
    "epoch": 30,
    "run": "dcgan/seed_1/00030",
    "generator_sha256": "0",
    "classes": {label: {"refused": None} for label in COUNTS} | {"fox": {"refused": {"guard": "not_made"}}},
}


def _rows(counts: dict[str, int]) -> pd.DataFrame:
    rows = [
        {"path": f"data/raw/{label}/{split}-{number:02d}.png", "label": label, "split": split, "natural_test": False}
        for label, count in counts.items()
        for split, share in (("train", count), ("validation", 3), ("test", 5), ("withheld", 2))
        for number in range(share)
    ]
    return pd.DataFrame(rows).assign(sha256="0", group=[f"{number:03d}" for number in range(len(rows))], defect=None)


def _generator() -> Generator:
    networks = [GENERATOR.build_generator(3, dropout=0.0, seed=seed, policy="float32") for seed in range(len(MADE))]
    for network in networks:  # not trained: it has to show something nevertheless
        for name in ("g_dense", "g_up_0", "g_up_1", "g_up_2", "g_pixels"):
            kernel = network.get_layer(name).kernel
            kernel.assign(kernel * 2)
    return Generator(networks, MADE, GENERATOR)


def _lay_out(root: Path) -> Path:
    """A split whose only image files are those of train, and a generator: its gnus are unlike the real ones."""
    for name in ("split", "generator", *(f"raw/{label}" for label in COUNTS)):
        (root / "data" / name).mkdir(parents=True)
    rows, generator = _rows(COUNTS), _generator()
    write_manifest(root / "data/split", rows)
    save_generator(root / "data/generator", [get_weights(network) for network in generator._networks], MADE, GENERATOR)
    sha256 = identity_of(root / "data/generator")
    write_json(root / "data/generator/selection.json", SELECTION | {"generator_sha256": sha256})
    rng = np.random.default_rng(0)
    for label, count in COUNTS.items():
        real = rng.integers(0, 256, (count, 8, 8, 1), np.uint8) >> (1 + list(COUNTS).index(label))
        if label in ("cat", "dog"):
            latents = draw_latents(104, label, range(count), generator.latent)
            real = generator.generate(latents, np.full(count, MADE.index(label), np.int32))
        paths = rows.query("label == @label and split == 'train'")["path"]
        for path, image in zip(paths, real, strict=True):
            write_image(root / path, image)
    return root


def _params(settings: Synthesize, in_memory_mb: int = 1000) -> Params:
    return replace(load(ROOT), images=IMAGES, synthesize=settings, machine=Machine(in_memory_mb=in_memory_mb))


def _synthesize(root: Path, params: Params) -> Path:
    out = Path("data/synthetic")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        patch.setattr(environment, "ROOT", root)
        synthesize(params, out, raw=Path("data/raw"), split=Path("data/split"), generator=Path("data/generator"))
    return root / out


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return _lay_out(tmp_path_factory.mktemp("project"))


@pytest.fixture(scope="module")
def done(root: Path) -> Path:
    return _synthesize(root, _params(PARAMS))


def _made(done: Path) -> pd.DataFrame:
    """Rows of the images kept."""
    rows = read_manifest(done).dropna(subset="generator")
    return rows[rows["split"] != "unfiltered"].reset_index(drop=True)


def _balance(done: Path) -> dict[str, dict[str, Any]]:
    return {row["label"]: row for row in pd.read_csv(done / "balance.csv").to_dict("records")}


def test_keeps_what_it_promised_and_lists_real_and_synthetic_rows(done: Path) -> None:
    for folder in (done, done / UNFILTERED):
        kept = {path.name: len(list(path.iterdir())) for path in folder.iterdir() if path.is_dir()}
        assert {name: count for name, count in kept.items() if name != UNFILTERED} == {"cat": 24, "dog": 10}
    manifest, made = read_manifest(done), _made(done)
    assert len(manifest) == len(_rows(COUNTS)) + 2 * 34
    assert set(made["split"]) == {"train"}
    assert manifest[manifest["split"] == "train"].groupby("label").size().to_dict() == COUNTS | {"cat": 48, "dog": 60}
    assert not made["natural_test"].any()
    assert made["path"].tolist()[:2] == ["data/synthetic/cat/000000.png", "data/synthetic/cat/000001.png"]
    assert made["sha256"].tolist() == [sha256_of(done.parents[1] / path) for path in made["path"]]
    (promise,) = read_json(done / "checks.json")
    assert (promise["passed"], promise["observed"]) == (True, 0)


def test_the_balance_says_how_many_were_made_and_accepted_and_why_none_are_kept(done: Path) -> None:
    balance = _balance(done)
    assert list(balance["cat"]) == [
        "label",
        "real",
        "promised",
        "synthetic",
        "made",
        "accepted_share",
        "abstained",
    ]
    assert {label: row["synthetic"] for label, row in balance.items() if row["synthetic"]} == {"cat": 24, "dog": 10}
    assert balance["cat"]["made"] == 240  # ten for each one wanted, in one round
    assert balance["dog"]["made"] == 100
    for label in ("cat", "dog"):  # the real ones come from the same generator, and are few
        assert balance[label]["accepted_share"] == pytest.approx(0.81, abs=0.1)
        assert pd.isna(balance[label]["abstained"])
    assert balance["bird"]["made"] == 0
    assert pd.isna(balance["bird"]["accepted_share"])


def test_a_class_whose_images_are_refused_is_left_with_its_real_ones(done: Path) -> None:
    gnu = _balance(done)["gnu"]
    assert (gnu["real"], gnu["promised"], gnu["synthetic"], gnu["made"], gnu["accepted_share"]) == (20, 20, 0, 200, 0)
    assert gnu["abstained"] == "min_acceptance"
    assert not (done / "gnu").exists()
    filtered = read_json(done / "filter.json")
    assert set(filtered) == {"cat", "dog", "emu", "fox", "gnu"}
    assert filtered["gnu"]["abstained"] == {"code": "min_acceptance", "min_acceptance": 0.2}
    assert filtered["gnu"]["counts"].get("unlikely", 0) + filtered["gnu"]["counts"].get("outlier", 0) == 200
    assert sum(filtered["cat"]["counts"].values()) == filtered["cat"]["made"] == 240


def test_a_class_that_was_never_filled_has_the_reason_of_the_plan(done: Path) -> None:
    filtered, balance = read_json(done / "filter.json"), _balance(done)
    assert filtered["emu"]["abstained"] == {"code": "min_images", "real": 4, "min_images": 5}
    assert filtered["fox"]["abstained"] == {"code": "refused", "refused": {"guard": "not_made"}}
    assert (balance["emu"]["abstained"], balance["fox"]["abstained"]) == ("min_images", "refused")
    for label in ("emu", "fox"):
        assert (filtered[label]["made"], filtered[label]["counts"], filtered[label]["bounds"]) == (0, {}, None)


def test_lineage_says_how_an_image_passed_and_what_it_is_like(done: Path, root: Path) -> None:
    made, filtered = _made(done), read_json(done / "filter.json")
    assert set(made["run"]) == {"dcgan/seed_1/00030"}
    assert set(made["generator"]) == {identity_of(root / "data/generator")}
    assert made[list(LINEAGE)].notna().all(axis=None)
    for label, rows in made.groupby("label"):
        assert (rows["filter_probability"] >= filtered[label]["bounds"]["min_probability"]).all()
        assert (rows["filter_distance"] > filtered[label]["bounds"]["min_distance"]).all()
        assert (rows["filter_distance"] <= filtered[label]["bounds"]["max_distance"]).all()
        assert rows["nearest_real"].str.startswith(f"data/raw/{label}/train-").all()
        assert rows["latent_index"].is_monotonic_increasing
    images, like = (read_images([root / path for path in made[name]], 8, 1) for name in ("path", "nearest_real"))
    differences = np.sqrt(((images.astype(float) - like) ** 2).mean(axis=(1, 2, 3)))
    np.testing.assert_allclose(made["nearest_distance"].astype(float), differences, atol=1e-4)


def test_lineage_is_enough_to_make_an_image_again(done: Path, root: Path) -> None:
    row = _made(done).query("label == 'dog'").iloc[7]
    generator = load_generator(root / "data/generator")
    latents = draw_latents(row["seed"], row["label"], [row["latent_index"]], generator.latent)
    again = generator.generate(latents, np.array([generator.classes.index(row["label"])], np.int32))
    np.testing.assert_array_equal(read_images([root / row["path"]], 8, 1), again)


CLIENT = """
import sys
folder, rows, out = sys.argv[1:]
sys.path.insert(0, folder)
import tasks
assert tasks.WHOSE == "the client's own", tasks
import mlflow.pyfunc, numpy, pandas
model, rows = mlflow.pyfunc.load_model(folder + "/model"), pandas.read_csv(rows, dtype={"class": str})
images = {}
for size in (1, 7, len(rows)):
    parts = [model.predict(rows[at : at + size]) for at in range(0, len(rows), size)]
    images[str(size)] = numpy.concatenate(parts)
assert not [name for name in sys.modules if name.startswith("tasks.")]
numpy.savez(out, **images)
"""


def test_a_client_without_the_project_makes_the_images_that_the_manifest_lists(
    done: Path, root: Path, empty_store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lay_project(root, empty_store)
    monkeypatch.chdir(root)
    monkeypatch.setattr(environment, "ROOT", root)
    monkeypatch.setitem(os.environ, "MLFLOW_TRACKING_URI", f"sqlite:///{root}/mlflow.db")
    rows, registry = _made(done).sort_values("latent_index"), Registry()
    origin = {"generator_sha256": identity_of(root / "data/generator"), "run": SELECTION["run"], "split_sha256": "s"}
    origin |= {"sources_sha256": "l", "git_commit": "c", "git_diff_sha256": ""}
    registry.register(Candidacy(root / "data/generator", MADE, (8, 8, 1), origin, {}, threads=1))
    (generator,) = set(rows["generator"])
    lineage = registry.lineage(generator)
    assert {lineage.run} == set(rows["run"])
    with registry.package(lineage.version) as package:
        shutil.copytree(package.folder, tmp_path / "client/model")
        threads = {"TF_NUM_INTRAOP_THREADS": str(package.threads)}
    (tmp_path / "client/tasks").mkdir()
    (tmp_path / "client/tasks/__init__.py").write_text('WHOSE = "the client\'s own"')
    asked = pd.DataFrame({"class": rows["label"], "seed": rows["seed"], "index": rows["latent_index"]})
    asked.to_csv(tmp_path / "rows.csv", index=False)
    command = [sys.executable, "-I", "-c", CLIENT, "client", "rows.csv", "images.npz"]
    subprocess.run(command, cwd=tmp_path, env=os.environ | threads, check=True, timeout=300)
    listed = read_images([str(root / path) for path in rows["path"]], 8, 1)
    with np.load(tmp_path / "images.npz") as images:
        assert set(images) == {"1", "7", "34"}
        for made in images.values():
            np.testing.assert_array_equal(made, listed)


def test_unfiltered_images_are_the_first_ones_that_the_generator_made(done: Path) -> None:
    rows = read_manifest(done).query("split == 'unfiltered'")
    assert rows.groupby("label")["latent_index"].apply(list).to_dict() == {"cat": [*range(24)], "dog": [*range(10)]}
    assert rows["filter_probability"].isna().all()
    kept = _made(done).set_index(["label", "latent_index"])["sha256"]
    both = rows.set_index(["label", "latent_index"])["sha256"].reindex(kept.index).dropna()
    assert 5 < len(both) < 34  # of the first ones, those that passed
    assert (both == kept[both.index]).all()


def test_examples_show_what_was_accepted_and_refused_beside_the_nearest_real_images(done: Path, root: Path) -> None:
    examples = pd.read_csv(done / "examples.csv")
    assert list(examples) == ["label", "outcome", "latent_index", "probability", "distance", "nearest_real"]
    assert set(examples["label"]) == {"cat", "dog", "gnu"}
    for label, rows in examples.groupby("label"):
        accepted = rows["outcome"] == "accepted"
        assert accepted.sum() == (0 if label == "gnu" else 6)
        assert 1 <= (~accepted).sum() <= 6
    with np.load(done / "examples.npz") as arrays:
        images, nearest = arrays["images"], arrays["nearest"]
    np.testing.assert_array_equal(nearest, read_images([str(root / path) for path in examples["nearest_real"]], 8, 1))
    generator = load_generator(root / "data/generator")
    for place, (label, index) in enumerate(zip(examples["label"], examples["latent_index"], strict=True)):
        latents = draw_latents(PARAMS.seed, label, [index], generator.latent)
        again = generator.generate(latents, np.array([generator.classes.index(label)], np.int32))
        np.testing.assert_array_equal(images[place], again[0])


def test_images_are_made_a_batch_at_a_time_and_read_from_disk_where_memory_is_short(
    root: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(root)
    asked: list[int] = []

    def make(_: str, start: int, count: int) -> np.ndarray:
        asked.append(count)
        return np.random.default_rng(start).integers(0, 256, (count, 8, 8, 1), np.uint8)

    classifier = PARAMS.filter.classifier.model_copy(update={"steps": 2})
    filter_ = PARAMS.filter.model_copy(update={"min_acceptance": 0.0, "classifier": classifier})
    settings = PARAMS.model_copy(update={"filter": filter_})
    promise = Promise("cat", real=24, promised=624, abstained=None)
    counts = []
    for in_memory_mb in (0, 1000):
        (tmp_path / f"{in_memory_mb}").mkdir()
        params, rows = _params(settings, in_memory_mb), read_manifest(root / "data/split")
        filled = fill_classes(params, rows, [promise], make, tmp_path / f"{in_memory_mb}")
        counts.append(filled.fillings["cat"].counts)
    assert max(asked) == 256
    assert counts[0] == counts[1]


def test_equal_input_gives_equal_bytes(done: Path, root: Path) -> None:
    before = sha256_of(done)
    assert sha256_of(_synthesize(root, _params(PARAMS))) == before


def test_nothing_to_synthesise_opens_no_image(tmp_path: Path) -> None:
    for name in ("split", "generator"):
        (tmp_path / "data" / name).mkdir(parents=True)
    write_manifest(tmp_path / "data/split", _rows(COUNTS))
    write_json(tmp_path / "data/generator/selection.json", SELECTION)
    out = _synthesize(tmp_path, _params(PARAMS.model_copy(update={"min_images": 1000})))
    assert sorted(path.name for path in out.iterdir()) == [
        "balance.csv",
        "checks.json",
        "filter.json",
        "manifest.parquet",
    ]
    assert len(read_manifest(out)) == len(_rows(COUNTS))
    assert read_manifest(out)["generator"].isna().all()
    assert {entry["abstained"]["code"] for entry in read_json(out / "filter.json").values()} == {"min_images"}
    assert {row["made"] for row in _balance(out).values()} == {0}
