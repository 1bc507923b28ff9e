import numpy as np
import pytest

from tasks.evidence import statistics
from tasks.evidence.statistics import compare, gap_share, holm, resolution, sign_flip

LABELS = np.repeat([0, 1, 2], [150, 100, 50])
EVERY = [0, 1, 2]


def _arms(rng, gain=0.0, seeds=8, spread=0.01):
    """Two arms whose chance to be right depends on image, arm and seed; equal on average but for `gain`."""

    def one(level):
        easy = rng.beta(9, 1, len(LABELS))  # an arm has its own weak spots
        seed = rng.normal(0, spread, (seeds, 1))
        return rng.random((seeds, len(LABELS))) < easy + seed + level

    return one(gain), one(0.0)


def _compare(a, b, seed=0, resamples=2000, confidence=0.95, kinds=EVERY):
    return compare(a, b, LABELS, resamples, seed).over(kinds, confidence)


def test_difference_is_of_balanced_accuracies_and_by_seed():
    a, b = np.ones((2, 300), bool), np.ones((2, 300), bool)
    b[0, LABELS == 2] = False  # one of three classes lost by one of two seeds
    b[1, :15] = False  # a tenth of class 0 by the other
    result = _compare(a, b)
    assert result.by_seed == pytest.approx([1 / 3, 1 / 30])
    assert result.mean == pytest.approx((1 / 3 + 1 / 30) / 2)
    assert _compare(a, b, kinds=[2]).by_seed == (1, 0)
    assert _compare(a, b, kinds=[0, 1]).by_seed == pytest.approx([0, 1 / 20])


def test_planted_difference_is_found_and_changes_sign_with_the_arms():
    a, b = _arms(np.random.default_rng(1), gain=0.08)
    result = _compare(a, b)
    assert 0 < result.low < result.mean < result.high
    assert result.p < 0.01
    assert sign_flip(result.by_seed) < 0.05
    assert _compare(b, a).high < 0


def test_no_difference_is_covered():
    a, b = _arms(np.random.default_rng(2))
    result = _compare(a, b)
    assert result.low < 0 < result.high
    assert result.p > 0.05
    same = _compare(a, a)
    assert (same.mean, same.low, same.high, same.p) == (0, 0, 0, 1)


def test_hits_and_misses_that_cancel_are_a_tie():
    rng = np.random.default_rng(4)
    labels, counts = np.repeat([0, 1], 17), set()
    for _ in range(200):
        gains = np.zeros((6, 34), int)
        for seed, wins in enumerate(rng.permutation([1, -1, 2, -2, 3, -3])):
            gains[seed, rng.choice(34, abs(wins), replace=False)] = np.sign(wins)
        counts.add(compare(gains > 0, gains < 0, labels, 2, 0).over([0, 1], 0.95).mean)
    assert counts == {0.0}


def test_two_levels_are_wider_than_seeds_alone():
    rng = np.random.default_rng(3)
    a, b = _arms(rng)
    both = _compare(a, b)
    picked = rng.integers(8, size=(2000, 8))
    low, high = np.quantile(np.array(both.by_seed)[picked].mean(axis=1), [0.025, 0.975])
    assert both.high - both.low > 1.3 * (high - low)


def test_interval_widens_with_confidence_and_follows_the_seed():
    a, b = _arms(np.random.default_rng(4))
    wide, narrow, again = (_compare(a, b, confidence=confidence) for confidence in (0.99, 0.8, 0.8))
    assert wide.low < narrow.low < narrow.high < wide.high
    assert (narrow.low, narrow.high) == (again.low, again.high)
    assert _compare(a, b, seed=1).low != _compare(a, b).low


def test_few_images_at_once_give_the_same_interval(monkeypatch):
    a, b = _arms(np.random.default_rng(5))
    whole = _compare(a, b)
    monkeypatch.setattr(statistics, "_DRAWS", 1000)
    parts = _compare(a, b)
    assert (parts.low, parts.high) == pytest.approx((whole.low, whole.high), abs=1e-12)


