"""SHA-256 of many files, without reading again those that have not changed."""

import hashlib
import json
import os
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tasks.support.progress import bar

_SETTLED_S = 2.0  # a file changed more recently could change again within the clock's resolution


def sha256_of_files(paths: Sequence[Path], cache: Path) -> list[str]:
    """SHA-256 of each file as hex digits, in the order of `paths`.

    A file is known by path, size, inode, and its times of modification and of status change (which no program can set
    back); the file `cache` holds what the last call with it found.
    """
    known: dict[str, list[object]] = json.loads(cache.read_text()) if cache.exists() else {}
    marks = [_mark(path) for path in paths]
    due = [path for path, mark in zip(paths, marks, strict=True) if known.get(str(path), [None])[:-1] != mark]
    started_ns = time.time_ns()
    with ThreadPoolExecutor(os.cpu_count()) as threads:
        fresh = dict(zip(due, bar(threads.map(_sha256, due), "refresh", "file", total=len(due)), strict=True))
    hashes = [fresh.get(path) or str(known[str(path)][-1]) for path in paths]
    if fresh or len(known) != len(paths):
        settled = started_ns - int(_SETTLED_S * 1e9)
        kept = {
            str(path): [*mark, value]
            for path, mark, value in zip(paths, marks, hashes, strict=True)
            if max(mark[2:]) < settled
        }
        partial = cache.with_name(f".{cache.name}.partial")
        partial.parent.mkdir(parents=True, exist_ok=True)
        partial.write_text(json.dumps(kept))
        partial.replace(cache)
    return hashes


def _mark(path: Path) -> list[int]:
    found = path.stat()
    return [found.st_size, found.st_ino, found.st_mtime_ns, found.st_ctime_ns]


def _sha256(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
