"""Writing so that a kill at any moment leaves either the old output or the complete new one; hashes of files."""

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
from tasks.support.progress import log

_AT_FDCWD = -100
_RENAME_EXCHANGE = 2
REFUSED = Path(".state/refused")  # the unfinished output of a stage that a check stopped, to be looked at
TRAINING_STATE = Path(".state/train_gan")  # a folder for each candidate: from where a killed training goes on
RAW_TABLE = "files.parquet"  # in data/raw: a row for each file, written by ingest and read by validate


@contextmanager
def replacing(target: Path, keep_refused: bool = False) -> Iterator[Path]:
    """A fresh folder beside `target` that takes its place in one step when the block ends without an error.

    The sibling is called `.<name>.partial` (.dvcignore hides it); one that a killed run left behind is removed first.
    With `keep_refused` a folder that a BadInput leaves unfinished is moved to REFUSED, until the next attempt.

    Raises:
        BadInput: the folder cannot be written.
    """
    sibling = _sibling(target)
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
            _keep(sibling, refused)
        raise
    finally:
        shutil.rmtree(sibling, ignore_errors=True)


@contextmanager
def replacing_file(target: Path) -> Iterator[Path]:
    """A path beside `target` whose file takes its place in one step when the block ends without an error.

    The folder is made where it is missing. The sibling is called as that of a folder is.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    sibling = _sibling(target)
    try:
        yield sibling
        sibling.replace(target)
    finally:
        sibling.unlink(missing_ok=True)


def _sibling(target: Path) -> Path:
    return target.with_name(f".{target.name}.partial")


def _keep(folder: Path, refused: Path) -> None:
    """Move a folder, to another disk if need be; where that fails, the reason for the refusal matters more."""
    try:
        refused.parent.mkdir(parents=True, exist_ok=True)
        shutil.move(folder, refused)
    except OSError as error:
        log.warning("  the refused output cannot be kept in %s: %s", refused, error)


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
    """Remove from `folder`, which need not exist, the outputs of arms or candidates that `names` no longer lists.

    Arms and candidates that run side by side may do so at the same time.
    """
    for entry in folder.iterdir() if folder.exists() else ():
        if entry.name not in names and not entry.name.startswith("."):
            shutil.rmtree(entry, onerror=_unless_gone)


def _unless_gone(*failure: Any) -> None:
    """For `shutil.rmtree`: what another process or thread has removed meanwhile needs no removal."""
    _, _, (_, error, _) = failure
    if not isinstance(error, FileNotFoundError):
        raise error


def sha256_of(path: Path) -> str:
    """SHA-256 of a file, or of a folder's file names and contents in sorted order, as hex digits."""
    if path.is_file():
        with path.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    digest = hashlib.sha256()
    for file in sorted(file for file in path.rglob("*") if file.is_file()):
        digest.update(f"{file.relative_to(path).as_posix()}\0{sha256_of(file)}\n".encode())
    return digest.hexdigest()


def write_json(path: Path, value: Any) -> bool:
    """Write `value` so that equal values give equal bytes: sorted keys, no NaN, a final newline.

    Returns whether the file differs from the one that was there; an equal one is left untouched.
    """
    text = json.dumps(value, indent=1, sort_keys=True, allow_nan=False) + "\n"
    if path.is_file() and path.read_bytes() == text.encode():
        return False
    with replacing_file(path) as sibling:
        sibling.write_text(text, encoding="utf-8")
    return True


def read_json(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))
