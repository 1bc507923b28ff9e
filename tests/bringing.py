"""Sources for tests: parameters, and a small image as bytes."""

import io
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from tasks.core.params import Files, Ingest, Limits, load
from tasks.ingest import ingest
from tasks.sources.listing import refresh
from tasks.support.stages import LISTING

SHIPPED = load(Path(__file__).parents[1])
LIMITS = Limits(max_files=10_000, max_file_mb=5, max_total_gb=0.1, max_ratio=100)


def files(path: object, **options: Any) -> Files:
    return Files(kind="files", path=str(path), **options)


def sources(*all_files: Files) -> Ingest:
    return Ingest(sources=list(all_files), limits=LIMITS)


def fetch(params: Ingest) -> Path:
    """What `ingest` writes of sources that have been listed."""
    raw = Path("data/raw")
    ingest(replace(SHIPPED, ingest=params), raw, listing=LISTING)
    return raw


def bring(*all_files: Files) -> Path:
    """What the flow does first: list the sources, ingest them."""
    params = sources(*all_files)
    refresh(params)
    return fetch(params)


def png(seed: int, side_px: int = 8) -> bytes:
    """A PNG of grey noise that depends on the seed."""
    content = io.BytesIO()
    Image.fromarray(np.random.default_rng(seed).integers(0, 256, (side_px, side_px), np.uint8)).save(content, "PNG")
    return content.getvalue()
