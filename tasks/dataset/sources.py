"""Where images come from: the embedded digits, or class folders elsewhere on disk."""

import hashlib
import io
import json
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from PIL import Image
from sklearn.datasets import load_digits

from tasks.support.commands import command
from tasks.support.errors import BadInput
from tasks.support.params import Digits, Folder
from tasks.support.progress import log

LISTING = Path("data/sources.json")


@dataclass(frozen=True, order=True)
class SourceFile:
    """One file of a source: name relative to it (`<class>/…`), size in bytes, SHA-256 of its content."""

    name: str
    size: int
    sha256: str


def list_source(source: Digits | Folder) -> list[SourceFile]:
    """The files of a source, sorted by name.

    Raises:
        BadInput: the folder is missing, holds no file, or holds files outside of class folders only.
    """
    if isinstance(source, Digits):
        return sorted(_describe(name, content) for name, content in _digit_files())
    files = [_describe(name, (Path(source.path) / name).read_bytes()) for name in _folder_names(Path(source.path))]
    if not files:
        raise BadInput(
            f"source {source.path} holds no file in a class folder; expected {source.path}/<class>/<image>: "
            "add images or correct ingest.source.path"
        )
    return sorted(files)


def refresh(source: Digits | Folder, listing: Path = LISTING) -> bool:
    """Write the listing of a source if it differs from the one on disk; says whether it did."""
    files = ",\n".join(json.dumps(asdict(file)) for file in list_source(source))  # a line each, for readable diffs
    partial = listing.with_name(f".{listing.name}.partial")
    partial.write_text(f'{{"source": {json.dumps(source.model_dump())}, "files": [\n{files}\n]}}\n', encoding="utf-8")
    if listing.exists() and listing.read_bytes() == partial.read_bytes():
        partial.unlink()
        return False
    partial.replace(listing)
    return True


def read_files(source: Digits | Folder, listed: list[SourceFile]) -> Iterator[tuple[SourceFile, bytes]]:
    """The listed files with their content, one at a time.

    Raises:
        BadInput: a file is missing or its content is no longer the listed one.
    """
    embedded = dict(_digit_files()) if isinstance(source, Digits) else {}
    for file in listed:
        try:
            content = (
                embedded[file.name] if isinstance(source, Digits) else (Path(source.path) / file.name).read_bytes()
            )
        except (KeyError, OSError) as error:
            raise BadInput(
                f"{LISTING} lists {file.name}, which the source does not hold: run `make refresh`"
            ) from error
        if hashlib.sha256(content).hexdigest() != file.sha256:
            raise BadInput(
                f"{file.name} is not the file that {LISTING} lists (its content changed): run `make refresh`"
            )
        yield file, content


def stray_files(source: Digits | Folder) -> list[str]:
    """Names of files and hidden folders beside the class folders of a source, which belong to no class, sorted."""
    if isinstance(source, Digits):
        return []
    return sorted(entry.name for entry in os.scandir(source.path) if entry.is_file() or _hidden(entry))


def _describe(name: str, content: bytes) -> SourceFile:
    return SourceFile(name, len(content), hashlib.sha256(content).hexdigest())


def _folder_names(root: Path) -> Iterator[str]:
    if not root.is_dir():
        raise BadInput(f"source folder {root} does not exist: create it or correct ingest.source.path in params.yaml")
    for label in sorted(entry.name for entry in os.scandir(root) if entry.is_dir() and not _hidden(entry)):
        for folder, _, names in os.walk(root / label):
            yield from (Path(folder, name).relative_to(root).as_posix() for name in names)


def _hidden(entry: os.DirEntry[str]) -> bool:
    """Whether it is what tools leave behind, such as .git and .ipynb_checkpoints, and no class."""
    return entry.name.startswith(".")


def _digit_files() -> Iterator[tuple[str, bytes]]:
    """The 1,797 handwritten 8x8 digits of scikit-learn as PNG files under class folders."""
    digits = load_digits()
    images = np.rint(digits.images * (255 / 16)).astype(np.uint8)  # (1797, 8, 8), 17 grey levels
    for number, (image, label) in enumerate(zip(images, digits.target, strict=True)):
        content = io.BytesIO()
        Image.fromarray(image).save(content, format="PNG")
        yield f"{label}/digit-{number:04d}.png", content.getvalue()


if __name__ == "__main__":
    command(lambda params: log.info("sources: %s", "changed" if refresh(params.ingest.source) else "unchanged"))
