import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from PIL import Image

from tasks.cleanup import cleanup, group_names
from tasks.core.files import sha256_of
from tasks.core.params import Cleanup, load
from tasks.data.manifest import read_manifest
from tasks.support.errors import BadInput
from tasks.validate import validate
from tests.bringing import bring, files
from tests.parameters import ROOT

PARAMS = load(ROOT)
QUALITY = PARAMS.validate.quality.model_copy(update={"max_pixels": 10_000, "min_contrast": 0.0})
VALIDATE = PARAMS.validate.model_copy(
    update={"classes": None, "quality": QUALITY, "max_defect_share": 1.0, "max_zero_byte_share": 1.0}
)
CLEANUP = Cleanup(near_duplicate_bits=2, max_quarantined=20, min_per_class=20, max_imbalance=3.0)
CLEAN, MANIFEST = Path("data/clean"), Path("data/manifest")


def _cleaned(source: Path, **changed: Any) -> Path:
    bring(files(source))
    params = replace(PARAMS, validate=VALIDATE, cleanup=CLEANUP.model_copy(update=changed))
    validate(params, MANIFEST, raw=Path("data/raw"))
    cleanup(params, CLEAN, manifest=MANIFEST)
    return CLEAN


def _spoil(source: Path) -> None:
    good = (source / "bird/05.png").read_bytes()
    (source / "bird/zero.png").touch()
    (source / "bird/text.png").write_text("not an image at all")
    (source / "bird/half.png").write_bytes(good[: len(good) // 2])
    Image.new("L", (101, 101)).save(source / "cat/large.png")


def test_defects_go_to_the_quarantine_with_reasons_and_raw_files_stay(project: Path, class_folders: Path) -> None:
    _spoil(class_folders)
    clean = read_manifest(_cleaned(class_folders))
    quarantine = pd.read_csv(project / "data/clean/quarantine.csv")
    assert dict(zip(quarantine["path"], quarantine["reason"], strict=True)) == {
        "data/raw/bird/half.png": "truncated",
        "data/raw/bird/text.png": "not_an_image",
        "data/raw/bird/zero.png": "zero_byte",
        "data/raw/cat/large.png": "too_large",
    }
    assert clean.groupby("label").size().to_dict() == {"bird": 30, "cat": 30}
    assert clean["defect"].isna().all()
    for path in (project / "data/raw/bird").glob("*.png"):
        assert path.read_bytes() == (class_folders / "bird" / path.name).read_bytes()


def test_the_output_is_data_alone_with_equal_bytes(project: Path, class_folders: Path) -> None:
    _spoil(class_folders)
    first = _cleaned(class_folders)
    assert {path.name for path in first.iterdir()} == {"checks.json", "manifest.parquet", "quarantine.csv"}
    before = sha256_of(first)
    shutil.rmtree(first)
    cleanup(replace(PARAMS, cleanup=CLEANUP), CLEAN, manifest=MANIFEST)
    assert sha256_of(project / "data/clean") == before


def test_look_alikes_share_a_group_named_by_content(class_folders: Path, project: Path) -> None:
    for label, number in (("cat", 1), ("bird", 2)):
        image = Image.open(class_folders / f"{label}/0{number}.png")
        image.resize((16, 16), Image.Resampling.NEAREST).save(class_folders / f"{label}/large.png")
    shutil.copy(class_folders / "cat/03.png", class_folders / "cat/copy.png")
    rows = read_manifest(_cleaned(class_folders)).set_index("path")
    for one, other in (("cat/01", "cat/large"), ("bird/02", "bird/large"), ("cat/03", "cat/copy")):
        pair = rows.loc[[f"data/raw/{one}.png", f"data/raw/{other}.png"]]
        assert pair["group"].tolist() == [pair["sha256"].min()] * 2
    assert rows["group"].nunique() == len(rows) - 3
    assert not (project / "data/clean/quarantine.csv").read_text().splitlines()[1:]


@pytest.mark.parametrize("near_bits", [None, 0])
def test_equal_files_with_two_labels_are_quarantined(project: Path, class_folders: Path, near_bits: int | None) -> None:
    shutil.copy(class_folders / "cat/03.png", class_folders / "bird/copy.png")
    clean = read_manifest(_cleaned(class_folders, near_duplicate_bits=near_bits))
    quarantine = pd.read_csv(project / "data/clean/quarantine.csv")
    assert quarantine["path"].tolist() == ["data/raw/bird/copy.png", "data/raw/cat/03.png"]
    assert set(quarantine["reason"]) == {"conflicting_labels"}
    assert quarantine["group"].nunique() == 1
    assert len(clean) == 59


def test_a_group_has_the_least_hash_of_its_members() -> None:
    rows = pd.DataFrame({"sha256": [f"{n:064x}" for n in (9, 3, 5, 7)], "phash": [f"{n:016x}" for n in (1, 3, 7, 240)]})
    assert group_names(rows, 1).tolist() == [f"{3:064x}"] * 3 + [f"{7:064x}"]
    assert group_names(rows, 0).tolist() == rows["sha256"].tolist()
    assert group_names(rows, None).tolist() == rows["sha256"].tolist()


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"min_per_class": 31}, 'class "bird" has 30 good images; expected at least 31'),
        ({"max_quarantined": 3}, "4 of 64 files go to the quarantine; expected at most 3"),
        ({"max_imbalance": 1.0, "min_per_class": 1}, r"the largest class has 1\.1 times the images of the smallest"),
    ],
)
def test_a_fatal_breach_stops_and_keeps_what_was_found(
    project: Path, class_folders: Path, changed: dict[str, Any], message: str
) -> None:
    _spoil(class_folders)
    if "max_imbalance" in changed:
        for number in (1, 2):
            (class_folders / f"bird/0{number}.png").unlink()
    with pytest.raises(BadInput, match=message):
        _cleaned(class_folders, **changed)
    assert not (project / "data/clean").exists()
    assert len(pd.read_csv(project / ".state/refused/clean/quarantine.csv")) == 4


def test_a_class_without_a_good_image_is_named(class_folders: Path, project: Path) -> None:
    for path in (class_folders / "bird").iterdir():
        path.write_bytes(b"")
    with pytest.raises(BadInput, match='class "bird" has 0 good images; expected at least 20'):
        _cleaned(class_folders, max_quarantined=60)
    for path in (class_folders / "cat").iterdir():
        path.write_bytes(b"")
    with pytest.raises(BadInput, match=r'class "bird" has 0 good images.*; class "cat" has 0 good images'):
        _cleaned(class_folders, max_quarantined=60)
    assert len(pd.read_csv(project / ".state/refused/clean/quarantine.csv")) == 60
