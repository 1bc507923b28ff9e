from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tasks.core.params import Candidate, Detector
from tasks.gan.loop import Record
from tasks.gan.parts import Setting, parts_of, train_parts
from tasks.gan.step import Step
from tasks.support.errors import BadInput
from tests.gan.candidates import CONDITIONAL, DCGAN, noise, setting_of
from tests.gan.killing import Listener, copies_at_random_moments, train_dcgan

LABELS = np.array([0, 0, 0, 1, 1, 1, 1, 1, 2, 2], np.int32)
CLASSES = ["cat", "dog", "emu"]


def _setting(candidate: Candidate) -> Setting:
    return replace(setting_of(candidate), images=noise()[0][: len(LABELS)], labels=LABELS, classes=CLASSES)


def test_a_conditional_is_one_gan_of_all_classes() -> None:
    (part,) = parts_of(_setting(CONDITIONAL))
    assert (part.name, part.classes, part.epochs) == ("all", CLASSES, CONDITIONAL.epochs)
    np.testing.assert_array_equal(LABELS[part.rows], LABELS)
    np.testing.assert_array_equal(part.labels, LABELS)


@pytest.mark.parametrize(
    ("classes", "made"), [(None, ["cat", "emu"]), (["emu"], ["emu"]), (["dog", "cat"], ["dog", "cat"])]
)
def test_a_dcgan_is_one_gan_for_each_class_asked_for_or_for_all_but_the_largest(
    classes: list[str] | None, made: list[str]
) -> None:
    parts = parts_of(_setting(DCGAN.model_copy(update={"classes": classes})))
    assert [part.classes for part in parts] == [[name] for name in made]
    for part in parts:
        assert {CLASSES[label] for label in LABELS[part.rows]} == {part.name}
        np.testing.assert_array_equal(part.labels, np.zeros(int((CLASSES.index(part.name) == LABELS).sum())))


def test_a_warm_start_comes_first_sees_all_and_makes_no_class() -> None:
    first, *rest = parts_of(_setting(DCGAN.model_copy(update={"warm_start_epochs": 7})))
    assert (first.classes, first.epochs, len(first.labels)) == ([], 7, len(LABELS))
    assert len({part.folder for part in (first, *rest)}) == 3


def _train(setting: Setting, folder: Path) -> tuple[list[Record], list[Record]]:
    """History and alarms."""
    listener = Listener()
    alarms = [alarm for *_, seen in train_parts(setting, 0, folder, listener) for alarm in seen.alarms]
    return listener.history, alarms


def test_a_warm_start_that_was_stopped_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    started = []
    monkeypatch.setattr(Step, "start_from", lambda *_: started.append(True))
    candidate = DCGAN.model_copy(update={"classes": ["1"], "warm_start_epochs": 2})
    healthy = Detector(threshold=1e9, windows=1, consequence="stop")
    _train(setting_of(candidate, gradient_norm=healthy), tmp_path / "healthy")
    assert started == [True]
    history, alarms = _train(
        setting_of(candidate, gradient_norm=healthy.model_copy(update={"threshold": 0.0})),
        tmp_path / "stopped",
    )
    assert started == [True]
    assert [(record["part"], record["epoch"]) for record in history] == [("warm start", 1), ("1", 1)]
    assert {alarm["part"] for alarm in alarms if alarm["consequence"] == "stop"} == {"warm start", "1"}


def test_a_class_of_few_images_or_of_equal_ones_is_watched_as_far_as_it_can_be(tmp_path: Path) -> None:
    images = noise()[0].copy()
    images[8:16] = images[8]  # copies of one image in class 1: its diversity has no measure
    history, _ = _train(setting_of(CONDITIONAL, images), tmp_path / "some")
    assert np.isfinite([record["diversity_least"] for record in history]).all()
    images[:] = images[0]
    with pytest.raises(BadInput, match="no class has two different training images"):
        _train(setting_of(CONDITIONAL, images), tmp_path / "none")


def test_kill_9_at_any_moment_between_a_warm_start_and_its_class_leaves_no_trace(tmp_path: Path) -> None:
    history = train_dcgan(tmp_path / "whole")
    expected = _arrays_in(tmp_path / "whole")
    for copy in copies_at_random_moments(train_dcgan, tmp_path, 2, 1.0):
        assert train_dcgan(copy) == history
        arrays = _arrays_in(copy)
        assert arrays.keys() == expected.keys()
        for name, values in expected.items():
            np.testing.assert_array_equal(arrays[name], values, err_msg=name)


def _arrays_in(folder: Path) -> dict[str, np.ndarray[Any, Any]]:
    """All arrays of all states and snapshots in a folder, by file and name."""
    arrays = {}
    for path in sorted(folder.rglob("*.npz")):
        with np.load(path) as file:
            arrays |= {f"{path.relative_to(folder)}/{name}": file[name] for name in file.files}
    return arrays
