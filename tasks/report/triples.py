"""The picture of what a filter accepted and refused, beside the nearest real images."""

from collections.abc import Mapping, Sequence
from itertools import zip_longest
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tasks.quality.fill import Filling, Made
from tasks.quality.filter import ACCEPTED, REASONS
from tasks.report.sheets import Cell, Row, draw_sheet

_SHOWN = 6  # accepted and refused images of a class
_MOST_CLASSES = 20


def block(filling: Filling, real: NDArray[np.uint8]) -> list[Row]:
    """Accepted images, a gap, and refused ones of each reason in turn, and a row of their nearest real ones."""
    in_turn = zip_longest(*(filling.examples.get(reason, []) for reason in REASONS))
    refused = [made for several in in_turn for made in several if made][:_SHOWN]
    refused.sort(key=lambda made: REASONS.index(made.outcome))
    accepted = filling.examples.get(ACCEPTED, [])[:_SHOWN]
    columns = [*accepted, *[None] * (_SHOWN + 1 - len(accepted)), *refused]
    return [
        Row("generated", [Cell(made.image, _caption(made)) if made else None for made in columns]),
        Row("nearest real", [Cell(real[made.nearest]) if made else None for made in columns]),
    ]


def draw_triples(path: Path, blocks: Mapping[str, Sequence[Row]]) -> None:
    """Draw the blocks of the first classes into a PNG file."""
    more = f" (the first {_MOST_CLASSES} of {len(blocks)} classes)" if len(blocks) > _MOST_CLASSES else ""
    note = "p: probability of the class, d: distance, 1 is usual"
    rows = [
        Row(f"{name}\n{row.name}", row.cells)
        for name, of_class in list(blocks.items())[:_MOST_CLASSES]
        for row in of_class
    ]
    draw_sheet(path, f"Generated images and the nearest real ones{more}", rows, note, cell_px=96)


def _caption(made: Made) -> str:
    return f"{made.outcome}\np {made.probability:.3f}\nd {made.distance:.2f}"
