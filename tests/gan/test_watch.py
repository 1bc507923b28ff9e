import math
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest

from tasks.core.files import write_json
from tasks.core.params import Detector, Detectors
from tasks.gan.watch import Alarm, alarms

LOSSES = ("non_saturating", "hinge", "relativistic")
DETECTORS = Detectors(
    d_loss_zero=Detector(threshold=0.02, windows=5, consequence="warn"),
    d_loss_drop=Detector(threshold=0.3, windows=1, consequence="warn"),
    d_loss_unsteady=Detector(threshold=3.0, windows=3, consequence="warn"),
    d_wins=Detector(threshold=0.98, windows=10, consequence="warn"),
    gradient_norm=Detector(threshold=1000.0, windows=3, consequence="warn"),
    collapse=Detector(threshold=0.1, windows=10, consequence="stop"),
    g_loss_falls_kid_rises=Detector(threshold=0.1, windows=10, consequence="warn"),
)
Row = dict[str, float]


def _healthy(epochs: int = 60, loss: str = "non_saturating", seed: int = 0) -> list[Row]:
    """A training as it should be: D's loss wavers, its spread slowly falls, KID falls until it is noise about 0."""
    rng = np.random.default_rng(seed)
    usual, g_usual = {"non_saturating": (1.15, 0.9), "hinge": (1.6, 0.0), "relativistic": (0.6, 0.85)}[loss]
    rows = []
    for epoch in range(1, epochs + 1):
        wave = rng.uniform(-1, 1, 9)
        rows.append(
            {
                "epoch": epoch,
                "g_loss": g_usual + 0.12 * wave[0],
                "d_loss": usual * (1 + 0.13 * wave[1]),
                "d_loss_spread": (0.1 + 0.3 * math.exp(-epoch / 40)) * (1 + 0.3 * wave[2]),
                "real_accuracy": 0.7 + 0.1 * wave[3],
                "fake_accuracy": 0.7 + 0.1 * wave[4],
                "g_gradient": 2 + wave[5],
                "d_gradient": 3 + wave[6],
                "kid": 0.5 * math.exp(-epoch / 8) + 0.004 * wave[7],
                "diversity_mean": 0.9,
                "diversity_least": min(0.8, epoch / 10) + 0.1 * wave[8],
            }
        )
    return rows


def _all_alarms(history: list[Row], detectors: Detectors = DETECTORS, loss: str = "non_saturating") -> list[Alarm]:
    return [alarm for end in range(len(history) + 1) for alarm in alarms(history[:end], detectors, loss)]


def _raised(history: list[Row], detectors: Detectors = DETECTORS, loss: str = "non_saturating") -> list[object]:
    return [(alarm.detector, alarm.epoch) for alarm in _all_alarms(history, detectors, loss)]


def _changed(column: str, change: Callable[[int], float], epochs: range) -> list[Row]:
    """A healthy history of 60 epochs with other values of one column in some epochs."""
    return [row | ({column: change(int(row["epoch"]))} if row["epoch"] in epochs else {}) for row in _healthy()]


def _only(name: str, **changes: object) -> Detectors:
    return DETECTORS.model_copy(update={name: getattr(DETECTORS, name).model_copy(update=changes)})


@pytest.mark.parametrize("loss", LOSSES)
def test_a_healthy_training_raises_nothing(loss: str) -> None:
    for seed in range(5):
        assert _raised(_healthy(200, loss, seed), loss=loss) == []


def test_no_history_and_every_history_shorter_than_the_windows_raises_nothing() -> None:
    worst = {"d_loss": 0.0, "real_accuracy": 1.0, "fake_accuracy": 1.0, "g_gradient": 1e9, "diversity_least": 0.0}
    history = [row | worst | {"kid": row["epoch"], "g_loss": 2 - 0.1 * row["epoch"]} for row in _healthy(12)]
    assert alarms([], DETECTORS, "hinge") == []
    assert _raised(history[:2]) == []
    expected = [("gradient_norm", 3), ("d_loss_zero", 5), ("d_wins", 10), ("collapse", 10)]
    assert _raised(history) == [*expected, ("g_loss_falls_kid_rises", 11)]


