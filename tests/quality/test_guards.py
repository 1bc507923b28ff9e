"""Planted generators of drawn images: each is refused, or not, for what it was planted for."""

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from tasks.core.params import Guards, Training
from tasks.gan.scores import Interval
from tasks.networks.classifiers import random_network
from tasks.quality import guards
from tasks.quality.guards import EVALUATOR, Measure, refusals
from tasks.quality.spaces import Labelled, evaluator
from tasks.report.selection import refusal_sentence

CLASSES = ["bar", "blob", "cross"]
GUARDS = Guards(min_diversity=0.5, min_coverage=0.5, max_kid=0.5, min_c_t=-3.0, min_authenticity=0.2)
SPACES = [EVALUATOR, "random_0", "random_1", "random_2"]
TRAIN, VALIDATION, MADE = 120, 60, 180  # images of each class


def _draw(kind: int, count: int, rng: np.random.Generator, share: float = 1.0) -> np.ndarray:
    """Grey 8x8 images of a bar, a blob or a cross, in the leftmost `share` of the places where it may be."""
    x, y = 1 + 5 * share * rng.random((count, 1, 1)), 1 + 5 * rng.random((count, 1, 1))
    column, row = np.exp(-((np.arange(8) - x) ** 2)), np.exp(-((np.arange(8)[:, None] - y) ** 2))
    shape = [column + 0 * row, column * row, np.maximum(column, row)][kind]
    light = rng.uniform(120, 240, (count, 1, 1)) * shape + rng.uniform(0, 15, (count, 8, 8))
    return light.astype(np.uint8)[..., None]


def _drawn(count: int, seed: int, share: float = 1.0) -> Labelled:
    rng = np.random.default_rng(seed)
    images = np.concatenate([_draw(kind, count, rng, share) for kind in range(3)])
    return Labelled(images, np.repeat(np.arange(3, dtype=np.int32), count))


def _only(drawn: Labelled, *classes: int) -> Labelled:
    rows = np.isin(drawn.labels, classes)
    return Labelled(drawn.images[rows], drawn.labels[rows])


def _first(drawn: Labelled, counts: list[int]) -> Labelled:
    """The first so many images of each class."""
    rows = np.concatenate([np.flatnonzero(drawn.labels == label)[:count] for label, count in enumerate(counts)])
    return Labelled(drawn.images[rows], drawn.labels[rows])


def _apart(images: Labelled) -> list[str]:
    """Groups of images of which no two look alike."""
    return [f"{number:05d}" for number in range(len(images.labels))]


def _measured(measure: Measure, made: Labelled) -> dict[str, Any]:
    return measure.measure(measure.see([made]))


def _kid(measure: Measure, made: Labelled) -> Interval:
    return measure.kid(measure.see([made]))


TRAINING_IMAGES, HELD_OUT, FRESH = _drawn(TRAIN, 0), _drawn(VALIDATION, 1), _drawn(MADE, 2)


@pytest.fixture(scope="module")
def spaces() -> dict[str, Callable[[np.ndarray], np.ndarray]]:
    training = Training(steps=60, batch=32, learning_rate=0.002, width=8)
    learnt = evaluator(training, TRAINING_IMAGES, 3, 0)
    return {EVALUATOR: learnt} | {f"random_{seed}": random_network(8, 1, seed) for seed in range(3)}


@pytest.fixture(scope="module")
def measure(spaces: Any) -> Measure:
    return Measure(spaces, TRAINING_IMAGES, _apart(TRAINING_IMAGES), HELD_OUT, CLASSES, 50, 0)


@pytest.fixture(scope="module")
def measured(measure: Measure) -> dict[str, Any]:
    """Scores of each planted generator, by name."""
    rng = np.random.default_rng(0)
    planted = {
        "fresh": FRESH.images,
        "copies": TRAINING_IMAGES.images[_of_each(rng)],
        "near copies": _noisy(TRAINING_IMAGES.images[_of_each(rng)], 4, rng),
        "one image": np.repeat(FRESH.images[:1], 3 * MADE, axis=0),
        "one of each class": np.repeat(FRESH.images[::MADE], MADE, axis=0),
        "nearly one of each class": _noisy(np.repeat(FRESH.images[::MADE], MADE, axis=0), 4, rng),
        "noise": rng.integers(0, 256, FRESH.images.shape, np.uint8),
        "another class": np.roll(FRESH.images, MADE, axis=0),
        "a quarter": _drawn(MADE, 3, 0.25).images,
        "two thirds": _drawn(MADE, 3, 2 / 3).images,
    }
    return {name: _measured(measure, Labelled(images, FRESH.labels)) for name, images in planted.items()}


