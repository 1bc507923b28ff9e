"""Epochs repeat themselves to the bit; what a training ends with does not show that it was killed."""

import threading
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest

from tasks.gan import draws
from tasks.gan.build import build_loop
from tasks.gan.loop import STATE, Loop, Seen, Watch, load_state, save_state, snapshots_in, train
from tests.gan.candidates import COMPUTE, CONDITIONAL, DCGAN, KINDS, loop_of, noise
from tests.gan.killing import copies_at_random_moments, steady_loop, train_steady
from tests.gan.test_step import digest


def trained(loop: Loop) -> str:
    while loop.epoch < loop.epochs:
        loop.train_epoch()
    return digest(loop.step.networks.average)


@pytest.mark.parametrize("kind", KINDS)
def test_equal_seeds_give_equal_bytes_whatever_was_built_before_and_in_whatever_thread(kind: str) -> None:
    candidate = KINDS[kind].model_copy(update={"d_dropout": 0.3})
    digests: list[str] = []

    def run(seeds_before: int) -> None:
        for seed in range(seeds_before):
            loop_of(candidate, seed=seed)
        digests.append(trained(loop_of(candidate)))

    threads = [threading.Thread(target=run, args=[number]) for number in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert digests[0] == digests[1]


class Watched(np.ndarray):  # type: ignore[type-arg]
    """An array that says how many of its rows are read at once."""

    reads: ClassVar[list[tuple[int, ...]]] = []

    def __getitem__(self, key: Any) -> Any:
        if isinstance(key, np.ndarray):
            self.reads.append(key.shape)
        return super().__getitem__(key)


@pytest.fixture(scope="module")
def plain() -> tuple[Loop, dict[str, float]]:
    """A training after an epoch of which no more than two steps are drawn at once, and the epoch's metrics."""
    images, labels = noise()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(draws, "CHUNK_BYTES", 2 * CONDITIONAL.batch * 64)
        loop = build_loop(images.view(Watched), labels, 3, CONDITIONAL, 0, 2, COMPUTE)
        return loop, loop.train_epoch()


def test_images_are_read_where_they_lie_some_steps_at_once(plain: tuple[Loop, dict[str, float]]) -> None:
    assert Watched.reads[-2:] == [(2, 1, 8), (1, 1, 8)]
    assert max(Watched.reads) == (2, 1, 8)
    assert int(plain[0].step.g_optimizer.iterations) == CONDITIONAL.steps_per_epoch


@pytest.mark.parametrize("option", ["xla", "mixed_precision"])
def test_mixed_precision_and_xla_learn_the_same_to_their_precision(
    option: str, plain: tuple[Loop, dict[str, float]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(draws, "CHUNK_BYTES", 2 * CONDITIONAL.batch * 64)  # as the other one was drawn
    loop = loop_of(CONDITIONAL, COMPUTE.model_copy(update={option: True}))
    metrics = loop.train_epoch()
    generator = loop.step.networks.generator
    assert metrics["d_loss"] == pytest.approx(plain[1]["d_loss"], rel=0.05)
    assert {weight.dtype for weight in generator.weights} == {"float32"}
    policies = {layer.dtype_policy.name for layer in generator.layers if layer.weights}
    assert policies == {"float32" if option == "xla" else "mixed_bfloat16"}


def test_kill_9_at_any_moment_leaves_no_trace(tmp_path: Path) -> None:
    loop = steady_loop()
    start = loop.state()
    seen = train(loop, tmp_path / "whole", 1, Watch(), "whole")
    expected, epochs = loop.state(), set()
    for copy in copies_at_random_moments(train_steady, tmp_path, 12, 0.08):
        loop.restore(start, 0)
        load_state(copy / STATE, loop)
        epochs.add(loop.epoch)
        loop.restore(start, 0)
        assert train(loop, copy, 1, Watch(), copy.name) == seen
        for name, values in loop.state().items():
            np.testing.assert_array_equal(values, expected[name], err_msg=name)
        for path in snapshots_in(tmp_path / "whole"):
            assert (copy / path.name).read_bytes() == path.read_bytes()
    assert len(epochs) > 3  # the moments were different ones


@pytest.fixture(scope="module")
def dcgan() -> Loop:
    loop = loop_of(DCGAN)
    loop.train_epoch()
    return loop


def test_a_state_half_written_is_never_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, dcgan: Loop) -> None:
    seen = Seen([{"epoch": 1}])
    save_state(tmp_path / STATE, dcgan, seen)
    monkeypatch.setattr(np, "savez", lambda file, **_: file.write(b"half"))
    monkeypatch.setattr(Path, "replace", lambda *_: pytest.fail("killed before"))
    with pytest.raises(BaseException, match="killed before"):
        save_state(tmp_path / STATE, dcgan, Seen([{"epoch": 1}, {"epoch": 2}]))
    fresh = loop_of(DCGAN)
    assert load_state(tmp_path / STATE, fresh) == seen
    assert fresh.epoch == 1
    for name, values in fresh.state().items():
        np.testing.assert_array_equal(values, dcgan.state()[name], err_msg=name)


def test_a_state_that_cannot_be_read_is_none(tmp_path: Path, caplog: pytest.LogCaptureFixture, dcgan: Loop) -> None:
    save_state(tmp_path / STATE, dcgan, Seen())
    whole = (tmp_path / STATE).read_bytes()
    for broken in (b"", whole[: len(whole) // 2], b"PK" + whole[2:100]):
        (tmp_path / STATE).write_bytes(broken)
        fresh = loop_of(DCGAN)
        assert load_state(tmp_path / STATE, fresh) is None
        assert fresh.epoch == 0
        assert "this training starts again" in caplog.text


def test_without_a_state_a_training_starts_afresh(tmp_path: Path) -> None:
    loop = loop_of(DCGAN)
    assert load_state(tmp_path / STATE, loop) is None
    assert loop.epoch == 0
