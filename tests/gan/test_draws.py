from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from tasks.gan.draws import Drawing, draw_steps
from tasks.gan.step import Draws
from tests.gan.candidates import noise

DRAWING: dict[str, Any] = {"steps_per_epoch": 3, "batch": 8, "latent": 4, "ema": 0.9}


def _draw(images: NDArray[np.uint8], labels: NDArray[np.int32], seed: int = 0, epoch: int = 0, **changed: Any) -> Draws:
    """The draws of an epoch of ten, whose condition is labels and ramp."""
    drawing = Drawing(**DRAWING | changed)
    (draws,) = draw_steps(images, labels, drawing, lambda *both: both, lambda *_: (), seed, epoch, 10)
    return draws


def test_ramp_average_and_lecam_follow_the_steps_done() -> None:
    changed = {"steps_per_epoch": 50, "ramp_share": 0.2, "lecam_start": 70}
    epochs = [_draw(*noise(), epoch=epoch, **changed) for epoch in range(2)]
    done = np.arange(100)
    ramps = np.concatenate([draws.condition[1] for draws in epochs])
    assert ramps.shape == (100, 1, 8)
    assert (ramps == ramps[:, :, :1]).all()
    assert ramps[:, 0, 0] == pytest.approx(np.minimum(done / 100, 1))  # a fifth of all 500 steps
    np.testing.assert_array_equal(np.concatenate([draws.g_condition[1] for draws in epochs]), ramps[:, 0])
    decay = np.concatenate([draws.decay for draws in epochs])
    assert decay[[0, 1, 10, 99]] == pytest.approx([0.1, 2 / 11, 11 / 20, 0.9])
    assert (np.concatenate([draws.lecam_on for draws in epochs]) == (done >= 70)).all()
    assert (_draw(*noise()).condition[1][1:] == 1).all()  # nothing to ramp


def test_rare_classes_are_drawn_by_their_square_root_and_made_as_often() -> None:
    images = np.zeros((110, 8, 8, 1), np.uint8)
    labels = np.array([0] * 100 + [1] * 10, np.int32)
    draws = _draw(images, labels, steps_per_epoch=2000, label_power=0.5)
    assert draws.condition[0].mean() == pytest.approx(10**0.5 / (100**0.5 + 10**0.5), abs=0.01)
    assert (draws.g_condition[0] == draws.condition[0][:, -1]).all()
    natural = _draw(images, labels, steps_per_epoch=2000)
    assert natural.condition[0].mean() == pytest.approx(10 / 110, abs=0.01)


def test_each_epoch_and_seed_has_draws_of_its_own_and_half_batches_are_half() -> None:
    halved = {"half_batches": True, "d_steps": 2}
    first, again, later, other = (
        _draw(*noise(), seed, epoch, **halved) for seed, epoch in ((0, 0), (0, 0), (0, 1), (1, 0))
    )
    assert first.samples.shape == (3, 2, 4, 8, 8, 1)
    assert first.g_latents.shape == (3, 8, 4)
    for name in ("samples", "d_latents", "g_latents", "seeds"):
        np.testing.assert_array_equal(getattr(first, name), getattr(again, name))
    assert (first.d_latents != later.d_latents).all()
    assert (first.d_latents != other.d_latents).all()
