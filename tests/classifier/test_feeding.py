import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import tensorflow as tf

from tasks.classifier import feeding
from tasks.classifier.arms import draw
from tasks.classifier.feeding import Fed, ahead, batch_of, hand_overs, mix, read_examples, training_rows
from tasks.core.params import Images, load
from tasks.data.images import write_image
from tests.classifier.examples import SHIFTS, arm, made, mixed
from tests.parameters import ROOT

ROWS = pd.DataFrame(
    [
        ("r0", "cat", "train", None),
        ("r1", "dog", "train", None),
        ("r2", "dog", "train", None),
        ("w0", "dog", "withheld", None),
        ("v0", "dog", "validation", None),
        ("t0", "dog", "test", None),
        ("s0", "dog", "train", "g"),
        ("s1", "dog", "train", "g"),
        ("s2", "dog", "train", "g"),
        ("u0", "dog", "unfiltered", "g"),
    ],
    columns=["path", "label", "split", "generator"],
)


def test_an_arm_without_synthetic_images_learns_from_train_and_the_oracle_from_withheld_ones_as_well() -> None:
    real = ROWS[ROWS["generator"].isna()]
    assert training_rows(real, arm())["path"].tolist() == ["r0", "r1", "r2"]
    assert training_rows(real, arm(withheld=True))["path"].tolist() == ["r0", "r1", "r2", "w0"]


def test_synthetic_images_are_filtered_ones_or_the_first_that_were_made() -> None:
    assert training_rows(ROWS, arm(**made()))["path"].tolist() == ["r0", "r1", "r2", "s0", "s1", "s2"]
    assert training_rows(ROWS, arm(**made(filtered=False)))["path"].tolist() == ["r0", "r1", "r2", "u0"]


def test_a_twin_has_real_images_of_the_class_in_place_of_synthetic_ones() -> None:
    rows = training_rows(ROWS, arm(**made(twin=True)))
    taken = rows[rows["generator"].notna()]
    assert taken["label"].tolist() == ["dog"] * 3
    assert set(taken["path"]) <= {"r1", "r2"}
    pd.testing.assert_frame_equal(rows, training_rows(ROWS, arm(**made(twin=True))))


def test_examples_are_read_in_the_size_that_classifiers_see(tmp_path: Path) -> None:
    paths = [str(tmp_path / f"{number}.png") for number in range(2)]
    for number, path in enumerate(paths):
        write_image(Path(path), np.full((8, 8, 1), 100 * number, np.uint8))
    rows = pd.DataFrame({"path": paths, "label": ["dog", "cat"], "generator": [None, "g"]})
    params = load(ROOT)
    small = replace(params, images=Images(size_px=8, channels=3), train=params.train.model_copy(update={"size_px": 16}))
    examples = read_examples(rows, ["cat", "dog"], small)
    assert examples.images.shape == (2, 16, 16, 3)
    assert examples.images[1].mean() == 100
    assert (examples.labels.tolist(), examples.synthetic.tolist()) == ([1, 0], [False, True])
    assert not read_examples(rows.drop(columns="generator"), ["cat", "dog"], small).synthetic.any()


RNG = np.random.default_rng(0)
IMAGES, LABELS = RNG.integers(0, 256, (30, 8, 8, 1), np.uint8), np.arange(30) % 3
MIXED = arm(augmentation="shifts", **mixed(0.5))
LIGHT = SHIFTS.model_copy(update={"brightness": [1.2, 1.4]})


def _draws(settings=MIXED, augmentation=LIGHT, steps=10):
    return next(draw(settings, augmentation, LABELS, np.zeros(30, bool), 8, 4, [steps], np.random.default_rng(1)))


@pytest.mark.parametrize(("most", "sizes"), [(10**9, [10]), (8 * 64 * 3, [3, 3, 3, 1]), (1, [1] * 10)])
def test_hand_overs_are_the_drawn_images_in_order_and_in_few_bytes(monkeypatch, most, sizes):
    monkeypatch.setattr(feeding, "_BYTES", most)
    draws = _draws()
    fed = list(hand_overs(IMAGES, LABELS, draws, mixed=True))
    assert [len(each.images) for each in fed] == sizes
    whole = Fed(*(np.concatenate(parts) for parts in zip(*fed, strict=True)))
    np.testing.assert_array_equal(whole.images, IMAGES[draws.indices])
    np.testing.assert_array_equal(whole.labels, LABELS[draws.indices])
    np.testing.assert_array_equal(whole.other_images, IMAGES[draws.partners])
    np.testing.assert_array_equal(whole.other_labels, LABELS[draws.partners])
    for name in ("coefficients", "label_coefficients", "weights", "transforms", "brightness"):
        np.testing.assert_array_equal(getattr(whole, name), getattr(draws, name))


