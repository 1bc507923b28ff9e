"""Reading archives that may be hostile: every file with its content, or a refusal."""

import gzip
import io
import lzma
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import zstandard

from tasks.dataset.names import fault, require_distinct
from tasks.support.errors import BadInput
from tasks.support.params import Limits

SUFFIXES = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.zst")
_BROKEN = (
    *(zipfile.BadZipFile, tarfile.TarError, zstandard.ZstdError, zlib.error, gzip.BadGzipFile, lzma.LZMAError),
    *(EOFError, OSError, ValueError, NotImplementedError, RuntimeError, OverflowError, IndexError, UnicodeError),
)
_BLOCK = 512  # bytes, of a tar


def is_archive(name: str) -> bool:
    return name.lower().endswith(SUFFIXES)


def read_archive(path: Path, limits: Limits) -> Iterator[tuple[str, bytes]]:
    """Name and content of every file of a zip, tar, tar.gz or tar.zst archive, in its order.

    Nothing is written, and no name is used as a path. What headers declare is checked first, what really comes out
    afterwards, as headers lie.

    Raises:
        BadInput: the archive is broken, truncated or encrypted; holds links, devices, unfit or clashing names; or
            exceeds a limit in files, bytes or ratio. The caller drops what came before.
    """
    budget = _Budget(path, limits)
    read = _read_zip if path.name.lower().endswith(".zip") else _read_tar
    try:
        for name, content in read(path, budget):
            budget.spend(len(content))
            yield name, content
    except _BROKEN as error:
        raise BadInput(f"archive {path} is broken or truncated ({error}): fetch or pack it again") from error


class _Budget:
    """What may still come out of an archive."""

    def __init__(self, path: Path, limits: Limits) -> None:
        self._path, self._limits = path, limits
        self._files = 0
        self._spent = 0
        self.most = limits.max_total_gb * 1e9  # bytes
        by_ratio = limits.max_ratio * path.stat().st_size
        self.reason = f"ingest.limits.max_total_gb allows {limits.max_total_gb:g} GB"
        if by_ratio < self.most:
            self.most = by_ratio
            self.reason = f"ingest.limits.max_ratio allows {limits.max_ratio:g} times its size"

    def admit(self, name: str, kind: str | None, size: int) -> None:
        """Check one member's header. kind: what else it is than a regular file or a folder."""
        self._files += 1
        if self._files > self._limits.max_files:
            self.refuse(f"holds more than {self._limits.max_files} members", "raise ingest.limits.max_files")
        if kind:
            self.refuse(f"holds {kind}, {name!r}; expected regular files and folders", "pack it again without")
        if reason := fault(name.removesuffix("/")):
            self.refuse(f"holds a name with {reason}: {name[:100]!r}", "pack it again with plain relative names")
        if size > self._limits.max_file_mb * 1e6:
            self.refuse(
                f"holds {name!r} of {size / 1e6:.1f} MB; expected at most {self._limits.max_file_mb:g} MB",
                "raise ingest.limits.max_file_mb",
            )

    def spend(self, count: int) -> None:
        """Count bytes that really came out."""
        self._spent += count
        if self._spent > self.most:
            self.refuse(f"unpacks to more than {self.most / 1e6:.1f} MB; {self.reason}", "raise that limit")

    def refuse(self, found: str, remedy: str) -> None:
        raise BadInput(f"archive {self._path} {found}: not unpacked; {remedy} if you trust it")


def _read_zip(path: Path, budget: _Budget) -> Iterator[tuple[str, bytes]]:
    with zipfile.ZipFile(path) as archive:
        members = archive.infolist()
        for member in members:
            if member.flag_bits & 1:
                budget.refuse(f"holds encrypted {member.filename!r}", "pack it again without a password")
            budget.admit(member.orig_filename, _zip_kind(member), member.file_size)
        files = [member for member in members if not member.is_dir()]
        require_distinct([member.filename for member in files], f"archive {path}")
        for member in files:
            with archive.open(member) as stream:
                yield member.filename, stream.read(member.file_size + 1)  # zipfile stops at the declared size


def _zip_kind(member: zipfile.ZipInfo) -> str | None:
    kind = stat.S_IFMT(member.external_attr >> 16)
    if kind in (0, stat.S_IFREG, stat.S_IFDIR):
        return None
    return "a symbolic link" if kind == stat.S_IFLNK else "a device or other special file"


def _read_tar(path: Path, budget: _Budget) -> Iterator[tuple[str, bytes]]:
    with _decompressed(path) as stream:
        counted = _Counted(stream, budget.most + (1 << 20), budget)  # a megabyte for headers
        names: list[str] = []
        with tarfile.open(fileobj=counted, mode="r|", errorlevel=2) as archive:
            for member in archive:
                archive.members = []  # type: ignore[attr-defined]  # tarfile would keep each
                budget.admit(member.name, _tar_kind(member), member.size)
                if member.isdir():
                    continue
                names.append(member.name)
                content = archive.extractfile(member)
                data = content.read() if content else b""
                if len(data) != member.size:
                    raise EOFError(f"{member.name!r} has {len(data)} of {member.size} bytes")
                yield member.name, data
        counted.finish()
        require_distinct(names, f"archive {path}")


def _tar_kind(member: tarfile.TarInfo) -> str | None:
    if member.type in (tarfile.REGTYPE, tarfile.AREGTYPE, tarfile.DIRTYPE) and not member.issparse():
        return None
    if member.islnk() or member.issym():
        return "a link"
    return "a sparse file" if member.issparse() else "a device or other special file"


def _decompressed(path: Path) -> Any:
    name = path.name.lower()
    if name.endswith(".zst"):
        return zstandard.open(path, "rb")
    return gzip.open(path, "rb") if name.endswith("gz") else path.open("rb")


class _Counted(io.RawIOBase):
    """A stream that refuses to give more than `most` bytes, and knows whether it ended as a tar has to."""

    def __init__(self, stream: IO[bytes], most: float, budget: _Budget) -> None:
        self._stream, self._left, self._budget = stream, most, budget
        self._tail = b""

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        data = self._stream.read(size if size >= 0 else 1 << 20)
        self._left -= len(data)
        if self._left < 0:
            self._budget.spend(int(self._budget.most) + 1)
        self._tail = (self._tail + data)[-_BLOCK:]
        return data

    def finish(self) -> None:
        """Read to the end: checksums are there, and a tar ends with empty blocks, a truncated one does not.

        Raises:
            EOFError: the end is missing.
        """
        while self.read(1 << 20):
            pass
        if self._tail.strip(b"\0"):
            raise EOFError("the end of the archive is missing")
