from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from tasks.core.files import read_json, sha256_of, write_json
from tasks.core.params import Images, Synthesize
from tasks.data.images import read_images, write_image
from tasks.data.manifest import read_manifest, write_manifest
from tasks.networks.checkpoints import Generator, draw_latents, load_generator, save_generator, spec_of
from tasks.networks.weights import get_weights
from tasks.support import environment
from tasks.synthesize import LINEAGE, UNFILTERED, synthesize
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
    "classes": {label: {"refused": None} for label in COUNTS} | {"fox": {"refused": "the generator makes none of it"}},
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
    write_json(root / "data/generator/selection.json", SELECTION)
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


def _synthesize(root: Path, params: Synthesize) -> Path:
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        patch.setattr(environment, "ROOT", root)
        return root / synthesize(params, IMAGES)


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return _lay_out(tmp_path_factory.mktemp("project"))


@pytest.fixture(scope="module")
def done(root: Path) -> Path:
    return _synthesize(root, PARAMS)


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
        "missing",
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
    assert gnu["abstained"].startswith("0 of 200 generated images were accepted (refused: ")
    assert gnu["abstained"].endswith("), a smaller share than synthesize.filter.min_acceptance 0.2")
    assert not (done / "gnu").exists()
    judged = read_json(done / "filter.json")
    assert set(judged) == {"cat", "dog", "gnu"}
    assert judged["gnu"]["counts"].get("unlikely", 0) + judged["gnu"]["counts"].get("outlier", 0) == 200
    assert sum(judged["cat"]["counts"].values()) == judged["cat"]["made"] == 240


def test_lineage_says_how_an_image_passed_and_what_it_is_like(done: Path, root: Path) -> None:
    made, judged = _made(done), read_json(done / "filter.json")
    assert set(made["run"]) == {"dcgan/seed_1/00030"}
    assert set(made["generator"]) == {sha256_of(root / "data/generator/generator.npz")}
    assert made[list(LINEAGE)].notna().all(axis=None)
    for label, rows in made.groupby("label"):
        assert (rows["filter_probability"] >= judged[label]["min_probability"]).all()
        assert (rows["filter_distance"] > judged[label]["min_distance"]).all()
        assert (rows["filter_distance"] <= judged[label]["max_distance"]).all()
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


def test_unfiltered_images_are_the_first_ones_that_the_generator_made(done: Path) -> None:
    rows = read_manifest(done).query("split == 'unfiltered'")
    assert rows.groupby("label")["latent_index"].apply(list).to_dict() == {"cat": [*range(24)], "dog": [*range(10)]}
    assert rows["filter_probability"].isna().all()
    kept = _made(done).set_index(["label", "latent_index"])["sha256"]
    both = rows.set_index(["label", "latent_index"])["sha256"].reindex(kept.index).dropna()
    assert 5 < len(both) < 34  # of the first ones, those that passed
    assert (both == kept[both.index]).all()


def test_the_picture_shows_every_class_that_was_judged(done: Path) -> None:
    with Image.open(done / "triples.png") as picture:
        width, height = picture.size
    assert width > 800
    assert height > 3 * 150


def test_equal_input_gives_equal_bytes(done: Path, root: Path) -> None:
    before = sha256_of(done)
    assert sha256_of(_synthesize(root, PARAMS)) == before


def test_nothing_to_synthesise_opens_no_image(tmp_path: Path) -> None:
    for name in ("split", "generator"):
        (tmp_path / "data" / name).mkdir(parents=True)
    write_manifest(tmp_path / "data/split", _rows(COUNTS))
    write_json(tmp_path / "data/generator/selection.json", SELECTION)
    out = _synthesize(tmp_path, PARAMS.model_copy(update={"min_images": 1000}))
    assert sorted(path.name for path in out.iterdir()) == [
        "balance.csv",
        "checks.json",
        "filter.json",
        "manifest.parquet",
    ]
    assert len(read_manifest(out)) == len(_rows(COUNTS))
    assert read_manifest(out)["generator"].isna().all()
    assert read_json(out / "filter.json") == {}
    assert {row["made"] for row in _balance(out).values()} == {0}
