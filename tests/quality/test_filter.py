from collections.abc import Callable
from dataclasses import asdict
from typing import Any

import numpy as np
import pytest

from tasks.core.params import Filter, Training
from tasks.quality import filter as filtering
from tasks.quality.filter import (
    Bounds,
    ClassFilter,
    FoldClassifier,
    Real,
    assign_folds,
    class_filter,
    nearest,
    train_classifiers,
)

TRAINING = Training(steps=60, batch=16, learning_rate=0.01, width=8)


def _params(**changed: Any) -> Filter:
    values: dict[str, Any] = {
        "folds": 3,
        "min_probability_quantile": 0.1,
        "min_distance_quantile": 0.05,
        "max_distance_quantile": 0.95,
        "min_acceptance": 0.2,
        "max_generated": 10.0,
    }
    return Filter(**values | changed, classifier=TRAINING)


def _pixel_classifier(scale: float = 1.0) -> FoldClassifier:
    """Sees the first pixel as the probability of class 0, and the others, times a scale, as features."""

    def probabilities(images: np.ndarray) -> np.ndarray:
        first = images[:, 0, 0].astype(np.float32) / 255
        return np.concatenate([first, 1 - first], axis=1)

    return FoldClassifier(probabilities, lambda images: scale * images[:, 0, 1:, 0].astype(np.float32))


def _images(probabilities: list[int], positions: list[int]) -> np.ndarray:
    return np.array([probabilities, positions], np.uint8).T[:, None, :, None]


def _filter_by_hand() -> ClassFilter:
    images = _images([51, 102, 153, 204, 255, 0], [0, 10, 30, 60, 100, 11])
    labels, groups, folds = np.array([0, 0, 0, 0, 0, 1]), np.arange(6), np.array([0, 1, 0, 1, 0, 1])
    quantiles = {"min_probability_quantile": 0.25, "min_distance_quantile": 0.3, "max_distance_quantile": 0.75}
    real = Real(images, labels, groups, folds)
    return class_filter(_params(folds=2, **quantiles), [_pixel_classifier(), _pixel_classifier(2.0)], real, 0)


def test_bounds_by_hand() -> None:
    one = _filter_by_hand()
    # To the nearest of the class 10, 10, 20, 30 and 40, and for classifier 1 twice as much. So the distances are .5,
    # .5, 1, 1.5 and 2, the probabilities .2, .4, .6, .8 and 1, and the places of the quantiles 1.5, 1.8 and 4.5.
    np.testing.assert_allclose(one.scales, [20, 40])
    assert asdict(one.bounds) == {"min_probability": 0.3, "min_distance": 0.5, "max_distance": 1.75}


def test_classifiers_take_turns_and_say_why_an_image_is_refused() -> None:
    one = _filter_by_hand()
    images = _images([255, 76, 77, 77, 255, 255], [60, 45, 45, 45, 140, 255])
    assessment = one.assess(images, first=3)  # so that classifier 1 begins
    np.testing.assert_allclose(assessment.distance, [0, 0.75, 0.75, 0.75, 2, 7.75])
    np.testing.assert_allclose(assessment.probability, np.array([255, 76, 77, 77, 255, 255]) / 255, atol=5e-5)
    assert assessment.nearest[[0, 4, 5]].tolist() == [3, 4, 4]
    assert assessment.outcome.tolist() == ["copy", "unlikely", "accepted", "accepted", "outlier", "outlier"]


def test_every_image_is_measured_by_one_classifier_and_a_real_one_by_that_which_has_not_seen_it() -> None:
    def certain(probability: float) -> FoldClassifier:
        return FoldClassifier(lambda images: np.full((len(images), 1), probability), _pixel_classifier().features)

    labels, groups, folds = np.zeros(5, int), np.arange(5), np.array([0, 0, 0, 0, 1])
    real = Real(_images([0, 0, 0, 0, 0], [0, 10, 30, 60, 100]), labels, groups, folds)
    params = _params(folds=2, min_probability_quantile=0.75)
    one = class_filter(params, [certain(0.1), certain(0.5)], real, 0)
    assert one.bounds.min_probability == 0.3  # place 4.5 among .1, .1, .1, .1 and .5
    probability = one.assess(_images([0, 0, 0], [5, 5, 5]), first=5).probability
    np.testing.assert_allclose(probability, [0.5, 0.1, 0.5])


