"""What a folder of a source holds: names of files, and their SHA-256 without reading again what has not changed."""

import json
import os
import stat
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tasks.core.files import replacing_file, sha256_of
from tasks.sources.archives import SUFFIXES, is_archive
from tasks.support.errors import BadInput
from tasks.support.progress import bar

SETTLED_S = 2.0  # a file changed more recently could change again within the clock's resolution
_BATCH = 256  # files that one thread reads in a row; bounds the memory for those that wait


def walk(root: Path) -> tuple[list[str], list[str]]:
    """Names below a folder, of regular files and of others (links, sockets, devices); links are not followed.

    Raises:
        BadInput: the folder is missing, cannot be listed, or is a file other than an archive.
    """
    if root.is_file():
        if not is_archive(root.name):
            raise BadInput(f"source {root} is a file but no archive; expected one of {', '.join(SUFFIXES)} or a folder")
        return [root.name], []
    if not root.is_dir():
        raise BadInput(f"source {root} does not exist: create it or correct ingest.sources in params.yaml")
    names: list[str] = []
    irregular: list[str] = []
    for name, mode in _entries(root, ""):
        (names if stat.S_ISREG(mode) else irregular).append(name)
    return names, [os.fsencode(name).decode("utf-8", "backslashreplace") for name in irregular]


def _entries(folder: Path, above: str) -> Iterator[tuple[str, int]]:
    """Name below the root and file mode of all that a folder holds, but for folders."""
    try:
        with os.scandir(folder) as listed:
            entries = [(entry.name, entry.stat(follow_symlinks=False).st_mode) for entry in listed]
    except OSError as error:
        raise BadInput(f"cannot list {error.filename}: {error.strerror}: make it readable") from error
    for name, mode in entries:
        if stat.S_ISDIR(mode):
            yield from _entries(folder / name, f"{above}{name}/")
        else:
            yield above + name, mode


def sha256_of_files(paths: Sequence[Path], cache: Path) -> list[tuple[int, str]]:
    """Size in bytes and SHA-256 as hex digits of each file, in the order of `paths`.

    A file is known by path, size, inode, and its times of modification and of status change (which no program can set
    back); the file `cache` holds the results of the last call with it.
    """
    known: dict[str, list[object]] = json.loads(cache.read_text()) if cache.exists() else {}
    marks = [_mark(path) for path in paths]
    due = [path for path, mark in zip(paths, marks, strict=True) if known.get(str(path), [None])[:-1] != mark]
    started_ns = time.time_ns()
    fresh = dict(zip(due, bar(_read(due), "refresh", "file", total=len(due)), strict=True))
    hashes = [fresh.get(path) or str(known[str(path)][-1]) for path in paths]
    if fresh or len(known) != len(paths):
        settled = started_ns - int(SETTLED_S * 1e9)
        kept = {
            str(path): [*mark, value]
            for path, mark, value in zip(paths, marks, hashes, strict=True)
            if max(mark[2:]) < settled
        }
        with replacing_file(cache) as sibling:
            sibling.write_text(json.dumps(kept))
    return [(mark[0], value) for mark, value in zip(marks, hashes, strict=True)]


def _mark(path: Path) -> list[int]:
    status = path.stat()
    return [status.st_size, status.st_ino, status.st_mtime_ns, status.st_ctime_ns]


def _read(paths: Sequence[Path]) -> Iterator[str]:
    batches = [paths[start : start + _BATCH] for start in range(0, len(paths), _BATCH)]
    with ThreadPoolExecutor(os.cpu_count()) as threads:
        for hashes in threads.map(lambda batch: [sha256_of(path) for path in batch], batches):
            yield from hashes