def test_d_loss_near_zero() -> None:
    history = _changed("d_loss", lambda _: 0.0123, range(20, 40))
    assert ("d_loss_zero", 24) in _raised(history)
    [alarm] = [alarm for alarm in _all_alarms(history) if alarm.detector == "d_loss_zero"]  # once, not in each epoch
    assert asdict(alarm) == {
        "detector": "d_loss_zero",
        "epoch": 24,
        "value": 0.0123,
        "threshold": 0.02,
        "windows": 5,
        "consequence": "warn",
        "columns": (),
    }
    assert "d_loss_zero" not in dict(_raised(_changed("d_loss", lambda _: 0.0123, range(20, 24))))
    assert "d_loss_zero" not in dict(_raised(_changed("d_loss", lambda _: 0.02, range(20, 40))))


def test_a_stretch_raises_one_alarm_and_the_next_stretch_another() -> None:
    history = _changed("d_loss", lambda epoch: 1.1 if epoch == 30 else 0.01, range(20, 41))
    assert [epoch for name, epoch in _raised(history) if name == "d_loss_zero"] == [24, 35]


def test_a_sudden_drop_of_d_loss() -> None:
    history = _changed("d_loss", lambda _: 0.3, range(30, 61))
    [alarm] = _all_alarms(history)
    usual = float(np.median([row["d_loss"] for row in history[19:29]]))
    assert (alarm.detector, alarm.epoch, alarm.value) == ("d_loss_drop", 30, round(0.3 / usual, 6))
    assert _raised(_changed("d_loss", lambda _: 0.45, range(30, 61))) == []
    assert _raised(_changed("d_loss", lambda _: 0.3, range(10, 11))) == []  # nine epochs before tell nothing yet
    assert _raised(_changed("d_loss", lambda _: 0.3, range(11, 12))) == [("d_loss_drop", 11)]


def test_one_outlier_of_d_loss_neither_makes_nor_hides_a_drop() -> None:
    assert _raised(_changed("d_loss", lambda _: 40.0, range(30, 31))) == []
    history = _changed("d_loss", lambda epoch: 0.05 if epoch < 30 else 0.3, range(29, 31))
    assert _raised(history) == [("d_loss_drop", 29)]
    assert alarms(history[:30], _only("d_loss_drop", windows=2), "non_saturating")[0].epoch == 30


def test_a_drop_is_found_whatever_the_windows() -> None:
    history = _changed("d_loss", lambda _: 0.1, range(30, 61))
    for windows in (2, 7, 12):
        [alarm] = _all_alarms(history, _only("d_loss_drop", windows=windows))
        assert (alarm.detector, alarm.epoch) == ("d_loss_drop", 29 + windows)


def test_a_slow_fall_of_d_loss_is_no_drop() -> None:
    assert _raised(_changed("d_loss", lambda epoch: 1.15 * 0.95**epoch, range(1, 61))) == []


def test_d_loss_of_zero_for_ever_is_no_drop_and_divides_nothing_by_zero() -> None:
    assert _raised(_changed("d_loss", lambda _: 0.0, range(1, 61))) == [("d_loss_zero", 5)]


