"""Filling one class with generated images that its filter accepts, or giving it up with the reason."""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tasks.core.params import Filter
from tasks.quality.filter import ACCEPTED, Assessment, Bounds, ClassFilter

ROUND = 256  # images between two looks at how many were accepted
_REMEMBERED = 6  # images of each outcome, to be shown


@dataclass(frozen=True)
class Made:
    """A generated image uint8 (h, w, c), its place in the sequence of latents, and what the filter said about it.

    `nearest` is an index into the real images of the class; the rest is as in an Assessment.
    """

    image: NDArray[np.uint8]
    latent_index: int
    probability: float
    distance: float
    nearest: int
    outcome: str


@dataclass(frozen=True)
class Filling:
    """What came of filling a class.

    Attributes:
        bounds: of the filter.
        counts: of all images made, by outcome.
        examples: the first images of each outcome.
        abstained: why the class is given up, a code and its numbers, or None.
    """

    bounds: Bounds
    counts: Counter[str]
    examples: dict[str, list[Made]]
    abstained: dict[str, Any] | None

    @property
    def made(self) -> int:
        return self.counts.total()

    @property
    def accepted_share(self) -> float:
        return round(self.counts[ACCEPTED] / self.made, 4)


def fill(
    params: Filter,
    class_filter: ClassFilter,
    wanted: int,
    make: Callable[[int, int], NDArray[np.uint8]],
    keep: Callable[[Made], None],
) -> Filling:
    """Make images until `wanted` are accepted, and hand the first so many to `keep`.

    The class is given up when less than `min_acceptance` of all images so far were accepted, after 256 images or all
    that may be made, or when `max_generated` times those wanted were made. What was kept until then is to be dropped.

    Args:
        make: images uint8 (count, h, w, c) from a start and a count; each image depends on its own index alone.
    """
    most = int(params.max_generated * wanted)
    counts: Counter[str] = Counter()
    examples: dict[str, list[Made]] = {}
    while counts[ACCEPTED] < wanted and counts.total() < most and _enough(params, counts):
        start = counts.total()
        images = make(start, min(ROUND, most - start))
        for made in _one_by_one(images, start, class_filter.assess(images, start)):
            if made.outcome == ACCEPTED and counts[ACCEPTED] < wanted:
                keep(made)
            counts[made.outcome] += 1
            if counts[made.outcome] <= _REMEMBERED:
                examples.setdefault(made.outcome, []).append(made)
    return Filling(class_filter.bounds, counts, examples, _abstention(params, counts, wanted))


def _enough(params: Filter, counts: Counter[str]) -> bool:
    return counts[ACCEPTED] >= params.min_acceptance * counts.total()


def _one_by_one(images: NDArray[np.uint8], start: int, assessment: Assessment) -> Iterator[Made]:
    for number, image in enumerate(images):
        yield Made(
            image,
            start + number,
            float(assessment.probability[number]),
            float(assessment.distance[number]),
            int(assessment.nearest[number]),
            str(assessment.outcome[number]),
        )


def _abstention(params: Filter, counts: Counter[str], wanted: int) -> dict[str, Any] | None:
    if not _enough(params, counts):
        return {"code": "min_acceptance", "min_acceptance": params.min_acceptance}
    if counts[ACCEPTED] < wanted:
        return {"code": "max_generated", "max_generated": params.max_generated, "wanted": wanted}
    return None
