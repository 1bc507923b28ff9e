"""Scores of generated images, class by class and in several feature spaces, against the same real images."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tasks.gan.scores import Features, Interval, kid, mean_kid_interval
from tasks.quality.spaces import ClassIndices, Extract, Labelled, Space, Together, share

CONFIDENCE = 0.95  # of the interval of KID, which is shown and decides nothing
# Images of a kind that a KID compares at most. Its time grows with their square, and it is unbiased for any number
# (Bińkowski et al. 2018 compare blocks of 1,000); what fewer images cost, the interval tells.
KID_IMAGES = 2000
_AT_ONCE = 256  # noise images in memory


@dataclass(frozen=True)
class Seen:
    """Generated images as feature spaces see them: labels int (n,) and, by space, features (n, d)."""

    labels: ClassIndices
    features: Mapping[str, Features]


class Measure:
    """Scores of generators against the same real images, whose features and distances are taken once."""

    def __init__(
        self,
        spaces: Mapping[str, Extract],
        train: Labelled,
        groups: Sequence[str],
        validation: Labelled,
        classes: Sequence[str],
        pool_below: int,
        seed: int,
    ) -> None:
        """Take the features of the real images.

        Args:
            spaces: `EVALUATOR`, of a network trained on real images, and at least one of a random network.
            groups: of training images that look alike, of which the first counts: what resembles both would else be no
                copy of either.
            validation: held out from the generators.
            pool_below: classes with fewer validation images are taken together for density and coverage, among those
                that a generator makes. C_T and authenticity stay apart: copies of one class hide among others.
            seed: of noise images, and of what is drawn of more images than needed.
        """
        distinct = np.sort(np.unique(groups, return_index=True)[1])
        self._spaces = {name: Space(extract, train, distinct, validation) for name, extract in spaces.items()}
        self._noise_kids: dict[int, dict[str, float]] = {}
        self._held_out, self._shape = validation.labels, validation.images.shape[1:]
        self._classes, self._pool_below, self._seed = classes, pool_below, seed

    def see(self, batches: Iterable[Labelled]) -> Seen:
        """Generated images as the spaces see them; they come in batches, as all at once may not fit into memory."""
        labels, features = [], {name: list[Features]() for name in self._spaces}
        for batch in batches:
            labels.append(batch.labels)
            for name, space in self._spaces.items():
                features[name].append(space.features(batch.images))
        return Seen(np.concatenate(labels), {name: np.concatenate(parts) for name, parts in features.items()})

    def kid(self, made: Seen) -> Interval:
        """KID of generated and validation images of the classes made, in the mean over spaces, with its interval.

        Best 0, worse upwards; see `mean_kid_interval`. Classes should be made in the shares that they have in
        validation: other shares count as a difference. At most `KID_IMAGES` of a kind are compared.
        """
        classes = tuple(np.unique(made.labels))
        pairs = [
            (self._drawn(space.held_out(classes)), self._drawn(made.features[name]))
            for name, space in self._spaces.items()
        ]
        return mean_kid_interval(pairs, CONFIDENCE)

    def measure(self, made: Seen) -> dict[str, Any]:
        """Scores of a generator's images as plain values for JSON, None where too few images can tell.

        Keys: pooled, the names of classes whose density and coverage are taken together; classes, for each name made:
        pooled, held_out, the number of validation images that these two are of, and by space kid, kid_share (of the KID
        of as many noise images as validation has of the class), density, coverage, c_t, authenticity and diversity.
        """
        made_labels = tuple(int(label) for label in np.unique(made.labels))
        counts = {label: int((self._held_out == label).sum()) for label in made_labels}
        few = tuple(label for label in made_labels if counts[label] < self._pool_below)
        pool = few if len(few) > 1 else ()
        together = self._compare(pool, made) if pool else {}
        classes = {}
        for label in made_labels:
            compared = self._compare((label,), made)
            if label in pool:
                compared |= {score: together[score] for score in ("density", "coverage")}
            held_out = sum(counts[other] for other in pool) if label in pool else counts[label]
            about = {"pooled": label in pool, "held_out": held_out}
            classes[self._classes[label]] = about | compared | self._alone(label, made)
        return {"pooled": [self._classes[label] for label in pool], "classes": classes}

    def _compare(self, classes: Together, made: Seen) -> dict[str, Any]:
        rows = np.isin(made.labels, classes)
        by_space = {  # each space draws the same images
            name: space.compare(classes, made.features[name][rows], np.random.default_rng([self._seed, *classes]))
            for name, space in self._spaces.items()
        }
        scores = next(iter(by_space.values()))
        return {score: {name: _plain(values[score]) for name, values in by_space.items()} for score in scores}

    def _alone(self, label: int, made: Seen) -> dict[str, Any]:
        rows, noise = made.labels == label, self._noise_kid(label)
        kids, diversities = {}, {}
        for name, space in self._spaces.items():
            fake = made.features[name][rows]
            kids[name] = kid(self._drawn(space.held_out((label,))), self._drawn(fake))
            diversities[name] = space.diversity(label, fake)
        return {
            "kid": {name: _plain(value) for name, value in kids.items()},
            "kid_share": {name: _plain(share(value, noise[name])) for name, value in kids.items()},
            "diversity": {name: _plain(value) for name, value in diversities.items()},
        }

    def _noise_kid(self, label: int) -> dict[str, float]:
        """KID of as many noise images as a KID compares with the validation images of a class, by space."""
        count = min(int((self._held_out == label).sum()), KID_IMAGES)
        if count < 2:
            return dict.fromkeys(self._spaces, np.nan)
        if label not in self._noise_kids:
            noise = self.see(self._noise(label, count))
            self._noise_kids[label] = {
                name: kid(self._drawn(space.held_out((label,))), noise.features[name])
                for name, space in self._spaces.items()
            }
        return self._noise_kids[label]

    def _noise(self, label: int, count: int) -> Iterator[Labelled]:
        rng = np.random.default_rng([self._seed, label])
        for start in range(0, count, _AT_ONCE):
            size = min(_AT_ONCE, count - start)
            yield Labelled(rng.integers(0, 256, (size, *self._shape), np.uint8), np.full(size, label))

    def _drawn(self, features: Features) -> Features:
        """At most `KID_IMAGES` of the features, drawn by the seed."""
        return features[np.random.default_rng(self._seed).permutation(len(features))[:KID_IMAGES]]


def _plain(value: float) -> float | None:
    return float(f"{value:.6g}") if np.isfinite(value) else None
