"""Each defect is found, measures have the values their definitions say, and no bytes make measuring fail."""

import io
import struct
import tempfile
import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image, features

from tasks.core.params import UNREADABLE, Quality
from tasks.data.quality import DEFECTS, MEASURES, measure, measure_files

QUALITY = Quality(
    quarantine=list(UNREADABLE),
    max_pixels=50_000_000,
    min_side_px=8,
    max_aspect=4.0,
    min_brightness=0.04,
    max_brightness=0.96,
    min_contrast=0.02,
)
STRICT = QUALITY.model_copy(update={"quarantine": list(DEFECTS)})
PROPERTY = settings(
    derandomize=True, deadline=None, max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def _picture(seed: int = 0, width: int = 48, height: int = 40) -> Image.Image:
    """Soft spots, as in a photograph: an enlarged 6x6 pattern."""
    pattern = np.random.default_rng(seed).integers(0, 256, (6, 6), np.uint8)
    return Image.fromarray(pattern).resize((width, height), Image.Resampling.BICUBIC)


def _bytes(image: Image.Image, kind: str = "PNG", **options: Any) -> bytes:
    target = io.BytesIO()
    image.save(target, kind, **options)
    return target.getvalue()


def _frames(kind: str) -> bytes:
    return _bytes(_picture(), kind, save_all=True, append_images=[_picture(1), _picture(2)])


def _declaring(width: int, height: int) -> bytes:
    """A PNG of a few bytes whose header declares this size."""
    header = b"IHDR" + struct.pack(">LL5B", width, height, 8, 0, 0, 0, 0)
    content = _bytes(_picture())
    return content[:12] + header + struct.pack(">L", zlib.crc32(header)) + content[33:]


def _with_zip(content: bytes) -> bytes:
    target = io.BytesIO(content)
    with zipfile.ZipFile(target, "a") as archive:
        archive.writestr("evil.py", "raise SystemExit")
    return target.getvalue()


def _measured(folder: Path, content: bytes, name: str = "x.png", quality: Quality = QUALITY) -> pd.Series:
    (folder / name).write_bytes(content)
    return measure_files([str(folder / name)], quality).iloc[0]


def _of_picture(folder: Path, image: Image.Image) -> pd.Series:
    return _measured(folder, _bytes(image))


def _reasons(row: pd.Series) -> tuple[str | None, str | None]:
    return tuple(None if pd.isna(row[name]) else row[name] for name in ("defect", "warnings"))


def _bits_apart(one: str, other: str) -> int:
    return (int(one, 16) ^ int(other, 16)).bit_count()


SPOILED = {
    "zero_byte": b"",
    "not_an_image": b"not an image at all",
    "too_large": _declaring(10_000, 5_001),
    "truncated": _bytes(_picture())[:-200],
    "unsupported_mode": _bytes(_picture().convert("F"), "TIFF"),
    "wrong_extension": _bytes(_picture(), "BMP"),
    "animated": _frames("PNG"),
    "too_small": _bytes(_picture(width=7)),
    "odd_aspect": _bytes(_picture(width=161)),
    "dark": _bytes(_picture().point(lambda value: value // 25)),
    "bright": _bytes(_picture().point(lambda value: 255 - value // 25)),
    "low_information": _bytes(_picture().point(lambda value: 100 + value // 50)),
}
NAMES = {"unsupported_mode": "x.tif"}


def _beside(name: str) -> str | None:
    return "low_information" if name in ("dark", "bright") else None


def test_every_defect_is_provoked() -> None:
    assert tuple(SPOILED) == DEFECTS


@pytest.mark.parametrize("name", DEFECTS)
def test_a_defect_in_the_quarantine_list_is_the_defect_of_its_file(tmp_path: Path, name: str) -> None:
    row = _measured(tmp_path, SPOILED[name], NAMES.get(name, "x.png"), STRICT)
    assert _reasons(row)[0] == name
    assert row["bytes"] == len(SPOILED[name])


@pytest.mark.parametrize("name", [name for name in DEFECTS if name not in UNREADABLE])
def test_any_other_defect_is_a_warning(tmp_path: Path, name: str) -> None:
    defect, warnings = _reasons(_measured(tmp_path, SPOILED[name]))
    assert defect is None
    assert warnings is not None
    assert name in warnings.split(",")


def test_the_first_defect_in_the_quarantine_list_leads_and_the_others_follow(tmp_path: Path) -> None:
    content = _bytes(Image.new("L", (50, 5)), "BMP")
    all_of_them = "wrong_extension,too_small,odd_aspect,dark,low_information"
    assert _reasons(_measured(tmp_path, content)) == (None, all_of_them)
    assert _reasons(_measured(tmp_path, content, quality=STRICT)) == tuple(all_of_them.split(",", 1))
    some = QUALITY.model_copy(update={"quarantine": [*UNREADABLE, "low_information", "too_small"]})
    assert _reasons(_measured(tmp_path, content, quality=some)) == (
        "too_small",
        "wrong_extension,odd_aspect,dark,low_information",
    )


def test_a_good_image_has_no_defect_and_no_warning(tmp_path: Path) -> None:
    row = _measured(tmp_path, _bytes(_picture()))
    assert _reasons(row) == (None, None)
    assert list(row.index) == MEASURES
    assert (row["format"], row["width"], row["height"], row["mode"]) == ("PNG", 48, 40, "L")


def test_limits_are_inclusive(tmp_path: Path) -> None:
    assert _reasons(_of_picture(tmp_path, _picture(width=8, height=32))) == (None, None)
    assert _reasons(_of_picture(tmp_path, _picture(width=32, height=8))) == (None, None)
    exact = QUALITY.model_copy(update={"max_pixels": 48 * 40})
    assert _reasons(_measured(tmp_path, _bytes(_picture()), quality=exact)) == (None, None)
    assert _reasons(_measured(tmp_path, _bytes(_picture(width=49)), quality=exact)) == ("too_large", None)


@pytest.mark.parametrize(
    ("width", "height"), [(10_000, 5_001), (10_000, 9_000), (20_000, 10_000), (100_000, 100_000), (2**31 - 1, 1)]
)
def test_a_header_that_declares_too_many_pixels_is_too_large_without_being_decoded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, width: int, height: int
) -> None:
    decoded: list[Image.Image] = []
    monkeypatch.setattr("PIL.PngImagePlugin.PngImageFile.load", decoded.append)
    content = _declaring(width, height)
    assert len(content) < 3000
    assert _reasons(_measured(tmp_path, content)) == ("too_large", None)
    assert decoded == []


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("PNG", "x.png"),
        ("PNG", "x.PNG"),
        ("JPEG", "x.jpg"),
        ("JPEG", "x.JPEG"),
        ("GIF", "x.gif"),
        ("BMP", "x.bmp"),
        ("TIFF", "x.tif"),
        ("TIFF", "x.tiff"),
        ("WEBP", "x.webp"),
        pytest.param("AVIF", "x.avif", marks=pytest.mark.skipif(not features.check("avif"), reason="Pillow has none")),
        ("PNG", "without a suffix"),
    ],
)
def test_every_format_is_read(tmp_path: Path, kind: str, name: str) -> None:
    row = _measured(tmp_path, _bytes(_picture(), kind), name)
    assert _reasons(row) == (None, None)
    assert (row["format"], row["width"], row["height"]) == (kind, 48, 40)
    assert _bits_apart(row["phash"], _of_picture(tmp_path, _picture())["phash"]) <= 4


@pytest.mark.parametrize("kind", ["PPM", "ICO", "PCX", "EPS", "PDF"])
def test_a_format_outside_the_list_is_not_an_image(tmp_path: Path, kind: str) -> None:
    assert _reasons(_measured(tmp_path, _bytes(_picture(), kind))) == ("not_an_image", None)


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG", "TIFF"])
def test_an_animation_is_measured_by_its_first_frame(tmp_path: Path, kind: str) -> None:
    row = _measured(tmp_path, _frames(kind), f"x.{kind.lower()}")
    assert _reasons(row) == (None, "animated")
    assert _bits_apart(row["phash"], _of_picture(tmp_path, _picture())["phash"]) <= 4


def test_an_archive_behind_a_picture_changes_nothing_but_what_its_name_claims(tmp_path: Path) -> None:
    polyglot = _with_zip(_bytes(_picture(), "JPEG"))
    assert zipfile.is_zipfile(io.BytesIO(polyglot))
    assert _reasons(_measured(tmp_path, polyglot, "x.jpg")) == (None, None)
    assert _reasons(_measured(tmp_path, polyglot, "x.zip")) == (None, "wrong_extension")
    assert _measured(tmp_path, polyglot, "x.zip")["format"] == "JPEG"


def test_a_jpeg_of_several_pictures_as_phones_write_it_may_be_called_jpg(tmp_path: Path) -> None:
    content = _bytes(_picture(), "MPO", save_all=True, append_images=[_picture(1)])
    assert _reasons(_measured(tmp_path, content, "x.jpg")) == (None, None)


def test_16_bits_are_measured_on_their_own_scale(tmp_path: Path) -> None:
    row = _of_picture(tmp_path, Image.fromarray(np.asarray(_picture()).astype(np.uint16) << 8))
    assert row["mode"] == "I;16"
    assert _reasons(row) == (None, None)
    same = _of_picture(tmp_path, _picture())
    assert (row["brightness"], row["contrast"], row["phash"]) == (same["brightness"], same["contrast"], same["phash"])


@pytest.mark.parametrize("mode", ["F", "I", "LAB"])
def test_a_mode_without_8_or_16_bits_is_unsupported(tmp_path: Path, mode: str) -> None:
    row = _measured(tmp_path, _bytes(Image.new(mode, (16, 16)), "TIFF"), "x.tif")
    assert row["mode"] == mode
    assert _reasons(row) == ("unsupported_mode", None)
    assert pd.isna(row["phash"])
    assert pd.isna(row["brightness"])


def test_a_cmyk_jpeg_is_measured_as_light(tmp_path: Path) -> None:
    row = _measured(tmp_path, _bytes(Image.new("CMYK", (16, 16), (0, 0, 0, 51)), "JPEG"), "x.jpg")
    assert row["mode"] == "CMYK"
    assert row["brightness"] == pytest.approx(0.8, abs=0.01)


def test_a_transparent_palette_is_measured_on_white(tmp_path: Path) -> None:
    image = Image.new("P", (16, 16))
    image.putpalette([0, 0, 0, 255, 255, 255])
    row = _measured(tmp_path, _bytes(image, transparency=0))
    assert row["mode"] == "P"
    assert row["brightness"] == 1
    assert _reasons(row) == (None, "bright,low_information")


def test_an_image_that_exif_turns_has_the_hash_of_the_upright_one(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    turned = _picture().transpose(Image.Transpose.ROTATE_90)
    row = _measured(tmp_path, _bytes(turned, exif=exif))
    assert (row["width"], row["height"]) == (40, 48)
    assert row["phash"] == _of_picture(tmp_path, _picture())["phash"]


@pytest.mark.parametrize("value", [0, 37, 128, 255])
@pytest.mark.parametrize("side", [8, 64, 100])
def test_a_constant_image_has_its_own_brightness_and_nothing_else(tmp_path: Path, value: int, side: int) -> None:
    row = _of_picture(tmp_path, Image.new("L", (side, side), value))
    assert row["brightness"] == pytest.approx(value / 255, abs=1e-6)
    assert row["contrast"] == pytest.approx(0, abs=1e-6)
    assert row["sharpness"] == pytest.approx(0, abs=1e-6)
    assert row["phash"] == ("8000000000000000" if value else "0000000000000000")


def test_half_black_half_white_has_the_largest_contrast(tmp_path: Path) -> None:
    image = Image.new("L", (64, 64))
    image.paste(255, (32, 0, 64, 64))
    row = _of_picture(tmp_path, image)
    assert row["brightness"] == pytest.approx(0.5)
    assert row["contrast"] == pytest.approx(0.5)
    assert row["sharpness"] == pytest.approx(2 / 62)  # 1 and -1 in two of 62 columns


def test_blurring_lowers_sharpness(tmp_path: Path) -> None:
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 64), np.uint8))
    blurred = noise.resize((16, 16), Image.Resampling.BOX).resize((64, 64), Image.Resampling.BICUBIC)
    assert _of_picture(tmp_path, blurred)["sharpness"] < _of_picture(tmp_path, noise)["sharpness"] / 10


def test_a_picture_stays_near_itself_and_far_from_another(tmp_path: Path) -> None:
    large = _of_picture(tmp_path, _picture(width=480, height=400))["phash"]
    small = _of_picture(tmp_path, _picture(width=480, height=400).resize((100, 90), Image.Resampling.LANCZOS))["phash"]
    packed = _measured(tmp_path, _bytes(_picture(width=480, height=400), "JPEG", quality=40), "x.jpg")["phash"]
    colour = _of_picture(tmp_path, _picture(width=480, height=400).convert("RGB"))["phash"]
    assert _bits_apart(large, small) <= 4
    assert _bits_apart(large, packed) <= 4
    assert large == colour
    others = [_of_picture(tmp_path, _picture(seed, 480, 400))["phash"] for seed in range(1, 6)]
    assert min(_bits_apart(large, other) for other in others) > 16


def test_the_hash_is_that_of_imagehash(tmp_path: Path) -> None:
    import imagehash

    reduced = _picture().resize((64, 64), Image.Resampling.BOX)  # imagehash itself reduces to 32 x 32 by Lanczos
    pixels = np.asarray(imagehash.phash(reduced, highfreq_factor=8).hash)
    assert _of_picture(tmp_path, reduced)["phash"] == np.packbits(pixels).tobytes().hex()


def test_a_row_does_not_depend_on_the_files_beside_it(tmp_path: Path) -> None:
    contents = [*SPOILED.values(), *(_bytes(_picture(seed)) for seed in range(9)), _bytes(Image.new("L", (9, 9), 99))]
    paths = [str(tmp_path / f"{number}.png") for number in range(2 * len(contents))]
    for path, content in zip(paths, contents * 2, strict=True):
        Path(path).write_bytes(content)
    together = measure_files(paths, QUALITY).astype(object)
    alone = [measure_files([path], QUALITY).astype(object) for path in paths]
    pd.testing.assert_frame_equal(together, pd.concat(alone, ignore_index=True))
    first, second = together.iloc[: len(contents)], together.iloc[len(contents) :]
    pd.testing.assert_frame_equal(first, second.reset_index(drop=True))


def test_columns_have_the_same_types_whatever_the_files_are(tmp_path: Path) -> None:
    good, broken = tmp_path / "good.png", tmp_path / "broken.png"
    good.write_bytes(_bytes(_picture()))
    broken.write_bytes(b"x")
    types = measure_files([str(good)], QUALITY).dtypes
    assert measure_files([str(broken)], QUALITY).dtypes.equals(types)
    assert measure_files([], QUALITY).dtypes.equals(types)


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG", "TIFF"])
def test_an_animation_cut_anywhere_is_measured(kind: str) -> None:
    content = _frames(kind)
    for kept in range(0, len(content), 7):
        _, defects, _ = measure(content[:kept], f".{kind.lower()}", QUALITY)
        assert set(defects) <= {"zero_byte", "not_an_image", "truncated", "animated"}


VALID = [
    *(_bytes(_picture(), kind) for kind in ("PNG", "JPEG", "GIF", "TIFF", "WEBP", "BMP")),
    *(_bytes(_picture().convert("RGB"), kind) for kind in ("PNG", "JPEG", "WEBP")),
    *(_frames(kind) for kind in ("PNG", "GIF", "TIFF", "WEBP", "MPO")),
    _bytes(_picture(), "TIFF", compression="tiff_lzw"),
    _bytes(_picture().convert("P"), transparency=3),
]
MAGICS = [
    *(b"", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"GIF89a", b"BM", b"II*\0", b"MM\0*"),
    *(b"RIFF\x40\0\0\0WEBPVP8 ", b"\0\0\0\x20ftypavif"),
]


def _never_fails(content: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        row = _measured(Path(folder), content)
    names = [name for text in _reasons(row) if text for name in text.split(",")]
    assert set(names) <= set(DEFECTS)
    assert len(set(names)) == len(names)
    assert row["bytes"] == len(content)
    assert pd.isna(row["phash"]) == (row["defect"] in UNREADABLE)


@PROPERTY
@given(st.sampled_from(MAGICS), st.binary(max_size=300))
def test_arbitrary_bytes_never_fail(magic: bytes, content: bytes) -> None:
    _never_fails(magic + content)


@PROPERTY
@given(
    st.sampled_from(VALID),
    st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), max_size=8),
    st.floats(0.5, 1),
)
def test_damaged_images_never_fail(content: bytes, changes: list[tuple[float, int]], kept: float) -> None:
    damaged = bytearray(content)
    for place, value in changes:
        damaged[int(place**3 * len(damaged))] = value  # mostly in the headers
    _never_fails(bytes(damaged[: round(kept * len(damaged))]))


def test_a_jpeg_is_as_large_as_it_is_and_not_as_its_draft(tmp_path: Path) -> None:
    path = tmp_path / "large.jpg"
    _picture().resize((180, 150)).convert("RGB").save(path)
    strict = QUALITY.model_copy(update={"min_side_px": 150, "max_aspect": 1.2})
    row = measure_files([str(path)], strict).iloc[0]
    assert (row["width"], row["height"], row["mode"]) == (180, 150, "RGB")
    assert pd.isna(row["defect"])
    assert pd.isna(row["warnings"])


def test_a_jpeg_whose_end_never_arrived_is_truncated(tmp_path: Path) -> None:
    content = io.BytesIO()
    _picture().resize((180, 180)).convert("RGB").save(content, "JPEG")
    whole = content.getvalue()
    half, padded = tmp_path / "half.jpg", tmp_path / "padded.jpg"
    half.write_bytes(whole[: len(whole) // 2] + bytes(len(whole) // 2))
    padded.write_bytes(whole + bytes(100))
    assert measure_files([str(half), str(padded)], QUALITY)["defect"].fillna("").tolist() == ["truncated", ""]
