import numpy as np
import pytest
import tensorflow as tf

from tasks.networks.affine import IDENTITY, affine_transforms, transform


def _apply(image, rotation_deg=0.0, shift_px=(0, 0), shear=0.0, zoom=(1, 1), flip=False, fill="edge"):
    settings = ([rotation_deg], [shift_px], [shear], [zoom], [flip])
    matrices = affine_transforms(*(np.array(each) for each in settings), image.shape[0])
    return transform(tf.constant(image[None, ..., None], tf.float32), matrices, fill).numpy()[0, ..., 0]


@pytest.fixture
def image():
    return np.arange(25.0).reshape(5, 5)


def test_the_identity_changes_nothing(image):
    np.testing.assert_array_equal(_apply(image), image)
    same = transform(tf.constant(image[None, ..., None], tf.float32), IDENTITY[None], "edge")
    np.testing.assert_array_equal(same[0, ..., 0], image)


def test_a_quarter_turn_is_counter_clockwise(image):
    np.testing.assert_allclose(_apply(image, rotation_deg=90), np.rot90(image), atol=1e-3)
    np.testing.assert_allclose(_apply(image, rotation_deg=-90), np.rot90(image, -1), atol=1e-3)


def test_shifts_go_down_and_right_and_the_edge_goes_on(image):
    moved = _apply(image, shift_px=(1, 2))
    np.testing.assert_array_equal(moved[1:, 2:], image[:-1, :-2])
    np.testing.assert_array_equal(moved[0, 2:], image[0, :-2])
    assert (moved[:, 0] == moved[:, 1]).all()


def test_black_comes_in_from_outside(image):
    moved = _apply(image, shift_px=(-1, 0), fill="black")
    np.testing.assert_array_equal(moved[:-1], image[1:])
    assert (moved[-1] == -1).all()


def test_flips_are_left_to_right(image):
    np.testing.assert_array_equal(_apply(image, flip=True), image[:, ::-1])


def test_a_shear_moves_rows_against_each_other(image):
    sheared = _apply(image, shear=1.0)
    np.testing.assert_allclose(sheared[2], image[2])
    np.testing.assert_allclose(sheared[3, 1:], image[3, :-1])
    np.testing.assert_allclose(sheared[1, :-1], image[1, 1:])


def test_a_zoom_of_two_shows_the_middle_twice_as_large():
    ramp = np.tile(np.arange(9.0), (9, 1))
    np.testing.assert_allclose(_apply(ramp, zoom=(1, 2))[4], 4 + (np.arange(9) - 4) / 2)
    np.testing.assert_allclose(_apply(ramp, zoom=(2, 1)), ramp)


@pytest.mark.parametrize(("fill", "mode"), [("black", "CONSTANT"), ("edge", "NEAREST")])
def test_any_change_is_that_of_tensorflow_itself(fill, mode):
    rng = np.random.default_rng(0)
    images = rng.uniform(-1, 1, (40, 12, 12, 3)).astype(np.float32)
    amounts = rng.uniform(-1, 1, (40, 6))
    matrices = affine_transforms(
        180 * amounts[:, 0], 6 * amounts[:, 1:3], amounts[:, 3], 1 + amounts[:, 4:] / 2, amounts[:, 0] > 0, 12
    )
    expected = tf.raw_ops.ImageProjectiveTransformV3(
        images=images,
        transforms=matrices,
        output_shape=[12, 12],
        fill_value=-1.0,
        interpolation="BILINEAR",
        fill_mode=mode,
    )
    np.testing.assert_allclose(transform(images, matrices, fill), expected, atol=1e-4)
