from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from tasks.dataset.manifest import read_manifest, write_manifest
from tasks.gan.checkpoints import load_generator, save_generator
from tasks.gan.networks import build_generator
from tasks.gan.sampling import draw_latents, generate
from tasks.support.files import read_json, sha256_of, write_json
from tasks.support.params import Synthesize
from tasks.synthesize import plan, synthesize

PARAMS = Synthesize(seed=3, min_images=5, min_diversity=0.5, max_per_real=2)
COUNTS = {"bird": 30, "cat": 8, "dog": 20, "emu": 4}


def _rows(counts: dict[str, int]) -> pd.DataFrame:
    rows = [
        {"path": f"data/raw/{label}/{split}-{number}.png", "label": label, "split": split, "natural_test": False}
        for label, count in counts.items()
        for split, share in (("train", count), ("validation", 3), ("test", 5), ("withheld", 2))
        for number in range(share)
    ]
    return pd.DataFrame(rows).assign(sha256="0", defect=None)


@pytest.fixture
def selected(project: Path) -> Path:
    """A split without a single image file, and an untrained generator: synthesis opens no image."""
    for name in ("split", "generator"):
        (project / "data" / name).mkdir()
    write_manifest(project / "data/split", _rows(COUNTS))
    model = build_generator(8, 1, len(COUNTS), latent=4, width=16, seed=0)
    save_generator(project / "data/generator", model, list(COUNTS), latent=4, width=16, seed=0)
    write_json(project / "data/generator/selection.json", {"classes": dict.fromkeys(COUNTS, 0.8)})
    return project


def _plan(diversity: float = 0.8, **changed: Any) -> dict[str, dict[str, Any]]:
    rows = _rows(COUNTS)
    table = plan(rows[rows["split"] == "train"], dict.fromkeys(COUNTS, diversity), PARAMS.model_copy(update=changed))
    return {row["label"]: row for row in table.to_dict("records")}


def test_promises_the_least_of_the_largest_class_and_the_share_of_real_ones() -> None:
    planned = _plan()
    assert {label: row["promised"] for label, row in planned.items()} == {"bird": 30, "cat": 24, "dog": 30, "emu": 4}
    assert {label: row["synthetic"] for label, row in planned.items()} == {"bird": 0, "cat": 16, "dog": 10, "emu": 0}
    assert _plan(max_per_real=0.5)["cat"]["promised"] == 12


def test_abstains_with_a_reason() -> None:
    assert _plan()["emu"]["abstained"] == "4 real images, fewer than synthesize.min_images 5"
    collapsed = _plan(diversity=0.2)
    assert {row["synthetic"] for row in collapsed.values()} == {0}
    assert "vary 0.20 times as much as real ones" in collapsed["cat"]["abstained"]
    assert pd.isna(collapsed["bird"]["abstained"])  # the largest class needs nothing


def test_makes_what_it_promised_and_lists_real_and_synthetic_rows(selected: Path) -> None:
    synthesize(PARAMS)
    folder = selected / "data/synthetic"
    assert {path.name: len(list(path.iterdir())) for path in folder.iterdir() if path.is_dir()} == {
        "cat": 16,
        "dog": 10,
    }
    manifest = read_manifest(folder)
    made = manifest[manifest["generator"].notna()]
    assert len(manifest) == len(_rows(COUNTS)) + 26
    assert set(made["split"]) == {"train"}
    assert manifest[manifest["split"] == "train"].groupby("label").size().to_dict() == {
        "bird": 30,
        "cat": 24,
        "dog": 30,
        "emu": 4,
    }
    assert not made["natural_test"].any()
    (promise,) = read_json(folder / "checks.json")
    assert (promise["passed"], promise["observed"]) == (True, 0)


def test_lineage_is_enough_to_make_an_image_again(selected: Path) -> None:
    synthesize(PARAMS)
    made = read_manifest(selected / "data/synthetic").dropna(subset="generator")
    row = made[made["label"] == "dog"].iloc[7]
    assert row["generator"] == sha256_of(selected / "data/generator/generator.npz")
    model, settings = load_generator(selected / "data/generator")
    index = settings["classes"].index(row["label"])
    latents = draw_latents([row["seed"], index], row["latent_index"] + 1, settings["latent"])[-1:]
    again = generate(model, latents, np.array([index], np.int32))[0, ..., 0]
    with Image.open(selected / row["path"]) as image:
        assert np.abs(np.asarray(image).astype(int) - again).max() <= 1


def test_nothing_to_synthesise_is_no_error(selected: Path) -> None:
    synthesize(PARAMS.model_copy(update={"min_images": 1000}))
    manifest = read_manifest(selected / "data/synthetic")
    assert len(manifest) == len(_rows(COUNTS))
    assert manifest["generator"].isna().all()


def test_equal_input_gives_equal_bytes(selected: Path) -> None:
    synthesize(PARAMS)
    before = sha256_of(selected / "data/synthetic")
    synthesize(PARAMS)
    assert sha256_of(selected / "data/synthetic") == before