def _of_each(rng: np.random.Generator) -> np.ndarray:
    """Positions of training images, `MADE` of each class with repetitions."""
    return np.concatenate([kind * TRAIN + rng.integers(0, TRAIN, MADE) for kind in range(3)])


def _noisy(images: np.ndarray, spread: float, rng: np.random.Generator) -> np.ndarray:
    return np.clip(np.rint(images + rng.normal(0, spread, images.shape)), 0, 255).astype(np.uint8)


def _values(measured: dict[str, Any], score: str) -> np.ndarray:
    """One score, (classes, spaces)."""
    return np.array([[scores[score][name] for name in SPACES] for scores in measured["classes"].values()])


def _both(measured: dict[str, Any], score: str, label: str) -> tuple[str, str]:
    """A score of a class as sentences have it: by the evaluator, and by random networks in the middle."""
    learnt, *random = (measured["classes"][label][score][name] for name in SPACES)
    return f"{learnt:.2f}", f"{np.median(random):.2f}"


def _sentences(measured: dict[str, Any], guards: Guards, classes: list[str]) -> dict[str, str]:
    return {label: refusal_sentence(refusal) for label, refusal in refusals(measured, guards, classes).items()}


def _beginnings(measured: dict[str, Any]) -> set[str]:
    """The first words of the reasons against all three classes."""
    sentences = _sentences(measured, GUARDS, CLASSES)
    assert list(sentences) == CLASSES
    return {" ".join(sentence.split()[:2]).split(":")[0] for sentence in sentences.values()}


def test_fresh_images_of_the_same_distribution_are_not_refused(measured: dict[str, Any]) -> None:
    fresh = measured["fresh"]
    assert refusals(fresh, GUARDS, CLASSES) == {}
    assert _values(fresh, "coverage") == pytest.approx(1, abs=0.05)
    assert _values(fresh, "density") == pytest.approx(1, abs=0.1)
    assert _values(fresh, "diversity") == pytest.approx(1, abs=0.05)
    assert np.abs(_values(fresh, "c_t")).max() < 3
    assert 0.3 < _values(fresh, "authenticity").min() < _values(fresh, "authenticity").max() < 0.6


@pytest.mark.parametrize("seed", range(4, 8))
def test_other_fresh_images_are_not_refused_either(measure: Measure, seed: int) -> None:
    assert refusals(_measured(measure, _drawn(MADE, seed)), GUARDS, CLASSES) == {}


def test_a_copier_is_refused_for_copies_and_nothing_else_is_wrong_with_it(measured: dict[str, Any]) -> None:
    copies = measured["copies"]
    assert _values(copies, "c_t").max() < -15
    assert _values(copies, "authenticity").max() == 0
    assert _beginnings(copies) == {"copies training"}
    assert _sentences(copies, GUARDS, ["bar"]) == {
        "bar": "copies training images: C_T is -15.25 (evaluator) and -15.25 (random networks), below -3, and "
        "authenticity 0.00 (evaluator) and 0.00 (random networks), below 0.2"
    }
    blind = GUARDS.model_copy(update={"min_authenticity": 0.0})
    assert refusals(copies, blind, CLASSES) == {}
    assert _values(copies, "coverage").min() > 0.9
    assert _values(copies, "diversity").min() > 0.95


def test_a_copier_that_adds_a_little_noise_is_refused_for_copies(measured: dict[str, Any]) -> None:
    near = measured["near copies"]
    assert _values(near, "c_t") == pytest.approx(-np.sqrt(3 * MADE * VALIDATION / (MADE + VALIDATION + 1)), abs=0.4)
    assert _values(near, "authenticity").max() < 0.02
    assert _beginnings(near) == {"copies training"}


@pytest.mark.parametrize("name", ["one image", "one of each class", "nearly one of each class"])
def test_a_collapsed_generator_is_refused_for_that(measured: dict[str, Any], name: str) -> None:
    assert _values(measured[name], "diversity").max() < (0.2 if "nearly" in name else 1e-6)
    assert _beginnings(measured[name]) == {"collapsed"}


