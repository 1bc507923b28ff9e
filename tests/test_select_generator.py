from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tasks.dataset.images import write_image
from tasks.dataset.manifest import write_manifest
from tasks.gan.checkpoints import save_generator
from tasks.gan.networks import build_generator
from tasks.select_generator import choose, select_generator
from tasks.support.files import read_json, sha256_of
from tasks.support.params import Images, SelectGenerator, load
from tests.pipeline.project import ROOT

PARAMS = SelectGenerator(seed=0, per_image=2, min_diversity=0.5)


def test_the_lowest_kid_among_the_diverse_wins() -> None:
    scores = {
        "collapsed": {"kid": 0.001, "diversity_least": 0.1},
        "good": {"kid": 0.01, "diversity_least": 0.7},
        "worse": {"kid": 0.02, "diversity_least": 0.9},
    }
    chosen, reason = choose(scores, 0.5)
    assert chosen == "good"
    assert reason == "Lowest KID, 0.0100, of 2 candidates diverse enough in every class; 1 were not."


def test_where_none_is_diverse_the_lowest_kid_is_kept_and_it_says_so() -> None:
    chosen, reason = choose({"a": {"kid": 0.2, "diversity_least": 0.1}, "b": {"kid": 0.1, "diversity_least": 0.3}}, 0.5)
    assert chosen == "b"
    assert reason.startswith("No candidate is diverse enough in every class (least 0.30, needed 0.5)")


@pytest.fixture
def candidates(project: Path) -> Path:
    """Noise images of two classes with no test file on disk, and two generators: one collapsed, one that varies."""
    rng = np.random.default_rng(0)
    rows = []
    for label in ("cat", "dog"):
        (project / "data/raw" / label).mkdir(parents=True)
        for split, count in (("train", 12), ("validation", 8), ("test", 5)):
            for number in range(count):
                path = Path("data/raw", label, f"{split}-{number}.png")
                if split != "test":
                    write_image(path, rng.integers(0, 256, (8, 8, 1), np.uint8))
                rows.append({"path": path.as_posix(), "label": label, "split": split})
    (project / "data/split").mkdir()
    write_manifest(project / "data/split", pd.DataFrame(rows))
    for name, scale in (("non_saturating", 0.0), ("relativistic", 30.0)):
        model = build_generator(8, 1, 2, latent=4, width=16, seed=0)
        dense = model.get_layer("g_dense")
        dense.kernel.assign(dense.kernel * scale)
        folder = project / "data/generators" / name
        folder.mkdir(parents=True)
        save_generator(folder, model, ["cat", "dog"], latent=4, width=16, seed=0)
        (folder / "grid.png").touch()
    (project / "data/generators/no_longer_named").mkdir()
    return project


def test_a_collapsed_generator_is_refused_and_test_images_stay_closed(candidates: Path) -> None:
    train_gan = load(ROOT / "params.yaml").train_gan
    select_generator(PARAMS, train_gan, Images(size_px=8, channels=1))
    selection = read_json(candidates / "data/generator/selection.json")
    assert selection["candidates"]["non_saturating"]["diversity_least"] == pytest.approx(0, abs=1e-3)
    assert selection["candidate"] == "relativistic"
    assert set(selection["classes"]) == {"cat", "dog"}
    assert sha256_of(candidates / "data/generator/generator.npz") == sha256_of(
        candidates / "data/generators/relativistic/generator.npz"
    )
    assert not (candidates / "data/generators/no_longer_named").exists()
