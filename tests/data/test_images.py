"""What a network sees of a file: every mode and depth as 8-bit grey or RGB, upright, in one size."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from tasks.data.images import MODES, read_images, upright, write_image

STEPS = np.arange(6, dtype=np.uint8).reshape(2, 3) * 40
TURNS = {
    1: STEPS,
    2: STEPS[:, ::-1],
    3: STEPS[::-1, ::-1],
    4: STEPS[::-1],
    5: STEPS.T,
    6: np.rot90(STEPS, -1),
    7: STEPS[::-1, ::-1].T,
    8: np.rot90(STEPS),
}


def _grey(image: Image.Image) -> list[list[int]]:
    converted = upright(image, 1)
    assert converted.mode == "L"
    return np.asarray(converted).tolist()


def _colours(image: Image.Image) -> list[list[list[int]]]:
    converted = upright(image, 3)
    assert converted.mode == "RGB"
    return np.asarray(converted).tolist()


def _one(folder: Path, image: Image.Image, name: str = "x.png", **options: object) -> str:
    image.save(folder / name, **options)
    return str(folder / name)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("mode", MODES)
def test_every_mode_becomes_grey_or_rgb(mode: str, channels: int) -> None:
    converted = upright(Image.new(mode, (3, 2)), channels)
    assert (converted.mode, converted.size) == ({1: "L", 3: "RGB"}[channels], (3, 2))


@pytest.mark.parametrize("order", ["<u2", ">u2"])
@pytest.mark.parametrize("suffix", ["png", "tif"])
def test_16_bits_are_scaled_not_clipped(tmp_path: Path, order: str, suffix: str) -> None:
    values = np.array([[0, 255, 256], [32_767, 32_768, 65_535]], order)
    path = _one(tmp_path, Image.fromarray(values), f"x.{suffix}")
    with Image.open(path) as image:
        assert image.mode.startswith("I;16")
        assert _grey(image) == [[0, 0, 1], [127, 128, 255]]
        assert _colours(image)[1] == [[127] * 3, [128] * 3, [255] * 3]


@pytest.mark.parametrize(
    ("mode", "clear", "half", "solid"),
    [("RGBA", (0, 0, 0, 0), (0, 0, 0, 128), (10, 10, 10, 255)), ("LA", (0, 0), (0, 128), (10, 255))],
)
def test_what_is_transparent_becomes_white(
    mode: str, clear: tuple[int, ...], half: tuple[int, ...], solid: tuple[int, ...]
) -> None:
    image = Image.new(mode, (3, 1))
    for column, value in enumerate((clear, half, solid)):
        image.putpixel((column, 0), value)
    assert _grey(image) == [[255, 127, 10]]
    assert _colours(image) == [[[255] * 3, [127] * 3, [10] * 3]]


@pytest.mark.parametrize(("mode", "colour", "grey"), [("L", 7, 7), ("RGB", (7, 7, 7), 7), ("P", 1, 200)])
def test_a_colour_named_transparent_becomes_white(tmp_path: Path, mode: str, colour: object, grey: int) -> None:
    image = Image.new(mode, (2, 1), colour)
    if mode == "P":
        image.putpalette([0, 0, 0, 200, 200, 200])
    image.putpixel((1, 0), (0, 0, 0) if mode == "RGB" else 0)
    black = (0, 0, 0) if mode == "RGB" else 0
    with Image.open(_one(tmp_path, image, transparency=black)) as stored:
        assert stored.mode == mode
        assert _grey(stored) == [[grey, 255]]
    with Image.open(_one(tmp_path, image)) as stored:
        assert _grey(stored) == [[grey, 0]]


def test_a_16_bit_grey_named_transparent_becomes_white(tmp_path: Path) -> None:
    image = Image.fromarray(np.array([[0, 255, 40_000]], np.uint16))
    with Image.open(_one(tmp_path, image, transparency=0)) as stored:
        assert _grey(stored) == [[255, 0, 156]]


def test_a_palette_with_an_alpha_for_each_colour_is_laid_on_white(tmp_path: Path) -> None:
    image = Image.new("P", (2, 1))
    image.putpalette([255, 0, 0, 0, 0, 255])
    image.putpixel((1, 0), 1)
    with Image.open(_one(tmp_path, image, transparency=b"\x00\xff")) as stored:
        assert _colours(stored) == [[[255, 255, 255], [0, 0, 255]]]


def test_palettes_show_their_colours_not_their_numbers() -> None:
    image = Image.new("P", (2, 1))
    image.putpalette([255, 0, 0, 0, 0, 255])
    image.putpixel((1, 0), 1)
    assert _colours(image) == [[[255, 0, 0], [0, 0, 255]]]


def test_inks_and_bits_become_light() -> None:
    assert _colours(Image.new("CMYK", (1, 1), (0, 0, 0, 0))) == [[[255, 255, 255]]]
    assert _colours(Image.new("CMYK", (1, 1), (0, 0, 0, 255))) == [[[0, 0, 0]]]
    assert _colours(Image.new("CMYK", (1, 1), (255, 0, 0, 0))) == [[[0, 255, 255]]]
    assert _grey(Image.new("1", (1, 1), 1)) == [[255]]


def test_cmyk_jpeg_files_are_not_inverted(tmp_path: Path) -> None:
    path = _one(tmp_path, Image.new("CMYK", (8, 8), (0, 0, 0, 55)), "x.jpg", quality=95)
    assert np.abs(read_images([path], 8, 1).astype(int) - 200).max() <= 2


def test_grey_and_rgb_are_converted_into_each_other() -> None:
    assert _colours(Image.new("L", (1, 1), 77)) == [[[77, 77, 77]]]
    image = Image.fromarray(np.array([[[255, 0, 0], [0, 255, 0], [0, 0, 255]]], np.uint8))
    assert _grey(image) == [[76, 150, 29]]  # ITU-R 601


@pytest.mark.parametrize(("tag", "expected"), TURNS.items())
def test_images_are_turned_as_their_exif_tag_says(tmp_path: Path, tag: int, expected: NDArray[np.uint8]) -> None:
    image = Image.fromarray(STEPS)
    exif = Image.Exif()
    exif[0x0112] = tag
    with Image.open(_one(tmp_path, image, exif=exif)) as stored:
        assert _grey(stored) == expected.tolist()


def test_a_16_bit_image_is_turned_too(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    with Image.open(_one(tmp_path, Image.fromarray(STEPS.astype(np.uint16) << 8), exif=exif)) as stored:
        assert _grey(stored) == TURNS[6].tolist()


@pytest.mark.parametrize(("size_px", "channels"), [(8, 1), (16, 3)])
def test_files_of_any_size_and_mode_become_one_array(tmp_path: Path, size_px: int, channels: int) -> None:
    paths = [
        _one(tmp_path, Image.new("L", (30, 20), 10), "a.png"),
        _one(tmp_path, Image.new("RGB", (5, 40), (20, 20, 20)), "b.bmp"),
        _one(tmp_path, Image.new("RGBA", (size_px, size_px), (0, 0, 0, 0)), "c.tif"),
    ]
    images = read_images(paths, size_px, channels)
    assert images.shape == (3, size_px, size_px, channels)
    assert images.dtype == np.uint8
    assert [np.unique(image).tolist() for image in images] == [[10], [20], [255]]


def test_an_image_of_the_right_size_keeps_its_pixels(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (8, 8, 3), np.uint8)
    assert np.array_equal(read_images([_one(tmp_path, Image.fromarray(pixels))], 8, 3)[0], pixels)


def test_an_animation_shows_its_first_frame(tmp_path: Path) -> None:
    frames = [Image.new("L", (8, 8), value) for value in (50, 150)]
    for name in ("x.gif", "x.png", "x.tif"):
        path = _one(tmp_path, frames[0], name, save_all=True, append_images=frames[1:])
        assert np.unique(read_images([path], 8, 1)).tolist() == [50]


@pytest.mark.parametrize("channels", [1, 3])
def test_what_is_written_is_read_back(tmp_path: Path, channels: int) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (8, 8, channels), np.uint8)
    write_image(tmp_path / "x.png", pixels)
    assert np.array_equal(read_images([str(tmp_path / "x.png")], 8, channels)[0], pixels)