def test_images_to_mix_with_are_gathered_only_for_mixing():
    (fed,) = hand_overs(IMAGES, LABELS, _draws(arm()), mixed=False)
    assert fed.images.shape == (10, 4, 8, 8, 1)
    assert fed.other_images.shape == (10, 0, 8, 8, 1)
    assert fed.other_labels.shape == (10, 0)


@pytest.mark.parametrize("is_mixed", [False, True])
def test_hand_overs_are_as_their_spec_says(is_mixed):
    (fed,) = hand_overs(IMAGES, LABELS, _draws(), is_mixed)
    for spec, values in zip(Fed.spec(4, (8, 8, 1), is_mixed), fed, strict=True):
        assert spec.is_compatible_with(tf.constant(values))


def test_a_batch_is_mixed_then_changed_then_lit():
    draws = _draws()
    (fed,) = hand_overs(IMAGES, LABELS, draws, mixed=True)
    still = draws.transforms[2] * 0 + np.array([1, 0, 0, 0, 1, 0, 0, 0], np.float32)
    fed = fed._replace(transforms=np.stack([still] * 10))
    x, y = batch_of(Fed(*map(tf.constant, fed)), tf.constant(2), MIXED, LIGHT, 3)
    share = draws.coefficients[2].reshape(-1, 1, 1, 1)
    bytes_of = share * IMAGES[draws.indices[2]] + (1 - share) * IMAGES[draws.partners[2]]
    lit = np.minimum(bytes_of * draws.brightness[2].reshape(-1, 1, 1, 1), 255)
    np.testing.assert_allclose(x, lit / 127.5 - 1, atol=1e-5)
    one_hot = np.eye(3)
    mixed_labels = share[..., 0, 0] * one_hot[LABELS[draws.indices[2]]]
    mixed_labels += (1 - share[..., 0, 0]) * one_hot[LABELS[draws.partners[2]]]
    np.testing.assert_allclose(y, mixed_labels, atol=1e-6)


def test_ahead_gives_the_same_items_and_passes_errors_on():
    assert list(ahead(iter(range(5)))) == list(range(5))
    assert list(ahead(iter([]))) == []

    def breaking():
        yield 1
        raise RuntimeError("disk gone")

    items = ahead(breaking())
    assert next(items) == 1
    with pytest.raises(RuntimeError, match="disk gone"):
        next(items)


def test_the_next_item_is_made_while_one_is_in_use():
    second = threading.Event()

    def items():
        yield 1
        second.set()
        yield 2

    taken = ahead(items())
    assert next(taken) == 1
    assert second.wait(timeout=60)


def _endless():
    while True:
        yield 1


def _failing():
    yield 1
    raise RuntimeError("disk gone")


@pytest.mark.parametrize("items", [_endless, _failing])
def test_no_thread_is_left_after_an_error_in_what_takes_or_makes_the_items(items):
    before = threading.active_count()

    def take():
        for number, _ in enumerate(ahead(items())):
            if number == 3:
                raise RuntimeError("training stopped")

    with pytest.raises(RuntimeError):
        take()
    assert threading.active_count() == before


def test_mixes_images_with_a_coefficient_for_each_example():
    first = tf.constant(np.full((3, 2, 2, 1), 1.0, np.float32))
    second = tf.constant(np.full((3, 2, 2, 1), -1.0, np.float32))
    mixed = mix(first, second, tf.constant([1.0, 0.75, 0.0]))
    np.testing.assert_allclose(mixed, np.broadcast_to(np.reshape([1.0, 0.5, -1.0], (3, 1, 1, 1)), (3, 2, 2, 1)))


def test_mixes_labels_with_the_same_coefficients():
    mixed = mix(tf.one_hot([0, 1], 3), tf.one_hot([2, 1], 3), tf.constant([0.75, 0.25]))
    np.testing.assert_allclose(mixed, [[0.75, 0, 0.25], [0, 1, 0]])
