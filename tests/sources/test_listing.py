"""What git holds of the sources, and the full listing behind it."""

import io
import os
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from tasks.core.files import read_json
from tasks.core.params import Digits, Ingest, LabelsFile
from tasks.sources.contents import list_source
from tasks.sources.listing import LISTINGS, read_listing, refresh
from tasks.support.errors import BadInput
from tasks.support.stages import LISTING
from tests.bringing import LIMITS, bring, fetch, files, png, sources

DIGITS = Ingest(sources=[Digits(kind="digits")], limits=LIMITS)
Change = Callable[[Path], object]


def _kept() -> list[Path]:
    return sorted(LISTINGS.iterdir())


@pytest.mark.usefixtures("project")
def test_git_holds_a_few_hundred_bytes_however_many_files_there_are(tmp_path: Path) -> None:
    for number in range(3000):
        (tmp_path / "many/cat").mkdir(parents=True, exist_ok=True)
        (tmp_path / f"many/cat/{number}.png").touch()
    refresh(sources(files(tmp_path / "many")))
    assert LISTING.stat().st_size < 300 + len(str(tmp_path))
    (entry,) = read_json(LISTING)["sources"]
    assert (entry["files"], entry["bytes"]) == (3000, 0)


@pytest.mark.usefixtures("project")
def test_what_git_holds_depends_on_the_sources_alone(class_folders: Path) -> None:
    params = sources(files(class_folders))
    assert refresh(params)
    before = LISTING.read_bytes()
    assert not refresh(params)
    shutil.rmtree(".state")
    assert not refresh(params)
    for path in class_folders.rglob("*.png"):
        os.utime(path, (1, 1))
    assert not refresh(params)
    assert LISTING.read_bytes() == before


@pytest.mark.usefixtures("project")
def test_the_full_listing_is_read_from_the_cache_and_made_anew_where_it_is_missing_or_spoilt(
    class_folders: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    params = sources(files(class_folders))
    refresh(params)
    (expected,) = read_listing(params)
    assert [file.name for file in expected.files][:2] == ["bird/00.png", "bird/01.png"]
    assert len(expected.files) == 60
    (cache,) = _kept()
    whole = cache.read_bytes()
    for spoil in (cache.unlink, lambda: cache.write_bytes(whole[:-9]), lambda: cache.write_bytes(b"")):
        spoil()
        assert read_listing(params) == [expected]
        assert cache.read_bytes() == whole
    monkeypatch.setattr("tasks.sources.listing.list_source", lambda *_: pytest.fail("the cache was there"))
    assert read_listing(params) == [expected]


def _add(source: Path) -> None:
    (source / "cat/new.png").write_bytes(png(1))


def _rename(source: Path) -> None:
    (source / "cat/01.png").rename(source / "cat/one.png")


def _swap(source: Path) -> None:
    (source / "cat/01.png").write_bytes((source / "cat/01.png").read_bytes()[::-1])  # as many bytes as before


def _link(source: Path) -> None:
    (source / "cat/link.png").symlink_to("nowhere")


def _relabel(source: Path) -> None:
    (source.parent / "labels.csv").write_text("image,level\n1,1\n")


@pytest.mark.usefixtures("project")
@pytest.mark.parametrize("change", [_add, _rename, _swap, _link, _relabel])
def test_a_source_that_changed_while_the_cache_was_missing_is_one_sentence(class_folders: Path, change: Change) -> None:
    path = class_folders.parent / "labels.csv"
    path.write_text("image,level\n1,0\n")
    labels = LabelsFile(
        path=str(path), name_column="image", label_column="level", suffix=".png", names=None, on_mismatch="report"
    )
    params = sources(files(class_folders, labels=labels))
    refresh(params)
    shutil.rmtree(LISTINGS)
    change(class_folders)
    with pytest.raises(BadInput) as caught:
        read_listing(params)
    assert str(caught.value).startswith(f"source {class_folders} has changed since data/sources.json was written (60 ")
    assert str(caught.value).endswith("): run `make refresh`")
    assert refresh(params)
    assert len(read_listing(params)) == 1


@pytest.mark.usefixtures("project")
def test_listings_of_earlier_states_of_the_sources_are_removed(class_folders: Path) -> None:
    refresh(sources(files(class_folders)))
    before = _kept()
    _add(class_folders)
    refresh(sources(files(class_folders), files(class_folders / "cat")))
    assert len(_kept()) == 2
    assert before[0] not in _kept()


@pytest.mark.usefixtures("project")
@pytest.mark.parametrize(
    "content",
    [
        '{"source": {"kind": "digits"}, "files": [\n{"name": "0/digit-0000.png", "size": 127, "sha256": "f4"}\n]}',
        '{"sources": [{"source": {"kind": "digits"},\n"irregular": [],\n"labels": null,\n"files": []}]}',
        '{"sources": [{"source": {"kind": "digits"}, "files": 1, "bytes": 1, "sha256": "../../params.yaml"}]}',
        '<<<<<<< HEAD\n{"sources": []}\n=======\n',
        "",
        "[]",
    ],
)
def test_a_listing_of_another_format_is_one_sentence(content: str) -> None:
    LISTING.write_text(content)
    with pytest.raises(BadInput) as caught:
        read_listing(DIGITS)
    assert str(caught.value) == "data/sources.json is no listing of this version's format: run `make refresh`"
    assert refresh(DIGITS)
    assert len(read_listing(DIGITS)) == 1


def test_digits_are_known_by_their_pixels_whatever_writes_their_files(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    refresh(DIGITS)
    before, plain = LISTING.read_bytes(), Image.Image.save
    monkeypatch.setattr(Image.Image, "save", lambda *to, **options: plain(*to, **options, compress_level=0))
    shutil.rmtree(project / ".state")
    raw = fetch(DIGITS)
    assert sum(path.stat().st_size for path in raw.rglob("*.png")) > 1797 * 125  # other files than without the patch
    assert not refresh(DIGITS)
    assert LISTING.read_bytes() == before


def test_the_committed_summary_is_that_of_the_embedded_digits(project: Path) -> None:
    refresh(DIGITS)
    assert (project / LISTING).read_bytes() == (Path(__file__).parents[2] / LISTING).read_bytes()


@pytest.mark.usefixtures("project")
def test_an_archive_is_one_file_of_its_listing(tmp_path: Path) -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for number in range(5):
            archive.writestr(f"{'ab'[number % 2]}/{number}.png", png(number))
    (tmp_path / "x.zip").write_bytes(packed.getvalue())
    source = files(tmp_path / "x.zip")
    (file,) = list_source(source, LIMITS).files
    assert (file.name, file.size) == ("x.zip", len(packed.getvalue()))
    bring(source)
    shutil.rmtree(".state")
    (tmp_path / "x.zip").write_bytes(packed.getvalue() + b"more")
    with pytest.raises(BadInput, match=r"x\.zip has changed since data/sources\.json was written"):
        read_listing(sources(source))
