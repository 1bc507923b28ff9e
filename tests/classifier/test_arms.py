import numpy as np
import pytest

from tasks.classifier.arms import class_weights, draw
from tasks.core.params import Augmentation
from tasks.networks.augmentation import IDENTITY
from tests.classifier.examples import SHIFTS, arm, made, mixed

# 60 real images of class 0, 20 of class 1, 4 of class 2; 30 synthetic ones of class 2, scattered between them.
_RNG = np.random.default_rng(0)
_ORDER = _RNG.permutation(114)
LABELS = np.repeat([0, 1, 2, 2], [60, 20, 4, 30])[_ORDER]
SYNTHETIC = np.repeat([False, False, False, True], [60, 20, 4, 30])[_ORDER]


def _draw(arm, chunks=(200,), seed=1, batch=32, augmentation=None):
    of_training = (LABELS, SYNTHETIC, 8, batch, list(chunks), np.random.default_rng(seed))
    drawn = list(draw(arm, augmentation, *of_training))
    names = ("indices", "partners", "coefficients", "label_coefficients", "weights", "transforms", "brightness")
    return {name: np.concatenate([getattr(each, name) for each in drawn]) for name in names}


def test_natural_sampling_draws_each_real_image_once_an_epoch():
    indices = _draw(arm(), chunks=[21], batch=8)["indices"].ravel()
    for epoch in (indices[:84], indices[84:168]):
        assert sorted(epoch) == sorted(np.flatnonzero(~SYNTHETIC))
    assert not np.array_equal(indices[:84], indices[84:168])


def test_oversampling_draws_classes_equally_often():
    drawn = _draw(arm(oversample=True))
    for indices in (drawn["indices"], drawn["partners"]):
        assert not SYNTHETIC[indices].any()
        shares = np.bincount(LABELS[indices].ravel()) / indices.size
        np.testing.assert_allclose(shares, 1 / 3, atol=0.03)  # 5 standard errors
    rare = drawn["indices"][LABELS[drawn["indices"]] == 2]
    np.testing.assert_allclose(np.unique(rare, return_counts=True)[1] / rare.size, 1 / 4, atol=0.05)


def test_class_numbers_without_images_are_never_drawn():
    labels = np.array([0, 0, 3])
    rng = np.random.default_rng(1)
    drawn = next(draw(arm(oversample=True), None, labels, np.zeros(3, bool), 8, 50, [10], rng))
    assert set(labels[drawn.indices].ravel()) == {0, 3}
    assert (labels[drawn.indices] == 3).mean() == pytest.approx(0.5, abs=0.1)


@pytest.mark.parametrize("share", [0.0, 0.25, 1.0])
def test_synthetic_share_holds_within_classes_that_have_synthetic_images(share):
    indices = _draw(arm(oversample=True, **(made(share) if share else {})))["indices"]
    rare = LABELS[indices] == 2
    assert rare.mean() == pytest.approx(1 / 3, abs=0.03)
    most = SYNTHETIC[LABELS == 2].mean()
    assert 0.5 < most < 1
    assert SYNTHETIC[indices[rare]].mean() == pytest.approx(min(share, most), abs=0.05)
    assert not SYNTHETIC[indices[~rare]].any()


def test_a_single_synthetic_image_is_drawn_no_more_than_a_real_one() -> None:
    only_one = SYNTHETIC & (np.cumsum(SYNTHETIC) == 1)
    draws = draw(
        arm(oversample=True, **made()),
        None,
        LABELS[~SYNTHETIC | only_one],
        only_one[~SYNTHETIC | only_one],
        8,
        32,
        [2_000],
        np.random.default_rng(0),
    )
    times = np.bincount(np.concatenate([each.indices.ravel() for each in draws]))
    labels, one = LABELS[~SYNTHETIC | only_one], only_one[~SYNTHETIC | only_one]
    assert times[one].item() == pytest.approx(times[(labels == 2) & ~one].mean(), rel=0.2)


def test_synthetic_share_leaves_the_classes_of_natural_sampling_alone():
    plain, some = (_draw(arm(**settings))["indices"] for settings in ({}, made()))
    np.testing.assert_array_equal(LABELS[plain], LABELS[some])
    swapped = plain != some
    assert swapped.any()
    assert SYNTHETIC[some[swapped]].all()


