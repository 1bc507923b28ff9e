"""Which classes a generator may make: its images scored class by class, and the reasons against them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

import numpy as np

from tasks.core.params import Guards
from tasks.gan.scores import Features, Interval, kid, mean_kid_interval
from tasks.quality.spaces import Extract, Images, Kinds, Labels, Space, share

EVALUATOR = "evaluator"
CONFIDENCE = 0.95  # of the interval of KID
_AMONG_REAL = 0.5  # density from which on images lie where real ones are
_KID_IMAGES = 2000  # of a kind at most: its time grows with their square, and its interval tells what that costs


@dataclass(frozen=True)
class Labelled:
    """Images uint8 (n, h, w, c) and their labels int (n,), which index the classes of the data."""

    images: Images
    labels: Labels


class Measure:
    """Scores of generators against the same real images, whose features and distances are taken once."""

    def __init__(
        self,
        spaces: Mapping[str, Extract],
        train: Labelled,
        validation: Labelled,
        classes: Sequence[str],
        pool_below: int,
        seed: int,
    ) -> None:
        """Take the features of the real images.

        Args:
            spaces: `EVALUATOR`, of a network trained on real images, and at least one of a random network.
            validation: held out from the generators.
            pool_below: classes with fewer validation images are taken together for density and coverage, among those
                that a generator makes. C_T and authenticity stay apart: copies of one class hide among others.
            train: no two of them alike, as what resembles both would else be no copy of either.
            seed: of noise images, and of what is drawn of more images than needed.
        """
        real = train.images, train.labels, validation.images, validation.labels
        self._spaces = {name: Space(extract, *real) for name, extract in spaces.items()}
        noise = np.random.default_rng(seed).integers(0, 256, validation.images.shape, np.uint8)
        self._noise = {name: space.features(noise) for name, space in self._spaces.items()}
        self._noise_kids: dict[int, dict[str, float]] = {}
        self._held_out, self._classes, self._pool_below, self._seed = validation.labels, classes, pool_below, seed

    def kid(self, made: Labelled) -> Interval:
        """KID of generated and validation images of the classes made, in the mean over spaces, with its interval.

        Best 0, worse upwards; see `mean_kid_interval`. Classes should be made in the shares that they have in
        validation: other shares count as a difference. At most 2,000 images of a kind are compared.
        """
        kinds, features = tuple(np.unique(made.labels)), self._features(made)
        pairs = [
            (self._some(space.held_out(kinds)), self._some(features[name])) for name, space in self._spaces.items()
        ]
        return mean_kid_interval(pairs, CONFIDENCE)

    def measure(self, made: Labelled) -> dict[str, Any]:
        """Scores of a generator's images as plain values for JSON, None where too few images can tell.

        Keys: pooled, the labels whose density and coverage are taken together; classes, for each label made: pooled,
        held_out, the number of validation images that these two are of, and by space kid, kid_share (of the KID of
        as many noise images as validation has of the class), density, coverage, c_t, authenticity and diversity.
        """
        features = self._features(made)
        kinds = tuple(int(kind) for kind in np.unique(made.labels))
        counts = {kind: int((self._held_out == kind).sum()) for kind in kinds}
        few = tuple(kind for kind in kinds if counts[kind] < self._pool_below)
        pool = few if len(few) > 1 else ()
        together = self._compare(pool, made, features) if pool else {}
        classes = {}
        for kind in kinds:
            compared = self._compare((kind,), made, features)
            if kind in pool:
                compared |= {score: together[score] for score in ("density", "coverage")}
            held_out = sum(counts[other] for other in pool) if kind in pool else counts[kind]
            about = {"pooled": kind in pool, "held_out": held_out}
            classes[self._classes[kind]] = about | compared | self._alone(kind, made, features)
        return {"pooled": [self._classes[kind] for kind in pool], "classes": classes}

    def _features(self, made: Labelled) -> dict[str, Features]:
        return {name: space.features(made.images) for name, space in self._spaces.items()}

    def _noise_kid(self, kind: int) -> dict[str, float]:
        rows = self._held_out == kind
        if kind not in self._noise_kids:
            self._noise_kids[kind] = {
                name: kid(self._some(space.held_out((kind,))), self._some(self._noise[name][rows]))
                for name, space in self._spaces.items()
            }
        return self._noise_kids[kind]

    def _compare(self, kinds: Kinds, made: Labelled, features: Mapping[str, Features]) -> dict[str, Any]:
        rows = np.isin(made.labels, kinds)
        by_space = {  # each space draws the same images
            name: space.compare(kinds, features[name][rows], np.random.default_rng([self._seed, *kinds]))
            for name, space in self._spaces.items()
        }
        scores = next(iter(by_space.values()))
        return {score: {name: _plain(values[score]) for name, values in by_space.items()} for score in scores}

    def _alone(self, kind: int, made: Labelled, features: Mapping[str, Features]) -> dict[str, Any]:
        rows, noise = made.labels == kind, self._noise_kid(kind)
        kids, diversities = {}, {}
        for name, space in self._spaces.items():
            fake = features[name][rows]
            kids[name] = kid(self._some(space.held_out((kind,))), self._some(fake))
            diversities[name] = space.diversity(kind, fake)
        return {
            "kid": {name: _plain(value) for name, value in kids.items()},
            "kid_share": {name: _plain(share(value, noise[name])) for name, value in kids.items()},
            "diversity": {name: _plain(value) for name, value in diversities.items()},
        }

    def _some(self, features: Features) -> Features:
        return features[np.random.default_rng(self._seed).permutation(len(features))[:_KID_IMAGES]]


def refusals(measured: Mapping[str, Any], guards: Guards, made_classes: Sequence[str]) -> dict[str, str]:
    """The classes whose images a guard refuses, each with the first reason as a sentence.

    The evaluator overlooks what its task does not need, and a random network sees what does not matter: a guard
    refuses only what the evaluator and most random networks find. Where too few images can tell, none does.

    Args:
        measured: of `Measure.measure`.
    """
    sentences = {label: _reason(measured["classes"][label], guards, measured["pooled"]) for label in made_classes}
    return {label: sentence for label, sentence in sentences.items() if sentence}


def _reason(scores: Mapping[str, Any], guards: Guards, pool: Sequence[str]) -> str | None:
    densities, among = scores["density"], f" (classes {', '.join(pool)} together)" if scores["pooled"] else ""
    reasons = [_collapsed(scores, guards), _unlike(scores, guards)]
    rest = [_copies(scores, guards), _misses(scores, guards, among)]
    if not scores["pooled"] and _agree(densities, lambda name: densities[name] >= _AMONG_REAL):
        reasons[1:1] = rest  # images that lie among real ones are of the class: a KID that is high has other causes
    return next((reason for reason in [*reasons, *rest] if reason), None)


def _collapsed(scores: Mapping[str, Any], guards: Guards) -> str | None:
    values = scores["diversity"]
    if not _agree(values, lambda name: values[name] < guards.min_diversity):
        return None
    return f"collapsed: {_both(values)} times as varied as real images, below {guards.min_diversity:g}"


def _unlike(scores: Mapping[str, Any], guards: Guards) -> str | None:
    values = scores["kid_share"]
    if not _agree(values, lambda name: values[name] > guards.max_kid):
        return None
    return f"unlike the class: KID is {_both(values)} times that of noise, above {guards.max_kid:g}"


def _copies(scores: Mapping[str, Any], guards: Guards) -> str | None:
    c_t, authentic = scores["c_t"], scores["authenticity"]
    if not _agree(c_t, lambda name: c_t[name] < guards.min_c_t and authentic[name] < guards.min_authenticity):
        return None
    return (
        f"copies training images: C_T is {_both(c_t)}, below {guards.min_c_t:g}, and authenticity "
        f"{_both(authentic)}, below {guards.min_authenticity:g}"
    )


def _misses(scores: Mapping[str, Any], guards: Guards, among: str) -> str | None:
    values = scores["coverage"]
    if not _agree(values, lambda name: values[name] < guards.min_coverage):
        return None
    return (
        f"misses much of the class{among}: covers {_both(values)} times as many validation images as training images "
        f"do, below {guards.min_coverage:g}"
    )


def _agree(values: Mapping[str, float | None], fails: Callable[[str], bool]) -> bool:
    """Whether the evaluator and more than half of the random networks that can tell find a failure."""
    judging = [name for name in _random(values) if values[name] is not None]
    if values[EVALUATOR] is None or not fails(EVALUATOR):
        return False
    return 2 * sum(fails(name) for name in judging) > len(judging)


def _both(values: Mapping[str, float]) -> str:
    others = median(values[name] for name in _random(values) if values[name] is not None)
    return f"{values[EVALUATOR]:.2f} (evaluator) and {others:.2f} (random networks)"


def _random(values: Mapping[str, Any]) -> list[str]:
    return [name for name in values if name != EVALUATOR]


def _plain(value: float) -> float | None:
    return float(f"{value:.6g}") if np.isfinite(value) else None
