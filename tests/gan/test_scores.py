import numpy as np
import pytest

from tasks.gan.scores import diversities, diversity, kid, random_network


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


def test_diversity_of_a_collapsed_and_of_an_equal_generator() -> None:
    rng = np.random.default_rng(0)
    real = rng.normal(size=(60, 16))
    assert diversity(np.ones((50, 16)), real) == pytest.approx(0, abs=1e-6)
    assert diversity(rng.normal(size=(60, 16)), real) == pytest.approx(1, abs=0.1)
    assert diversity(2 * real, real) == pytest.approx(2)


def test_diversities_are_taken_within_each_class() -> None:
    rng = np.random.default_rng(0)
    real = rng.integers(0, 256, (40, 8, 8, 1), np.uint8)
    labels = np.repeat(np.arange(2, dtype=np.int32), 20)
    fake = real.copy()
    fake[labels == 1] = fake[-1]
    np.testing.assert_allclose(diversities(fake, labels, real, labels), [1, 0], atol=1e-6)


def test_random_networks_tell_noise_from_bars_and_agree_with_themselves() -> None:
    rng = np.random.default_rng(0)
    noise = rng.integers(0, 256, (80, 8, 8, 1), np.uint8)
    bars = np.zeros((40, 8, 8, 1), np.uint8)
    bars[np.arange(40), :, rng.integers(0, 8, 40)] = 255
    for seed in range(3):
        extract = random_network(8, 1, seed)
        assert extract(noise).shape == (80, 512)
        np.testing.assert_array_equal(extract(noise[:7]), random_network(8, 1, seed)(noise[:7]))
        assert kid(extract(noise[:40]), extract(bars)) > 10 * abs(kid(extract(noise[:40]), extract(noise[40:])))
