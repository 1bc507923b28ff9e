from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from tasks.classifier import steps
from tasks.classifier.arms import Draws
from tasks.classifier.steps import Examples
from tasks.classifier.training import draws_of, train_seeds
from tasks.core.params import Arm, Augmentation, Train
from tasks.core.params.roles import augmentation_of
from tasks.networks.pixels import to_bytes
from tasks.report.batches import (
    Change,
    batch_images,
    beta_density,
    bounds,
    captions,
    changed,
    draw_pictures,
    with_synthetic,
)
from tests.classifier.examples import SHIFTS, arm, made, mixed, small

GEOMETRIC = Augmentation(
    rotation_deg=50, shift_share=0.25, shear=0.2, zoom=0.2, flip=True, brightness=[0.5, 1.5], fill="edge"
)
ALL = arm(oversample=True, augmentation="geometric", **mixed(0.5), **made())
NAMES = ["cat", "dog", "7"]


def _examples(channels: int = 1) -> Examples:
    """Noise of three classes; a few of the last one count as synthetic."""
    labels = np.arange(30) % 3
    images = np.random.default_rng(0).integers(0, 256, (30, 8, 8, channels), np.uint8)
    return Examples(images, labels, (labels == 2) & (np.arange(30) > 14))


def _params(one: Arm) -> Train:
    values: dict[str, Any] = {"seeds": 2, "steps": 4, "batch": 8, "learning_rate": 0.01, "record_every": 3}
    values |= {"optimizer": "adam", "schedule": "cosine", "size_px": None, "in_memory_mb": 1.0, "network": small(4)}
    return Train(**values, augmentations={"shifts": SHIFTS, "geometric": GEOMETRIC}, arms={"a": one, "b": one})


def _drawn(indices: list[int], partners: list[int], images: list[float], labels: list[float]) -> Draws:
    shares, of_labels = (np.array(each, np.float32) for each in (images, labels))
    nothing = np.ones(len(indices), np.float32)
    transforms = np.zeros((len(indices), 8), np.float32)
    return Draws(np.array(indices), np.array(partners), shares, of_labels, nothing, transforms, nothing)


def _first(one: Arm, examples: Examples) -> Draws:
    draws = next(draws_of(one, _params(one), examples, seed=1))
    return Draws(*(values[0] for values in vars(draws).values()))


