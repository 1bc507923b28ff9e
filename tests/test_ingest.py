import io
import os
import tarfile
import zipfile
from collections.abc import Mapping
from pathlib import Path

import pandas as pd
import pytest

from tasks.core.files import read_json, sha256_of
from tasks.core.params import Digits, Ingest, LabelsFile
from tasks.sources.listing import refresh
from tasks.support.errors import BadInput
from tests.bringing import LIMITS, bring, fetch, files, png, sources


def _tree(root: Path) -> dict[str, str]:
    return {path.relative_to(root).as_posix(): sha256_of(path) for path in root.rglob("*") if path.is_file()}


def _images(raw: Path) -> dict[str, str]:
    return {name: value for name, value in _tree(raw).items() if "/" in name}


def _zip(path: Path, contents: Mapping[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in contents.items():
            archive.writestr(name, content)
    return path


def _tar(path: Path, contents: Mapping[str, bytes]) -> Path:
    with tarfile.open(path, "w") as archive:
        for name, content in contents.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return path


def _left_out(raw: Path) -> dict[str, str]:
    table = pd.read_csv(raw / "left_out.csv", keep_default_na=False)
    return dict(zip(table["name"], table["reason"], strict=True))


def test_copies_every_file_of_the_source_unchanged(project: Path, class_folders: Path) -> None:
    (class_folders / "cat" / "deep").mkdir()
    (class_folders / "cat" / "deep" / "empty.png").touch()
    raw = bring(files(class_folders))
    assert _images(raw) == _tree(class_folders)
    assert (project / "data/raw/cat/deep/empty.png").stat().st_size == 0
    table = pd.read_parquet(raw / "files.parquet")
    assert list(table["path"]) == sorted(_images(raw))
    assert set(table["label"]) == {"bird", "cat"}


def test_an_archive_of_each_kind_and_a_folder_become_one_data_set(project: Path, class_folders: Path) -> None:
    zipped = {f"PetImages/Cat/{number}.png": png(number) for number in range(5)} | {"PetImages/notes.txt": b"x"}
    tarred = {f"birds/images/{number % 2}.flock/{number}.png": png(10 + number) for number in range(6)}
    raw = bring(
        files(_zip(project / "cats.zip", zipped), classes={"cat": "PetImages/Cat/*"}),
        files(_tar(project / "birds.tar", tarred), classes={"bird": "birds/images/*/*"}),
        files(class_folders),
    )
    table = pd.read_parquet(raw / "files.parquet")
    assert table["label"].value_counts().to_dict() == {"cat": 35, "bird": 36}
    assert _left_out(raw) == {"PetImages/notes.txt": "no_class"}
    by_origin = table.set_index("origin")["path"]
    assert by_origin["PetImages/Cat/3.png"] == "cat/3.png"
    assert by_origin["birds/images/1.flock/3.png"] == "bird/1.flock/3.png"
    assert (raw / "bird/1.flock/3.png").read_bytes() == png(13)


def test_the_same_data_gives_the_same_files_from_a_folder_and_from_an_archive(project: Path) -> None:
    contents = {f"{label}/{number}.png": png(number) for label in "ab" for number in range(3)}
    for name, content in contents.items():
        (project / "folder" / name).parent.mkdir(parents=True, exist_ok=True)
        (project / "folder" / name).write_bytes(content)
    found = []
    for path in (project / "folder", _zip(project / "a.zip", contents), _tar(project / "a.tar", contents)):
        raw = bring(files(path))
        found.append(pd.read_parquet(raw / "files.parquet").drop(columns="tag"))
    pd.testing.assert_frame_equal(found[0], found[1])
    pd.testing.assert_frame_equal(found[0], found[2])


def test_equal_names_of_two_sources_are_both_kept(project: Path) -> None:
    first, second = _zip(project / "1.zip", {"cat/a.png": png(1)}), _zip(project / "2.zip", {"cat/A.png": png(2)})
    raw = bring(files(first), files(second))
    names = sorted(_images(raw))
    assert len(names) == 2
    assert all(name.startswith(("cat/a-", "cat/A-")) and name.endswith(".png") for name in names)
    assert set(_images(raw).values()) == {sha256_of(raw / name) for name in names}


def test_classes_that_differ_only_in_case_are_refused(project: Path) -> None:
    with pytest.raises(BadInput, match="the list of classes holds both 'Cat' and 'cat'"):
        bring(files(_zip(project / "1.zip", {"cat/a.png": png(1), "Cat/b.png": png(2)})))


@pytest.mark.parametrize("label", ["files.parquet", "Left_out.csv"])
def test_a_class_called_as_a_table_of_ingest_is_refused(project: Path, label: str) -> None:
    with pytest.raises(BadInput, match=f'class "{label}" is called as a table that ingest writes: rename it'):
        bring(files(_zip(project / "1.zip", {"cat/a.png": png(1), f"{label}/b.png": png(2)})))
    assert not (project / "data/raw").exists()


def test_the_sources_own_split_is_recorded(project: Path) -> None:
    archive = _zip(project / "a.zip", {f"cat/{name}-1.png": png(1) for name in ("train", "test", "other")})
    raw = bring(files(archive, splits={"train": "**/train-*", "test": "**/test-*"}))
    table = pd.read_parquet(raw / "files.parquet").set_index("origin")["split"]
    assert table["cat/train-1.png"] == "train_or_validation"
    assert table["cat/test-1.png"] == "test"
    assert pd.isna(table["cat/other-1.png"])


@pytest.mark.parametrize(
    ("splits", "message"),
    [
        ({"test": "tests/**"}, r'split "test": no file of .* matches tests/\*\*'),
        ({"test": "test/**", "train": "**"}, "matches the globs of two splits"),
    ],
)
def test_globs_for_splits_that_cannot_be_meant_are_refused(project: Path, splits: dict[str, str], message: str) -> None:
    archive = _zip(project / "a.zip", {"test/cat/1.png": png(1), "train/cat/1.png": png(2)})
    with pytest.raises(BadInput, match=message):
        bring(files(archive, classes={"cat": "*/cat/*"}, splits=splits))


def test_with_files_for_validation_train_is_train(project: Path) -> None:
    archive = _zip(project / "a.zip", {f"{name}/1.png": png(1) for name in ("train", "validation")})
    raw = bring(files(archive, classes={"cat": "**"}, splits={"train": "train/*", "validation": "validation/*"}))
    assert sorted(pd.read_parquet(raw / "files.parquet")["split"]) == ["train", "validation"]


def test_a_folder_that_cannot_be_listed_is_no_empty_one(
    project: Path, class_folders: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = os.scandir

    def failing(path: str) -> object:
        if str(path).endswith("/cat"):
            raise PermissionError(13, "Permission denied", path)
        return plain(path)

    monkeypatch.setattr(os, "scandir", failing)
    with pytest.raises(BadInput, match=r"cannot list .*/cat: Permission denied"):
        bring(files(class_folders))
    assert not (project / "data/sources.json").exists()


def test_a_second_ingest_brings_what_is_new_or_changed_and_removes_what_is_gone(
    project: Path, class_folders: Path, caplog: pytest.LogCaptureFixture
) -> None:
    raw = bring(files(class_folders))
    kept = (raw / "cat/01.png").stat().st_ino
    (class_folders / "bird/07.png").unlink()
    (class_folders / "bird/08.png").write_bytes(png(8))
    (class_folders / "bird/new.png").write_bytes(png(9))
    caplog.set_level("INFO")
    bring(files(class_folders))
    assert "60 files in 2 classes: 1 new, 1 changed, 1 removed" in caplog.text
    assert _images(raw) == _tree(class_folders)
    assert (raw / "cat/01.png").stat().st_ino == kept
    assert [path.name for path in (project / "data").iterdir() if path.name.startswith(".")] == []


@pytest.mark.usefixtures("project")
def test_a_spoilt_copy_is_brought_again(class_folders: Path) -> None:
    raw = bring(files(class_folders))
    (raw / "cat/01.png").unlink()
    (raw / "cat/02.png").write_bytes(b"spoilt")
    bring(files(class_folders))
    assert _images(raw) == _tree(class_folders)


def test_a_source_changed_behind_the_listing_is_refused_and_old_output_stays(
    project: Path, class_folders: Path
) -> None:
    params = sources(files(class_folders))
    refresh(params)
    (class_folders / "bird/07.png").write_bytes(b"other")
    with pytest.raises(BadInput, match=r"bird/07\.png .* run `make refresh`"):
        fetch(params)
    assert not (project / "data/raw").exists()
    refresh(params)
    raw = fetch(params)
    before = _tree(raw)
    (class_folders / "bird/08.png").write_bytes(b"another")
    refresh(params)
    (class_folders / "bird/08.png").unlink()
    with pytest.raises(
        BadInput, match=r"the listing has bird/08\.png, which the source does not hold: run `make refresh`"
    ):
        fetch(params)
    assert _tree(raw) == before
    assert [path.name for path in (project / "data").iterdir() if path.name.startswith(".")] == []


@pytest.mark.usefixtures("project")
def test_a_listing_of_another_source_is_refused(class_folders: Path) -> None:
    with pytest.raises(BadInput, match=r"sources\.json is missing: run `make refresh`"):
        fetch(sources(files(class_folders)))
    refresh(Ingest(sources=[Digits(kind="digits")], limits=LIMITS))
    with pytest.raises(BadInput, match="run `make refresh`"):
        fetch(sources(files(class_folders)))


def test_what_has_no_class_is_listed_and_links_are_not_followed(
    project: Path, class_folders: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (class_folders / "README.txt").write_text("not an image")
    (class_folders / ".cache").mkdir()
    (class_folders / ".cache" / "00.png").touch()
    (class_folders / "cat" / ".DS_Store").touch()
    (project / "secret").write_text("secret")
    (class_folders / "cat" / "link.png").symlink_to(project / "secret")
    (class_folders / "linked").symlink_to(project)
    os.mkfifo(class_folders / "cat" / "pipe.png")
    Path(os.fsdecode(os.fsencode(class_folders) + b"/cat/\xff")).symlink_to("nowhere")
    raw = bring(files(class_folders))
    assert _left_out(raw) == {
        ".cache/00.png": "no_class",
        "README.txt": "no_class",
        "cat/.DS_Store": "no_class",
        "cat/\\xff": "not_a_regular_file",
        "cat/link.png": "not_a_regular_file",
        "cat/pipe.png": "not_a_regular_file",
        "linked": "not_a_regular_file",
    }
    assert "3 left out, no_class: see data/raw/left_out.csv" in caplog.text
    assert sorted(path.name for path in raw.iterdir()) == ["bird", "cat", "files.parquet", "left_out.csv"]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("cat/a\nb.png", "control characters"),
        ("cat/a\\b.png", "a backslash"),
        ("cat/" + "x" * 250, "over 240 bytes"),
        (b"cat/\xff.png", "not UTF-8"),
    ],
)
def test_names_that_cannot_be_kept_are_refused(
    project: Path, class_folders: Path, name: str | bytes, message: str
) -> None:
    with open(os.path.join(os.fsencode(class_folders), os.fsencode(name)), "wb") as stream:  # noqa: PTH118, PTH123
        stream.write(b"x")
    with pytest.raises(BadInput, match=message):
        bring(files(class_folders))
    assert not (project / "data/raw").exists()
    assert not (project / "data/sources.json").exists()


@pytest.mark.parametrize(
    ("limit", "value", "message"),
    [
        ("max_files", 59, "holds 60 files of .* GB; expected at most 59"),
        ("max_file_mb", 0.00001, r"holds bird/00\.png of .* MB; expected at most 1e-05 MB"),
        ("max_total_gb", 1e-6, "expected at most 10000 and 1e-06 GB"),
    ],
)
def test_a_source_beyond_the_limits_is_refused(class_folders: Path, limit: str, value: float, message: str) -> None:
    params = Ingest(sources=[files(class_folders)], limits=LIMITS.model_copy(update={limit: value}))
    with pytest.raises(BadInput, match=message):
        refresh(params, class_folders / "sources.json")


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("up.zip", {"../evil.png": b"x"}),
        ("root.tar", {"/evil.png": b"x"}),
        ("twice.zip", {"cat/a.png": b"x", "cat/A.png": b"y"}),
    ],
)
def test_a_refused_archive_leaves_nothing_behind(project: Path, name: str, content: dict[str, bytes]) -> None:
    good = {"cat/good.png": png(1)}
    archive = (_zip if name.endswith("zip") else _tar)(project / name, good | content)
    (project / "inside").mkdir()
    before = {path for path in project.rglob("*") if ".state" not in path.parts}
    with pytest.raises(BadInput, match=r"not unpacked|rename one of them"):
        bring(files(archive))
    left = {path for path in project.rglob("*") if ".state" not in path.parts} - before
    assert left == {project / "data/sources.json"}
    assert not (project.parent / "evil.png").exists()


