import hashlib
import time

import numpy as np
import pytest

from tasks.classifier.networks import build_classifier
from tasks.networks.arrays import get_weights, halvings, load_weights, save_weights, set_weights
from tests.classifier.examples import small


def test_files_come_back_and_have_equal_bytes(tmp_path, monkeypatch):
    weights = [get_weights(build_classifier(small(4), 8, 1, 3, seed)) for seed in (1, 2)]
    save_weights(tmp_path / "a.npz", weights)
    monkeypatch.setattr(time, "time", lambda: 2e9)
    save_weights(tmp_path / "b.npz", [get_weights(build_classifier(small(4), 8, 1, 3, seed)) for seed in (1, 2)])
    a, b = (hashlib.sha256((tmp_path / name).read_bytes()).hexdigest() for name in ("a.npz", "b.npz"))
    assert a == b
    loaded = load_weights(tmp_path / "a.npz")
    assert len(loaded) == 2
    for before, after in zip(weights, loaded, strict=True):
        assert list(before) == list(after)
        for name, array in before.items():
            np.testing.assert_array_equal(array, after[name])


def test_names_are_layers_and_variables():
    names = list(get_weights(build_classifier(small(4), 8, 1, 3, seed=1)))
    assert names[:2] == ["conv_1a/kernel", "conv_1a/bias"]
    assert names[-2:] == ["logits/kernel", "logits/bias"]


def test_taken_weights_do_not_change_with_the_model():
    model = build_classifier(small(4), 8, 1, 3, seed=1)
    weights = get_weights(model)
    model.get_layer("logits").bias.assign([1.0, 2.0, 3.0])
    assert weights["logits/bias"].tolist() == [0, 0, 0]
    set_weights(model, weights)
    assert model.get_layer("logits").bias.value.numpy().tolist() == [0, 0, 0]


def test_weights_of_another_network_are_refused():
    weights = get_weights(build_classifier(small(4), 8, 1, 3, seed=1))
    with pytest.raises(ValueError, match="use the model they were taken from"):
        set_weights(build_classifier(small(8), 8, 1, 3, seed=1), weights)


@pytest.mark.parametrize(
    ("size_px", "times", "rest_px"),
    [(8, 1, 4), (16, 2, 4), (24, 2, 6), (32, 3, 4), (40, 3, 5), (48, 3, 6), (56, 3, 7), (120, 3, 15), (128, 5, 4)],
)
def test_halves_down_to_the_least_even_split_of_4_pixels_or_more(size_px: int, times: int, rest_px: int) -> None:
    assert halvings(size_px) == times
    assert size_px / 2**times == rest_px