def test_noise_is_refused_as_unlike_the_class(measured: dict[str, Any]) -> None:
    noise = measured["noise"]
    assert _values(noise, "kid_share") == pytest.approx(1, abs=0.1)
    assert _values(noise, "diversity").min() > 0.6  # above what a collapse has
    assert _values(noise, "density")[:, 1:].max() < 0.01
    assert _beginnings(noise) == {"unlike the"}
    learnt, random = _both(noise, "kid_share", "bar")
    assert _sentences(noise, GUARDS, ["bar"]) == {
        "bar": f"unlike the class: KID is {learnt} (evaluator) and {random} (random networks) times that of noise, "
        "above 0.5"
    }


def test_images_of_another_class_are_refused(measured: dict[str, Any]) -> None:
    other = measured["another class"]
    assert _values(other, "density").max() < 0.15
    assert _values(other, "coverage").max() < 0.2
    assert _beginnings(other) == {"unlike the", "misses much"}


def test_a_lost_part_of_a_class_is_refused_for_that(measured: dict[str, Any]) -> None:
    quarter, most = measured["a quarter"], measured["two thirds"]
    assert _values(quarter, "coverage")[0] == pytest.approx(0.3, abs=0.05)  # of bars
    assert _values(quarter, "kid_share")[0].max() > GUARDS.max_kid  # but density says that they are bars
    assert _values(quarter, "density").min() > 0.7
    learnt, random = _both(quarter, "coverage", "bar")
    assert _sentences(quarter, GUARDS, ["bar"]) == {
        "bar": f"misses much of the class: covers {learnt} (evaluator) and {random} (random networks) times as many "
        "validation images as training images do, below 0.5"
    }
    assert _values(most, "coverage")[0] == pytest.approx(0.7, abs=0.1)
    assert refusals(most, GUARDS, CLASSES) == {}
    strict = GUARDS.model_copy(update={"min_coverage": 0.8})
    assert [refusal["guard"] for refusal in refusals(most, strict, CLASSES).values()] == ["misses"]


def test_small_classes_are_taken_together_among_those_that_are_made(spaces: Any) -> None:
    train = _first(TRAINING_IMAGES, [120, 30, 30])
    rare = Measure(spaces, train, _apart(train), _first(HELD_OUT, [60, 12, 12]), CLASSES, 50, 0)
    copies = _measured(rare, train)
    bar, blob, cross = (copies["classes"][label] for label in CLASSES)
    assert copies["pooled"] == ["blob", "cross"]
    assert [bar["pooled"], blob["pooled"], cross["pooled"]] == [False, True, True]
    assert [bar["held_out"], blob["held_out"], cross["held_out"]] == [60, 24, 24]
    assert [blob[score] == cross[score] for score in ("density", "coverage")] == [True, True]
    assert blob["c_t"][EVALUATOR] > bar["c_t"][EVALUATOR]  # fewer images have less power
    assert blob["kid"] != cross["kid"]
    assert [refusals(copies, GUARDS, CLASSES)[label]["guard"] for label in CLASSES] == ["copies"] * 3
    alone = _measured(rare, _only(train, 1))
    assert (alone["pooled"], list(alone["classes"]), alone["classes"]["blob"]["pooled"]) == ([], ["blob"], False)
    fresh = _measured(rare, _first(FRESH, [180, 48, 48]))
    assert refusals(fresh, GUARDS, CLASSES) == {}
    assert _values(fresh, "coverage") == pytest.approx(1, abs=0.2)


