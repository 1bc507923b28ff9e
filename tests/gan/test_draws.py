import numpy as np
import pytest

from tasks.gan.draws import draw_steps
from tasks.networks.augmentation import DiffAugment
from tests.gan.candidates import CONDITIONAL, DCGAN, noise

STILL = DiffAugment(0.0, 0.0, colour=False)


def test_ramp_average_and_lecam_follow_the_steps_done() -> None:
    images, labels = noise()
    changed = {"steps_per_epoch": 50, "ramp_share": 0.2, "ema": 0.9, "lecam": 0.3, "lecam_start": 70}
    candidate = CONDITIONAL.model_copy(update=changed)
    paces = [next(draw_steps(images, labels, candidate, STILL, 0, epoch, 10))[-1] for epoch in range(2)]
    ramp, decay, lecam = np.concatenate(paces).T
    done = np.arange(100)
    assert ramp == pytest.approx(np.minimum(done / 100, 1))  # a fifth of all 500 steps
    assert decay[[0, 1, 10, 99]] == pytest.approx([0.1, 2 / 11, 11 / 20, 0.9])
    assert (lecam == (done >= 70)).all()
    plain = next(draw_steps(images, np.zeros(24, np.int32), DCGAN, STILL, 0, 0, 10))[-1]
    assert (plain[1:, 0] == 1).all()  # nothing to ramp


def test_rare_classes_are_drawn_by_their_square_root_and_made_as_often() -> None:
    images = np.zeros((110, 8, 8, 1), np.uint8)
    labels = np.array([0] * 100 + [1] * 10, np.int32)
    many = CONDITIONAL.model_copy(update={"steps_per_epoch": 2000})
    (draws,) = draw_steps(images, labels, many, STILL, 0, 0, 1)
    assert draws[1].mean() == pytest.approx(10**0.5 / (100**0.5 + 10**0.5), abs=0.01)
    assert (draws[2] == draws[1][:, -1]).all()
    (natural,) = draw_steps(images, labels, many.model_copy(update={"label_power": 1.0}), STILL, 0, 0, 1)
    assert natural[1].mean() == pytest.approx(10 / 110, abs=0.01)


def test_each_epoch_and_seed_has_draws_of_its_own_and_half_batches_are_half() -> None:
    images, labels = noise()
    halved = DCGAN.model_copy(update={"half_batches": True, "d_steps": 2})
    first, again, later, other = (
        next(draw_steps(images, labels, halved, STILL, seed, epoch, 5))
        for seed, epoch in ((0, 0), (0, 0), (0, 1), (1, 0))
    )
    assert first[0].shape == (3, 2, 4, 8, 8, 1)
    assert first[4].shape == (3, 8, 4)
    for one, two in zip(first, again, strict=True):
        np.testing.assert_array_equal(one, two)
    assert (first[3] != later[3]).all()
    assert (first[3] != other[3]).all()
