import re
import shutil
from dataclasses import replace
from html import unescape
from pathlib import Path

import pandas as pd
import pytest
from PIL import Image

from tasks.core.files import read_json, sha256_of
from tasks.core.params import Quality, Validate
from tasks.data.manifest import read_manifest
from tasks.data.quality import DEFECTS
from tasks.support.errors import BadInput
from tasks.validate import validate
from tests.bringing import SHIPPED, bring, files

QUALITY = Quality(
    quarantine=["zero_byte", "not_an_image", "too_large", "truncated", "unsupported_mode", "dark"],
    max_pixels=10_000,
    min_side_px=8,
    max_aspect=4.0,
    min_brightness=0.05,
    max_brightness=0.95,
    min_contrast=0.02,
)
PARAMS = Validate(classes=None, quality=QUALITY, max_defect_share=0.2, max_zero_byte_share=0.1)


def _validate(params: Validate = PARAMS, out: Path = Path("data/manifest")) -> None:
    validate(replace(SHIPPED, validate=params), out, raw=Path("data/raw"))


def _spoil(source: Path) -> None:
    good = (source / "bird/05.png").read_bytes()
    (source / "bird/zero.png").touch()
    (source / "bird/text.png").write_text("not an image at all")
    (source / "bird/half.png").write_bytes(good[: len(good) // 2])


def test_counts_are_right_in_the_checks_and_in_data_docs(project: Path, class_folders: Path) -> None:
    _spoil(class_folders)
    bring(files(class_folders))
    _validate()
    counts = pd.read_csv(project / "data/manifest/counts.csv", index_col="label").loc["bird"]
    assert (counts["files"], counts["good"], counts["defect_share"]) == (33, 30, pytest.approx(3 / 33))
    assert {name: count for name, count in counts.items() if name in DEFECTS and count} == {
        "zero_byte": 1,
        "not_an_image": 1,
        "truncated": 1,
    }
    rows = read_json(project / "data/manifest/checks.json")
    observed = {row["column"]: row["observed"] for row in rows}
    assert (observed["zero_byte"], observed["not_an_image"], observed["truncated"]) == (1, 1, 1)
    (truncated,) = (row for row in rows if row["column"] == "truncated")
    assert truncated["sentences"] == ["1 of 63 files are truncated; they go to the quarantine"]
    assert not truncated["fatal"]
    (page,) = (project / "data_docs/validations/raw_classes").rglob("*.html")
    words = " ".join(re.sub(r"<[^>]+>", " ", page.read_text()).split())
    suite = unescape((project / "data_docs/expectations/raw_classes.html").read_text())
    assert 'class "[label]": [defect_share] of its [files] files have a defect; expected at most 20%' in suite
    for defect, most in (("zero_byte", 6), ("not_an_image", 0), ("truncated", 0)):
        assert f"{defect} Status Expectation Observed Value sum must be less than or equal to {most}.0 . 1" in words


def test_what_quarantines_and_what_warns_is_a_parameter(project: Path, class_folders: Path) -> None:
    for name, grey in (("black", 0), ("white", 255)):
        Image.new("L", (8, 8), grey).save(class_folders / f"cat/{name}.png")
    bring(files(class_folders))
    _validate()
    rows = read_manifest(project / "data/manifest").set_index("path")
    assert rows.loc["data/raw/cat/black.png", ["defect", "warnings"]].tolist() == ["dark", "low_information"]
    assert pd.isna(rows.loc["data/raw/cat/white.png", "defect"])
    assert rows.loc["data/raw/cat/white.png", "warnings"] == "bright,low_information"
    counts = pd.read_csv(project / "data/manifest/counts.csv", index_col="label").loc["cat"]
    assert (counts["dark"], counts["bright"], counts["low_information"], counts["good"]) == (1, 1, 2, 31)


def test_many_files_are_measured_by_processes_with_the_same_result(
    project: Path, class_folders: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bring(files(class_folders))
    _validate(out=project / "data/one")
    monkeypatch.setattr("tasks.data.quality.SHARD", 7)
    _validate(out=project / "data/two")
    assert sha256_of(project / "data/one") == sha256_of(project / "data/two")


def test_the_manifest_describes_each_file(project: Path, class_folders: Path) -> None:
    bring(files(class_folders))
    _validate()
    rows = read_manifest(project / "data/manifest")
    assert len(rows) == 60
    row = rows.iloc[0]
    assert (row["path"], row["label"], row["origin"]) == ("data/raw/bird/00.png", "bird", "bird/00.png")
    assert (row["format"], row["width"], row["height"], row["mode"]) == ("PNG", 8, 8, "L")
    assert row["sha256"] == sha256_of(project / "data/raw/bird/00.png")
    assert len(row["phash"]) == 16


def test_equal_files_give_equal_bytes(project: Path, class_folders: Path) -> None:
    bring(files(class_folders))
    _validate(out=project / "data/one")
    _validate(out=project / "data/two")
    assert sha256_of(project / "data/one") == sha256_of(project / "data/two")


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"max_defect_share": 0.05}, r'class "bird": 9% of its 33 files have a defect; expected at most 5%'),
        ({"max_zero_byte_share": 0.0}, r"1 of 63 files hold no byte; expected at most 0%"),
        ({"classes": ["cat"]}, r'data/raw/bird/00\.png has the class "bird"; expected one of cat'),
    ],
)
def test_a_fatal_breach_stops_with_its_sentence_and_keeps_what_was_found(
    project: Path, class_folders: Path, changed: dict[str, object], message: str
) -> None:
    _spoil(class_folders)
    bring(files(class_folders))
    with pytest.raises(BadInput, match=message):
        _validate(PARAMS.model_copy(update=changed))
    assert not (project / "data/manifest").exists()
    assert (project / "data_docs/index.html").exists()
    assert len(read_manifest(project / ".state/refused/manifest")) == 63
    _validate()
    assert not (project / ".state/refused/manifest").exists()


