from pathlib import Path

import pytest

from tasks.dataset.sources import list_source, refresh
from tasks.ingest import ingest
from tasks.support.errors import BadInput
from tasks.support.files import read_json, sha256_of
from tasks.support.params import Digits, Folder, Ingest


def _params(root: Path) -> Ingest:
    return Ingest(source=Folder(kind="folder", path=str(root)))


def test_copies_every_file_of_the_source_unchanged(project: Path, class_folders: Path) -> None:
    (class_folders / "cat" / "deep").mkdir()
    (class_folders / "cat" / "deep" / "empty.png").touch()
    params = _params(class_folders)
    refresh(params.source)
    ingest(params)
    assert sha256_of(project / "data/raw") == sha256_of(class_folders)
    assert (project / "data/raw/cat/deep/empty.png").stat().st_size == 0


def test_a_file_gone_from_the_source_is_gone_after_the_next_ingest(project: Path, class_folders: Path) -> None:
    params = _params(class_folders)
    refresh(params.source)
    ingest(params)
    (class_folders / "bird/07.png").unlink()
    assert refresh(params.source)
    ingest(params)
    assert not (project / "data/raw/bird/07.png").exists()
    assert len(list((project / "data/raw").rglob("*.png"))) == 59


def test_a_source_changed_behind_the_listing_is_refused_and_old_output_stays(
    project: Path, class_folders: Path
) -> None:
    params = _params(class_folders)
    refresh(params.source)
    ingest(params)
    before = sha256_of(project / "data/raw")
    (class_folders / "bird/07.png").write_bytes(b"other")
    with pytest.raises(BadInput, match=r"bird/07\.png .* run `make refresh`"):
        ingest(params)
    (class_folders / "bird/07.png").unlink()
    with pytest.raises(BadInput, match=r"lists bird/07\.png, which the source does not hold"):
        ingest(params)
    assert sha256_of(project / "data/raw") == before
    assert [path.name for path in (project / "data").iterdir() if path.name.startswith(".")] == []


@pytest.mark.usefixtures("project")
def test_a_listing_of_another_source_is_refused(class_folders: Path) -> None:
    refresh(Digits(kind="digits"))
    with pytest.raises(BadInput, match="run `make refresh`"):
        ingest(_params(class_folders))


def test_files_outside_of_class_folders_are_named(
    project: Path, class_folders: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (class_folders / "README.txt").write_text("not an image")
    (class_folders / ".cache").mkdir()
    (class_folders / ".cache" / "00.png").touch()
    params = _params(class_folders)
    refresh(params.source)
    ingest(params)
    assert "2 files or hidden folders are in no class folder and were left out: .cache, README.txt" in caplog.text
    assert sorted(path.name for path in (project / "data/raw").iterdir()) == ["bird", "cat"]


@pytest.mark.parametrize(("make", "message"), [(False, "does not exist"), (True, "holds no file in a class folder")])
def test_an_empty_or_missing_source_is_an_error(tmp_path: Path, make: bool, message: str) -> None:
    root = tmp_path / "nothing"
    if make:
        root.mkdir()
    with pytest.raises(BadInput, match=message):
        list_source(Folder(kind="folder", path=str(root)))


def test_digits_are_the_1797_of_scikit_learn(project: Path) -> None:
    params = Ingest(source=Digits(kind="digits"))
    assert refresh(params.source)
    assert not refresh(params.source)
    files = read_json(project / "data/sources.json")["files"]
    assert len(files) == 1797
    assert len({file["name"].split("/")[0] for file in files}) == 10
    ingest(params)
    assert len(list((project / "data/raw").rglob("*.png"))) == 1797
