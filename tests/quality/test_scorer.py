import math
from pathlib import Path

import numpy as np
import pytest

from tasks.core.params import Guards, SelectGenerator, Training
from tasks.quality.cas import beside_real, cas, labels_to_make
from tasks.quality.records import summary
from tasks.quality.scorer import Scorer
from tasks.quality.spaces import Labelled
from tests.gan.bars import CLASSES, Copier, OneImage, Painter, draw

CLASSIFIER = Training(steps=60, batch=16, learning_rate=0.005, width=8)
GUARDS = Guards(min_diversity=0.5, min_coverage=0.5, max_kid=0.5, min_c_t=-3.0, min_authenticity=0.2)
PARAMS = SelectGenerator(
    seed=1, per_image=2, pool_below=0, cas_snapshots=3, cas_seeds=1, classifier=CLASSIFIER, guards=GUARDS
)


def _scorer(train: Labelled, groups: list[str]) -> Scorer:
    return Scorer(PARAMS, CLASSES, train, groups, draw([60, 60, 60], 1), math.inf)


@pytest.fixture(scope="module")
def scorer() -> Scorer:
    return _scorer(draw([80, 80, 40], 0), [str(number) for number in range(200)])


def test_fresh_images_are_nearer_than_one_image_or_those_of_another_class(scorer: Scorer) -> None:
    fresh, one = scorer.kid(Painter(CLASSES)), scorer.kid(OneImage(CLASSES))
    assert fresh.low < 0 < fresh.high < one.low
    rare, turned = scorer.kid(Painter(["c"])), scorer.kid(Painter(["c"], turned=True))
    assert rare.low < 0 < rare.high < turned.low
    assert scorer.kid(Painter(CLASSES)) == fresh


def test_a_class_is_found_by_its_name_whatever_its_number_in_the_generator(scorer: Scorer) -> None:
    backwards = scorer.guard(Painter(["c", "b", "a"]))
    assert backwards[1] == {}
    assert set(backwards[0]["classes"]) == set(CLASSES)


def test_guards_pass_fresh_images_and_name_a_collapse(scorer: Scorer) -> None:
    measured, refused = scorer.guard(Painter(CLASSES))
    assert refused == {}
    assert summary(measured)["diversity_least"] == pytest.approx(1, abs=0.15)
    measured, refused = scorer.guard(OneImage(["c"]))
    assert refused["c"]["guard"] == "collapsed"
    assert set(measured["classes"]) == {"c"}
    assert summary(measured)["diversity_mean"] == pytest.approx(0, abs=0.01)


def test_copies_are_found_where_training_images_look_alike() -> None:
    train = draw([80, 80, 40], 0)
    twins = np.arange(0, 200, 2)  # every second image has another that differs by a grey level
    images = np.concatenate([train.images, np.minimum(train.images[twins], 254) + 1]).astype(np.uint8)
    doubled = Labelled(images, np.concatenate([train.labels, train.labels[twins]]))
    groups = [str(number) for number in [*range(200), *twins]]
    copier = Copier(CLASSES, doubled)
    refused = _scorer(doubled, groups).guard(copier)[1]
    assert {refusal["guard"] for refusal in refused.values()} == {"copies"}
    assert list(refused) == CLASSES
    alone = [str(number) for number in range(len(images))]
    assert _scorer(doubled, alone).guard(copier)[1] == {}  # why groups matter


class _Counting(Painter):
    """Notes how many images are wanted at once."""

    def __init__(self, classes: list[str]) -> None:
        super().__init__(classes)
        self.wanted: list[int] = []

    def generate(self, latents: np.ndarray, labels: np.ndarray) -> np.ndarray:
        self.wanted.append(len(labels))
        return super().generate(latents, labels)


def test_no_more_generated_images_are_in_memory_than_a_network_makes_at_once(scorer: Scorer) -> None:
    generator = _Counting(CLASSES)
    scorer.guard(generator)
    assert generator.wanted == [256, 104]  # two for each of 180 validation images
    scorer.cas(generator, CLASSES)
    assert generator.wanted[2:] == [240]  # as many of each class as the largest has


