import pandas as pd

from tasks.evaluate import unmade


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
