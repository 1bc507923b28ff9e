import numpy as np
import pytest

from tasks.classifier.arms import draw
from tasks.support.params import Arm

# 60 real images of class 0, 20 of class 1, 4 of class 2; 30 synthetic ones of class 2, scattered between them.
_RNG = np.random.default_rng(0)
_ORDER = _RNG.permutation(114)
LABELS = np.repeat([0, 1, 2, 2], [60, 20, 4, 30])[_ORDER]
SYNTHETIC = np.repeat([False, False, False, True], [60, 20, 4, 30])[_ORDER]


def _arm(**settings) -> Arm:
    plain = {"rows": "split", "withheld": False, "oversample": False, "shift_px": 0, "mixup_alpha": 0.0}
    return Arm(**plain | {"synthetic_share": 0.0} | settings)


def _draw(arm, chunks=(200,), seed=1, batch=32):
    drawn = list(draw(arm, LABELS, SYNTHETIC, batch, list(chunks), np.random.default_rng(seed)))
    names = ("indices", "partners", "coefficients", "offsets_px")
    return {name: np.concatenate([getattr(each, name) for each in drawn]) for name in names}


def test_natural_sampling_draws_each_real_image_once_an_epoch():
    indices = _draw(_arm(), chunks=[21], batch=8)["indices"].ravel()
    for epoch in (indices[:84], indices[84:168]):
        assert sorted(epoch) == sorted(np.flatnonzero(~SYNTHETIC))
    assert not np.array_equal(indices[:84], indices[84:168])


def test_oversampling_draws_classes_equally_often():
    drawn = _draw(_arm(oversample=True))
    for indices in (drawn["indices"], drawn["partners"]):
        assert not SYNTHETIC[indices].any()
        shares = np.bincount(LABELS[indices].ravel()) / indices.size
        np.testing.assert_allclose(shares, 1 / 3, atol=0.03)  # 5 standard errors
    rare = drawn["indices"][LABELS[drawn["indices"]] == 2]
    np.testing.assert_allclose(np.unique(rare, return_counts=True)[1] / rare.size, 1 / 4, atol=0.05)


def test_class_numbers_without_images_are_never_drawn():
    labels = np.array([0, 0, 3])
    drawn = next(draw(_arm(oversample=True), labels, np.zeros(3, bool), 50, [10], np.random.default_rng(1)))
    assert set(labels[drawn.indices].ravel()) == {0, 3}
    assert (labels[drawn.indices] == 3).mean() == pytest.approx(0.5, abs=0.1)


@pytest.mark.parametrize("share", [0.0, 0.25, 1.0])
def test_synthetic_share_holds_within_classes_that_have_synthetic_images(share):
    indices = _draw(_arm(oversample=True, synthetic_share=share))["indices"]
    rare = LABELS[indices] == 2
    assert rare.mean() == pytest.approx(1 / 3, abs=0.03)
    made, real = ((LABELS == 2) & SYNTHETIC).sum(), ((LABELS == 2) & ~SYNTHETIC).sum()
    assert 0.5 < made / (made + real) < 1
    assert SYNTHETIC[indices[rare]].mean() == pytest.approx(min(share, made / (made + real)), abs=0.05)
    assert not SYNTHETIC[indices[~rare]].any()


def test_a_single_synthetic_image_is_drawn_no_more_than_a_real_one() -> None:
    only_one = SYNTHETIC & (np.cumsum(SYNTHETIC) == 1)
    draws = draw(
        _arm(oversample=True, synthetic_share=0.5),
        LABELS[~SYNTHETIC | only_one],
        only_one[~SYNTHETIC | only_one],
        32,
        [2_000],
        np.random.default_rng(0),
    )
    times = np.bincount(np.concatenate([each.indices.ravel() for each in draws]))
    labels, made = LABELS[~SYNTHETIC | only_one], only_one[~SYNTHETIC | only_one]
    assert times[made].item() == pytest.approx(times[(labels == 2) & ~made].mean(), rel=0.2)


def test_synthetic_share_leaves_the_classes_of_natural_sampling_alone():
    plain, some = (_draw(_arm(synthetic_share=share))["indices"] for share in (0.0, 0.5))
    np.testing.assert_array_equal(LABELS[plain], LABELS[some])
    swapped = plain != some
    assert swapped.any()
    assert SYNTHETIC[some[swapped]].all()


@pytest.mark.parametrize("oversample", [False, True])
def test_synthetic_is_never_mixed_with_synthetic(oversample):
    drawn = _draw(_arm(oversample=oversample, mixup_alpha=1.0, synthetic_share=1.0))
    first, second = SYNTHETIC[drawn["indices"]], SYNTHETIC[drawn["partners"]]
    assert first.any()
    assert second.any()
    assert not (first & second).any()
    shares = np.bincount(LABELS[drawn["partners"]].ravel()) / drawn["partners"].size
    np.testing.assert_allclose(shares, [1 / 3] * 3 if oversample else np.array([60, 20, 4]) / 84, atol=0.03)


def test_coefficients_are_beta_distributed_and_drawn_per_example():
    coefficients = _draw(_arm(mixup_alpha=0.5))["coefficients"]
    assert coefficients.shape == (200, 32)
    assert len(np.unique(coefficients[0])) > 20
    assert coefficients.mean() == pytest.approx(0.5, abs=0.02)
    assert coefficients.var() == pytest.approx(1 / 8, abs=0.01)  # 1 / (4 (2 alpha + 1))


def test_without_mixup_the_example_remains():
    assert (_draw(_arm())["coefficients"] == 1).all()


def test_shifts_are_whole_pixels_up_to_the_limit_in_both_directions():
    offsets_px = _draw(_arm(shift_px=2))["offsets_px"]
    assert offsets_px.shape == (200, 32, 2)
    assert offsets_px.dtype == np.int32
    for axis in range(2):
        values, counts = np.unique(offsets_px[..., axis], return_counts=True)
        assert values.tolist() == [-2, -1, 0, 1, 2]
        np.testing.assert_allclose(counts / counts.sum(), 1 / 5, atol=0.03)
    assert not _draw(_arm())["offsets_px"].any()


@pytest.mark.parametrize("oversample", [False, True])
def test_chunks_change_nothing(oversample):
    arm = _arm(oversample=oversample, shift_px=1, mixup_alpha=0.2, synthetic_share=0.5)
    whole, parts = _draw(arm, [60]), _draw(arm, [7, 20, 33])
    for name, values in whole.items():
        np.testing.assert_array_equal(values, parts[name])


def test_arms_share_the_draws_of_settings_they_share():
    plain = _draw(_arm(oversample=True, shift_px=1))
    mixed = _draw(_arm(oversample=True, shift_px=1, mixup_alpha=0.2))
    np.testing.assert_array_equal(plain["indices"], mixed["indices"])
    np.testing.assert_array_equal(plain["offsets_px"], mixed["offsets_px"])
    synthetic = _draw(_arm(oversample=True, shift_px=1, mixup_alpha=0.2, synthetic_share=0.5))
    np.testing.assert_array_equal(mixed["coefficients"], synthetic["coefficients"])
    real = ~SYNTHETIC[synthetic["indices"]]
    np.testing.assert_array_equal(mixed["indices"][real], synthetic["indices"][real])
    assert not np.array_equal(plain["indices"], _draw(_arm(oversample=True, shift_px=1), seed=2)["indices"])
