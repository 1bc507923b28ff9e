import numpy as np
import pytest
import tensorflow as tf

from tasks.classifier import steps
from tasks.classifier.arms import Draws
from tasks.classifier.batches import Change, arrays_of, bounds, changed, first_batch
from tasks.classifier.feeding import Examples
from tasks.classifier.networks import build_classifier
from tasks.classifier.training import draws_of, train_seeds
from tasks.core.params import Arm, Augmentation, Train
from tasks.networks.arrays import to_bytes
from tests.classifier.examples import SHIFTS, arm, made, mixed, small

GEOMETRIC = Augmentation(
    rotation_deg=50, shift_share=0.25, shear=0.2, zoom=0.2, flip=True, brightness=[0.5, 1.5], fill="edge"
)
AUGMENTATIONS = {"shifts": SHIFTS, "geometric": GEOMETRIC, None: None}
ALL = arm(oversample=True, augmentation="geometric", **mixed(0.5), **made())
TRAIN = Train(
    seeds=2,
    steps=4,
    batch=8,
    learning_rate=0.01,
    record_every=3,
    optimizer="adam",
    schedule="cosine",
    size_px=None,
    network=small(4),
)


def _examples(channels: int = 1) -> Examples:
    """Noise of three classes; a few of the last one count as synthetic."""
    labels = np.arange(30) % 3
    images = np.random.default_rng(0).integers(0, 256, (30, 8, 8, channels), np.uint8)
    return Examples(images, labels, (labels == 2) & (np.arange(30) > 14))


def _first(one: Arm, examples: Examples) -> Draws:
    return next(draws_of(one, AUGMENTATIONS[one.augmentation], TRAIN, examples, seed=1))


@pytest.mark.parametrize("one", [ALL, arm(), arm(augmentation="shifts"), arm(**mixed(0.5))])
def test_the_batch_is_the_one_that_the_first_step_was_given(one: Arm, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[np.ndarray] = []

    def step(_model, _optimizer, x, _y, _weights, _prior, _correction):  # type: ignore[no-untyped-def]
        tf.py_function(lambda x: seen.append(x.numpy()), [x], [])
        return tf.zeros(2)

    monkeypatch.setattr(steps, "train_step", step)
    examples, augmentation = _examples(channels=3), AUGMENTATIONS[one.augmentation]
    model = build_classifier(TRAIN.network, 8, 3, 3, seed=1)
    list(train_seeds(model, one, augmentation, TRAIN, examples, examples, lambda _: None))
    shown = first_batch(one, augmentation, examples, 3, _first(one, examples))["images"]
    np.testing.assert_array_equal(shown, to_bytes(seen[0]))
    assert not np.array_equal(shown, to_bytes(seen[1]))


def test_without_mixing_and_changes_a_batch_is_the_images_themselves_with_their_labels() -> None:
    examples, draws = _examples(), _first(arm(), _examples())
    batch, indices = first_batch(arm(), None, examples, 3, draws), draws.indices[0]
    np.testing.assert_array_equal(batch["images"], examples.images[indices])
    np.testing.assert_array_equal(batch["labels"], examples.labels[indices])
    np.testing.assert_array_equal(batch["synthetic"], examples.synthetic[indices])
    assert (batch["coefficients"] == 1).all()


def test_of_partners_the_batch_has_labels_and_origin() -> None:
    examples, draws = _examples(), _first(ALL, _examples())
    batch, partners = first_batch(ALL, GEOMETRIC, examples, 3, draws), draws.partners[0]
    np.testing.assert_array_equal(batch["partners"], examples.labels[partners])
    np.testing.assert_array_equal(batch["partner_synthetic"], examples.synthetic[partners])
    np.testing.assert_array_equal(batch["label_coefficients"], draws.label_coefficients[0])


def test_bounds_are_those_of_the_augmentation_and_what_it_leaves_alone_is_left_out() -> None:
    assert bounds(GEOMETRIC, 32) == [
        Change("rotation", -50, rotation_deg=-50),
        Change("rotation", 50, rotation_deg=50),
        Change("shift", -8, shift_px=-8),
        Change("shift", 8, shift_px=8),
        Change("shear", -0.2, shear=-0.2),
        Change("shear", 0.2, shear=0.2),
        Change("zoom", 0.8, zoom=0.8),
        Change("zoom", 1.2, zoom=1.2),
        Change("flip", 1, flip=True),
        Change("brightness", 0.5, brightness=0.5),
        Change("brightness", 1.5, brightness=1.5),
        Change("all", -1, -50, -8, -0.2, 0.8, False, 0.5),
        Change("all", 1, 50, 8, 0.2, 1.2, True, 1.5),
    ]
    assert [(change.kind, change.value) for change in bounds(SHIFTS, 8)] == [("shift", -1), ("shift", 1)]
    nothing = SHIFTS.model_copy(update={"shift_share": 0.05})  # less than half a pixel
    assert bounds(nothing, 8) == []


def test_an_image_is_changed_as_is_said() -> None:
    image = _examples().images[0]
    black = GEOMETRIC.model_copy(update={"fill": "black"})
    changes = [Change("shift", 2, shift_px=2), Change("flip", 1, flip=True), Change("brightness", 0.5, brightness=0.5)]
    shifted, flipped, darker = changed(image, changes, black)
    np.testing.assert_array_equal(shifted[2:, 2:], image[:-2, :-2])
    assert (shifted[:2] == 0).all()
    np.testing.assert_array_equal(flipped, image[:, ::-1])
    np.testing.assert_allclose(darker, image / 2, atol=1)


CHANGES = {"original", "drawn", "bounds", "bound_kinds", "bound_values"}


@pytest.mark.parametrize(
    ("one", "more"),
    [
        (ALL, {"lambdas"} | CHANGES),
        (arm(**mixed(1.0, remix=True), tail_share=0.5), {"lambdas"}),
        (arm(augmentation="shifts"), CHANGES),
        (arm(**mixed(0.2), tail_share=0.9), set()),
        (arm(), set()),
    ],
)
def test_an_arm_has_arrays_of_what_it_does(one: Arm, more: set[str]) -> None:
    examples = _examples()
    arrays = arrays_of(one, AUGMENTATIONS[one.augmentation], examples, 3, _first(one, examples), TRAIN.steps)
    of_batch = {"images", "labels", "partners", "coefficients", "label_coefficients", "synthetic", "partner_synthetic"}
    assert set(arrays) == of_batch | more
    if "lambdas" in more:
        assert len(arrays["lambdas"]) == (2 if one.tail_share else 3)


def test_an_augmentation_that_changes_nothing_has_no_bounds() -> None:
    still, examples = SHIFTS.model_copy(update={"shift_share": 0}), _examples()
    one = arm(augmentation="shifts")
    draws = next(draws_of(one, still, TRAIN, examples, seed=1))
    arrays = arrays_of(one, still, examples, 3, draws, TRAIN.steps)
    assert (len(arrays["bounds"]), len(arrays["bound_kinds"]), len(arrays["drawn"])) == (0, 0, 5)
    np.testing.assert_array_equal(arrays["drawn"][0], arrays["original"])
