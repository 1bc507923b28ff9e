"""Good archives come back whole; hostile, broken and oversized ones are refused, and nothing is ever written."""

import contextlib
import gzip
import io
import struct
import tarfile
import tempfile
import time
import warnings
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import zstandard
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tasks.core.params import Limits
from tasks.sources.archives import is_archive, read_archive
from tasks.support.errors import BadInput

KINDS = ("zip", "tar", "tar.gz", "tar.zst")
LIMITS = Limits(max_files=100_000, max_file_mb=50.0, max_total_gb=20.0, max_ratio=200.0)
NOISE = np.random.default_rng(0).bytes(300_000)  # does not compress; zstd makes three blocks of it
FILES = [("bird/0.png", NOISE[:700]), ("bird/deep/Ünï cödé.png", b""), ("cat/0.png", NOISE[700:])]
PROPERTY = settings(
    derandomize=True, deadline=None, max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
UNFIT = {
    "../x.png": "a path that leaves its folder",
    "a/../../x.png": "a path that leaves its folder",
    "..": "a path that leaves its folder",
    "/etc/x.png": "an absolute path",
    "//x.png": "an absolute path",
    "a\\..\\..\\x.png": "a backslash",
    "C:\\x.png": "a backslash",
    "a\nb.png": "control characters",
    "a\x1b[2J.png": "control characters",
    "a//b.png": "an empty part",
    "a/./b.png": "an empty part",
    "a/" + "x" * 256: "a part of over 240 bytes",
    "ü" * 121: "a part of over 240 bytes",
    "/".join(["x" * 100] * 11): "or 1000 in all",
}
CLASHES = [
    ("a/x.png", "a/x.png"),
    ("a/x.png", "a/X.PNG"),
    ("bird/x.png", "Bird/x.png"),
    ("caf\u00e9.png", "cafe\u0301.png"),
    ("CAF\u00c9.png", "cafe\u0301.png"),
]


@pytest.fixture(autouse=True)
def archive_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, two below `tmp_path`, so that what escapes it is seen."""
    folder = tmp_path / "outer/inner"
    folder.mkdir(parents=True)
    monkeypatch.chdir(folder)
    return folder


def _read(content: bytes, kind: str, limits: Limits = LIMITS) -> list[tuple[str, bytes]]:
    """What the reader yields of these bytes; it must not write beside, below or above the archive."""
    path = Path.cwd() / f"pack.{kind}"
    path.write_bytes(content)
    before = _tree(path.parents[2])
    try:
        return list(read_archive(path, limits))
    finally:
        assert _tree(path.parents[2]) == before


def _tree(root: Path) -> list[tuple[str, int, int]]:
    found = sorted(root.rglob("*"))
    return [(str(path), path.lstat().st_size, path.lstat().st_mtime_ns) for path in found]


def _refused(content: bytes, kind: str, message: str, limits: Limits = LIMITS) -> None:
    with pytest.raises(BadInput, match=message) as caught:
        _read(content, kind, limits)
    assert f"pack.{kind} " in str(caught.value)


def _pack(kind: str, files: list[tuple[str, bytes]]) -> bytes:
    return _zip(files) if kind == "zip" else _compress(kind, _tar(files))


def _zip(files: list[tuple[str, bytes]], mode: int = 0, method: int = zipfile.ZIP_DEFLATED) -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive, warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Duplicate name")
        for name, content in files:
            member = zipfile.ZipInfo(name)
            member.compress_type = method
            member.external_attr = mode << 16
            archive.writestr(member, content)
    return target.getvalue()


def _tar(files: list[tuple[str, bytes]], form: int = tarfile.GNU_FORMAT) -> bytes:
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w", format=form) as archive:
        for name, content in files:
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return target.getvalue()


def _tar_of_type(kind: bytes) -> bytes:
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w") as archive:
        member = tarfile.TarInfo("bird/x.png")
        member.type, member.linkname = kind, "/etc/passwd"
        archive.addfile(member)
    return target.getvalue()


def _compress(kind: str, content: bytes) -> bytes:
    if kind == "tar.gz":
        return gzip.compress(content, mtime=0)
    return zstandard.compress(content) if kind == "tar.zst" else content


@pytest.mark.parametrize("kind", [*KINDS, "tgz", "ZIP", "Tar.Gz"])
def test_every_kind_gives_back_names_and_contents_in_order(kind: str) -> None:
    inner = {"tgz": "tar.gz"}.get(kind.lower(), kind.lower())
    assert _read(_pack(inner, FILES), kind) == FILES
    assert is_archive(f"pack.{kind}")


@pytest.mark.parametrize("form", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_every_tar_format_keeps_long_and_non_ascii_names(form: int) -> None:
    files = [(f"{'x' * 80}/{'y' * 90}.png", b"1"), ("größe/ü.png", b"2")]
    assert _read(_tar(files, form), "tar") == files


@pytest.mark.parametrize(
    "method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA], ids=str
)
def test_every_zip_compression_is_read(method: int) -> None:
    assert _read(_zip(FILES, method=method), "zip") == FILES


def test_a_tar_zst_of_several_frames_is_read() -> None:
    tar = _tar(FILES)
    assert _read(zstandard.compress(tar[:5000]) + zstandard.compress(tar[5000:]), "tar.zst") == FILES


def test_folders_are_passed_over() -> None:
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w") as archive:
        folder = tarfile.TarInfo("bird")
        folder.type = tarfile.DIRTYPE
        archive.addfile(folder)
    assert _read(target.getvalue(), "tar") == []
    assert _read(_zip([("bird/", b""), ("bird/x.png", b"1")]), "zip") == [("bird/x.png", b"1")]


@pytest.mark.parametrize("kind", KINDS)
def test_an_archive_without_members_gives_nothing(kind: str) -> None:
    assert _read(_pack(kind, []), kind) == []


def test_only_archive_suffixes_name_archives() -> None:
    assert [name for name in ("a.zip", "a.tar", "a.gz", "a.zst", "a.tgz", "zip", "a.zip.png") if is_archive(name)] == [
        "a.zip",
        "a.tar",
        "a.tgz",
    ]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", UNFIT, ids=lambda name: repr(name)[:30])
def test_an_unfit_name_is_refused(name: str, kind: str) -> None:
    _refused(_pack(kind, [("bird/0.png", b"1"), (name, b"2")]), kind, f"holds a name with .*{UNFIT[name]}")


@pytest.mark.parametrize("kind", KINDS)
def test_an_absolute_name_of_a_writable_place_is_refused(kind: str, tmp_path: Path) -> None:
    _refused(_pack(kind, [(f"{tmp_path}/escaped.png", b"1")]), kind, "an absolute path")
    assert not (tmp_path / "escaped.png").exists()


def test_folders_with_unfit_names_are_refused_as_files_are() -> None:
    _refused(_zip([("../", b"")]), "zip", "leaves its folder")
    _refused(_zip([("/", b"")]), "zip", "an empty part")


def test_a_zip_name_with_a_null_byte_is_refused() -> None:
    _refused(_zip([("x.png_.exe", b"1")]).replace(b"x.png_", b"x.png\0"), "zip", "control characters")


def test_a_tar_name_that_is_not_utf8_is_refused() -> None:
    _refused(_tar([("bird/\udcff.png", b"1")]), "tar", "bytes that are not UTF-8")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("names", CLASHES, ids=ascii)
def test_names_that_some_file_systems_take_for_one_are_refused(names: tuple[str, str], kind: str) -> None:
    _refused(_pack(kind, [(names[0], b"1"), (names[1], b"2")]), kind, "holds both .* rename one of them")


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        (tarfile.SYMTYPE, "holds a link"),
        (tarfile.LNKTYPE, "holds a link"),
        (tarfile.FIFOTYPE, "holds a device or other special file"),
        (tarfile.CHRTYPE, "holds a device or other special file"),
        (tarfile.BLKTYPE, "holds a device or other special file"),
        (b"Z", "holds a device or other special file"),
        (tarfile.GNUTYPE_SPARSE, "holds a sparse file"),
    ],
)
def test_what_is_no_regular_file_is_refused_in_a_tar(kind: bytes, message: str) -> None:
    _refused(_tar_of_type(kind), "tar", f"{message}, 'bird/x.png'; expected regular files and folders")


def test_a_sparse_file_in_pax_form_is_refused() -> None:
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w", format=tarfile.PAX_FORMAT) as archive:
        member = tarfile.TarInfo("x.png")
        member.size = 512
        member.pax_headers = {
            **{"GNU.sparse.major": "1", "GNU.sparse.minor": "0"},
            **{"GNU.sparse.name": "x.png", "GNU.sparse.realsize": "10000000"},
        }
        archive.addfile(member, io.BytesIO(b"1\n0\n0\n".ljust(512, b"\0")))
    _refused(target.getvalue(), "tar", "a sparse file")


@pytest.mark.parametrize(
    ("mode", "message"),
    [
        (0o120777, "holds a symbolic link"),
        (0o010644, "holds a device or other special file"),
        (0o020644, "holds a device or other special file"),
        (0o060644, "holds a device or other special file"),
        (0o140644, "holds a device or other special file"),
    ],
)
def test_what_is_no_regular_file_is_refused_in_a_zip(mode: int, message: str) -> None:
    _refused(_zip([("bird/x.png", b"/etc/passwd")], mode), "zip", message)


def test_an_encrypted_zip_is_refused() -> None:
    content = bytearray(_zip([("x.png", NOISE[:100])]))
    content[6] |= 1  # flags in the local header
    content[content.index(b"PK\1\2") + 8] |= 1  # and in the directory
    _refused(bytes(content), "zip", "holds encrypted 'x.png': not unpacked; pack it again without a password")


def _empty_members(kind: str, count: int) -> bytes:
    if kind == "zip":  # its directory alone, which is what is counted
        entry = struct.pack("<4s4B4HL2L5H2L", b"PK\1\2", 20, 3, 20, 0, 0, 0, 0, 33, 0, 0, 0, 6, 0, 0, 0, 0, 0, 0)
        directory = b"".join(b"%b%06d" % (entry, number) for number in range(count))
        return directory + struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, 65535, 65535, len(directory), 0, 0)
    headers = (tarfile.TarInfo(f"{number:06d}").tobuf(tarfile.USTAR_FORMAT) for number in range(count))
    return _compress(kind, b"".join(headers) + bytes(1024))


@pytest.mark.parametrize(("kind", "most"), [("zip", 100_000), ("tar", 10_000)])
def test_one_member_too_many_is_refused(kind: str, most: int) -> None:
    message = rf"holds more than {most} members.*raise ingest\.limits\.max_files"
    _refused(_empty_members(kind, most + 1), kind, message, LIMITS.model_copy(update={"max_files": most}))


@pytest.mark.parametrize("kind", KINDS)
def test_as_many_members_as_allowed_are_read(kind: str) -> None:
    files = [(f"{number}.png", b"1") for number in range(3)]
    limits = LIMITS.model_copy(update={"max_files": 3})
    assert _read(_pack(kind, files), kind, limits) == files
    _refused(_pack(kind, [*files, ("3.png", b"1")]), kind, "more than 3 members", limits)


def test_folders_count_as_members() -> None:
    folders = [(f"{number}/", b"") for number in range(4)]
    _refused(_zip(folders), "zip", "more than 3 members", LIMITS.model_copy(update={"max_files": 3}))


@pytest.mark.parametrize("kind", KINDS)
def test_a_member_beyond_the_largest_file_is_refused_by_its_header(kind: str) -> None:
    limits = LIMITS.model_copy(update={"max_file_mb": 0.1})
    _refused(
        _pack(kind, [("x.png", NOISE)]),
        kind,
        "'x.png' of 0.3 MB; expected at most 0.1 MB.*raise ingest.limits.max_file_mb",
        limits,
    )
    assert _read(_pack(kind, [("x.png", NOISE[:100_000])]), kind, limits) == [("x.png", NOISE[:100_000])]


@pytest.mark.parametrize("kind", ["tar.gz", "tar.zst"])
def test_a_header_that_declares_terabytes_is_refused_before_they_are_read(kind: str) -> None:
    member = tarfile.TarInfo("x.png")
    member.size = 10**13
    _refused(_compress(kind, member.tobuf(tarfile.GNU_FORMAT) + bytes(4096)), kind, "10000000.0 MB")


@pytest.mark.parametrize("kind", KINDS)
def test_more_bytes_than_the_total_are_refused(kind: str) -> None:
    files = [(f"{number}.png", NOISE[:50_000]) for number in range(3)]
    _refused(
        _pack(kind, files),
        kind,
        r"unpacks to more than 0\.1 MB; ingest\.limits\.max_total_gb allows 0\.00014 GB",
        LIMITS.model_copy(update={"max_total_gb": 0.00014}),
    )
    assert _read(_pack(kind, files), kind, LIMITS.model_copy(update={"max_total_gb": 0.00015})) == files


@pytest.mark.parametrize("kind", ["zip", "tar.gz", "tar.zst"])
def test_a_bomb_is_refused_by_its_ratio(kind: str) -> None:
    bomb = _pack(kind, [("x.png", bytes(20_000_000))])
    assert len(bomb) < 25_000
    _refused(bomb, kind, r"ingest\.limits\.max_ratio allows 200 times its size")


@pytest.mark.parametrize("kind", ["tar.gz", "tar.zst"])
def test_a_bomb_behind_the_end_of_a_tar_is_refused(kind: str) -> None:
    bomb = _compress(kind, _tar([("x.png", b"1")]) + bytes(20_000_000))
    _refused(bomb, kind, r"ingest\.limits\.max_ratio")


@pytest.mark.parametrize("kind", ["tar.gz", "tar.zst"])
def test_a_bomb_in_the_name_of_a_member_is_refused(kind: str) -> None:
    _refused(_compress(kind, _tar([("x" * 20_000_000, b"")])), kind, "max_ratio|over 240 bytes|20000001 bytes")


def test_a_zip_that_declares_less_than_it_holds_is_refused() -> None:
    content = bytearray(_zip([("x.png", bytes(1_000_000))]))
    directory = content.index(b"PK\1\2")
    content[directory + 24 : directory + 28] = struct.pack("<L", 10)
    _refused(bytes(content), "zip", "broken or truncated", LIMITS.model_copy(update={"max_file_mb": 0.5}))


def test_a_slow_tar_header_is_refused_quickly() -> None:
    """A pax header of many digits costs the square of its length in Python up to 3.11.9 (CVE-2024-6232)."""
    header = tarfile.TarInfo("x")
    header.type, header.size = tarfile.XHDTYPE, 51_200
    content = header.tobuf(tarfile.USTAR_FORMAT) + b"1" * 51_200 + _tar([("x.png", b"1")])
    start = time.process_time()
    with pytest.raises(BadInput):
        _read(content, "tar")
    assert time.process_time() - start < 1


def _cuts(kind: str) -> dict[str, int]:
    """Where an archive of FILES is cut, none of them behind its last byte of content."""
    whole = _pack(kind, FILES)
    end = {"zip": len(whole) - 22, "tar": _tar_end()}.get(kind, len(whole) - 9)
    return {
        "in the first header": 7,
        "behind it": 512 if kind == "tar" else 60,
        "in the first member": 600,
        "in the middle": len(whole) // 2,
        "in the last member": len(whole) * 9 // 10,
        "before the end of archive": end,
    }


def _tar_end() -> int:
    with tarfile.open(fileobj=io.BytesIO(_tar(FILES))) as archive:
        last = archive.getmembers()[-1]
    return last.offset_data + -(-last.size // 512) * 512


@pytest.mark.parametrize(("kind", "place"), [(kind, place) for kind in KINDS for place in _cuts(kind)])
def test_a_truncated_archive_is_refused(kind: str, place: str) -> None:
    _refused(_pack(kind, FILES)[: _cuts(kind)[place]], kind, "is broken or truncated .*: fetch or pack it again")


@pytest.mark.parametrize("kind", ["zip", "tar.gz"])
def test_an_archive_without_its_last_bytes_is_refused(kind: str) -> None:
    for lost in (1, 4, 8, 20):
        _refused(_pack(kind, FILES)[:-lost], kind, "is broken or truncated")


@pytest.mark.parametrize("kind", ["tar", "tar.gz", "tar.zst"])
def test_a_tar_that_ends_between_two_members_is_refused_though_the_first_ends_in_zeros(kind: str) -> None:
    first = _tar([("black.bmp", bytes(1024))])[: 512 + 1024]
    _refused(_compress(kind, first), kind, "is broken or truncated")


@pytest.mark.parametrize("kind", ["tar", "tar.gz", "tar.zst"])
@pytest.mark.parametrize("field", [0, 100, 124, 148], ids=["name", "mode", "size", "checksum"])
def test_a_tar_with_a_damaged_header_in_its_middle_is_refused(field: int, kind: str) -> None:
    content = bytearray(_tar([(f"{number}.png", b"1") for number in range(3)]))
    content[1024 + field] ^= 6
    _refused(_compress(kind, bytes(content)), kind, "is broken or truncated")


@pytest.mark.parametrize("kind", ["zip", "tar.gz"])
def test_damaged_content_is_refused_where_the_format_has_a_checksum(kind: str) -> None:
    content = bytearray(_pack(kind, FILES))
    content[len(content) // 2] ^= 1
    _refused(bytes(content), kind, "is broken or truncated")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "content",
    [b"", b"\x89PNG\r\n\x1a\n" + NOISE[:5000], b"PK", b"x" * 10_240],
    ids=["empty", "picture", "short", "text"],
)
def test_what_is_no_archive_is_refused(content: bytes, kind: str) -> None:
    _refused(content, kind, "is broken or truncated")


def _outcome(content: bytes, kind: str) -> Iterator[list[tuple[str, bytes]]]:
    """What was read, or nothing where the archive was refused; hypothesis needs a folder for each example."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, f"pack.{kind}")
        path.write_bytes(content)
        with contextlib.suppress(BadInput):
            yield list(read_archive(path, LIMITS))
        assert [each.name for each in Path(folder).iterdir()] == [path.name]


SMALL = [("bird/0.png", NOISE[:700]), ("bird/1.bmp", bytes(1024)), ("cat/0.png", b"x" * 600)]
PACKED = {kind: _pack(kind, SMALL) for kind in KINDS}


@PROPERTY
@given(st.binary(max_size=2000), st.sampled_from(KINDS))
def test_arbitrary_bytes_are_read_or_refused(content: bytes, kind: str) -> None:
    for magic in (b"", b"PK\3\4", b"PK\5\6", b"\x1f\x8b\x08", b"\x28\xb5\x2f\xfd"):
        assert list(_outcome(magic + content, kind)) in ([], [[]])


@PROPERTY
@given(st.binary(min_size=512, max_size=512), st.binary(max_size=1024))
def test_arbitrary_tar_headers_with_a_right_checksum_are_read_or_refused(header: bytes, content: bytes) -> None:
    body = header[:148] + b" " * 8 + header[156:]
    signed = body[:148] + b"%06o\0 " % sum(body) + body[156:]
    for flag in (header[156:157], b"0", b"5", b"x", b"g", b"L", b"K", b"S"):
        typed = signed[:156] + flag + signed[157:]
        typed = typed[:148] + b"%06o\0 " % (sum(typed) - sum(typed[148:156]) + 256) + typed[156:]
        list(_outcome(typed + content + bytes(1024), "tar"))


@PROPERTY
@example("tar", 3072)  # behind a member that ends in zeros
@given(st.sampled_from(KINDS), st.integers(0, 10_240))
def test_a_truncated_archive_is_read_completely_or_refused(kind: str, kept: int) -> None:
    for files in _outcome(PACKED[kind][:kept], kind):
        assert files == SMALL


@PROPERTY
@given(st.sampled_from(KINDS), st.integers(0, 5119), st.integers(1, 255))
def test_an_archive_with_one_wrong_byte_has_all_its_members_or_is_refused(kind: str, place: int, flip: int) -> None:
    content = bytearray(PACKED[kind])
    content[place % len(content)] ^= flip
    for files in _outcome(bytes(content), kind):
        assert [(name, len(data)) for name, data in files] == [(name, len(data)) for name, data in SMALL]
        assert kind in ("tar", "tar.zst") or files == SMALL  # the other two have checksums of content


@PROPERTY
@given(st.sampled_from(KINDS), st.lists(st.tuples(st.integers(0, 5119), st.integers(0, 255)), max_size=20))
def test_an_archive_with_many_wrong_bytes_is_read_or_refused(kind: str, changes: list[tuple[int, int]]) -> None:
    content = bytearray(PACKED[kind])
    for place, value in changes:
        content[place % len(content)] = value
    assert len(list(_outcome(bytes(content), kind))) <= 1


def test_the_leading_dot_of_a_packed_working_folder_is_no_part_of_names() -> None:
    folder = tarfile.TarInfo(".")
    folder.type = tarfile.DIRTYPE
    content = _tar([("./cat/1.png", b"1"), ("./cat/2.png", b"2")])
    assert dict(_read(folder.tobuf() + content, "tar")) == {"cat/1.png": b"1", "cat/2.png": b"2"}
    with pytest.raises(BadInput, match="leaves its folder"):
        _read(_tar([("./../x.png", b"1")]), "tar")


def test_a_zip_whose_directory_is_too_large_is_refused_before_it_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*_: object, **__: object) -> None:
        raise AssertionError("the directory was read")

    content = _zip([(f"{number}.png", b"") for number in range(20)])
    monkeypatch.setattr(zipfile, "ZipFile", never)
    with pytest.raises(BadInput, match="holds more than 10 members"):
        _read(content, "zip", LIMITS.model_copy(update={"max_files": 10}))