@pytest.mark.parametrize("seeds", [4, 10])
def test_a_claim_of_equal_arms_is_rare(seeds):
    rng = np.random.default_rng(6)
    claims = [_compare(*_arms(rng, seeds=seeds), seed=seed, resamples=500).low > 0 for seed in range(300)]
    assert np.mean(claims) <= 0.05  # 2.5% nominal


def test_sign_flip_is_exact():
    # Sums of |1|, |2|, |3|, |-1| at least as far out as 5: + + + - , + + + +, and their opposites; of 16 patterns.
    assert sign_flip(np.array([1.0, 2.0, 3.0, -1.0])) == 6 / 16
    assert sign_flip(np.array([0.1, 0.2, 0.3, 0.1, 0.2, 0.3])) == 2 / 64


@pytest.mark.parametrize("values", [np.zeros(6), np.array([0.5, -0.5])], ids=["zero", "tie"])
def test_sign_flip_without_evidence_is_one(values):
    assert sign_flip(values) == 1


def test_sign_flip_of_many_seeds_is_small_but_never_zero():
    assert 0 < sign_flip(np.full(30, 0.01)) < 1e-4


def test_holm_steps_down_and_keeps_the_order():
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])  # x3, x2, x1 and never less than before
    assert holm([0.5, 0.9]) == [1.0, 1.0]
    assert holm([]) == []


def _gap(arm_level, oracle_level=0.15, seed=7):
    rng = np.random.default_rng(seed)
    easy = rng.beta(9, 1, len(LABELS)) - 0.2
    draws = rng.random((8, len(LABELS)))  # the same luck for all three

    def correct(level):
        return draws < easy + level

    arm, oracle = (compare(correct(level), correct(0.0), LABELS, 2000, 0) for level in (arm_level, oracle_level))
    return gap_share(arm, oracle, 0.95)


def test_share_of_the_gap_is_a_ratio_of_means_with_an_interval():
    share, low, high = _gap(0.075)
    assert low < share < high
    assert share == pytest.approx(0.5, abs=0.1)
    assert _gap(0.0)[0] == 0
    assert _gap(0.15)[:2] == (pytest.approx(1), pytest.approx(1))
    assert _gap(-0.05)[2] < 0


def test_there_is_no_share_where_there_is_no_gap_for_sure():
    assert _gap(0.1, oracle_level=0.0) is None
    assert _gap(0.1, oracle_level=-0.1) is None
    assert _gap(0.1, oracle_level=0.002) is None  # may be chance


def test_resolution_says_how_many_seeds_or_images_it_takes():
    rng = np.random.default_rng(8)
    gains = compare(*_arms(rng, spread=0.02), LABELS, 500, 0)
    of_images, of_seeds = gains.image_variance, gains.by_seed.mean(axis=1).var(ddof=1)
    wide = resolution(gains, 300, 0.06, 0.95)
    assert 1.96 * np.sqrt(of_seeds / wide.seeds + of_images) <= 0.0601
    assert 1.96 * np.sqrt(of_seeds / (wide.seeds - 1) + of_images) > 0.0599 or wide.seeds == 2
    assert 1.96 * np.sqrt(of_seeds / 8 + of_images * 300 / wide.images) <= 0.0601
    assert resolution(gains, 300, 0.005, 0.95).seeds is None  # these images alone leave more than that open
    by_hand = [
        (gains_of_class := (a - b.astype(float)).mean(axis=0)).var(ddof=1) / len(gains_of_class) / 9
        for a, b in [
            (x[:, kind == LABELS], y[:, kind == LABELS])
            for kind in EVERY
            for x, y in [_arms(np.random.default_rng(8), spread=0.02)]
        ]
    ]
    assert of_images == pytest.approx(sum(by_hand))
