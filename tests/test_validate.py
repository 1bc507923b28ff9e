import re
import shutil
from pathlib import Path

import pandas as pd
import pytest

from tasks.cleanup import cleanup
from tasks.dataset.manifest import read_manifest
from tasks.dataset.sources import refresh
from tasks.ingest import ingest
from tasks.support.errors import BadInput
from tasks.support.files import read_json, sha256_of
from tasks.support.params import Cleanup, Folder, Ingest, Validate
from tasks.validate import validate

PARAMS = Validate(min_per_class=20, max_defect_share=0.2, max_zero_byte_share=0.1)


def _ingest(source: Path) -> None:
    params = Ingest(source=Folder(kind="folder", path=str(source)))
    refresh(params.source)
    ingest(params)


def _spoil(source: Path) -> None:
    good = (source / "bird/05.png").read_bytes()
    (source / "bird/zero.png").touch()
    (source / "bird/text.png").write_text("not an image at all")
    (source / "bird/half.png").write_bytes(good[: len(good) // 2])


def test_three_defects_go_to_the_quarantine_with_reasons(project: Path, class_folders: Path) -> None:
    _spoil(class_folders)
    _ingest(class_folders)
    raw = sha256_of(project / "data/raw")
    validate(PARAMS)
    cleanup(Cleanup(max_quarantined=10))
    quarantine = pd.read_csv(project / "data/clean/quarantine.csv")
    assert dict(zip(quarantine["path"], quarantine["reason"], strict=True)) == {
        "data/raw/bird/half.png": "truncated",
        "data/raw/bird/text.png": "not_an_image",
        "data/raw/bird/zero.png": "zero_byte",
    }
    clean = read_manifest(project / "data/clean")
    assert clean.groupby("label").size().to_dict() == {"bird": 30, "cat": 30}
    assert clean["defect"].isna().all()
    assert sha256_of(project / "data/raw") == raw


def test_counts_are_right_in_the_checks_and_in_data_docs(project: Path, class_folders: Path) -> None:
    _spoil(class_folders)
    _ingest(class_folders)
    validate(PARAMS)
    counts = pd.read_csv(project / "data/manifest/counts.csv", index_col="label")
    assert counts.loc["bird"].to_dict() == {
        "files": 33,
        "good": 30,
        "zero_byte": 1,
        "not_an_image": 1,
        "truncated": 1,
        "defect_share": pytest.approx(3 / 33),
    }
    observed = {row["column"]: row["observed"] for row in read_json(project / "data/manifest/checks.json")}
    assert (observed["zero_byte"], observed["not_an_image"], observed["truncated"]) == (1, 1, 1)
    (page,) = (project / "data_docs/validations/raw_classes").rglob("*.html")
    words = " ".join(re.sub(r"<[^>]+>", " ", page.read_text()).split())
    for defect, most in (("zero_byte", 6), ("not_an_image", 0), ("truncated", 0)):
        assert f"{defect} Status Expectation Observed Value sum must be less than or equal to {most}.0 . 1" in words


def test_the_manifest_describes_each_file(project: Path, class_folders: Path) -> None:
    _ingest(class_folders)
    validate(PARAMS)
    rows = read_manifest(project / "data/manifest")
    assert len(rows) == 60
    row = rows.iloc[0]
    assert (row["path"], row["label"]) == ("data/raw/bird/00.png", "bird")
    assert (row["format"], row["width"], row["height"], row["mode"]) == ("PNG", 8, 8, "L")
    assert row["sha256"] == sha256_of(project / "data/raw/bird/00.png")
    assert len(row["phash"]) == 16


def test_equal_files_give_equal_bytes(project: Path, class_folders: Path) -> None:
    _ingest(class_folders)
    validate(PARAMS, out=project / "data/one")
    validate(PARAMS, out=project / "data/two")
    assert sha256_of(project / "data/one") == sha256_of(project / "data/two")


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"min_per_class": 31}, r'class "bird" has 30 good images; expected at least 31'),
        ({"max_defect_share": 0.05}, r'class "bird": 9% of its 33 files have a defect; expected at most 5%'),
        ({"max_zero_byte_share": 0.0}, r"1 of 63 files hold no byte; expected at most 0%"),
    ],
)
def test_a_fatal_breach_stops_with_its_sentence(
    project: Path, class_folders: Path, changed: dict[str, float], message: str
) -> None:
    _spoil(class_folders)
    _ingest(class_folders)
    with pytest.raises(BadInput, match=message):
        validate(PARAMS.model_copy(update=changed))
    assert not (project / "data/manifest").exists()
    assert (project / "data_docs/index.html").exists()


@pytest.mark.usefixtures("project")
def test_too_full_a_quarantine_stops(class_folders: Path) -> None:
    _spoil(class_folders)
    _ingest(class_folders)
    validate(PARAMS)
    with pytest.raises(BadInput, match="3 of 63 files would go to the quarantine; expected at most 2"):
        cleanup(Cleanup(max_quarantined=2))


def test_one_class_is_not_enough(project: Path, class_folders: Path) -> None:
    shutil.rmtree(class_folders / "cat")
    _ingest(class_folders)
    with pytest.raises(BadInput, match="holds 1 class; expected two or more"):
        validate(PARAMS)
    assert not (project / "data/manifest").exists()
