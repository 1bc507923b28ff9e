from pathlib import Path

import pandas as pd
import pytest

from tasks.core.files import write_json
from tasks.evaluate import check_labels, unmade
from tasks.support.errors import BadInput


def _balance(*rows: tuple[str, int, str]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["label", "synthetic", "abstained"])


def test_each_class_that_should_have_images_and_has_none_is_told_with_the_reason() -> None:
    few = "12 real images, fewer than synthesize.min_images 50"
    sentence = f"No images of class emu were made: {few}."
    assert unmade(_balance(("cat", 0, ""), ("dog", 9, ""), ("emu", 0, few))) == (None, [sentence])
    assert unmade(_balance(("cat", 0, ""), ("emu", 0, few))) == ("No class could be synthesised.", [sentence])


def test_balanced_classes_and_filled_ones_have_nothing_to_tell() -> None:
    assert unmade(_balance(("cat", 0, ""), ("dog", 9, ""))) == (None, [])
    assert unmade(_balance(("cat", 0, ""), ("dog", 0, ""))) == ("The classes are balanced: nothing to synthesise.", [])


def test_classifiers_that_number_the_classes_otherwise_are_refused(tmp_path: Path) -> None:
    for name, classes in (("one", ["cat", "dog"]), ("two", ["dog", "cat"])):
        (tmp_path / name).mkdir()
        write_json(tmp_path / name / "classes.json", classes)
    check_labels(tmp_path, ["one"], ["cat", "dog"])
    with pytest.raises(BadInput, match=r"classifier two numbers the classes dog, cat; the data has cat, dog: train it"):
        check_labels(tmp_path, ["one", "two"], ["cat", "dog"])