def test_missing_and_empty_sources_are_errors(project: Path, class_folders: Path) -> None:
    for path, message in (
        (project / "nothing", r"does not exist"),
        (project / "data", r"holds no file"),
        (class_folders / "cat/01.png", "is a file but no archive"),
        (class_folders / "cat", "no file of any source has a class"),
    ):
        with pytest.raises(BadInput, match=message):
            bring(files(path))
    with pytest.raises(BadInput, match=r'class "dog": no file of .* matches dogs/'):
        bring(files(class_folders, classes={"cat": "cat/*", "dog": "dogs/*"}))
    with pytest.raises(BadInput, match="matches the globs of cat and all"):
        bring(files(class_folders, classes={"cat": "cat/*", "all": "*/*"}))


def _labelled(project: Path, rows: bytes, **changed: object) -> dict[str, object]:
    (project / "labels.csv").write_bytes(rows)
    settings = {"suffix": ".png", "names": {"0": "healthy", "4": "ill"}, "on_mismatch": "report"} | changed
    path = str(project / "labels.csv")
    return {"labels": LabelsFile(path=path, name_column="image", label_column="level", **settings)}  # type: ignore[arg-type]


def _flat(project: Path, *names: str) -> Path:
    (project / "flat").mkdir()
    for number, name in enumerate(names):
        (project / "flat" / name).write_bytes(png(number))
    return project / "flat"


