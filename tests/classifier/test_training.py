from dataclasses import replace

import numpy as np
import pytest
import tensorflow as tf

from tasks.classifier import feeding, steps
from tasks.classifier.feeding import Examples
from tasks.classifier.networks import build_classifier
from tasks.classifier.steps import build_optimizer
from tasks.classifier.training import train_seeds
from tasks.core.params import Train
from tasks.evidence.metrics import accuracy, balanced_accuracy
from tasks.networks import classifiers
from tasks.networks.arrays import get_weights
from tasks.networks.classifiers import predict
from tests.classifier.examples import SHIFTS, arm, made, mixed, small

VALUES = {
    "seeds": 2,
    "steps": 8,
    "batch": 8,
    "learning_rate": 0.01,
    "optimizer": "adam",
    "schedule": "cosine",
    "record_every": 4,
    "size_px": None,
    "network": small(4),
}


def _params(**settings) -> Train:
    return Train(**VALUES | settings)


def _train_seeds(settings_of, params, training, validation, tell=lambda _: None):
    model = build_classifier(params.network, 8, 1, 3, seed=1)
    augmentation = SHIFTS if settings_of.augmentation else None
    return train_seeds(model, settings_of, augmentation, params, training, validation, tell)


def _examples(count: int, seed: int = 0) -> Examples:
    """Noise with a bright 3x3 square in one of three corners; class 2 is rare, a few of it count as synthetic."""
    rng = np.random.default_rng(seed)
    labels = np.arange(count) % 8 % 7 % 3
    images = rng.integers(0, 100, (count, 8, 8, 1), np.uint8)
    for image, label in zip(images, labels, strict=True):
        top, left = ((0, 0), (0, 5), (5, 0))[label]
        image[top : top + 3, left : left + 3] = 255
    return Examples(images, labels, (labels == 2) & (np.arange(count) > count // 2))


ALL = arm(oversample=True, augmentation="shifts", **mixed(0.5), **made())


def _train(settings_of=ALL, count=40, **settings):
    records = []
    sets = _examples(count), _examples(24, seed=1)
    return list(_train_seeds(settings_of, _params(**settings), *sets, records.append)), records


def _on_validation(one):
    """Probabilities of a training's last weights on validation."""
    model = build_classifier(small(4), 8, 1, 3, seed=9)
    return predict(model, [one.weights], _examples(24, seed=1).images)[0]


@pytest.fixture(scope="module")
def trained():
    return _train()[0]


def _bytes(trained) -> list[bytes]:
    return [array.tobytes() for each in trained for array in each.weights.values()]


def test_overfits_a_tiny_batch():
    trained, records = _train(arm(), count=6, seeds=2, steps=60, batch=6, record_every=20)
    for each in trained:
        assert each.history[-1].train_loss < 0.01
        assert each.history[-1].train_accuracy == 1
    assert records[0].train_loss > records[2].train_loss


def test_learns_what_a_class_is_from_the_whole_recipe():
    trained, _ = _train(seeds=2, steps=120, batch=16, record_every=120)
    assert [each.history[-1].validation_accuracy for each in trained] == [1, 1]


def test_two_trainings_have_equal_bytes(trained):
    first, second = trained, _train()[0]
    assert _bytes(first) == _bytes(second)
    assert [each.history for each in first] == [each.history for each in second]


def test_seeds_differ_and_do_not_depend_on_each_other(trained):
    two, three = trained, _train(seeds=3)[0]
    assert [one.history[0].seed for one in three] == [1, 2, 3]
    assert _bytes(two) == _bytes(three[:2])
    assert len({array.tobytes() for array in (each.weights["conv_1a/kernel"] for each in three)}) == 3


def test_recording_more_often_changes_nothing(trained):
    often = _train(record_every=3)[0]
    assert _bytes(often) == _bytes(trained)
    assert [record.step for record in often[0].history] == [3, 6, 8]
    assert [record.step for record in trained[0].history] == [4, 8]


def test_all_arms_start_from_the_same_weights_of_a_seed(monkeypatch):
    monkeypatch.setattr(steps, "train_step", lambda *_: (tf.constant(0.0), tf.constant(0.0)))
    for one in (arm(), ALL):
        for each in _train(one)[0]:
            fresh = get_weights(build_classifier(small(4), 8, 1, 3, each.history[0].seed))
            assert {name: array.tobytes() for name, array in each.weights.items()} == {
                name: array.tobytes() for name, array in fresh.items()
            }


def test_reports_every_record_at_once():
    records = []
    trainings = _train_seeds(ALL, _params(), _examples(40), _examples(24), records.append)
    first = next(trainings)
    assert records == first.history
    assert [(record.seed, record.step) for record in records] == [(1, 4), (1, 8)]


def test_validation_is_neither_shifted_nor_mixed(trained):
    first = trained[0]
    validation, predicted = _examples(24, seed=1), _on_validation(first)
    last = first.history[-1]
    assert last.validation_accuracy == accuracy(predicted, validation.labels)
    assert last.validation_balanced_accuracy == balanced_accuracy(predicted, validation.labels)
    likelihood = predicted[np.arange(24), validation.labels]
    assert last.validation_loss == pytest.approx(-np.log(likelihood).mean())


def test_first_loss_is_the_cross_entropy_of_the_initial_weights():
    examples = replace(_examples(8), synthetic=np.zeros(8, bool))
    trained = next(_train_seeds(arm(), _params(steps=1, record_every=1), examples, examples))
    before = predict(
        build_classifier(small(4), 8, 1, 3, 1), [get_weights(build_classifier(small(4), 8, 1, 3, 1))], examples.images
    )
    likelihood = before[0][np.arange(8), examples.labels]  # the batch is the whole set, in some order
    assert trained.history[0].train_loss == pytest.approx(-np.log(likelihood).mean(), rel=1e-5)
    assert trained.history[0].train_accuracy == accuracy(before[0], examples.labels)


@pytest.mark.parametrize("alpha", [0.0, 0.5])
def test_images_reach_the_network_mixed_shifted_and_signed(monkeypatch, alpha):
    seen = []

    def step(_model, _optimizer, x, y, _weights, _prior, _correction):
        tf.py_function(lambda x, y: seen.append((x.numpy(), y.numpy())), [x, y], [])
        return tf.constant(0.0), tf.constant(0.0)

    monkeypatch.setattr(steps, "train_step", step)
    _train(arm(augmentation="shifts", **(mixed(alpha) if alpha else {})), seeds=2, steps=4, record_every=4)
    images, labels = (np.concatenate(values) for values in zip(*seen, strict=True))
    assert images.dtype == np.float32
    assert images.min() == -1  # black comes in from the side
    assert images.max() <= 1
    np.testing.assert_allclose(labels.sum(axis=1), 1, rtol=1e-6)
    assert (np.sort(labels, axis=1)[:, :2] > 0).any() == (alpha > 0)


def test_predicts_each_training_in_any_number_of_images(monkeypatch):
    images = _examples(10).images
    weights = [get_weights(build_classifier(small(4), 8, 1, 3, seed)) for seed in (1, 2)]
    model = build_classifier(small(4), 8, 1, 3, seed=3)
    whole = predict(model, weights, images)
    assert whole.shape == (2, 10, 3)
    assert whole.dtype == np.float32
    np.testing.assert_allclose(whole.sum(axis=2), 1, rtol=1e-6)
    assert not np.allclose(whole[0], whole[1])
    monkeypatch.setattr(classifiers, "_AT_ONCE", 4)
    np.testing.assert_allclose(predict(model, weights, images), whole, rtol=1e-5)


def _validated(steps=40, **settings):
    """A training of an arm that neither mixes nor changes images."""
    return _train(arm(**settings), seeds=2, steps=steps, batch=16, record_every=steps // 2)[0][0]


def test_logit_adjustment_is_the_plain_training_less_the_log_prior():
    plain, adjusted = _validated(), _validated(loss="logit_adjusted")
    examples = _examples(40)
    counts = np.bincount(examples.labels[~examples.synthetic])
    moved = _on_validation(plain) / (counts / counts.sum())
    np.testing.assert_allclose(_on_validation(adjusted), moved / moved.sum(axis=1, keepdims=True), rtol=1e-4, atol=1e-7)
    assert plain.history[0].train_loss == adjusted.history[0].train_loss
    assert plain.history[1].train_loss == pytest.approx(adjusted.history[1].train_loss, rel=1e-5)
    for name, values in plain.weights.items():
        if name != "logits/bias":
            np.testing.assert_allclose(values, adjusted.weights[name], rtol=1e-4, atol=1e-6, err_msg=name)


def test_training_accuracy_after_logit_adjustment_is_that_of_the_adjusted_predictions():
    labels = np.repeat([0, 1, 2], [1, 2, 13])
    examples = replace(_examples(16), labels=labels, synthetic=np.zeros(16, bool))
    params = _params(steps=1, record_every=1, batch=16)
    trained = next(_train_seeds(arm(loss="logit_adjusted"), params, examples, examples))
    model = build_classifier(small(4), 8, 1, 3, 1)
    before = predict(model, [get_weights(model)], examples.images)[0]
    adjusted = accuracy(before / np.bincount(labels), labels)
    assert adjusted != accuracy(before, labels)
    assert trained.history[0].train_accuracy == adjusted


def test_losses_for_imbalance_find_more_of_the_rare_class():
    plain = _on_validation(_validated(steps=4))[:, 2].mean()  # before it knows them all
    for loss in ("weighted", "balanced_softmax", "logit_adjusted"):
        assert _on_validation(_validated(steps=4, loss=loss))[:, 2].mean() > 1.1 * plain, loss


def test_the_first_loss_of_balanced_softmax_has_the_prior_in_it():
    examples = replace(_examples(8), synthetic=np.zeros(8, bool))
    settings = arm(loss="balanced_softmax")
    trained = next(_train_seeds(settings, _params(steps=1, record_every=1), examples, examples))
    before = predict(
        build_classifier(small(4), 8, 1, 3, 1), [get_weights(build_classifier(small(4), 8, 1, 3, 1))], examples.images
    )
    tilted = before[0] * np.bincount(examples.labels)
    likelihood = (tilted / tilted.sum(axis=1, keepdims=True))[np.arange(8), examples.labels]
    assert trained.history[0].train_loss == pytest.approx(-np.log(likelihood).mean(), rel=1e-5)


def test_images_on_disk_in_small_hand_overs_give_the_same_bits(trained, monkeypatch, tmp_path):
    monkeypatch.setattr(feeding, "_BYTES", 3 * 2 * 8 * 64)  # three steps of mixed images
    examples = _examples(40)
    on_disk = np.memmap(tmp_path / "images", np.uint8, "w+", shape=examples.images.shape)
    on_disk[:] = examples.images
    validation = _examples(24, seed=1)
    again = list(_train_seeds(ALL, _params(), replace(examples, images=on_disk), validation))
    assert _bytes(again) == _bytes(trained)
    assert [each.history for each in again] == [each.history for each in trained]


def test_rates_fall_along_a_cosine_or_stay():
    model = build_classifier(small(4), 8, 1, 3, seed=1)
    for kind, schedule, last in (("adam", "cosine", 0.005), ("rmsprop", "constant", 0.01), ("adam", "constant", 0.01)):
        optimizer = build_optimizer(model, kind, schedule, 0.01, 20)
        assert type(optimizer).__name__.lower() == kind
        assert float(optimizer.learning_rate) == pytest.approx(0.01)
        optimizer.iterations.assign(10)
        assert float(optimizer.learning_rate) == pytest.approx(last)


def test_rmsprop_at_a_constant_rate_learns_as_well():
    settings = {"optimizer": "rmsprop", "schedule": "constant", "learning_rate": 0.003}
    trained, _ = _train(steps=120, batch=16, record_every=120, **settings)
    assert [each.history[-1].validation_accuracy for each in trained] == [1, 1]
    assert _bytes(_train(**settings)[0]) == _bytes(_train(**settings)[0])
    assert _bytes(_train(**settings)[0]) != _bytes(_train(learning_rate=0.003)[0])
