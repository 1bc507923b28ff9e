import numpy as np
import pytest

from tasks.gan.parts import parts_of
from tests.gan.candidates import CONDITIONAL, DCGAN

LABELS = np.array([0, 0, 0, 1, 1, 1, 1, 1, 2, 2], np.int32)
CLASSES = ["cat", "dog", "emu"]


def test_a_conditional_is_one_gan_of_all_classes() -> None:
    (part,) = parts_of(CONDITIONAL, CLASSES, LABELS)
    assert (part.name, part.classes, part.epochs) == ("all", CLASSES, CONDITIONAL.epochs)
    np.testing.assert_array_equal(LABELS[part.rows], LABELS)
    np.testing.assert_array_equal(part.labels, LABELS)


@pytest.mark.parametrize(
    ("classes", "made"), [(None, ["cat", "emu"]), (["emu"], ["emu"]), (["dog", "cat"], ["dog", "cat"])]
)
def test_a_dcgan_is_one_gan_for_each_class_asked_for_or_for_all_but_the_largest(
    classes: list[str] | None, made: list[str]
) -> None:
    parts = parts_of(DCGAN.model_copy(update={"classes": classes}), CLASSES, LABELS)
    assert [part.classes for part in parts] == [[name] for name in made]
    for part in parts:
        assert {CLASSES[label] for label in LABELS[part.rows]} == {part.name}
        np.testing.assert_array_equal(part.labels, np.zeros(int((CLASSES.index(part.name) == LABELS).sum())))


def test_a_warm_start_comes_first_sees_all_and_makes_no_class() -> None:
    first, *rest = parts_of(DCGAN.model_copy(update={"warm_start_epochs": 7}), CLASSES, LABELS)
    assert (first.classes, first.epochs, len(first.labels)) == ([], 7, len(LABELS))
    assert len({part.folder for part in (first, *rest)}) == 3
