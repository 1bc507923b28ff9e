import numpy as np
import pytest

from tasks.core.params import Guards, SelectGenerator, Training
from tasks.quality.cas import cas, labels_to_make
from tasks.quality.guards import Labelled
from tasks.quality.judging import Judge, summary
from tests.gan.bars import CLASSES, Copier, OneImage, Painter, draw

CLASSIFIER = Training(steps=60, batch=16, learning_rate=0.005, width=8)
GUARDS = Guards(min_diversity=0.5, min_coverage=0.5, max_kid=0.5, min_c_t=-3.0, min_authenticity=0.2)
PARAMS = SelectGenerator(
    seed=1, per_image=2, pool_below=0, cas_snapshots=3, cas_seeds=1, classifier=CLASSIFIER, guards=GUARDS
)


@pytest.fixture(scope="module")
def judge():
    return Judge(PARAMS, CLASSES, draw([80, 80, 40], 0), [str(number) for number in range(200)], draw([60, 60, 60], 1))


def test_fresh_images_are_nearer_than_one_image_or_those_of_another_class(judge):
    fresh, one = judge.kid(Painter(CLASSES)), judge.kid(OneImage(CLASSES))
    assert fresh.low < 0 < fresh.high < one.low
    rare, turned = judge.kid(Painter(["c"])), judge.kid(Painter(["c"], turned=True))
    assert rare.low < 0 < rare.high < turned.low
    assert judge.kid(Painter(CLASSES)) == fresh


def test_a_class_is_found_by_its_name_whatever_its_number_in_the_generator(judge):
    backwards = judge.guard(Painter(["c", "b", "a"]))
    assert backwards[1] == {}
    assert set(backwards[0]["classes"]) == set(CLASSES)


def test_guards_pass_fresh_images_and_name_a_collapse(judge):
    measured, refused = judge.guard(Painter(CLASSES))
    assert refused == {}
    assert summary(measured)["diversity_least"] == pytest.approx(1, abs=0.15)
    measured, refused = judge.guard(OneImage(["c"]))
    assert refused["c"].startswith("collapsed")
    assert set(measured["classes"]) == {"c"}
    assert summary(measured)["diversity_mean"] == pytest.approx(0, abs=0.01)


def test_copies_are_found_where_training_images_look_alike():
    train = draw([80, 80, 40], 0)
    twins = np.arange(0, 200, 2)  # every second image has another that differs by a grey level
    images = np.concatenate([train.images, np.minimum(train.images[twins], 254) + 1]).astype(np.uint8)
    doubled = Labelled(images, np.concatenate([train.labels, train.labels[twins]]))
    groups = [str(number) for number in [*range(200), *twins]]
    copier = Copier(CLASSES, doubled)
    refused = Judge(PARAMS, CLASSES, doubled, groups, draw([60, 60, 60], 1)).guard(copier)[1]
    assert {sentence[:6] for sentence in refused.values()} == {"copies"}
    assert list(refused) == CLASSES
    alone = [str(number) for number in range(len(images))]
    assert Judge(PARAMS, CLASSES, doubled, alone, draw([60, 60, 60], 1)).guard(copier)[1] == {}  # why groups matter


def test_cas_tells_what_a_classifier_learns_from_the_images(judge):
    assert judge.cas(Painter(CLASSES), CLASSES) > 0.95
    assert judge.cas(Painter(CLASSES, turned=True), CLASSES) < 0.05  # each class under another's name
    one_wrong = judge.cas(Painter(["c"], turned=True), ["c"])  # a and b are real; images of a are called c as well
    assert 0.3 < one_wrong < 0.67


def test_cas_is_the_mean_over_seeds():
    train, validation = draw([20] * 3, 0), draw([20] * 3, 1)
    made = draw([0, 0, 20], 2)  # the other classes are real
    learnt_little = CLASSIFIER.model_copy(update={"steps": 4})
    one, two, both = (cas(learnt_little, made, train, validation, 3, seeds) for seeds in ([1], [2], [1, 2]))
    assert one != two
    assert both == pytest.approx((one + two) / 2)


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