def test_an_unsteady_d_loss() -> None:
    first = float(np.median([row["d_loss_spread"] for row in _healthy(10)]))
    history = _changed("d_loss_spread", lambda _: 4 * first, range(40, 50))
    [alarm] = _all_alarms(history)
    assert (alarm.detector, alarm.epoch, alarm.value) == ("d_loss_unsteady", 42, 4.0)
    assert _raised(_changed("d_loss_spread", lambda _: 2.9 * first, range(40, 50))) == []
    assert _raised(_changed("d_loss_spread", lambda _: 9 * first, range(40, 42))) == []
    for epoch, expected in ((10, []), (11, [("d_loss_unsteady", 11)])):  # the first ten are not judged
        jump = _changed("d_loss_spread", lambda _: 9 * first, range(epoch, epoch + 1))
        assert _raised(jump, _only("d_loss_unsteady", windows=1)) == expected
    # A wild first epoch is usual and must not hide what comes.
    wild = [history[0] | {"d_loss_spread": 50 * first}, *history[1:]]
    assert ("d_loss_unsteady", 42) in _raised(wild)


def test_epochs_of_one_step_have_no_spread_to_compare_with() -> None:
    assert _raised(_changed("d_loss_spread", lambda _: 0.0, range(1, 31))) == []


def test_d_wins_on_both_sides_only() -> None:
    history = [row | {"real_accuracy": 0.99, "fake_accuracy": 1.0} for row in _healthy(30)]
    [alarm] = _all_alarms(history)
    assert (alarm.detector, alarm.epoch, alarm.value) == ("d_wins", 10, 0.99)
    for side in ("real_accuracy", "fake_accuracy"):  # D calls everything real, or everything generated
        assert _raised(_changed(side, lambda _: 1.0, range(1, 61))) == []


def test_a_large_gradient_of_either_network() -> None:
    for column in ("g_gradient", "d_gradient"):
        [alarm] = _all_alarms(_changed(column, lambda epoch: 1000.0 + epoch, range(20, 60)))
        assert (alarm.detector, alarm.epoch, alarm.value) == ("gradient_norm", 22, 1022.0)
    assert _raised(_changed("g_gradient", lambda _: 1000.0, range(20, 60))) == []


def test_a_collapse_stops() -> None:
    history = _changed("diversity_least", lambda _: 0.05, range(20, 61))
    [alarm] = _all_alarms(history)
    assert (alarm.detector, alarm.epoch, alarm.value, alarm.consequence) == ("collapse", 29, 0.05, "stop")
    assert _raised(_changed("diversity_least", lambda _: 0.05, range(20, 29))) == []
    [warning] = _all_alarms(history, _only("collapse", consequence="warn"))
    assert warning.consequence == "warn"


def _drifting(g_loss: Callable[[int], float], kid: Callable[[int], float], epochs: range) -> list[Row]:
    return [
        row | ({"g_loss": g_loss(int(row["epoch"])), "kid": kid(int(row["epoch"]))} if row["epoch"] in epochs else {})
        for row in _healthy(60)
    ]


def test_g_pleases_d_with_garbage() -> None:
    every = range(1, 61)
    history = _drifting(lambda epoch: 2 - 0.02 * epoch, lambda epoch: 0.1 + 0.002 * epoch, every)
    [alarm] = _all_alarms(history)
    # From epoch 1 to 11 G's loss falls by .2 of 1.98, KID rises by .02 of .102.
    assert (alarm.detector, alarm.epoch, alarm.value) == ("g_loss_falls_kid_rises", 11, round(0.2 / 1.98, 6))
    for g_slope, kid_slope in ((-0.02, -0.0015), (0.02, 0.002), (0.02, -0.0015), (-0.01, 0.002), (-0.02, 0.001)):
        other = _drifting(lambda e, s=g_slope: 2 + s * e, lambda e, s=kid_slope: 0.1 + s * e, every)
        assert _raised(other) == [], (g_slope, kid_slope)


def test_a_late_degradation_after_the_best_is_found() -> None:
    late = range(41, 61)
    history = _drifting(lambda e: 0.9 * 0.97 ** (e - 40), lambda e: 0.005 + 0.002 * (e - 40), late)
    [(name, epoch)] = _raised(history)
    assert name == "g_loss_falls_kid_rises"
    assert 44 <= epoch <= 50


