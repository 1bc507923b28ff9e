import tracemalloc

import numpy as np
import pytest
from scipy.stats import mannwhitneyu, norm

from tasks.gan import scores
from tasks.gan.scores import (
    Interval,
    authenticity,
    copying,
    coverage,
    density,
    diversities,
    diversity,
    kid,
    mean_distance,
    mean_kid_interval,
    nearest,
    reach,
)


def kid_interval(real: np.ndarray, fake: np.ndarray, confidence: float) -> Interval:
    return mean_kid_interval([(real, fake)], confidence)


def test_kid_by_hand() -> None:
    real, fake = np.array([[1.0], [0.0]]), np.array([[2.0], [1.0]])
    # kernel (ab + 1)³: within real 1, within fake 27, across the mean of 27, 8, 1 and 1
    assert kid(real, fake) == pytest.approx(1 + 27 - 2 * (27 + 8 + 1 + 1) / 4)


def test_kid_is_unbiased_for_equal_distributions_and_clear_for_different_ones() -> None:
    rng = np.random.default_rng(0)
    same = [kid(rng.normal(size=(20, 8)), rng.normal(size=(30, 8))) for _ in range(200)]
    moved = [kid(rng.normal(size=(20, 8)), rng.normal(1, 1, size=(30, 8))) for _ in range(20)]
    assert min(same) < 0 < max(same)
    assert abs(np.mean(same)) < 3 * np.std(same) / np.sqrt(len(same))
    assert min(moved) > max(same)


def test_kid_interval_is_the_jackknife_of_images_left_out_one_by_one() -> None:
    rng = np.random.default_rng(0)
    real, fake = rng.normal(size=(7, 3)), rng.normal(1, 1, size=(9, 3))
    without_real = [kid(np.delete(real, row, axis=0), fake) for row in range(7)]
    without_fake = [kid(real, np.delete(fake, row, axis=0)) for row in range(9)]
    half = 2.446912 * np.sqrt(6 * np.var(without_real) + 8 * np.var(without_fake))  # t of 6 degrees at .975
    interval = kid_interval(real, fake, 0.95)
    assert interval.value == pytest.approx(kid(real, fake))
    assert (interval.low, interval.high) == pytest.approx((interval.value - half, interval.value + half))


@pytest.mark.parametrize(("shift", "n", "m"), [(0, 20, 80), (0.3, 20, 80), (1, 20, 80), (1, 60, 60)])
def test_kid_interval_holds_the_truth_about_as_often_as_it_says(shift: float, n: int, m: int) -> None:
    rng, d = np.random.default_rng(0), 16
    inner = d * shift**2  # of the means; below, the moments of products a·b of normal vectors
    truth = _cube(0, d, 0) + _cube(inner, d + 2 * inner, 6 * inner) - 2 * _cube(0, d + inner, 0)
    found = [kid_interval(rng.normal(size=(n, d)), rng.normal(shift, 1, (m, d)), 0.95) for _ in range(400)]
    assert np.mean([each.value for each in found]) == pytest.approx(truth, abs=0.15)
    assert 0.91 <= np.mean([each.low < truth < each.high for each in found]) <= 0.999


def _cube(mean: float, variance: float, third: float, d: int = 16) -> float:
    """E(x/d + 1)³ of an x with this mean, variance and third central moment."""
    centre = mean / d + 1
    return centre**3 + 3 * centre * variance / d**2 + third / d**3


def test_kid_interval_narrows_with_images_and_widens_with_confidence() -> None:
    rng = np.random.default_rng(0)
    real, fake = rng.normal(size=(400, 8)), rng.normal(1, 1, (400, 8))
    few, many, sure = (
        kid_interval(real[:n], fake[:n], confidence) for n, confidence in [(25, 0.95), (400, 0.95), (400, 0.99)]
    )
    assert (few.high - few.low) / (many.high - many.low) == pytest.approx(4, rel=0.4)  # the root of 400 / 25
    assert sure.low < many.low < many.value < many.high < sure.high


def test_mean_kid_interval_is_of_the_mean_and_knows_that_the_images_are_the_same() -> None:
    rng = np.random.default_rng(0)
    real, fake = rng.normal(size=(30, 8)), rng.normal(0.5, 1, (40, 8))
    one, twice = kid_interval(real, fake, 0.9), mean_kid_interval([(real, fake), (real, fake)], 0.9)
    assert (twice.value, twice.low, twice.high) == pytest.approx((one.value, one.low, one.high))
    both = mean_kid_interval([(real, fake), (real[:, :2], fake[:, :2])], 0.9)
    assert both.value == pytest.approx((one.value + kid(real[:, :2], fake[:, :2])) / 2)