def test_a_flat_folder_takes_its_classes_from_a_csv_file(project: Path) -> None:
    root = _flat(project, "a.png", "b, c.png", "d.png", "e.png", "f.png")
    rows = b'\xef\xbb\xbfimage,level\r\na,0\r\n"b, c",4\r\nd,7\r\na,0\r\ne,0\r\ne,4\r\ngone,4\r\n'
    raw = bring(files(root, **_labelled(project, rows)))
    table = pd.read_parquet(raw / "files.parquet")
    assert dict(zip(table["path"], table["label"], strict=True)) == {
        "healthy/a.png": "healthy",
        "ill/b, c.png": "ill",
    }
    assert _left_out(raw) == {
        "d.png": "unknown_label",
        "e.png": "contradictory_rows",
        "f.png": "no_row",
        "gone.png": "image_missing",
    }


def test_rows_without_an_image_stop_or_are_reported_as_asked(project: Path, caplog: pytest.LogCaptureFixture) -> None:
    root = _flat(project, "a.png")
    rows = b"image,level\na,0\nb,0\nc,4\n"
    sentence = "2 of 3 labelled rows have no image (such as b.png, c.png)"
    with pytest.raises(BadInput) as error:
        bring(files(root, **_labelled(project, rows, on_mismatch="stop")))
    assert sentence in str(error.value)
    assert _left_out(project / ".state/refused/raw") == {"b.png": "image_missing", "c.png": "image_missing"}
    assert not (project / "data/raw").exists()
    bring(files(root, **_labelled(project, rows)))
    assert sentence in caplog.text


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (b"image,grade\na,0\n", "has no column level; it has image, grade"),
        (b"\xff\xfe\x00", "is no CSV file in UTF-8"),
        (b"", "is no CSV file in UTF-8"),
        (b'image,level\n"a,0\n', "is no CSV file in UTF-8"),
        (b"image,level\na,0,\nb,4,\n", "is no CSV file in UTF-8"),
        (b"image,level\na,0,4\n", "is no CSV file in UTF-8"),
        (b"image,level\n", "no file of any source has a class"),
    ],
)
def test_a_broken_csv_file_is_named(project: Path, rows: bytes, message: str) -> None:
    source = files(_flat(project, "a.png"), **_labelled(project, rows))
    with pytest.raises(BadInput, match=message):
        bring(source)
    (project / "labels.csv").unlink()
    with pytest.raises(BadInput, match=r"labels file .*labels\.csv does not exist"):
        bring(source)


def test_digits_are_the_1797_of_scikit_learn(project: Path) -> None:
    params = Ingest(sources=[Digits(kind="digits")], limits=LIMITS)
    assert refresh(params)
    assert not refresh(params)
    (listed,) = read_json(project / "data/sources.json")["sources"]
    assert listed["files"] == 1797
    raw = fetch(params)
    assert len(list(raw.rglob("*.png"))) == 1797
    assert sum(path.is_dir() for path in raw.iterdir()) == 10