@pytest.mark.parametrize("oversample", [False, True])
def test_synthetic_is_never_mixed_with_synthetic(oversample):
    drawn = _draw(arm(oversample=oversample, **mixed(1.0), **made(1.0)))
    first, second = SYNTHETIC[drawn["indices"]], SYNTHETIC[drawn["partners"]]
    assert first.any()
    assert second.any()
    assert not (first & second).any()
    shares = np.bincount(LABELS[drawn["partners"]].ravel()) / drawn["partners"].size
    np.testing.assert_allclose(shares, [1 / 3] * 3 if oversample else np.array([60, 20, 4]) / 84, atol=0.03)


def test_coefficients_are_beta_distributed_and_drawn_per_example():
    coefficients = _draw(arm(**mixed(0.5)))["coefficients"]
    assert coefficients.shape == (200, 32)
    assert len(np.unique(coefficients[0])) > 20
    assert coefficients.mean() == pytest.approx(0.5, abs=0.02)
    assert coefficients.var() == pytest.approx(1 / 8, abs=0.01)  # 1 / (4 (2 alpha + 1))


def test_without_mixup_the_example_remains():
    assert (_draw(arm())["coefficients"] == 1).all()


def test_shifts_are_whole_pixels_up_to_the_limit_in_both_directions():
    transforms = _draw(arm(), augmentation=SHIFTS.model_copy(update={"shift_share": 0.25}))["transforms"]
    assert transforms.shape == (200, 32, 8)
    assert transforms.dtype == np.float32
    for place in (2, 5):
        values, counts = np.unique(transforms[..., place], return_counts=True)
        assert values.tolist() == [-2, -1, 0, 1, 2]
        np.testing.assert_allclose(counts / counts.sum(), 1 / 5, atol=0.03)
    assert (transforms[..., [0, 1, 3, 4]] == IDENTITY[[0, 1, 3, 4]]).all()
    assert (_draw(arm())["transforms"] == IDENTITY).all()


def test_turns_zooms_shears_and_flips_are_as_large_as_they_say():
    geometric = Augmentation(
        rotation_deg=50, shift_share=0, shear=0.2, zoom=0.2, flip=True, brightness=[1, 1], fill="edge"
    )
    matrices = _draw(arm(), augmentation=geometric)["transforms"][..., [0, 1, 3, 4]].reshape(-1, 2, 2)
    determinants = np.linalg.det(matrices)
    assert (determinants < 0).mean() == pytest.approx(0.5, abs=0.03)
    assert np.abs(determinants).min() > 1 / 1.2**2
    assert np.abs(determinants).max() < 1 / 0.8**2
    only_turned = geometric.model_copy(update={"zoom": 0.0, "shear": 0.0, "flip": False})
    turned = _draw(arm(), augmentation=only_turned)["transforms"]
    angles = np.degrees(np.arctan2(turned[..., 3], turned[..., 0]))
    assert (angles.min(), angles.max()) == (pytest.approx(-50, abs=1), pytest.approx(50, abs=1))


def test_brightness_lies_in_its_range_and_moves_no_other_draw():
    lit = SHIFTS.model_copy(update={"brightness": [1.0, 1.3]})
    drawn, plain = _draw(arm(), augmentation=lit), _draw(arm(), augmentation=SHIFTS)
    values = drawn.pop("brightness")
    assert (values.dtype, values.shape) == (np.float32, (200, 32))
    assert (values.min(), values.max()) == (pytest.approx(1, abs=0.01), pytest.approx(1.3, abs=0.01))
    assert values.mean() == pytest.approx(1.15, abs=0.01)
    for name, same in drawn.items():
        np.testing.assert_array_equal(same, plain[name])
    assert (plain["brightness"] == 1).all()
    assert (_draw(arm())["brightness"] == 1).all()