def test_kid_of_too_few_images_is_not_a_number() -> None:
    one, two, three = np.ones((1, 4)), np.eye(4)[:2], np.eye(4)[:3]
    assert np.isnan(kid(one, three))
    assert np.isnan(kid(three, one))
    assert np.isfinite(kid(two, three))
    assert np.isnan([kid_interval(two, three, 0.95).low, kid_interval(two, three, 0.95).high]).all()
    assert np.isfinite(kid_interval(three, three, 0.95).low)


def test_neighbourhoods_by_hand() -> None:
    real = np.array([[0.0], [1.0], [3.0], [7.0]])
    np.testing.assert_array_equal(reach(real, 1), [1, 1, 2, 4])
    np.testing.assert_array_equal(reach(real, 2), [3, 2, 3, 6])
    assert np.isnan(reach(real, 4)).all()
    distances, found = nearest(np.array([[2.5], [100.0], [1.0]]), real)
    np.testing.assert_array_equal(distances, [0.5, 93, 0])
    np.testing.assert_array_equal(found, [2, 3, 1])


def test_distances_of_equal_images_are_exactly_zero() -> None:
    rng = np.random.default_rng(0)
    images = rng.normal(1000, 1, (60, 512)).astype(np.float32)
    assert (nearest(images[::-1], images)[0] == 0).all()
    assert (reach(np.repeat(images, 2, axis=0), 1) == 0).all()


def test_density_and_coverage_by_hand() -> None:
    real = np.array([[0.0], [1.0], [3.0], [7.0]])
    radii = reach(real, 1)  # neighbourhoods [-1, 1], [0, 2], [1, 5] and [3, 11]
    fake = np.array([[0.5], [4.0], [4.0], [20.0]])  # in two, in two, in two, in none
    assert density(real, radii, fake, 1) == pytest.approx(6 / 4)
    assert coverage(real, radii, fake) == 1
    assert coverage(real, radii, fake[1:]) == 2 / 4
    assert coverage(real, radii, fake[3:]) == density(real, radii, fake[3:], 1) == 0


def test_equal_images_lie_in_each_others_neighbourhoods() -> None:
    real = np.repeat(np.random.default_rng(0).normal(100, 1, (3, 64)), 7, axis=0)  # all radii are 0
    radii = reach(real, 5)
    assert density(real, radii, real, 5) == pytest.approx(7 / 5)
    assert coverage(real, radii, real[:7]) == pytest.approx(1 / 3)


@pytest.mark.parametrize(("n", "m"), [(60, 60), (60, 240)])
def test_density_and_coverage_of_equal_distributions_are_as_expected(n: int, m: int) -> None:
    rng = np.random.default_rng(0)
    found = []
    for _ in range(60):
        real, fake = rng.normal(size=(n, 8)), rng.normal(size=(m, 8))
        radii = reach(real, 5)
        found.append((density(real, radii, fake, 5), coverage(real, radii, fake)))
    steps = np.arange(1, 6)
    expected = 1 - np.prod((n - steps) / (n + m - steps))  # .97 at equal numbers, .9997 at four times as many
    assert np.mean(found, axis=0) == pytest.approx([1, expected], abs=0.03)


def test_coverage_falls_with_a_lost_mode_and_density_with_noise() -> None:
    rng = np.random.default_rng(0)
    real = rng.normal(size=(100, 8)) + 20 * (np.arange(100) % 4 == 0)[:, None]  # a quarter lies far away
    radii, common = reach(real, 5), rng.normal(size=(400, 8))
    assert coverage(real, radii, common) == pytest.approx(0.75, abs=0.02)
    assert density(real, radii, common, 5) == pytest.approx(1, abs=0.15)
    assert density(real, radii, 10 * common, 5) < 0.02


def test_copying_by_hand() -> None:
    fake, held_out = np.array([1.0, 2.0, 2.0]), np.array([2.0, 3.0])
    # of 6 pairs none has the generated image farther, two are tied: U = 1 against 3; ties take 24 of 120 from 3
    assert copying(fake, held_out) == pytest.approx((1 - 3) / np.sqrt(3 * (1 - 24 / 120)))
    assert copying(held_out, fake) == -copying(fake, held_out)
    assert copying(np.ones(4), np.ones(6)) == 0
    assert copying(np.zeros(24), np.arange(1.0, 7.0)) < copying(np.arange(24.0) / 24, np.arange(1.0, 7.0))
    assert copying(np.arange(24.0) / 24, np.arange(1.0, 7.0)) == pytest.approx(-np.sqrt(3 * 24 * 6 / 31))


def test_copying_has_the_p_of_the_mann_whitney_test() -> None:
    rng = np.random.default_rng(0)
    fake, held_out = rng.integers(0, 9, 40).astype(float), rng.integers(1, 10, 30).astype(float)
    test = mannwhitneyu(fake, held_out, use_continuity=False, alternative="less", method="asymptotic")
    assert norm.cdf(copying(fake, held_out)) == pytest.approx(test.pvalue)


