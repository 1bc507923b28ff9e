import numpy as np
import pytest

from tasks.classifier import statistics
from tasks.classifier.statistics import paired_difference, sign_flip

LABELS = np.repeat([0, 1, 2], [150, 100, 50])


def _arms(rng, gain=0.0, seeds=8, spread=0.01):
    """Two arms whose chance to be right depends on image, arm and seed; equal on average but for `gain`."""

    def one(level):
        easy = rng.beta(9, 1, len(LABELS))  # an arm has its own weak spots
        seed = rng.normal(0, spread, (seeds, 1))
        return rng.random((seeds, len(LABELS))) < easy + seed + level

    return one(gain), one(0.0)


def _compare(a, b, rng, resamples=2000, confidence=0.95):
    return paired_difference(a, b, LABELS, resamples, confidence, rng)


def test_difference_is_of_balanced_accuracies_and_by_seed():
    a, b = np.ones((2, 300), bool), np.ones((2, 300), bool)
    b[0, LABELS == 2] = False  # one of three classes lost by one of two seeds
    b[1, :15] = False  # a tenth of class 0 by the other
    result = _compare(a, b, np.random.default_rng(0))
    assert result.by_seed == pytest.approx([1 / 3, 1 / 30])
    assert result.mean == pytest.approx((1 / 3 + 1 / 30) / 2)


def test_planted_difference_is_found_and_changes_sign_with_the_arms():
    rng = np.random.default_rng(1)
    a, b = _arms(rng, gain=0.08)
    result = _compare(a, b, rng)
    assert 0 < result.low < result.mean < result.high
    assert sign_flip(result.by_seed) < 0.05
    assert _compare(b, a, rng).high < 0


def test_no_difference_is_covered():
    rng = np.random.default_rng(2)
    a, b = _arms(rng)
    result = _compare(a, b, rng)
    assert result.low < 0 < result.high
    same = _compare(a, a, rng)
    assert (same.mean, same.low, same.high) == (0, 0, 0)


def test_two_levels_are_wider_than_seeds_alone():
    rng = np.random.default_rng(3)
    a, b = _arms(rng)
    both = _compare(a, b, rng)
    picked = rng.integers(8, size=(2000, 8))
    low, high = np.quantile(both.by_seed[picked].mean(axis=1), [0.025, 0.975])
    assert both.high - both.low > 1.3 * (high - low)


def test_interval_widens_with_confidence_and_follows_the_generator():
    a, b = _arms(np.random.default_rng(4))
    wide, narrow, again = (_compare(a, b, np.random.default_rng(0), confidence=c) for c in (0.99, 0.8, 0.8))
    assert wide.low < narrow.low < narrow.high < wide.high
    assert (narrow.low, narrow.high) == (again.low, again.high)


def test_few_images_at_once_give_the_same_interval(monkeypatch):
    a, b = _arms(np.random.default_rng(5))
    whole = _compare(a, b, np.random.default_rng(0))
    monkeypatch.setattr(statistics, "_DRAWS", 1000)
    parts = _compare(a, b, np.random.default_rng(0))
    assert (parts.low, parts.high) == pytest.approx((whole.low, whole.high), abs=1e-12)


@pytest.mark.parametrize("seeds", [4, 10])
def test_a_claim_of_equal_arms_is_rare(seeds):
    rng = np.random.default_rng(6)
    claims = [_compare(*_arms(rng, seeds=seeds), rng, resamples=500).low > 0 for _ in range(300)]
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
