import hashlib
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tasks.dataset.manifest import read_manifest, write_manifest
from tasks.split import assign, split
from tasks.support.errors import BadInput
from tasks.support.params import Shares, Split

PARAMS = Split(seed=0, shares=Shares(train=0.5, validation=0.2, test=0.3), keep={"rare": 0.25}, min_per_class=3)


def _rows(count: int) -> pd.DataFrame:
    hashes = [hashlib.sha256(str(number).encode()).hexdigest() for number in range(count)]
    labels = np.where(np.arange(count) % 2, "rare", "common")
    return pd.DataFrame({"path": [f"{h}.png" for h in hashes], "label": labels, "sha256": hashes})


def test_shares_are_about_those_asked_for() -> None:
    rows = assign(_rows(20_000), PARAMS)
    common = rows[rows["label"] == "common"]["split"].value_counts(normalize=True)
    assert common["train"] == pytest.approx(0.5, abs=0.02)
    assert common["validation"] == pytest.approx(0.2, abs=0.02)
    assert common["test"] == pytest.approx(0.3, abs=0.02)


def test_keep_thins_train_and_validation_but_never_test() -> None:
    rows = assign(_rows(20_000), PARAMS)
    shares = rows[rows["label"] == "rare"]["split"].value_counts(normalize=True)
    assert shares["train"] == pytest.approx(0.5 * 0.25, abs=0.02)
    assert shares["validation"] == pytest.approx(0.2 * 0.25, abs=0.02)
    assert shares["test"] == pytest.approx(0.3, abs=0.02)
    assert "withheld" not in set(rows[rows["label"] == "common"]["split"])


def test_the_natural_test_set_has_the_same_imbalance() -> None:
    rows = assign(_rows(20_000), PARAMS)
    test = rows[rows["split"] == "test"]
    share = test.groupby("label")["natural_test"].mean()
    assert share["common"] == 1
    assert share["rare"] == pytest.approx(0.25, abs=0.03)
    assert not rows.loc[rows["split"] != "test", "natural_test"].any()


def test_growing_data_moves_nothing() -> None:
    small, large = assign(_rows(500), PARAMS), assign(_rows(5_000), PARAMS)
    merged = small.merge(large, on="path")
    assert len(merged) == 500
    assert (merged["split_x"] == merged["split_y"]).all()


def test_exact_duplicates_are_always_together() -> None:
    rows = _rows(2_000)
    copies = rows.assign(path="copy-" + rows["path"])
    both = assign(pd.concat([rows, copies], ignore_index=True), PARAMS)
    assert (both.groupby(["sha256", "label"])["split"].nunique() == 1).all()


def test_another_seed_gives_another_split() -> None:
    first, second = (assign(_rows(2_000), PARAMS.model_copy(update={"seed": seed})) for seed in (0, 1))
    assert 0.3 < (first["split"] == second["split"]).mean() < 0.7


def test_writes_equal_bytes_whatever_the_order_of_rows(tmp_path: Path) -> None:
    rows = _rows(400)
    for name, ordered in (("a", rows), ("b", rows[::-1])):
        (tmp_path / name).mkdir()
        write_manifest(tmp_path / name, ordered)
        split(PARAMS, clean=tmp_path / name, out=tmp_path / f"split-{name}")
    manifests = [(tmp_path / f"split-{name}" / "manifest.parquet").read_bytes() for name in "ab"]
    assert manifests[0] == manifests[1]
    assert len(read_manifest(tmp_path / "split-a")) == 400


def test_an_unknown_class_in_keep_is_named_with_the_known_ones(tmp_path: Path) -> None:
    write_manifest(tmp_path, _rows(400))
    with pytest.raises(BadInput, match=r"keep names class raer, .* expected one of common, rare"):
        split(PARAMS.model_copy(update={"keep": {"raer": 0.5}}), clean=tmp_path, out=tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_class_too_small_in_a_split_is_named(tmp_path: Path) -> None:
    write_manifest(tmp_path, _rows(60))
    with pytest.raises(BadInput, match=r'class "common" has \d+ (train|validation) images; split needs 30'):
        split(PARAMS.model_copy(update={"min_per_class": 30, "keep": {}}), clean=tmp_path, out=tmp_path / "out")