def test_weights_of_classes_are_inverse_to_their_counts_and_one_on_average():
    weights = class_weights(np.array([60, 20, 0, 4]))
    assert weights.tolist() == pytest.approx([84 / 180, 84 / 60, 0, 84 / 12])
    drawn = _draw(arm(loss="weighted"), chunks=[21], batch=8)
    assert drawn["weights"].mean() == pytest.approx(1, abs=1e-6)  # whole epochs
    for label, weight in enumerate(class_weights(np.array([60, 20, 4]))):
        assert drawn["weights"][LABELS[drawn["indices"]] == label] == pytest.approx(weight)
    assert (_draw(arm())["weights"] == 1).all()


def test_mixed_examples_weigh_by_their_shares_of_the_label():
    drawn = _draw(arm(loss="weighted", **mixed(1.0), **made(1.0, weight=0.25)))
    each = class_weights(np.array([60, 20, 4]))[LABELS] * np.where(SYNTHETIC, 0.25, 1)
    share = drawn["label_coefficients"]
    expected = share * each[drawn["indices"]] + (1 - share) * each[drawn["partners"]]
    np.testing.assert_allclose(drawn["weights"], expected, rtol=1e-5)


def test_remix_gives_the_label_to_the_rarer_class():
    drawn = _draw(arm(**mixed(1.0, remix=True)))
    counts = np.array([60, 20, 4])[LABELS]
    own, other, share = counts[drawn["indices"]], counts[drawn["partners"]], drawn["coefficients"]
    labels = drawn["label_coefficients"]
    assert (labels[(own >= 3 * other) & (share < 0.5)] == 0).all()
    assert (labels[(3 * own <= other) & (share > 0.5)] == 1).all()
    rest = ~((own >= 3 * other) & (share < 0.5)) & ~((3 * own <= other) & (share > 0.5))
    assert 0.3 < rest.mean() < 0.9
    np.testing.assert_array_equal(labels[rest], share[rest])


def test_the_tail_is_real_unmixed_natural_and_weighted():
    drawn = _draw(arm(oversample=True, tail_share=0.25, **mixed(0.5), **made()), chunks=[70, 130])
    head, tail = ({name: values[rows] for name, values in drawn.items()} for rows in (slice(150), slice(150, None)))
    assert SYNTHETIC[head["indices"]].any()
    assert (head["coefficients"] < 1).any()
    assert (head["weights"] == 1).all()
    assert not SYNTHETIC[tail["indices"]].any()
    assert (tail["coefficients"] == 1).all()
    np.testing.assert_array_equal(tail["indices"], tail["partners"])
    shares = np.bincount(LABELS[tail["indices"]].ravel()) / tail["indices"].size
    np.testing.assert_allclose(shares, np.array([60, 20, 4]) / 84, atol=0.01)
    np.testing.assert_allclose(
        tail["weights"], class_weights(np.array([60, 20, 4]))[LABELS[tail["indices"]]], rtol=1e-6
    )
    whole = _draw(arm(oversample=True, **mixed(0.5), **made()), chunks=[200])
    np.testing.assert_array_equal(head["indices"], whole["indices"][:150])


@pytest.mark.parametrize("oversample", [False, True])
def test_chunks_change_nothing(oversample):
    all_of_it = arm(oversample=oversample, tail_share=0.3, **mixed(0.2), **made())
    whole, parts = (_draw(all_of_it, chunks, augmentation=SHIFTS) for chunks in ([60], [7, 20, 33]))
    for name, values in whole.items():
        np.testing.assert_array_equal(values, parts[name])


def test_arms_share_the_draws_of_settings_they_share():
    plain = _draw(arm(oversample=True), augmentation=SHIFTS)
    mixing = _draw(arm(oversample=True, **mixed(0.2)), augmentation=SHIFTS)
    np.testing.assert_array_equal(plain["indices"], mixing["indices"])
    np.testing.assert_array_equal(plain["transforms"], mixing["transforms"])
    synthetic = _draw(arm(oversample=True, **mixed(0.2), **made()), augmentation=SHIFTS)
    np.testing.assert_array_equal(mixing["coefficients"], synthetic["coefficients"])
    real = ~SYNTHETIC[synthetic["indices"]]
    np.testing.assert_array_equal(mixing["indices"][real], synthetic["indices"][real])
    assert not np.array_equal(plain["indices"], _draw(arm(oversample=True), seed=2)["indices"])
