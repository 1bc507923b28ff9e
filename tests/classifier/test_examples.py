from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from tasks.classifier.examples import read_examples, training_rows
from tasks.core.params import Images, load
from tasks.data.images import write_image
from tests.classifier.examples import arm, made
from tests.parameters import ROOT

ROWS = pd.DataFrame(
    [
        ("r0", "cat", "train", None),
        ("r1", "dog", "train", None),
        ("r2", "dog", "train", None),
        ("w0", "dog", "withheld", None),
        ("v0", "dog", "validation", None),
        ("t0", "dog", "test", None),
        ("s0", "dog", "train", "g"),
        ("s1", "dog", "train", "g"),
        ("s2", "dog", "train", "g"),
        ("u0", "dog", "unfiltered", "g"),
    ],
    columns=["path", "label", "split", "generator"],
)


def test_an_arm_without_synthetic_images_learns_from_train_and_the_oracle_from_withheld_ones_as_well() -> None:
    real = ROWS[ROWS["generator"].isna()]
    assert training_rows(real, arm())["path"].tolist() == ["r0", "r1", "r2"]
    assert training_rows(real, arm(withheld=True))["path"].tolist() == ["r0", "r1", "r2", "w0"]


def test_synthetic_images_are_filtered_ones_or_the_first_that_were_made() -> None:
    assert training_rows(ROWS, arm(**made()))["path"].tolist() == ["r0", "r1", "r2", "s0", "s1", "s2"]
    assert training_rows(ROWS, arm(**made(filtered=False)))["path"].tolist() == ["r0", "r1", "r2", "u0"]


def test_a_twin_has_real_images_of_the_class_in_place_of_synthetic_ones() -> None:
    rows = training_rows(ROWS, arm(**made(twin=True)))
    taken = rows[rows["generator"].notna()]
    assert taken["label"].tolist() == ["dog"] * 3
    assert set(taken["path"]) <= {"r1", "r2"}
    pd.testing.assert_frame_equal(rows, training_rows(ROWS, arm(**made(twin=True))))


def test_examples_are_read_in_the_size_that_classifiers_see(tmp_path: Path) -> None:
    paths = [str(tmp_path / f"{number}.png") for number in range(2)]
    for number, path in enumerate(paths):
        write_image(Path(path), np.full((8, 8, 1), 100 * number, np.uint8))
    rows = pd.DataFrame({"path": paths, "label": ["dog", "cat"], "generator": [None, "g"]})
    params = load(ROOT)
    small = replace(params, images=Images(size_px=8, channels=3), train=params.train.model_copy(update={"size_px": 16}))
    examples = read_examples(rows, ["cat", "dog"], small)
    assert examples.images.shape == (2, 16, 16, 3)
    assert examples.images[1].mean() == 100
    assert (examples.labels.tolist(), examples.synthetic.tolist()) == ([1, 0], [False, True])
    assert not read_examples(rows.drop(columns="generator"), ["cat", "dog"], small).synthetic.any()