def test_copying_is_standard_normal_for_fresh_images_and_far_below_for_copies() -> None:
    rng = np.random.default_rng(0)
    fresh, copies = [], []
    for _ in range(200):
        train, held_out, fake = rng.normal(size=(80, 8)), rng.normal(size=(30, 8)), rng.normal(size=(60, 8))
        unseen = nearest(held_out, train)[0]
        fresh.append(copying(nearest(fake, train)[0], unseen))
        copies.append(copying(nearest(train[:60] + rng.normal(0, 0.1, (60, 8)), train)[0], unseen))
    assert np.mean(fresh) == pytest.approx(0, abs=0.2)
    assert np.std(fresh) == pytest.approx(1, abs=0.15)
    assert np.max(copies) == np.min(copies) == pytest.approx(-np.sqrt(3 * 60 * 30 / 91))  # as low as it gets, -7.7


@pytest.mark.parametrize(("d", "expected"), [(1, 1 / 3), (2, 0.3785), (64, 0.67)])
def test_authenticity_of_fresh_images_is_how_often_neighbours_are_not_mutual(d: int, expected: float) -> None:
    rng = np.random.default_rng(0)
    shares = []
    for _ in range(20):
        train = rng.random((300, d))
        distances, found = nearest(rng.random((300, d)), train)
        shares.append(authenticity(distances, reach(train, 1)[found]))
    assert np.mean(shares) == pytest.approx(expected, abs=0.03)


def test_authenticity_by_hand_and_of_copies() -> None:
    train = np.array([[0.0], [1.0], [5.0]])
    neighbours = reach(train, 1)  # 1, 1, 4
    distances, found = nearest(np.array([[-3.0], [1.5], [2.9], [8.0]]), train)  # 3 > 1, .5 < 1, 1.9 > 1, 3 < 4
    assert authenticity(distances, neighbours[found]) == 2 / 4
    distances, found = nearest(train, train)
    assert authenticity(distances, neighbours[found]) == 0


def test_without_images_nothing_is_known() -> None:
    none, some = np.zeros((0, 4)), np.eye(4)
    assert np.isnan(density(some, reach(some, 1), none, 1))
    assert np.isnan(coverage(none, reach(none, 1), some))
    assert np.isnan(coverage(some, reach(some, 5), some))
    assert np.isnan(density(some, reach(some, 5), some, 5))
    assert np.isnan(nearest(some, none)[0]).all()
    assert np.isnan(copying(np.zeros(0), np.ones(3)))
    assert np.isnan(authenticity(np.ones(2), np.full(2, np.nan)))
    assert np.isnan(diversity(some[:1], some))
    assert np.isnan(diversity(some, np.ones((3, 4))))


def test_few_rows_at_once_give_the_same_scores(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    real, fake = rng.normal(size=(50, 8)), rng.normal(0.5, 1, (70, 8))

    def all_of_them() -> list[float]:
        interval = kid_interval(real, fake, 0.95)
        return [interval.value, interval.low, mean_distance(fake), density(real, reach(real, 5), fake, 5)]

    whole = all_of_them()
    monkeypatch.setattr(scores, "_AT_ONCE", 7)
    assert all_of_them() == pytest.approx(whole, rel=1e-12)


def test_memory_does_not_grow_with_the_square_of_the_images() -> None:
    images = np.random.default_rng(0).normal(size=(6000, 4))  # all distances at once would take 288 MB
    tracemalloc.start()
    kid_interval(images, images, 0.95)
    density(images, reach(images, 5), images, 5)
    mean_distance(images)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 120e6


def test_diversity_of_a_collapsed_and_of_an_equal_generator() -> None:
    rng = np.random.default_rng(0)
    real = rng.normal(size=(60, 16))
    assert diversity(np.ones((50, 16)), real) == pytest.approx(0, abs=1e-6)
    assert diversity(rng.normal(size=(60, 16)), real) == pytest.approx(1, abs=0.1)
    assert diversity(2 * real, real) == pytest.approx(2)
    assert mean_distance(np.array([[0.0], [1.0], [3.0]])) == pytest.approx(2)


def test_diversities_are_taken_within_each_class() -> None:
    rng = np.random.default_rng(0)
    real = rng.integers(0, 256, (40, 8, 8, 1), np.uint8)
    labels = np.repeat(np.arange(2, dtype=np.int32), 20)
    fake = real.copy()
    fake[labels == 1] = fake[-1]
    np.testing.assert_allclose(diversities(fake, labels, real, labels), [1, 0], atol=1e-6)
