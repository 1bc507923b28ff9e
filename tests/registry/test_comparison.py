from pathlib import Path

import pandas as pd
import pytest

from tasks.core.params import Images
from tasks.registry.comparison import objection
from tasks.registry.packaging import Package, Unusable
from tests.evaluated import ROWS, save_generator

IMAGES = Images(size_px=8, channels=1)


@pytest.fixture
def champion(tmp_path: Path) -> Package:
    """A champion that has seen the images of ROWS in train and validation."""
    save_generator(tmp_path, ROWS, ["cat", "dog"], seed=0)
    return Package("1", tmp_path, tmp_path, (8, 8, 1), threads=1, requirements="")


def _today(**splits: str) -> pd.DataFrame:
    """The rows with other splits for some images."""
    return ROWS.assign(split=ROWS["sha256"].map(splits).fillna(ROWS["split"]))


def test_on_the_data_it_was_made_of_it_can_be_compared(champion: Package) -> None:
    assert objection(champion, ROWS, IMAGES) is None
    fewer = ROWS[ROWS["sha256"] != "cat0"]
    assert objection(champion, fewer, IMAGES) is None
    assert objection(champion, _today(cat3="train"), IMAGES) is None  # an image that it has not seen


def test_it_must_not_have_seen_test_images(champion: Package) -> None:
    reason = objection(champion, _today(cat0="test", dog2="test"), IMAGES)
    assert reason == "has seen 2 images that are, or look like, some of today's 6 test images"


def test_it_must_not_have_seen_look_alikes_of_test_images(champion: Package) -> None:
    today = _today(cat0="excluded").assign(group=ROWS["sha256"].replace({"cat0": "cat3"}))
    assert objection(champion, today, IMAGES) == (
        "has seen 1 images that are, or look like, some of today's 4 test images"
    )


@pytest.mark.parametrize("split", ["withheld", "withheld_validation"])
def test_it_must_not_have_seen_images_that_arms_have_to_do_without(champion: Package, split: str) -> None:
    assert objection(champion, _today(dog1=split), IMAGES) == (
        "has seen 1 images that today's arms have to do without (split.keep)"
    )


def test_it_is_of_the_same_classes_size_and_data(champion: Package) -> None:
    other = ROWS.replace({"label": {"dog": "emu"}})
    assert objection(champion, other, IMAGES) == "is of other classes than today's data, which differ in dog, emu"
    assert objection(champion, ROWS, Images(size_px=16, channels=3)) == (
        "makes images of 8 px with 1 channels, and today's have 16 px with 3"
    )
    assert str(objection(champion, ROWS.assign(sha256="other " + ROWS["sha256"]), IMAGES)).startswith(
        "is of other data: it has seen none of today's images"
    )


def test_without_a_list_of_what_it_has_seen_there_is_no_comparison(champion: Package) -> None:
    seen = champion.files / "seen.csv"
    seen.write_text("path\nof an earlier format\n")
    for _ in range(2):
        with pytest.raises(Unusable, match=r"version 1 has no seen\.csv that lists the images it has seen"):
            objection(champion, ROWS, IMAGES)
        seen.unlink(missing_ok=True)
