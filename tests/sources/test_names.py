"""Names that may be written anywhere, globs over them, and paths below data/raw that no file system confuses."""

import itertools
import re
import unicodedata
from pathlib import PurePosixPath

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.sources.names import (
    MAX_NAME_BYTES,
    MAX_PART_BYTES,
    fault,
    literal_head,
    matcher,
    raw_paths,
    require_distinct,
)
from tasks.support.errors import BadInput

MARK = r"-[0-9a-f]{8}"
PROPERTY = settings(derandomize=True, deadline=None, max_examples=150)
Row = tuple[str, str, str, str]


def _places(*rows: Row) -> list[str]:
    return raw_paths(pd.DataFrame(rows, columns=["label", "rest", "source", "origin"]))


def _file(path: str, origin: str = "") -> Row:
    label, _, rest = path.partition("/")
    return label, rest, "/source", origin or path


def _folded(path: str) -> str:
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", path).casefold())


@pytest.mark.parametrize(
    "name", ["a", "a/b.png", ".hidden/x", "a b/Ünï.png", "..a/b..", "-rf", "~/x", "C:x", "日本/語.png"]
)
def test_a_plain_relative_name_has_no_fault(name: str) -> None:
    assert fault(name) is None


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("/a", "an absolute path"),
        ("/", "an absolute path"),
        ("//a", "an absolute path"),
        ("..", "a path that leaves its folder"),
        ("../a", "a path that leaves its folder"),
        ("a/../b", "a path that leaves its folder"),
        ("a/..", "a path that leaves its folder"),
        ("", "an empty part"),
        ("a//b", "an empty part"),
        ("a/", "an empty part"),
        (".", "an empty part"),
        ("a/./b", "an empty part"),
        ("a\\b", "a backslash"),
        ("..\\a", "a backslash"),
        ("a\nb", "control characters"),
        ("a\rb", "control characters"),
        ("a\0b", "control characters"),
        ("a\x1bb", "control characters"),
        ("a\x7fb", "control characters"),
        ("a\x9bb", "control characters"),
        ("a/\udcff", "bytes that are not UTF-8"),
    ],
    ids=ascii,
)
def test_an_unfit_name_has_its_fault(name: str, reason: str) -> None:
    assert fault(name) == reason