@pytest.mark.usefixtures("project")
@pytest.mark.parametrize("limit", ["max_defect_share", "max_zero_byte_share"])
def test_exactly_the_share_that_is_allowed_passes(class_folders: Path, limit: str) -> None:
    for label in ("bird", "cat"):
        for number in range(30, 100):
            shutil.copy(class_folders / label / "05.png", class_folders / label / f"{number:02d}.png")
        for number in range(29):
            (class_folders / label / f"{number:02d}.png").write_bytes(b"")
    bring(files(class_folders))
    allowed = PARAMS.model_copy(update={"max_defect_share": 1.0, "max_zero_byte_share": 1.0, limit: 0.29})
    _validate(allowed)
    with pytest.raises(BadInput, match="expected at most 28%"):
        _validate(allowed.model_copy(update={limit: 0.28}))


def test_one_class_is_not_enough(project: Path, class_folders: Path) -> None:
    shutil.rmtree(class_folders / "cat")
    bring(files(class_folders))
    with pytest.raises(BadInput, match="holds 1 class; expected two or more"):
        _validate()
    assert not (project / "data/manifest").exists()


def test_data_docs_keep_the_last_results_only(
    project: Path, class_folders: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = 2
    monkeypatch.setattr("tasks.support.expectations.KEPT", kept)
    bring(files(class_folders))
    for _ in range(kept + 2):
        _validate()
    pages = list((project / "data_docs/validations/raw_classes").rglob("*.html"))
    stored = list((project / ".state/expectations/gx/uncommitted/validations/raw_classes").rglob("*.json"))
    assert len(pages) == len(stored) == kept
    index = (project / "data_docs/index.html").read_text()
    shutil.rmtree(project / "data_docs")
    _validate()
    assert (project / "data_docs/index.html").exists()
    assert {page.name for page in pages} <= set(re.findall(r"[\w.-]+\.html", index))


@pytest.mark.usefixtures("project")
def test_a_class_that_should_be_there_is_missed(class_folders: Path) -> None:
    bring(files(class_folders))
    with pytest.raises(BadInput, match=r"no file has the class dog, \{x\}, which validate\.classes names"):
        _validate(PARAMS.model_copy(update={"classes": ["cat", "{x}", "bird", "dog"]}))
