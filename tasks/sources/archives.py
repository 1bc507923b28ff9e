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

from tasks.core.params import Limits
from tasks.sources.names import fault, require_distinct
from tasks.support.errors import BadInput

SUFFIXES = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.zst")
_BROKEN = (
    *(zipfile.BadZipFile, tarfile.TarError, zstandard.ZstdError, zlib.error, gzip.BadGzipFile, lzma.LZMAError),
    *(EOFError, OSError, ValueError, NotImplementedError, RuntimeError, OverflowError, IndexError, UnicodeError),
)
_BLOCK = 512  # bytes, of a tar
_HEADERS = 1 << 20  # bytes that a tar may have beyond its files
_MAX_HEADER_BYTES = 8192
_ENTRY_BYTES = 2048  # of a member in a zip's directory: 46, its name of at most 1000, extra fields
_EXTENDED = (
    tarfile.XHDTYPE,
    tarfile.XGLTYPE,
    tarfile.SOLARIS_XHDTYPE,
    tarfile.GNUTYPE_LONGNAME,
    tarfile.GNUTYPE_LONGLINK,
)


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

    def admit_directory(self, members: int, size: int) -> None:
        """Check what a zip says of its directory, before it is read."""
        if members > self._limits.max_files or size > self._limits.max_files * _ENTRY_BYTES:
            self.refuse(f"holds more than {self._limits.max_files} members", "raise ingest.limits.max_files")

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

    def refuse(self, fault: str, remedy: str) -> None:
        raise BadInput(f"archive {self._path} {fault}: not unpacked; {remedy} if you trust it")


def _read_zip(path: Path, budget: _Budget) -> Iterator[tuple[str, bytes]]:
    with path.open("rb") as stream:
        end = zipfile._EndRecData(stream)  # type: ignore[attr-defined]  # zipfile would read a directory of any size
    if end:
        budget.admit_directory(end[zipfile._ECD_ENTRIES_TOTAL], end[zipfile._ECD_SIZE])  # type: ignore[attr-defined]
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
        counted = _Counted(stream, budget)
        names: list[str] = []
        with tarfile.open(fileobj=counted, mode="r|", errorlevel=2, tarinfo=_Member) as archive:
            for member in archive:
                archive.members = []  # type: ignore[attr-defined]  # tarfile would keep each
                name = member.name.removeprefix("./")  # as `tar -cf x.tar .` writes them
                if name == "." and member.isdir():
                    continue
                budget.admit(name, _tar_kind(member), member.size)
                if member.isdir():
                    continue
                names.append(name)
                content = archive.extractfile(member)
                data = content.read() if content else b""
                if len(data) != member.size:
                    raise EOFError(f"{member.name!r} has {len(data)} of {member.size} bytes")
                yield name, data
            counted.finish(archive.offset)
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


class _Member(tarfile.TarInfo):
    """Refuses long extended headers: Python up to 3.11.9 takes the square of their length (CVE-2024-6232)."""

    def _proc_member(self, archive: tarfile.TarFile) -> Any:
        if self.type in _EXTENDED and self.size > _MAX_HEADER_BYTES:
            raise tarfile.ReadError(f"an extended header of {self.size} bytes")
        return super()._proc_member(archive)  # type: ignore[misc]


class _Counted(io.RawIOBase):
    """A stream that refuses to give more than the budget, and knows where its last byte that is not zero was."""

    def __init__(self, stream: IO[bytes], budget: _Budget) -> None:
        self._stream, self._budget = stream, budget
        self._count = self._last = 0

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        data = self._stream.read(size if size >= 0 else 1 << 20)
        if kept := len(data.rstrip(b"\0")):
            self._last = self._count + kept
        self._count += len(data)
        if self._count > self._budget.most + _HEADERS:
            self._budget.spend(self._count)
        return data

    def finish(self, end: int) -> None:
        """Read on to where checksums are; only empty blocks may follow the last member, and at least one has to.

        tarfile itself takes a damaged header for the end of the archive.

        Args:
            end: of the last member, in bytes.

        Raises:
            EOFError: the archive is truncated, or a header is damaged.
        """
        while self.read(1 << 20):
            pass
        if self._last > end:
            raise EOFError("a damaged header, or something behind the end of the archive")
        if self._count < end + _BLOCK:
            raise EOFError("the end of the archive is missing")