def test_the_bounds_themselves_are_likely_enough_not_far_and_copies() -> None:
    one = ClassFilter(0, Bounds(0.2, 0.5, 1.5), [_pixel_classifier()], np.array([20.0]), [np.zeros((1, 1), np.float32)])
    assert one.assess(_images([51, 51, 51, 50], [10, 11, 30, 11]), 0).outcome.tolist() == [
        "copy",
        "accepted",
        "accepted",
        "unlikely",
    ]


def test_what_is_no_number_is_refused() -> None:
    broken = FoldClassifier(lambda images: np.full((len(images), 2), np.nan), _pixel_classifier().features)
    reference = [np.zeros((1, 1), np.float32)]
    classifierd = ClassFilter(0, Bounds(0.1, 0.1, 9), [broken], np.ones(1), reference).assess(_images([9], [5]), 0)
    assert classifierd.outcome.tolist() == ["unlikely"]
    far = ClassFilter(0, Bounds(0.0, 0.1, np.nan), [_pixel_classifier()], np.ones(1), reference)
    assert far.assess(_images([9], [5]), 0).outcome.tolist() == ["outlier"]


def _accepted_share(real_count: int, fresh_count: int, rng: np.random.Generator) -> float:
    """Share accepted of images that come from nowhere but the distribution of the real ones."""
    draw: Callable[[int], np.ndarray] = lambda count: np.clip(rng.normal(128, 30, (count, 1, 9, 1)), 0, 255)  # noqa: E731
    images, fresh = draw(real_count).astype(np.uint8), draw(fresh_count).astype(np.uint8)
    labels, groups = np.zeros(real_count, int), np.arange(real_count)
    real = Real(images, labels, groups, assign_folds(labels, groups, 3, rng))
    one = class_filter(_params(), [_pixel_classifier(1), _pixel_classifier(5), _pixel_classifier(0.1)], real, 0)
    return float((one.assess(fresh, 0).outcome == "accepted").mean())


def test_fresh_real_images_are_accepted_as_the_quantiles_say() -> None:
    rng = np.random.default_rng(0)
    shares = [_accepted_share(150, 300, rng) for _ in range(20)]
    assert np.mean(shares) == pytest.approx(0.9 * 0.9, abs=0.02)


def test_of_few_real_images_the_first_and_the_last_bound_the_distances() -> None:
    rng = np.random.default_rng(0)
    shares = [_accepted_share(12, 100, rng) for _ in range(200)]
    # Of 13 images, each as good as another, 2 are the closest pair and 1 is the farthest from all.
    assert np.mean(shares) == pytest.approx(0.9 * (1 - 3 / 13), abs=0.02)


