"""Guards: which classes a generator may make, as codes and numbers; tasks/report/selection.py has the words."""

from collections.abc import Callable, Mapping, Sequence
from statistics import median
from typing import Any

from tasks.core.params import Guards

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
