"""Names of files: which a source may have, what class they give, and what a file is called under data/raw."""

import hashlib
import unicodedata
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import PurePosixPath

import pandas as pd
from wcmatch import glob

from tasks.support.errors import BadInput

MAX_PART_BYTES = 240  # file systems allow 255; the rest is for what `raw_paths` appends
MAX_NAME_BYTES = 1000
_FLAGS = glob.GLOBSTAR | glob.FORCEUNIX | glob.CASE


def fault(name: str) -> str | None:
    """What makes a name unfit to be written anywhere, or null for a good one: `/`-separated parts below a folder."""
    parts = name.split("/")
    if name.startswith("/"):
        return "an absolute path"
    if ".." in parts:
        return "a path that leaves its folder"
    if "" in parts or "." in parts:
        return "an empty part"
    if "\\" in name:
        return "a backslash"
    if any(ord(character) < 32 or 127 <= ord(character) < 160 for character in name):
        return "control characters"
    try:
        sizes = [len(part.encode()) for part in parts]
    except UnicodeEncodeError:
        return "bytes that are not UTF-8"
    if max(sizes) > MAX_PART_BYTES or sum(sizes) + len(parts) > MAX_NAME_BYTES:
        return f"a part of over {MAX_PART_BYTES} bytes or {MAX_NAME_BYTES} in all"
    return None


def matcher(patterns: str | list[str]) -> Callable[[str], bool]:
    """Whether a name matches one of the globs: `*` within a part, `**` over parts, neither a leading dot."""
    compiled: Callable[[str], bool] = glob.compile(patterns, flags=_FLAGS).match
    return compiled


def literal_head(pattern: str) -> str:
    """The folder of a glob that every match begins with: `birds/images/` of `birds/images/*/*`."""
    parts = pattern.split("/")
    fixed = next(
        (number for number, part in enumerate(parts) if glob.is_magic(part, flags=_FLAGS)),
        len(parts) - 1,
    )
    return "".join(f"{part}/" for part in parts[: min(fixed, len(parts) - 1)])


def raw_paths(files: pd.DataFrame) -> list[str]:
    """For each row (label, rest, source, origin) its path below data/raw: `<label>/<rest>`.

    Where paths are equal, differ only in case or Unicode form, or one is the folder of another, each of them has eight
    digits of a hash of where it comes from before its extension: a path does not depend on the order of the files.

    Raises:
        BadInput: a name looks like one with such digits.
    """
    plain = [f"{label}/{rest}" for label, rest in zip(files["label"], files["rest"], strict=True)]
    paths = [
        _marked(path, f"{source}:{origin}") if clash else path
        for path, clash, source, origin in zip(plain, _clashes(plain), files["source"], files["origin"], strict=True)
    ]
    if paths != plain and any(clashes := _clashes(paths)):
        raise BadInput(f"two source files would become data/raw/{paths[clashes.index(True)]}: rename one of them")
    return paths


def require_distinct(names: Sequence[str], where: str) -> None:
    """Raise BadInput where names are equal or differ only in case or Unicode form."""
    seen: dict[str, str] = {}
    for name in names:
        key = _folded(name)
        if key in seen:
            raise BadInput(
                f"{where} holds both {seen[key]!r} and {name!r}, which some file systems take for one: "
                "rename one of them"
            )
        seen[key] = name


def _clashes(paths: list[str]) -> list[bool]:
    keys = [_folded(path) for path in paths]
    taken = Counter(keys)
    folders = {parent for key in keys for parent in _parents(key)}
    return [taken[key] > 1 or key in folders for key in keys]


def _folded(path: str) -> str:
    """Equal for paths that differ in case or form only (canonical caseless matching, Unicode 3.13 D145)."""
    if path.isascii():
        return path.lower()
    return unicodedata.normalize("NFD", unicodedata.normalize("NFD", path).casefold())


def _parents(path: str) -> list[str]:
    parts = path.split("/")
    return ["/".join(parts[:depth]) for depth in range(1, len(parts))]


def _marked(path: str, origin: str) -> str:
    pure = PurePosixPath(path)
    digits = hashlib.sha256(origin.encode()).hexdigest()[:8]
    return pure.with_name(f"{pure.stem}-{digits}{pure.suffix}").as_posix()
