"""Writing so that a kill at any moment leaves either the old output or the complete new one."""

import ctypes
import errno
import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tasks.support.errors import BadInput

_AT_FDCWD = -100
_RENAME_EXCHANGE = 2


REFUSED = Path(".state/refused")  # what a stage had found when a check stopped it, to be looked at


@contextmanager
def replacing(target: Path, keep_refused: bool = False) -> Iterator[Path]:
    """A fresh folder beside `target` that takes its place in one step when the block ends without an error.

    The sibling is called `.<name>.partial` (.dvcignore hides it); one that a killed run left behind is removed first.
    With `keep_refused` a folder that a BadInput leaves unfinished is moved to REFUSED, until the next attempt.

    Raises:
        BadInput: the folder cannot be written.
    """
    sibling = target.with_name(f".{target.name}.partial")
    try:
        shutil.rmtree(sibling, ignore_errors=True)
        sibling.mkdir(parents=True)
    except OSError as error:
        raise BadInput(f"cannot write {target}: {error.strerror} ({sibling}): make the folder writable") from error
    refused = REFUSED / target.name
    shutil.rmtree(refused, ignore_errors=True)
    try:
        yield sibling
        _swap(sibling, target)
    except BadInput:
        if keep_refused:
            refused.parent.mkdir(parents=True, exist_ok=True)
            sibling.rename(refused)
        raise
    finally:
        shutil.rmtree(sibling, ignore_errors=True)


def _swap(sibling: Path, target: Path) -> None:
    if not target.exists():
        sibling.rename(target)
        return
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.renameat2(_AT_FDCWD, os.fsencode(sibling), _AT_FDCWD, os.fsencode(target), _RENAME_EXCHANGE) == 0:
        return
    code = ctypes.get_errno()
    if code not in (errno.EINVAL, errno.ENOSYS, errno.EXDEV):
        raise OSError(code, os.strerror(code), str(target))
    # Network and layered file systems cannot exchange: between these two steps `target` is missing, which both
    # drivers take for a stage that has not run.
    shutil.rmtree(target)
    sibling.rename(target)


def remove_others(folder: Path, names: set[str]) -> None:
    """Remove from `folder`, which need not exist, the outputs of arms or candidates that `names` no longer lists."""
    for entry in folder.iterdir() if folder.exists() else ():
        if entry.name not in names and not entry.name.startswith("."):
            shutil.rmtree(entry)


def sha256_of(path: Path) -> str:
    """SHA-256 of a file, or of a folder's file names and contents in sorted order, as hex digits."""
    if path.is_file():
        with path.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    digest = hashlib.sha256()
    for file in sorted(file for file in path.rglob("*") if file.is_file()):
        digest.update(f"{file.relative_to(path).as_posix()}\0{sha256_of(file)}\n".encode())
    return digest.hexdigest()


def write_json(path: Path, value: Any) -> None:
    """Write `value` so that equal values give equal bytes: sorted keys, no NaN, a final newline."""
    path.write_text(json.dumps(value, indent=1, sort_keys=True, allow_nan=False) + "\n", encoding="utf-8")


def read_json(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))