def test_a_kid_of_zero_or_less_divides_nothing_by_zero() -> None:
    falling = lambda epoch: 2 - 0.03 * epoch  # noqa: E731
    every = range(1, 61)
    assert _raised(_drifting(falling, lambda _: 0.0, every)) == []
    assert _raised(_drifting(falling, lambda _: -0.01, every)) == []
    # From just below 0 upwards, and through 0: it rises by more than any share of itself.
    assert _raised(_drifting(falling, lambda epoch: 0.001 * (epoch - 1), every)) == [("g_loss_falls_kid_rises", 11)]
    assert _raised(_drifting(falling, lambda epoch: 0.001 * (epoch - 6), every)) == [("g_loss_falls_kid_rises", 11)]
    # Noise about 0 is no rise, whatever share of itself it is.
    wavering = _drifting(falling, lambda epoch: 0.004 * (-1) ** epoch, every)
    assert _raised(wavering) == []


def test_hinges_g_loss_may_cross_zero() -> None:
    every = range(1, 61)
    steep = _drifting(lambda epoch: 0.1 - 0.02 * epoch, lambda epoch: 0.1 + 0.004 * epoch, every)
    assert _raised(steep, loss="hinge") == [("g_loss_falls_kid_rises", 11)]
    # A fall of .05 is little beside the margin of 1, though it is half of .1 and more than all of 0.
    for start in (0.1, 0.0):
        slight = _drifting(lambda e, s=start: s - 0.005 * e, lambda epoch: 0.1 + 0.004 * epoch, every)
        assert _raised(slight, loss="hinge") == []


def test_one_window_compares_with_the_epoch_before() -> None:
    history = [row | {"g_loss": 1.0, "kid": 0.1} for row in _healthy(20)]
    history[12] |= {"g_loss": 0.8, "kid": 0.125}
    [alarm] = _all_alarms(history, _only("g_loss_falls_kid_rises", windows=1))
    assert (alarm.epoch, alarm.value) == (13, 0.2)


def test_trends_that_touch_the_threshold_again_and_again_are_one_stretch() -> None:
    history = _drifting(
        lambda epoch: 2 * 0.98**epoch, lambda epoch: 0.1 * 1.0096**epoch + 0.0015 * (epoch % 3 == 0), range(1, 61)
    )
    whole = _only("g_loss_falls_kid_rises", windows=10)
    beyond = [bool(alarms(history[end - 11 : end], whole, "non_saturating")) for end in range(11, 61)]
    assert 5 < sum(beyond) < 45  # it does come and go, each time seen alone
    assert len(_raised(history)) == 1


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("column", ["g_loss", "d_loss_spread", "g_gradient", "kid"])
def test_a_number_that_is_not_finite_always_stops(value: float, column: str) -> None:
    history = _changed(column, lambda _: value, range(12, 13))[:12]
    [alarm] = _all_alarms(history)
    assert (alarm.detector, alarm.epoch, alarm.value, alarm.consequence) == ("not_finite", 12, 1, "stop")
    assert alarm.columns == (column,)


def test_numbers_that_are_not_finite_are_all_named_and_leave_no_other_alarm() -> None:
    history = [row | {"diversity_least": 0.0} for row in _healthy(10)]
    history[-1] |= {"g_loss": math.nan, "kid": math.inf}
    [alarm] = alarms(history, DETECTORS, "relativistic")
    assert alarm.value == 2
    assert alarm.columns == ("g_loss", "kid")


def test_a_resumed_training_sees_the_same_alarms_and_json_holds_them(tmp_path: Path) -> None:
    history = _changed("diversity_least", lambda epoch: 1 / (30 * epoch), range(20, 61))
    before = alarms(history[:29], DETECTORS, "non_saturating")
    assert before == alarms([dict(row) for row in history[:29]], DETECTORS, "non_saturating")
    write_json(tmp_path / "alarms.json", [asdict(alarm) for alarm in before])
    assert '"value": 0.001149' in (tmp_path / "alarms.json").read_text()
