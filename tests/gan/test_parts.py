from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tasks.core.params import Candidate, Detector, load
from tasks.gan.model import Gan
from tasks.gan.parts import Setting, parts_of, train_parts
from tasks.support.errors import BadInput
from tests.gan.candidates import COMPUTE, CONDITIONAL, DCGAN, noise
from tests.pipeline.project import ROOT

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


def _setting(candidate: Candidate, images: np.ndarray, **detectors: Detector) -> Setting:
    train_gan = load(ROOT / "params.yaml").train_gan
    watched = train_gan.detectors.model_copy(update=detectors)
    params = train_gan.model_copy(update={"detectors": watched, "score_images": 10})
    return Setting(params, candidate, COMPUTE, images, noise()[1], ["0", "1", "2"])


def _train(setting: Setting, folder: Path) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """History and alarms."""
    history: list[dict[str, Any]] = []
    alarms = [
        alarm for *_, raised in train_parts(setting, 0, folder, history.append, lambda *_: None) for alarm in raised
    ]
    return history, alarms


def test_a_warm_start_that_was_stopped_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    started = []
    monkeypatch.setattr(Gan, "start_from", lambda *_: started.append(True))
    candidate = DCGAN.model_copy(update={"classes": ["1"], "warm_start_epochs": 2})
    healthy = Detector(threshold=1e9, windows=1, consequence="stop")
    _train(_setting(candidate, noise()[0], gradient_norm=healthy), tmp_path / "healthy")
    assert started == [True]
    history, alarms = _train(
        _setting(candidate, noise()[0], gradient_norm=healthy.model_copy(update={"threshold": 0.0})),
        tmp_path / "stopped",
    )
    assert started == [True]
    assert [(record["part"], record["epoch"]) for record in history] == [("warm start", 1), ("1", 1)]
    assert {alarm["part"] for alarm in alarms if alarm["consequence"] == "stop"} == {"warm start", "1"}


def test_a_class_of_few_images_or_of_equal_ones_is_watched_as_far_as_it_can_be(tmp_path: Path) -> None:
    images = noise()[0].copy()
    images[8:16] = images[8]  # copies of one image in class 1: its diversity has no measure
    history, _ = _train(_setting(CONDITIONAL, images), tmp_path / "some")
    assert np.isfinite([record["diversity_least"] for record in history]).all()
    images[:] = images[0]
    with pytest.raises(BadInput, match="no class has two different training images"):
        _train(_setting(CONDITIONAL, images), tmp_path / "none")
