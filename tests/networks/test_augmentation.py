import numpy as np
import pytest
import tensorflow as tf

from tasks.networks.arrays import to_signed
from tasks.networks.augmentation import IDENTITY, DiffAugment, affine_transforms, brighten, shift, transform

BOTH = DiffAugment(translation=0.25, cutout=0.5, colour=False)
COLOUR = DiffAugment(translation=0.0, cutout=0.0, colour=True)


def _changed(image, rotation_deg=0.0, shift_px=(0, 0), shear=0.0, zoom=(1, 1), flip=False, fill="edge"):
    settings = ([rotation_deg], [shift_px], [shear], [zoom], [flip])
    matrices = affine_transforms(*(np.array(each) for each in settings), image.shape[0])
    return transform(tf.constant(image[None, ..., None], tf.float32), matrices, fill).numpy()[0, ..., 0]


@pytest.fixture
def image():
    return np.arange(25.0).reshape(5, 5)


def test_the_identity_changes_nothing(image):
    np.testing.assert_array_equal(_changed(image), image)
    same = transform(tf.constant(image[None, ..., None], tf.float32), IDENTITY[None], "edge")
    np.testing.assert_array_equal(same[0, ..., 0], image)


def test_a_quarter_turn_is_counter_clockwise(image):
    np.testing.assert_allclose(_changed(image, rotation_deg=90), np.rot90(image), atol=1e-3)
    np.testing.assert_allclose(_changed(image, rotation_deg=-90), np.rot90(image, -1), atol=1e-3)


def test_shifts_go_down_and_right_and_the_edge_goes_on(image):
    moved = _changed(image, shift_px=(1, 2))
    np.testing.assert_array_equal(moved[1:, 2:], image[:-1, :-2])
    np.testing.assert_array_equal(moved[0, 2:], image[0, :-2])
    assert (moved[:, 0] == moved[:, 1]).all()


def test_black_comes_in_from_outside(image):
    moved = _changed(image, shift_px=(-1, 0), fill="black")
    np.testing.assert_array_equal(moved[:-1], image[1:])
    assert (moved[-1] == -1).all()


def test_flips_are_left_to_right(image):
    np.testing.assert_array_equal(_changed(image, flip=True), image[:, ::-1])


def test_a_shear_moves_rows_against_each_other(image):
    sheared = _changed(image, shear=1.0)
    np.testing.assert_allclose(sheared[2], image[2])
    np.testing.assert_allclose(sheared[3, 1:], image[3, :-1])
    np.testing.assert_allclose(sheared[1, :-1], image[1, 1:])


def test_a_zoom_of_two_shows_the_middle_twice_as_large():
    ramp = np.tile(np.arange(9.0), (9, 1))
    np.testing.assert_allclose(_changed(ramp, zoom=(1, 2))[4], 4 + (np.arange(9) - 4) / 2)
    np.testing.assert_allclose(_changed(ramp, zoom=(2, 1)), ramp)


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


def test_bytes_are_multiplied_and_clipped() -> None:
    values = np.array([0, 50, 100, 200, 255], np.float32).reshape(1, 5, 1, 1)
    images = tf.constant(np.repeat(to_signed(values), 3, axis=0))
    lit = (brighten(images, tf.constant([1.0, 1.3, 0.5])).numpy() + 1) * 127.5
    expected = [[0, 50, 100, 200, 255], [0, 65, 130, 255, 255], [0, 25, 50, 100, 127.5]]
    np.testing.assert_allclose(lit[..., 0, 0], expected, atol=1e-4)


def test_each_image_moves_by_its_own_offset() -> None:
    image = tf.reshape(tf.range(4, dtype=tf.float32), (1, 2, 2, 1))
    moved = shift(tf.repeat(image, 3, axis=0), tf.constant([[0, 0], [1, 0], [0, -1]]), fill=-1.0)
    assert moved.numpy()[..., 0].tolist() == [
        [[0, 1], [2, 3]],
        [[-1, -1], [0, 1]],
        [[1, -1], [3, -1]],
    ]


