"""Guards: which classes a generator may make, as codes and numbers; tasks/report/selection.py has the words."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

import numpy as np

from tasks.core.params import Guards
from tasks.gan.scores import Features, Interval, kid, mean_kid_interval
from tasks.quality.spaces import ClassIndices, Extract, Labelled, Space, Together, share

EVALUATOR = "evaluator"  # the space of a classifier of real images; all others are of random networks
# Density, as a share of what training images reach, from which on images lie where real ones are. Without a source: 1
# is expected of equal distributions, and half of what real images reach is what the shipped guards ask elsewhere.
_AMONG_REAL = 0.5

Refusal = dict[str, Any]  # `guard`, the code of the guard that refuses a class, and the numbers that it goes by
NOT_MADE: Refusal = {"guard": "not_made"}  # of a class of which the generator makes no images


def refusals(measured: Mapping[str, Any], guards: Guards, made_classes: Sequence[str]) -> dict[str, Refusal]:
    """The classes whose images a guard refuses, each with the first guard that does.

    The evaluator overlooks what its task does not need, and a random network sees what does not matter: a guard
    refuses only what the evaluator and most random networks find. Where too few images can tell, none does.

    Args:
        measured: of `Measure.measure`.
    """
    by_class = {label: _refusal(measured["classes"][label], guards, measured["pooled"]) for label in made_classes}
    return {label: refusal for label, refusal in by_class.items() if refusal}


def _refusal(scores: Mapping[str, Any], guards: Guards, pool: Sequence[str]) -> Refusal | None:
    densities, together = scores["density"], list(pool) if scores["pooled"] else []
    refused = [_collapsed(scores, guards), _unlike(scores, guards)]
    rest = [_copies(scores, guards), _misses(scores, guards, together)]
    if not scores["pooled"] and _agree(densities, lambda name: densities[name] >= _AMONG_REAL):
        refused[1:1] = rest  # images that lie among real ones are of the class: a KID that is high has other causes
    return next((refusal for refusal in [*refused, *rest] if refusal), None)


def _collapsed(scores: Mapping[str, Any], guards: Guards) -> Refusal | None:
    values = scores["diversity"]
    if not _agree(values, lambda name: values[name] < guards.min_diversity):
        return None
    return {"guard": "collapsed", "diversity": _both(values), "min_diversity": guards.min_diversity}


def _unlike(scores: Mapping[str, Any], guards: Guards) -> Refusal | None:
    values = scores["kid_share"]
    if not _agree(values, lambda name: values[name] > guards.max_kid):
        return None
    return {"guard": "unlike", "kid_share": _both(values), "max_kid": guards.max_kid}


def _copies(scores: Mapping[str, Any], guards: Guards) -> Refusal | None:
    c_t, authentic = scores["c_t"], scores["authenticity"]
    if not _agree(c_t, lambda name: c_t[name] < guards.min_c_t and authentic[name] < guards.min_authenticity):
        return None
    return {
        "guard": "copies",
        "c_t": _both(c_t),
        "min_c_t": guards.min_c_t,
        "authenticity": _both(authentic),
        "min_authenticity": guards.min_authenticity,
    }


def _misses(scores: Mapping[str, Any], guards: Guards, together: list[str]) -> Refusal | None:
    values = scores["coverage"]
    if not _agree(values, lambda name: values[name] < guards.min_coverage):
        return None
    return {
        "guard": "misses",
        "coverage": _both(values),
        "min_coverage": guards.min_coverage,
        "pooled": together,
    }


def _agree(values: Mapping[str, float | None], fails: Callable[[str], bool]) -> bool:
    """Whether the evaluator and more than half of the random networks that can tell find a failure."""
    able = [name for name in _random(values) if values[name] is not None]
    if values[EVALUATOR] is None or not fails(EVALUATOR):
        return False
    return 2 * sum(fails(name) for name in able) > len(able)


def _both(values: Mapping[str, float]) -> dict[str, float]:
    """A score by the evaluator, and the middle one by random networks."""
    others = median(values[name] for name in _random(values) if values[name] is not None)
    return {EVALUATOR: values[EVALUATOR], "random_networks": others}


def _random(values: Mapping[str, Any]) -> list[str]:
    return [name for name in values if name != EVALUATOR]


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