def test_an_image_depends_on_its_class_and_its_number_among_those_alone(scorer: Scorer) -> None:
    together, alone = _Noted(CLASSES), _Noted(["c"])
    scorer.guard(together)
    scorer.guard(alone)
    assert np.array_equal(together.latents("c"), alone.latents("c"))
    assert not np.array_equal(together.latents("b"), together.latents("c"))
    scorer.kid(alone)
    assert not np.isin(alone.latents("c")[120:], alone.latents("c")[:120]).any()  # of another purpose, other latents


class _Noted(Painter):
    """Notes latents and labels."""

    def __init__(self, classes: list[str]) -> None:
        super().__init__(classes)
        self._latents, self._labels = [], []

    def generate(self, latents: np.ndarray, labels: np.ndarray) -> np.ndarray:
        self._latents.append(latents)
        self._labels.append(labels)
        return super().generate(latents, labels)

    def latents(self, name: str) -> np.ndarray:
        return np.concatenate(self._latents)[np.concatenate(self._labels) == self.classes.index(name)]


def test_cas_tells_what_a_classifier_learns_from_the_images(scorer: Scorer) -> None:
    assert scorer.cas(Painter(CLASSES), CLASSES) > 0.95
    assert scorer.cas(Painter(CLASSES, turned=True), CLASSES) < 0.05  # each class under another's name
    one_wrong = scorer.cas(Painter(["c"], turned=True), ["c"])  # a and b are real; images of a are called c as well
    assert 0.3 < one_wrong < 0.67


def test_cas_is_the_mean_over_seeds():
    train, validation = draw([20] * 3, 0), draw([20] * 3, 1)
    made = draw([0, 0, 20], 2)  # the other classes are real
    learnt_little = CLASSIFIER.model_copy(update={"steps": 4})
    taught = beside_real([made], made.labels, train, math.inf)
    one, two, both = (cas(learnt_little, taught, validation, 3, seeds) for seeds in ([1], [2], [1, 2]))
    assert one != two
    assert both == pytest.approx((one + two) / 2)


def test_a_classifier_learns_from_generated_images_and_from_real_ones_of_all_other_classes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    train, made = draw([300, 20, 10], 0), draw([0, 0, 20], 2)
    halves = [Labelled(made.images[:15], made.labels[:15]), Labelled(made.images[15:], made.labels[15:])]
    for in_memory_mb, kind in ((math.inf, np.ndarray), (0.001, np.memmap)):
        taught = beside_real(halves, made.labels, train, in_memory_mb)
        assert type(taught.images) is kind
        assert np.array_equal(taught.images, np.concatenate([made.images, train.images[:320]]))
        assert np.bincount(taught.labels).tolist() == [300, 20, 20]


def test_images_for_cas_are_as_many_as_the_largest_class_has_but_no_more_than_are_drawn():
    labels = np.repeat(np.arange(3), [50, 20, 5])
    assert np.bincount(labels_to_make(CLASSIFIER, labels, [0, 2], 3)).tolist() == [50, 0, 50]
    few = CLASSIFIER.model_copy(update={"steps": 2})  # 32 draws, 11 of each class
    assert np.bincount(labels_to_make(few, labels, [1], 3)).tolist() == [0, 11]


def test_a_summary_leaves_out_what_too_few_images_cannot_tell():
    def scores(diversity: float, coverage: float | None) -> dict:
        spaces = {"evaluator": coverage, "random_0": coverage}
        rest = {score: {"evaluator": None, "random_0": None} for score in ("density", "c_t", "authenticity")}
        return {"diversity": {"evaluator": diversity, "random_0": 1.0}, "coverage": spaces, **rest}

    measured = {"classes": {"a": scores(0.5, 0.8), "b": scores(0.8, None)}}
    assert summary(measured) == {
        "diversity_least": 0.75,
        "diversity_mean": 0.825,
        "coverage_least": 0.8,
        "coverage_mean": 0.8,
    }
