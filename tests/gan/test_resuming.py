"""Kills at random moments: what a training ends with does not show them."""

from pathlib import Path

import numpy as np
import pytest

from tasks.gan.resuming import key_of, load_state, save_state
from tests.gan.candidates import DCGAN, gan_of, noise
from tests.gan.killing import ROOT, start, train, weights_in


@pytest.mark.parametrize(("kind", "kills"), [("conditional", 8), ("dcgan", 12)])
def test_kill_9_at_any_moment_leaves_no_trace(
    kind: str, kills: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    history = train(kind, tmp_path / "whole")
    expected = weights_in(tmp_path / "whole")
    moments = np.random.default_rng(0)
    run, killed = 0, 0
    while killed < kills:
        folder = tmp_path / f"run_{run}"
        process, begun = start(kind, folder)
        assert begun.wait(120)
        process.join(moments.uniform(0, 0.6))
        if process.is_alive():
            process.kill()
            process.join()
            killed += 1
        else:  # it got to its end before: one more training to kill
            assert process.exitcode == 0
            run += 1
    for folder in tmp_path.glob("run_*"):
        assert train(kind, folder) == history
        found = weights_in(folder)
        assert found.keys() == expected.keys()
        for name, values in expected.items():
            np.testing.assert_array_equal(found[name], values, err_msg=name)


def test_a_state_half_written_is_never_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gan = gan_of(DCGAN)
    gan.train_epoch()
    save_state(tmp_path / "state.npz", gan, {"history": [1]})
    monkeypatch.setattr(np, "savez", lambda file, **_: file.write(b"half"))
    monkeypatch.setattr(Path, "replace", lambda *_: pytest.fail("killed before"))
    gan.train_epoch()
    with pytest.raises(BaseException, match="killed before"):
        save_state(tmp_path / "state.npz", gan, {"history": [1, 2]})
    fresh = gan_of(DCGAN)
    assert load_state(tmp_path / "state.npz", fresh) == {"history": [1]}
    assert fresh.epoch == 1


def test_a_state_that_cannot_be_read_is_none(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    gan = gan_of(DCGAN)
    gan.train_epoch()
    save_state(tmp_path / "state.npz", gan, {})
    whole = (tmp_path / "state.npz").read_bytes()
    for broken in (b"", whole[: len(whole) // 2], b"PK" + whole[2:100]):
        (tmp_path / "state.npz").write_bytes(broken)
        fresh = gan_of(DCGAN)
        assert load_state(tmp_path / "state.npz", fresh) is None
        assert fresh.epoch == 0
        assert "this training starts again" in caplog.text


def test_without_a_state_a_training_starts_afresh(tmp_path: Path) -> None:
    gan = gan_of(DCGAN)
    assert load_state(tmp_path / "state.npz", gan) is None
    assert gan.epoch == 0


def test_a_state_is_of_its_settings_and_images_alone() -> None:
    images, labels = noise()
    key = key_of({"width": 1}, images, labels)
    assert key == key_of({"width": 1}, images.copy(), labels)
    other = images.copy()
    other[3, 0, 0] ^= 1
    assert len({key, key_of({"width": 2}, images, labels), key_of({"width": 1}, other, labels)}) == 3
    assert key != key_of({"width": 1}, images, labels[::-1].copy())