def test_too_few_images_refuse_nothing_but_what_they_can_tell(spaces: Any) -> None:
    held_out = _first(HELD_OUT, [60, 5, 1])
    rare = Measure(spaces, TRAINING_IMAGES, _apart(TRAINING_IMAGES), held_out, CLASSES, 0, 0)
    measured = _measured(rare, TRAINING_IMAGES)
    nothing = dict.fromkeys(SPACES)
    blob, cross = (measured["classes"][label] for label in ("blob", "cross"))
    assert blob["density"] == blob["coverage"] == nothing
    assert [cross[score] for score in ("density", "coverage", "c_t", "authenticity")] == [nothing] * 4
    assert cross["kid"] == cross["kid_share"] == nothing
    assert list(refusals(measured, GUARDS, CLASSES)) == ["bar", "blob"]  # five held-out images tell copies
    collapsed = Labelled(TRAINING_IMAGES.images[[0, 0, 0, 240, 240, 240]], np.repeat([0, 2], 3))
    assert _sentences(_measured(rare, collapsed), GUARDS, ["cross"])["cross"].startswith("collapsed: 0.00")
    one = _measured(rare, _first(FRESH, [0, 1, 0]))
    assert one["classes"]["blob"]["diversity"] == nothing
    assert refusals(one, GUARDS, ["blob"]) == {}
    assert json.loads(json.dumps(one, allow_nan=False)) == one


def test_the_evaluator_and_most_random_networks_have_to_agree(measured: dict[str, Any]) -> None:
    scores = measured["fresh"]["classes"]["bar"]

    def refused(evaluator: float | None, *others: float | None) -> list[str]:
        diversity = dict(zip(SPACES, [evaluator, *others], strict=True))
        return list(refusals({"pooled": [], "classes": {"bar": scores | {"diversity": diversity}}}, GUARDS, ["bar"]))

    assert refused(0.1, 0.1, 0.1, 0.9) == ["bar"]
    assert refused(0.1, 0.1, None, None) == ["bar"]
    assert refused(0.1, 0.1, 0.9, 0.9) == refused(0.9, 0.1, 0.1, 0.1) == refused(None, 0.1, 0.1, 0.1) == []
    assert refused(0.1, 0.1, 0.9, None) == refused(0.1, None, None, None) == []


def test_scores_depend_on_the_images_and_the_seed_alone(
    spaces: Any, measure: Measure, measured: dict[str, Any]
) -> None:
    other = Measure(spaces, TRAINING_IMAGES, _apart(TRAINING_IMAGES), HELD_OUT, CLASSES, 50, 0)
    assert _measured(other, _only(FRESH, 2))["classes"]["cross"] == measured["fresh"]["classes"]["cross"]
    assert json.dumps(_measured(other, FRESH), sort_keys=True) == json.dumps(measured["fresh"], sort_keys=True)
    order = np.random.default_rng(0).permutation(len(FRESH.labels))
    mixed = _measured(measure, Labelled(FRESH.images[order], FRESH.labels[order]))
    assert _values(mixed, "c_t") == pytest.approx(_values(measured["fresh"], "c_t"))


def test_units_of_features_do_not_matter(spaces: Any, measure: Measure, measured: dict[str, Any]) -> None:
    larger = {name: lambda images, extract=extract: 100 * extract(images) for name, extract in spaces.items()}
    scaled = Measure(larger, TRAINING_IMAGES, _apart(TRAINING_IMAGES), HELD_OUT, CLASSES, 50, 0)
    assert _kid(scaled, FRESH).value == pytest.approx(_kid(measure, FRESH).value, abs=1e-4)
    assert _values(_measured(scaled, FRESH), "coverage") == pytest.approx(_values(measured["fresh"], "coverage"))


def test_kid_tells_fresh_images_from_noise(measure: Measure) -> None:
    fresh = _kid(measure, FRESH)
    assert fresh.low < 0 < fresh.high
    noise = np.random.default_rng(0).integers(0, 256, FRESH.images.shape, np.uint8)
    assert _kid(measure, Labelled(noise, FRESH.labels)).low > 20 * fresh.high


def test_kid_of_many_images_is_of_some_of_each_kind(measure: Measure, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = _kid(measure, FRESH)
    monkeypatch.setattr(guards, "KID_IMAGES", 90)
    fewer = _kid(measure, FRESH)
    assert fewer.low < 0 < fewer.high
    assert fewer.high - fewer.low > 1.2 * (whole.high - whole.low)


def test_it_does_not_matter_in_which_batches_images_come(measure: Measure, measured: dict[str, Any]) -> None:
    halves = [_only(FRESH, 0), _only(FRESH, 1, 2)]
    scores = measure.measure(measure.see(halves))
    for label in CLASSES:
        for name, by_space in scores["classes"][label].items():
            assert by_space == pytest.approx(measured["fresh"]["classes"][label][name], rel=1e-4, abs=1e-4), name
