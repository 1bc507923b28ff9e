import hashlib
import json
import os
import time
from pathlib import Path

import pytest

from tasks.sources import folders
from tasks.sources.folders import sha256_of_files, walk


@pytest.fixture
def paths(tmp_path: Path) -> list[Path]:
    """Three files that have not been touched for a minute, as far as their times of modification go."""
    files = [tmp_path / name for name in ("a", "b", "c")]
    for file in files:
        file.write_text(file.name)
    return files


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the files that are read."""
    names: list[str] = []
    plain = folders.sha256_of

    def noting(path: Path) -> str:
        names.append(path.name)
        return plain(path)

    monkeypatch.setattr(folders, "sha256_of", noting)
    return names


def _settle(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folders, "SETTLED_S", -1.0)


def test_hashes_are_those_of_the_contents(paths: list[Path], tmp_path: Path) -> None:
    expected = [(1, hashlib.sha256(path.name.encode()).hexdigest()) for path in paths]
    assert sha256_of_files(paths, tmp_path / "cache/h.json") == expected
    assert sha256_of_files(paths[::-1], tmp_path / "cache/h.json") == expected[::-1]


def test_an_unchanged_file_is_not_read_again_and_a_changed_one_is(
    paths: list[Path], tmp_path: Path, read: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    _settle(monkeypatch)
    cache = tmp_path / "cache.json"
    sha256_of_files(paths, cache)
    assert sorted(read) == ["a", "b", "c"]
    read.clear()
    sha256_of_files(paths, cache)
    assert read == []
    times = paths[1].stat()
    time.sleep(0.02)
    paths[1].write_text("B")  # of the same size
    os.utime(paths[1], ns=(times.st_atime_ns, times.st_mtime_ns))  # and with the old time of modification
    assert sha256_of_files(paths, cache)[1] == (1, hashlib.sha256(b"B").hexdigest())
    assert read == ["b"]
    paths[2].unlink()
    sha256_of_files(paths[:2], cache)
    assert set(json.loads(cache.read_text())) == {str(path) for path in paths[:2]}


def test_a_file_that_could_still_change_unseen_is_read_again(
    paths: list[Path], tmp_path: Path, read: list[str]
) -> None:
    for _ in range(2):
        sha256_of_files(paths, tmp_path / "cache.json")
    assert len(read) == 6


def test_hashes_of_many_files_come_in_order(tmp_path: Path) -> None:
    many = [tmp_path / str(number) for number in range(600)]
    for path in many:
        path.write_text(path.name)
    results = sha256_of_files(many, tmp_path / "cache/h.json")
    assert results == [(len(path.name), hashlib.sha256(path.name.encode()).hexdigest()) for path in many]


def test_names_of_all_depths_and_what_is_no_file(tmp_path: Path) -> None:
    for name in ("a.png", "b/c.png", "b/d/e.png"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "b/link").symlink_to(tmp_path / "b")
    os.mkfifo(tmp_path / "b/pipe")
    names, irregular = walk(tmp_path)
    assert sorted(names) == ["a.png", "b/c.png", "b/d/e.png"]
    assert sorted(irregular) == ["b/link", "b/pipe"]
