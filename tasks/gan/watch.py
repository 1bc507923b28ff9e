"""Signs that a training of a GAN has gone wrong, in its history of one row per epoch.

A history has one mapping per epoch: epoch, g_loss, d_loss (without penalties), d_loss_spread (standard deviation of D's
loss over the steps of the epoch), real_accuracy, fake_accuracy, g_gradient and d_gradient (mean norms over all
weights), kid, diversity_mean and diversity_least. It ends with its first epoch that has a number which is not finite.
"""

import math
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from tasks.core.params import Detector, Detectors

History = Sequence[Mapping[str, float]]
_Measure = Callable[[History], float]  # from a history to the value of its last epoch, nan where it is too short

_COMPARED = 10  # epochs that make up "the last" and "the first"; with fewer nothing is usual yet
_TINY = 1e-12  # divides where a value is 0

_BELOW = ("d_loss_zero", "d_loss_drop", "collapse")  # raises where the value is below the threshold; all others, above


@dataclass(frozen=True)
class Alarm:
    """A sign: `value` was beyond `threshold` in the epoch, and in so many `windows` that end with it.

    `columns` names those that are not finite numbers, for the detector `not_finite`; their number is the value.
    """

    detector: str
    epoch: int
    value: float
    threshold: float
    windows: int
    consequence: Literal["warn", "stop"]
    columns: tuple[str, ...] = ()


def alarms(history: History, detectors: Detectors, loss: str) -> list[Alarm]:
    """Alarms that the last epoch of the history raises, in the order of `detectors`.

    A stretch of epochs with the same sign raises one alarm, in the first epoch that makes it long enough. A number that
    is not finite is the only alarm of its epoch, and always stops.

    Args:
        loss: name of the GAN's loss.
    """
    if not history:
        return []
    epoch = int(history[-1]["epoch"])
    if broken := tuple(name for name, value in history[-1].items() if not math.isfinite(value)):
        return [Alarm("not_finite", epoch, float(len(broken)), 0.0, 1, "stop", broken)]
    raised = []
    for name, detector in detectors:
        whole = name in ("d_loss_drop", "g_loss_falls_kid_rises")
        measure = _measure(name, detector.windows, loss)
        if _begins(history, measure, name in _BELOW, detector, whole):
            value = round(measure(history), 6)
            raised.append(Alarm(name, epoch, value, detector.threshold, detector.windows, detector.consequence))
    return raised


def _begins(history: History, measure: _Measure, below: bool, detector: Detector, whole: bool) -> bool:
    """Whether the last epoch makes a stretch beyond the threshold as long as its windows, or begins one.

    Args:
        whole: the measure looks over all windows at once, so that stretches less than as many epochs apart are one.
    """
    ends = range(len(history), max(0, len(history) - detector.windows - 1), -1)
    values = [measure(history[:end]) for end in ends]  # the last epoch's first; nan, no value, is never beyond
    beyond = [value < detector.threshold if below else value > detector.threshold for value in values]
    if whole:
        return beyond[0] and not any(beyond[1:])
    return len(beyond) >= detector.windows and all(beyond[: detector.windows]) and not any(beyond[detector.windows :])


def _drop(windows: int) -> _Measure:
    """Measures D's highest loss in so many epochs as a share of its median in the ten epochs before them.

    A median, as one outlier must not hide the next.
    """

    def measure(past: History) -> float:
        before = [row["d_loss"] for row in past[-_COMPARED - windows : -windows]]
        usual = statistics.median(before) if len(before) == _COMPARED else 0.0
        return max(row["d_loss"] for row in past[-windows:]) / usual if usual else math.nan

    return measure


def _unsteadiness(past: History) -> float:
    """The spread of D's loss as a multiple of its median in the first ten epochs, which are not judged themselves."""
    usual = statistics.median(row["d_loss_spread"] for row in past[:_COMPARED]) if len(past) > _COMPARED else 0.0
    return past[-1]["d_loss_spread"] / usual if usual else math.nan  # 0 where epochs have one step


def _opposition(windows: int, loss: str) -> _Measure:
    """Measures the share by which G's loss fell or, where it is less, that by which KID rose over so many epochs."""

    def measure(past: History) -> float:
        if len(past) <= windows:
            return math.nan
        rows = past[-windows - 1 :]
        # Hinge's loss of G is minus the mean logit, which crosses 0: D's margin of 1 is its scale.
        fall = _growth([-row["g_loss"] for row in rows], 1.0 if loss == "hinge" else _TINY)
        return min(fall, _growth([row["kid"] for row in rows], _TINY))

    return measure


def _growth(values: list[float], least_scale: float) -> float:
    """Growth of the straight line that fits best, as a share of its start or, if more, of `least_scale`.

    A line, as two single epochs differ by chance. Growth of less than three standard deviations of the values about the
    line is 0: KID is unbiased, so near its best it wavers about 0, and any change is a large share of that.
    """
    y, x = np.array(values), np.arange(len(values)) - (len(values) - 1) / 2
    line = y.mean() + (x @ y) / (x @ x) * x
    growth = line[-1] - line[0]
    return float(growth / max(abs(line[0]), least_scale)) if growth > 3 * (y - line).std() else 0.0


def _measure(name: str, windows: int, loss: str) -> _Measure:
    if name == "d_loss_drop":
        return _drop(windows)
    return _opposition(windows, loss) if name == "g_loss_falls_kid_rises" else _MEASURES[name]


_MEASURES: dict[str, _Measure] = {  # of one epoch
    "d_loss_zero": lambda past: past[-1]["d_loss"],
    "d_loss_unsteady": _unsteadiness,
    "d_wins": lambda past: min(past[-1]["real_accuracy"], past[-1]["fake_accuracy"]),
    "gradient_norm": lambda past: max(past[-1]["g_gradient"], past[-1]["d_gradient"]),
    "collapse": lambda past: past[-1]["diversity_least"],
}