def test_a_shift_beyond_the_image_leaves_the_fill() -> None:
    moved = shift(tf.ones((1, 2, 2, 3)), tf.constant([[5, -5]]), fill=0.5)
    assert moved.numpy().tolist() == tf.fill((1, 2, 2, 3), 0.5).numpy().tolist()


def _image() -> tf.Tensor:
    return tf.reshape(tf.range(16, dtype=tf.float32), (1, 4, 4, 1))


def _draw(*values: float) -> tf.Tensor:
    return tf.constant([values], tf.float32)


def test_shifts_then_cuts_out_where_the_draw_says() -> None:
    changed = BOTH.apply(_image(), _draw(1, -1, 2, 0, 0, 0, 0)).numpy()[0, :, :, 0]
    assert changed.tolist() == [
        [-1, -1, -1, -1],
        [1, 2, 3, -1],
        [-1, -1, 7, -1],
        [-1, -1, 11, -1],
    ]


def test_switched_off_nothing_changes() -> None:
    off = DiffAugment(translation=0.0, cutout=0.0, colour=False)
    np.testing.assert_array_equal(off.apply(_image(), _draw(1, 1, 1, 1, 1, 1, 1)), _image())


def test_brightness_saturation_and_contrast_by_hand() -> None:
    pixels = tf.constant([[[[0.0, 0.2, 0.4]], [[0.6, 0.6, 0.6]]]])  # one image, two pixels
    brighter = COLOUR.apply(pixels, _draw(0, 0, 0, 0, 0.1, 1, 1)).numpy()
    np.testing.assert_allclose(brighter, pixels + 0.1, rtol=1e-6)
    grey = COLOUR.apply(pixels, _draw(0, 0, 0, 0, 0, 0, 1)).numpy()[0, :, 0]
    np.testing.assert_allclose(grey, [[0.2] * 3, [0.6] * 3], rtol=1e-5)
    flat = COLOUR.apply(pixels, _draw(0, 0, 0, 0, 0, 1, 0.5)).numpy()[0, :, 0]
    np.testing.assert_allclose(flat, [[0.2, 0.3, 0.4], [0.5] * 3], rtol=1e-5)  # halfway to the mean, .4


def test_draws_cover_their_range_and_no_more() -> None:
    draws = DiffAugment(0.125, 0.5, colour=True).draw((2000,), 8, np.random.default_rng(0))
    assert draws.shape == (2000, 7)
    assert set(draws[:, 0]) == set(draws[:, 1]) == {-1, 0, 1}
    assert (draws[:, 2:4].min(), draws[:, 2:4].max()) == (-2, 6)
    for column, (low, high) in zip(draws[:, 4:].T, [(-0.5, 0.5), (0, 2), (0.5, 1.5)], strict=True):
        assert low <= column.min() < low + 0.01 * (high - low) + 1e-6
        assert high - 0.01 * (high - low) < column.max() <= high
    assert not DiffAugment(0.125, 0.5, colour=False).draw((9,), 8, np.random.default_rng(0))[:, 4:].any()


@pytest.mark.parametrize("augmentation", [BOTH, COLOUR])
def test_gradients_flow_through_what_is_left(augmentation: DiffAugment) -> None:
    images = tf.Variable(_image())
    with tf.GradientTape() as tape:
        total = tf.reduce_sum(augmentation.apply(images, _draw(0, 0, 0, 0, 0.1, 1, 0.5)))
    gradient = tf.convert_to_tensor(tape.gradient(total, images)).numpy()[0, :, :, 0]
    cut = [[0, 0, 1, 1], [0, 0, 1, 1], [1, 1, 1, 1], [1, 1, 1, 1]]
    np.testing.assert_allclose(gradient, cut if augmentation is BOTH else np.ones((4, 4)), rtol=1e-6)
