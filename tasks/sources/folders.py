"""What a folder of a source holds."""

import os
import stat
from pathlib import Path
from typing import NoReturn

from tasks.sources.archives import SUFFIXES, is_archive
from tasks.support.errors import BadInput


def walk(root: Path) -> tuple[list[str], list[str]]:
    """Names below a folder, of regular files and of others (links, sockets, devices); links are not followed."""
    if root.is_file():
        if not is_archive(root.name):
            raise BadInput(f"source {root} is a file but no archive; expected one of {', '.join(SUFFIXES)} or a folder")
        return [root.name], []
    if not root.is_dir():
        raise BadInput(f"source {root} does not exist: create it or correct ingest.sources in params.yaml")
    names: list[str] = []
    irregular: list[str] = []
    for folder, subfolders, entries in os.walk(root, onerror=_unlisted):
        for entry in [*entries, *(name for name in subfolders if Path(folder, name).is_symlink())]:
            path = Path(folder, entry)
            regular = stat.S_ISREG(path.lstat().st_mode)
            (names if regular else irregular).append(path.relative_to(root).as_posix())
    return names, [os.fsencode(name).decode("utf-8", "backslashreplace") for name in irregular]


def _unlisted(error: OSError) -> NoReturn:
    raise BadInput(f"cannot list {error.filename}: {error.strerror}: make it readable") from error