@pytest.mark.parametrize("one", [ALL, arm(), arm(augmentation="shifts"), arm(**mixed(0.5))])
def test_the_picture_shows_the_batch_that_the_first_step_was_given(one: Arm, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[np.ndarray] = []

    def step(_model, _optimizer, x, _y, _weights, _prior, _correction):  # type: ignore[no-untyped-def]
        tf.py_function(lambda x: seen.append(x.numpy()), [x], [])
        return tf.zeros(2)

    monkeypatch.setattr(steps, "train_step", step)
    examples = _examples(channels=3)
    list(train_seeds(one, _params(one), 3, examples, examples, lambda _: None))
    shown = batch_images(one, augmentation_of(_params(one), one), examples, 3, _first(one, examples))
    np.testing.assert_array_equal(shown, to_bytes(seen[0]))
    assert not np.array_equal(shown, to_bytes(seen[1]))


def test_without_mixing_and_changes_a_batch_is_the_images_themselves() -> None:
    examples = _examples()
    drawn = _drawn([3, 0, 29], [1, 1, 1], [0.5] * 3, [0.5] * 3)
    np.testing.assert_array_equal(batch_images(arm(), None, examples, 3, drawn), examples.images[[3, 0, 29]])


def test_captions_name_the_parts_of_a_label() -> None:
    drawn = _drawn([0, 0, 0, 0, 0, 1], [1, 1, 1, 3, 1, 2], [0.5] * 6, [0.83, 1.0, 0.0, 0.4, 0.997, 0.25])
    assert captions(drawn, _examples(), NAMES) == [
        ".83 cat\n+ .17 dog",
        "cat",
        "dog",
        "cat",  # both are cats
        "cat",  # less than half a hundredth of a dog
        '.25 dog\n+ .75 "7"',
    ]


def test_images_are_marked_where_a_synthetic_one_can_be_seen() -> None:
    examples = _examples()
    assert examples.synthetic[17]
    assert not examples.synthetic[[0, 2]].any()
    drawn = _drawn([17, 17, 0, 0, 0], [0, 0, 17, 17, 2], [0.3, 0.0, 0.3, 1.0, 0.5], [1.0] * 5)
    assert with_synthetic(drawn, examples).tolist() == [True, False, True, False, False]


@pytest.mark.parametrize(("alpha", "middle"), [(1.0, 1.0), (2.0, 1.5), (0.5, 2 / np.pi)])
def test_the_density_is_that_of_the_beta_distribution(alpha: float, middle: float) -> None:
    places, density = beta_density(alpha)
    assert places[199] == pytest.approx(0.5)
    assert density[199] == pytest.approx(middle)
    np.testing.assert_allclose(density, density[::-1], rtol=1e-6)
    assert np.isfinite(density).all()
    assert (density[0] > 10) == (alpha < 1)


def test_bounds_are_those_of_the_augmentation_and_what_it_leaves_alone_is_left_out() -> None:
    assert bounds(GEOMETRIC, 32) == [
        Change("rotation -50°", rotation_deg=-50),
        Change("rotation +50°", rotation_deg=50),
        Change("shift -8 px", shift_px=-8),
        Change("shift +8 px", shift_px=8),
        Change("shear -0.2", shear=-0.2),
        Change("shear +0.2", shear=0.2),
        Change("zoom 0.8", zoom=0.8),
        Change("zoom 1.2", zoom=1.2),
        Change("flip", flip=True),
        Change("brightness 0.5", brightness=0.5),
        Change("brightness 1.5", brightness=1.5),
        Change("all at the lower bound", -50, -8, -0.2, 0.8, False, 0.5),
        Change("all at the upper bound", 50, 8, 0.2, 1.2, True, 1.5),
    ]
    assert [change.caption for change in bounds(SHIFTS, 8)] == ["shift -1 px", "shift +1 px"]
    nothing = SHIFTS.model_copy(update={"shift_share": 0.05})  # less than half a pixel
    assert bounds(nothing, 8) == []


def test_an_image_is_changed_as_its_caption_says() -> None:
    image = _examples().images[0]
    black = GEOMETRIC.model_copy(update={"fill": "black"})
    changes = [Change("", shift_px=2), Change("", flip=True), Change("", brightness=0.5)]
    shifted, flipped, darker = changed(image, changes, black)
    np.testing.assert_array_equal(shifted[2:, 2:], image[:-2, :-2])
    assert (shifted[:2] == 0).all()
    np.testing.assert_array_equal(flipped, image[:, ::-1])
    np.testing.assert_allclose(darker, image / 2, atol=1)


@pytest.mark.parametrize(
    ("one", "files"),
    [
        (ALL, ["batch.png", "beta.png", "changes.png"]),
        (arm(**mixed(1.0, remix=True), tail_share=0.5), ["batch.png", "beta.png"]),
        (arm(augmentation="shifts"), ["batch.png", "changes.png"]),
        (arm(**mixed(0.2), tail_share=0.9), ["batch.png"]),
        (arm(), ["batch.png"]),
    ],
)
def test_an_arm_has_pictures_of_what_it_does_with_equal_bytes(one: Arm, files: list[str], tmp_path: Path) -> None:
    names = ["a $\\frac{1}{0}$ cat", "d" * 60, "7"]
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
        draw_pictures(tmp_path / folder, one, _params(one), _examples(), names)
    first, second = (sorted((tmp_path / folder).iterdir()) for folder in ("one", "two"))
    assert [path.name for path in first] == files
    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in second]


def test_an_augmentation_that_changes_nothing_has_a_picture_without_bounds(tmp_path: Path) -> None:
    one = arm(augmentation="shifts")
    still = _params(one).model_copy(update={"augmentations": {"shifts": SHIFTS.model_copy(update={"shift_share": 0})}})
    draw_pictures(tmp_path, one, still, _examples(), NAMES)
    assert (tmp_path / "changes.png").exists()