def test_nearest_leaves_out_the_own_group_and_finds_copies_exactly() -> None:
    rng = np.random.default_rng(0)
    real = (1e3 + rng.normal(size=(600, 20))).astype(np.float32)
    groups = np.arange(600) // 2
    distances, indices = nearest(real, groups, real, groups)
    naive = np.linalg.norm(real[:, None].astype(float) - real, axis=2)
    naive[groups[:, None] == groups] = np.inf
    np.testing.assert_allclose(distances, naive.min(axis=1), rtol=1e-3)
    assert (indices // 2 != groups).all()
    copies, places = nearest(real[::7], np.full(86, -1), real, groups)
    assert (copies == 0).all()
    np.testing.assert_array_equal(places, np.arange(0, 600, 7))


def test_folds_share_each_class_evenly_and_keep_groups_whole() -> None:
    labels = np.repeat([0, 1, 2, 3], [40, 7, 3, 2])
    groups = np.arange(52)
    folds = assign_folds(labels, groups, 3, np.random.default_rng(0))
    shares = np.array([np.bincount(folds[labels == kind], minlength=3) for kind in range(4)])
    assert (shares.max(axis=1) - shares.min(axis=1) <= 1).all()
    assert shares[2].tolist() == [1, 1, 1]  # as many as folds: each classifier is blind to one
    assert np.ptp(np.bincount(folds)) <= 1
    np.testing.assert_array_equal(folds, assign_folds(labels, groups, 3, np.random.default_rng(0)))
    assert (folds != assign_folds(labels, groups, 3, np.random.default_rng(1))).any()
    twins = assign_folds(labels, groups // 2, 3, np.random.default_rng(0))
    assert (twins[0::2] == twins[1::2]).all()


def test_a_classifier_has_seen_all_but_its_own_fold(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []
    monkeypatch.setattr(filtering, "fit", lambda *arguments: seen.append(arguments))
    monkeypatch.setattr(filtering, "probabilities_of", lambda _: None)
    monkeypatch.setattr(filtering, "features_of", lambda _: None)
    images = np.arange(12, dtype=np.uint8).reshape(12, 1, 1, 1)
    labels, folds = np.arange(12) % 2, np.arange(12) // 2 % 3
    assert len(train_classifiers(TRAINING, Real(images, labels, np.arange(12), folds), 2, seed=7)) == 3
    for fold, (params, examples, classes, seed) in enumerate(seen):
        np.testing.assert_array_equal(examples.images.ravel(), np.flatnonzero(folds != fold))
        np.testing.assert_array_equal(examples.labels, labels[folds != fold])
        assert not examples.synthetic.any()
        assert (params, classes, seed) == (TRAINING, 2, 7 + fold)


def _squares(label: int, count: int, rng: np.random.Generator) -> np.ndarray:
    """Noise with a square, more or less bright, in the corner of the class, moved by a pixel or none."""
    images = rng.integers(0, 170, (count, 8, 8, 1), np.uint8)
    for image, (down, right) in zip(images, rng.integers(0, 2, (count, 2)), strict=True):
        top, left = ((down, right), (down, 5 - right), (5 - down, right))[label]
        image[top : top + 3, left : left + 3] = rng.integers(110, 256)
    return images


def _learnt() -> tuple[Real, list[FoldClassifier]]:
    rng = np.random.default_rng(0)
    counts = (150, 120, 120)
    images = np.concatenate([_squares(label, count, rng) for label, count in enumerate(counts)])
    labels, groups = np.repeat(np.arange(3), counts), np.arange(sum(counts))
    real = Real(images, labels, groups, assign_folds(labels, groups, 3, rng))
    return real, train_classifiers(TRAINING, real, 3, seed=0)


@pytest.fixture(scope="module")
def learnt() -> tuple[Real, list[FoldClassifier]]:
    return _learnt()


def test_classifiers_accept_fresh_real_images_and_refuse_copies_noise_and_other_classes(
    learnt: tuple[Real, list[FoldClassifier]],
) -> None:
    real, classifiers = learnt
    rng = np.random.default_rng(1)
    for kind in (1, 2):
        one = class_filter(_params(), classifiers, real, kind)
        own = real.images[real.labels == kind]
        fresh, other = _squares(kind, 300, rng), _squares(0, 300, rng)
        noise = rng.integers(0, 256, (300, 8, 8, 1), np.uint8)
        fresh_share, other_share, noise_share = (
            (one.assess(images, 0).outcome == "accepted").mean() for images in (fresh, other, noise)
        )
        assert fresh_share == pytest.approx(0.81, abs=0.08)
        assert other_share <= 0.01
        assert noise_share <= 0.01
        for first in range(3):  # whichever classifier it comes to, one that has not seen it included
            copies = one.assess(own, first)
            assert set(copies.outcome) == {"copy"}
            np.testing.assert_array_equal(copies.nearest, np.arange(120))


def test_two_trainings_give_equal_bounds(learnt: tuple[Real, list[FoldClassifier]]) -> None:
    first, second = (
        [class_filter(_params(), classifiers, real, kind).bounds for kind in (1, 2)]
        for real, classifiers in (learnt, _learnt())
    )
    assert first == second
