"""The picture of what a filter accepted and refused, beside the nearest real images."""

from itertools import zip_longest
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tasks.quality.fill import Filling, Made
from tasks.quality.filter import ACCEPTED, REASONS
from tasks.report.plots import Pair, draw_pairs

_SHOWN = 6  # accepted and refused images of a class
_MOST_CLASSES = 20


def block(filling: Filling, real: NDArray[np.uint8]) -> list[Pair | None]:
    """Accepted images, a gap, and refused ones of each reason in turn, all beside their nearest real ones."""
    in_turn = zip_longest(*(filling.examples.get(reason, []) for reason in REASONS))
    refused = [made for several in in_turn for made in several if made][:_SHOWN]
    refused.sort(key=lambda made: REASONS.index(made.outcome))
    accepted = filling.examples.get(ACCEPTED, [])[:_SHOWN]
    columns = [*accepted, *[None] * (_SHOWN + 1 - len(accepted)), *refused]
    return [Pair(made.image, real[made.nearest], _caption(made)) if made else None for made in columns]


def draw_triples(path: Path, blocks: dict[str, list[Pair | None]]) -> None:
    """Draw the blocks of the first classes, by name, into a PNG file."""
    shown = dict(list(blocks.items())[:_MOST_CLASSES])
    more = f" (the first {_MOST_CLASSES} of {len(blocks)} classes)" if len(blocks) > _MOST_CLASSES else ""
    title = f"Generated images and the nearest real ones{more}\np: probability of the class, d: distance, 1 is usual"
    draw_pairs(path, shown, ("generated", "nearest real"), title)


def _caption(made: Made) -> str:
    return f"{made.outcome}\np {made.probability:.3f}  d {made.distance:.2f}"
