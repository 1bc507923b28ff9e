import hashlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tasks.core.files import read_json
from tasks.core.params import Shares, Split
from tasks.data.manifest import read_manifest, write_manifest
from tasks.split import assign, exclude_look_alikes, split
from tasks.support.errors import BadInput
from tests.bringing import SHIPPED

PARAMS = Split(
    seed=0,
    shares=Shares(train=0.5, validation=0.2),
    keep={"rare": 0.25},
    min_per_class=3,
    share_tolerance=0.1,
)


def _split(params: Split, clean: Path, out: Path) -> None:
    split(replace(SHIPPED, split=params), out, clean=clean)


def _rows(count: int) -> pd.DataFrame:
    hashes = [hashlib.sha256(str(number).encode()).hexdigest() for number in range(count)]
    labels = np.where(np.arange(count) % 2, "rare", "common")
    rows = pd.DataFrame({"path": [f"{h}.png" for h in hashes], "label": labels, "sha256": hashes, "group": hashes})
    return rows.assign(source_split=pd.Series(None, rows.index, dtype="str"))


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
    assert shares["withheld"] == pytest.approx(0.5 * 0.75, abs=0.02)
    assert shares["withheld_validation"] == pytest.approx(0.2 * 0.75, abs=0.02)
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


@pytest.mark.usefixtures("project")
def test_writes_equal_bytes_whatever_the_order_of_rows(tmp_path: Path) -> None:
    rows = _rows(400)
    for name, ordered in (("a", rows), ("b", rows[::-1])):
        (tmp_path / name).mkdir()
        write_manifest(tmp_path / name, ordered)
        _split(PARAMS, tmp_path / name, tmp_path / f"split-{name}")
    manifests = [(tmp_path / f"split-{name}" / "manifest.parquet").read_bytes() for name in "ab"]
    assert manifests[0] == manifests[1]
    assert len(read_manifest(tmp_path / "split-a")) == 400


def test_an_unknown_class_in_keep_is_named_with_the_known_ones(tmp_path: Path) -> None:
    write_manifest(tmp_path, _rows(400))
    with pytest.raises(BadInput, match=r"keep names class raer, .* expected one of common, rare"):
        _split(PARAMS.model_copy(update={"keep": {"raer": 0.5}}), tmp_path, tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.usefixtures("project")
def test_a_class_too_small_in_a_split_is_named(tmp_path: Path) -> None:
    write_manifest(tmp_path, _rows(60))
    with pytest.raises(BadInput, match=r'class "common" has \d+ (train|validation) images; split needs 30'):
        _split(PARAMS.model_copy(update={"min_per_class": 30, "keep": {}}), tmp_path, tmp_path / "out")


def _with_look_alikes(rows: pd.DataFrame) -> pd.DataFrame:
    """Rows in groups of three, of the class of the first."""
    leaders = np.arange(len(rows)) // 3 * 3
    return rows.assign(group=rows["group"].to_numpy()[leaders], label=rows["label"].to_numpy()[leaders])


def test_of_look_alikes_test_keeps_its_members_before_validation_before_train() -> None:
    rows = _with_look_alikes(_rows(2_400))
    plain = assign(rows, PARAMS)
    apart = exclude_look_alikes(plain)
    for (_, before), (_, after) in zip(plain.groupby("group"), apart.groupby("group"), strict=True):
        first = next(name for name in ("test", "validation", "") if name in set(before["split"]) or not name)
        stays = before["split"] == first if first else ~before["split"].isin(["test", "validation"])
        assert (after.loc[stays, "split"] == before.loc[stays, "split"]).all()
        assert (after.loc[~stays, "split"] == "excluded").all()
        assert (after.loc[~stays, "reason"] == f"near_duplicate_of_{first}").all()
        assert after.loc[stays, "reason"].isna().all()
    assert apart["reason"].value_counts().to_dict().keys() == {
        "near_duplicate_of_test",
        "near_duplicate_of_validation",
    }


def test_a_new_look_alike_moves_no_image_that_measures() -> None:
    rows = _with_look_alikes(_rows(3_000))
    few = exclude_look_alikes(assign(rows.iloc[::2], PARAMS))
    all_rows = exclude_look_alikes(assign(rows, PARAMS)).set_index("path")["split"]
    tested = few[few["split"] == "test"]
    assert (all_rows[tested["path"]] == "test").all()
    assert set(all_rows[few.loc[few["split"] == "validation", "path"]]) == {"validation", "excluded"}


def test_a_split_that_the_source_gives_is_kept(project: Path) -> None:
    own = np.array(["train_or_validation", "test"])[np.arange(4_000) % 3 // 2]
    write_manifest(project, _rows(4_000).assign(source_split=own))
    _split(PARAMS.model_copy(update={"keep": {}}), project, project / "out")
    rows = read_manifest(project / "out")
    assert (rows.loc[rows["source_split"] == "test", "split"] == "test").all()
    drawn = rows.loc[rows["source_split"] == "train_or_validation", "split"].value_counts(normalize=True)
    assert drawn.to_dict() == {"train": pytest.approx(5 / 7, abs=0.03), "validation": pytest.approx(2 / 7, abs=0.03)}


def test_copies_that_the_source_puts_into_two_splits_stay_in_test_only(project: Path) -> None:
    rows = _rows(3_000)
    both = pd.concat([rows.assign(source_split="train"), rows.assign(source_split="test", path="t-" + rows["path"])])
    write_manifest(project, both)
    with pytest.raises(BadInput, match="has 0 train images"):
        _split(PARAMS, project, project / "out")
    refused = read_manifest(project / ".state/refused/out")
    assert set(refused["split"]) == {"test", "excluded"}
    assert (refused.loc[refused["source_split"] == "train", "reason"] == "near_duplicate_of_test").all()
    hashes = {row["table"]: row["passed"] for row in read_json(project / ".state/refused/out/checks.json")}
    assert hashes["split_hashes"]
    assert hashes["split_groups"]


def test_shares_off_their_aim_are_reported(project: Path, caplog: pytest.LogCaptureFixture) -> None:
    write_manifest(project, _rows(400))
    _split(PARAMS.model_copy(update={"share_tolerance": 0.0}), project, project / "out")
    assert "of the images; expected 50.0% within 0.0% (split.share_tolerance)" in caplog.text
