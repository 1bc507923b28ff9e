from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from PIL import Image

from tasks.report.filter import abstentions, draw_triples, filter_lines

BOUNDS = {"min_probability": 0.5, "min_distance": 0.8, "max_distance": 1.2}


def _filled(abstained: dict[str, Any] | None = None, **counts: int) -> dict[str, Any]:
    made = sum(counts.values())
    share = {"made": made, "accepted_share": round(counts["accepted"] / made, 4)}
    return {"bounds": BOUNDS, "counts": counts, **share, "abstained": abstained}


def _never_filled(code: str, **numbers: Any) -> dict[str, Any]:
    entry = {"bounds": None, "counts": {}, "made": 0, "accepted_share": None}
    return entry | {"abstained": {"code": code} | numbers}


FILTERED = {
    "2": _filled(accepted=9, copy=1),
    "3": _filled({"code": "min_acceptance", "min_acceptance": 0.2}, accepted=43, copy=85, unlikely=128),
    "4": _filled({"code": "max_generated", "max_generated": 2.5, "wanted": 200}, accepted=167, outlier=333),
    "5": _never_filled("min_images", real=4, min_images=5),
    "6": _never_filled("folds", differing=2, folds=3),
    "7": _never_filled("max_per_real", max_per_real=0.02, real=20),
    "8": _never_filled("refused", refused={"guard": "not_made"}),
}


def test_each_reason_is_a_sentence_with_its_numbers() -> None:
    assert abstentions(FILTERED) == {
        "3": "43 of 256 generated images were accepted (refused: 85 copy, 128 unlikely), a smaller share than "
        "synthesize.filter.min_acceptance 0.2",
        "4": "167 of 500 generated images were accepted (refused: 333 outlier), fewer than the 200 wanted: "
        "synthesize.filter.max_generated allows no more",
        "5": "4 real images, fewer than synthesize.min_images 5",
        "6": "2 real images that differ, fewer than synthesize.filter.folds 3",
        "7": "synthesize.max_per_real 0.02 allows 20 real images not one",
        "8": "the generator makes no images of it",
    }


def test_the_table_has_a_row_for_each_class_that_was_filled() -> None:
    lines = filter_lines({label: FILTERED[label] for label in ("2", "4")})
    assert "| 2 | 10 | 90% | 1 | 0 | 0 | 0.500 | 0.80 to 1.20 |  |" in lines
    assert lines[-1].startswith("| 4 | 500 | 33% | 0 | 0 | 333 | 0.500 | 0.80 to 1.20 | 167 of 500 generated")


def test_the_picture_shows_every_class_with_examples(tmp_path: Path) -> None:
    rng, outcomes = np.random.default_rng(0), ["accepted", "accepted", "copy", "outlier"]
    examples = pd.DataFrame(
        [(label, outcome, 0.5, 1.0) for label in ("cat", "dog", "gnu") for outcome in outcomes],
        columns=["label", "outcome", "probability", "distance"],
    )
    examples.to_csv(tmp_path / "examples.csv", index=False)
    images, nearest = rng.integers(0, 256, (2, len(examples), 8, 8, 1), np.uint8)
    np.savez(tmp_path / "examples.npz", images=images, nearest=nearest)
    draw_triples(tmp_path / "triples.png", tmp_path, classes=3)
    with Image.open(tmp_path / "triples.png") as picture:
        width, height = picture.size
    assert width > 800
    assert height > 3 * 150