def test_sizes_of_names_are_in_bytes() -> None:
    reason = "a part of over 240 bytes or 1000 in all"
    assert fault("x" * MAX_PART_BYTES) is None
    assert fault("x" * (MAX_PART_BYTES + 1)) == reason
    assert fault("ü" * (MAX_PART_BYTES // 2) + "x") == reason
    longest = "/".join(["x" * 99] * (MAX_NAME_BYTES // 100))
    assert fault(longest) is None
    assert fault(f"{longest}x") == reason


@PROPERTY
@given(st.text(alphabet=st.characters(), max_size=20) | st.text(alphabet="./\\a\n\udcff", max_size=8))
def test_a_name_without_fault_stays_below_its_folder(name: str) -> None:
    if fault(name) is None:
        assert name.encode().decode() == name
        assert all(part not in ("", ".", "..") for part in name.split("/"))
        assert "\n" not in name


@pytest.mark.parametrize(
    ("pattern", "name", "matches"),
    [
        ("cat/*", "cat/1.png", True),
        ("cat/*", "cat/deep/1.png", False),
        ("cat/*", "Cat/1.png", False),
        ("cat/*", "cat/.hidden.png", False),
        ("cat/*", "cat", False),
        ("cat/**", "cat/deep/er/1.png", True),
        ("cat/**", "cat/.git/1.png", False),
        ("**/*.png", "1.png", True),
        ("**/*.png", "a/b/1.png", True),
        ("**/*.png", "a/.b/1.png", False),
        ("**/*.png", "a/b/.1.png", False),
        ("**/cat/*", "a/b/cat/1.png", True),
        ("**/cat/*", "a/b/concat/1.png", False),
        ("*/.thumbs/*", "a/.thumbs/1.png", True),
        ("cat/?.png", "cat/1.png", True),
        ("cat/?.png", "cat/12.png", False),
        ("cat/[0-4].png", "cat/4.png", True),
        ("cat/[0-4].png", "cat/5.png", False),
        ("cat/*", "cat/a\\b", True),
        (["cat/*", "lynx/*"], "lynx/1.png", True),
        (["cat/*", "lynx/*"], "dog/1.png", False),
        ("cat/1.png", "cat/1.png", True),
    ],
)
def test_globs_match_within_a_folder_or_over_folders(pattern: str | list[str], name: str, matches: bool) -> None:
    assert matcher(pattern)(name) is matches


@pytest.mark.parametrize(
    ("pattern", "head"),
    [
        ("birds/images/*/*", "birds/images/"),
        ("birds/**/x.png", "birds/"),
        ("birds/b*/x.png", "birds/"),
        ("birds/[ab]/x.png", "birds/"),
        ("birds/1.png", "birds/"),
        ("*/images/*", ""),
        ("**", ""),
        ("1.png", ""),
    ],
)
def test_the_literal_head_of_a_glob_is_the_folder_of_all_its_matches(pattern: str, head: str) -> None:
    assert literal_head(pattern) == head


def test_distinct_names_are_kept_as_they_are() -> None:
    paths = ["cat/1.png", "cat/1.jpg", "cat/a/1.png", "dog/1.png", "dog/Ünï.png"]
    assert _places(*map(_file, paths)) == paths


@pytest.mark.parametrize(
    ("first", "second"),
    [("cat/1.png", "cat/1.png"), ("cat/a.png", "cat/A.PNG"), ("cat/caf\u00e9.png", "cat/cafe\u0301.png")],
    ids=ascii,
)
def test_names_that_clash_are_both_marked_before_their_extension(first: str, second: str) -> None:
    found = _places(_file(first, "one"), _file(second, "two"), _file("cat/2.png"))
    for path, plain in zip(found, (first, second), strict=False):
        stem, dot, suffix = plain.rpartition(".")
        assert re.fullmatch(re.escape(stem) + MARK + re.escape(dot + suffix), path)
    assert _folded(found[0]) != _folded(found[1])
    assert found[2] == "cat/2.png"


def test_a_file_that_is_the_folder_of_another_is_marked() -> None:
    found = _places(_file("cat/a"), _file("cat/A/1.png"), _file("cat/b"))
    assert re.fullmatch(f"cat/a{MARK}", found[0])
    assert found[1:] == ["cat/A/1.png", "cat/b"]


def test_one_origin_in_two_sources_gives_two_places() -> None:
    found = _places(("cat", "1.png", "/old", "cat/1.png"), ("cat", "1.png", "/young", "cat/1.png"))
    assert len(set(found)) == 2


def test_the_marks_are_stable() -> None:
    """Eight digits of the SHA-256 of `source:origin`: another value would move files of existing data sets."""
    assert _places(_file("cat/1.png", "x"), _file("cat/1.png", "y")) == ["cat/1-60f55c0b.png", "cat/1-2a24e946.png"]


def test_a_place_does_not_depend_on_the_order_of_the_files() -> None:
    rows = [_file("cat/1.png", "x"), _file("cat/1.PNG", "y"), _file("cat/2"), _file("cat/2/3.png"), _file("cat/4.png")]
    expected = dict(zip(rows, _places(*rows), strict=True))
    for order in itertools.permutations(rows):
        assert dict(zip(order, _places(*order), strict=True)) == expected


def test_the_same_file_twice_is_refused() -> None:
    with pytest.raises(BadInput, match=r"two source files would become data/raw/cat/1-.*: rename one of them"):
        _places(_file("cat/1.png"), _file("cat/1.png"))


def test_no_file_gives_no_place() -> None:
    assert _places() == []


def test_a_name_made_to_look_like_a_marked_one_is_refused() -> None:
    rows = [_file("cat/1.png", "x"), _file("cat/1.png", "y")]
    marked = _places(*rows)[0]
    for imitation in (marked, marked.replace(".png", ".PNG"), f"{marked}/2.png"):
        with pytest.raises(BadInput, match="data/raw"):
            _places(*rows, _file(imitation))


@PROPERTY
@given(st.lists(st.text("aAäÄ\u0308.", min_size=1, max_size=3), max_size=8), st.integers(0, 3))
def test_no_file_system_confuses_two_places(rests: list[str], depth: int) -> None:
    names = [rest if number > depth else f"{rest}/x" for number, rest in enumerate(rests)]
    rows = [_file(f"cat/{name}", str(number)) for number, name in enumerate(names) if fault(name) is None]
    folded = [_folded(path) for path in _places(*rows)]
    assert len(set(folded)) == len(folded)
    assert not {str(parent) for path in folded for parent in PurePosixPath(path).parents} & set(folded)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("a.png", "a.png"),
        ("a.png", "A.png"),
        ("a/b.png", "A/B.PNG"),
        ("\u00e9.png", "e\u0301.png"),
        ("\u00c9.png", "e\u0301.png"),
        ("straße", "STRASSE"),
        ("\u0390.png", "\u03aa\u0301.PNG"),  # upper case has no single character, so folding must come before composing
    ],
    ids=ascii,
)
def test_names_that_some_file_systems_take_for_one_are_refused(first: str, second: str) -> None:
    with pytest.raises(BadInput) as caught:
        require_distinct([first, "other.png", second], "archive x.zip")
    assert str(caught.value) == (
        f"archive x.zip holds both {first!r} and {second!r}, which some file systems take for one: rename one of them"
    )


def test_distinct_names_pass() -> None:
    require_distinct([], "archive x.zip")
    require_distinct(["a.png", "a.jpg", "b/a.png", "é.png", "e.png"], "archive x.zip")
