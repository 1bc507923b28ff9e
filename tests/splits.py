"""A split of two classes of noise; which of its image files exist is up to the test."""

from pathlib import Path

import numpy as np
import pandas as pd

from tasks.data.images import write_image
from tasks.data.manifest import write_manifest

CLASSES, EACH = ("cat", "dog"), 8


def write_split(folder: Path) -> None:
    """Write a manifest with 8 rows for each class in each of train, validation, test and withheld."""
    rows = [
        {
            "path": (path := _path(label, split, number)),
            "sha256": f"of {path}",
            "label": label,
            "split": split,
            "natural_test": split == "test" and number % 2 == 0,
            "reason": None,
        }
        for label in CLASSES
        for split in ("train", "validation", "test", "withheld")
        for number in range(EACH)
    ]
    folder.mkdir(parents=True)
    write_manifest(folder, pd.DataFrame(rows))


def draw_images(*splits: str) -> None:
    """Write the 8x8 images of some of these, below the current folder."""
    rng = np.random.default_rng(0)
    for label in CLASSES:
        (Path("data/raw") / label).mkdir(parents=True, exist_ok=True)
        for split in splits:
            for number in range(EACH):
                write_image(Path(_path(label, split, number)), rng.integers(0, 256, (8, 8, 1), np.uint8))


def _path(label: str, split: str, number: int) -> str:
    return f"data/raw/{label}/{split}-{number}.png"
