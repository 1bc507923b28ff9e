"""Results of a comparison as plain values, and the files that hold them between `evaluate` and `report`."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import TypeAdapter

from tasks.core.files import read_json, sha256_of, write_json
from tasks.evidence import metrics
from tasks.evidence.statistics import Difference, Resolution
from tasks.evidence.verdict import YES, Verdict


@dataclass(frozen=True)
class Scores:
    """Scores of one arm's predictions on some images.

    Attributes:
        accuracy, balanced, macro_f1, g_mean: of each seed.
        recalls, wrong_shares: of each class, means over seeds; None where a class is absent, or never predicted.
        confusion: number of images by true class (row) and predicted class (column), summed over seeds.
    """

    accuracy: list[float]
    balanced: list[float]
    macro_f1: list[float]
    g_mean: list[float]
    recalls: list[float | None]
    wrong_shares: list[float | None]
    confusion: list[list[int]]

    @property
    def mean(self) -> float:
        """Of the balanced accuracy."""
        return float(np.mean(self.balanced))

    @property
    def spread(self) -> float:
        """Standard deviation of the balanced accuracy over seeds; 0 for one seed."""
        return float(np.std(self.balanced, ddof=1)) if len(self.balanced) > 1 else 0.0


@dataclass(frozen=True)
class Result:
    """A model on all test images, and on those that are as imbalanced as train."""

    test: Scores
    natural: Scores


@dataclass(frozen=True)
class ArmResult(Result):
    """What an arm came to.

    Attributes:
        validation: mean balanced accuracy on validation at the end of training.
        calibration: mean expected calibration error on test before and after temperature scaling, fitted on validation.
        overfitting: how much more accurate it is on training batches than on validation at the end of training.
    """

    validation: float
    calibration: tuple[float, float]
    overfitting: float


@dataclass(frozen=True)
class ClassGain:
    """The pair's difference of recalls of a class, and its p, adjusted after Holm over the classes."""

    difference: Difference
    p: float


@dataclass(frozen=True)
class Comparison:
    """All arms, the pair that decides, and the verdict.

    Attributes:
        classes: names, and counts the training images of each.
        rare: names of the classes with few training images.
        majority: the model that always names the class with the most training images.
        gaps: share of the gap that each arm wins back, with the bounds of its interval; None where there is no gap.
        p_values: of the sign-flip test of the arms outside the pair against its free one, adjusted after Holm.
        recalls: by class.
        resolution: what it takes to know the pair's difference to one point.
    """

    classes: list[str]
    counts: list[int]
    rare: list[str]
    arms: dict[str, ArmResult]
    majority: Result
    gaps: dict[str, tuple[float, float, float] | None]
    p_values: dict[str, float]
    recalls: dict[str, ClassGain]
    resolution: Resolution
    verdict: Verdict


def scores_of(probabilities: NDArray[np.float32], labels: NDArray[np.int32]) -> Scores:
    """Scores of predictions (seeds, n, classes) of images with these labels (n,)."""

    def by_seed(metric: Callable[..., Any]) -> NDArray[Any]:
        return np.array([metric(one, labels) for one in probabilities])

    return Scores(
        accuracy=by_seed(metrics.accuracy).tolist(),
        balanced=by_seed(metrics.balanced_accuracy).tolist(),
        macro_f1=by_seed(metrics.macro_f1).tolist(),
        g_mean=by_seed(metrics.g_mean).tolist(),
        recalls=_known_means(by_seed(metrics.recalls)),
        wrong_shares=_known_means(by_seed(metrics.wrong_shares)),
        confusion=by_seed(metrics.confusion).sum(axis=0).tolist(),
    )


def hashes_of(split: Path, synthetic: Path, classifiers: Path, generator: Path) -> dict[str, str]:
    """SHA-256 of the folders that a verdict is on; a generator is its weights and settings."""
    generator_sha256: str = read_json(generator / "selection.json")["generator_sha256"]
    folders = {"split": split, "synthetic": synthetic, "classifiers": classifiers}
    hashes = {f"{name}_sha256": sha256_of(folder) for name, folder in folders.items()}
    return hashes | {"generator_sha256": generator_sha256}


def write_comparison(folder: Path, comparison: Comparison, hashes: Mapping[str, str]) -> None:
    """Write verdict.json, comparison.json, which has all but the verdict, and metrics.json for `dvc metrics`.

    Args:
        hashes: of what was compared; a registration refuses the verdict on anything else.
    """
    values = asdict(comparison)
    write_json(folder / "verdict.json", values.pop("verdict") | dict(hashes))
    write_json(folder / "comparison.json", values)
    write_json(folder / "metrics.json", {name: round(value, 5) for name, value in summary(comparison).items()})


def read_comparison(folder: Path) -> Comparison:
    """What `write_comparison` wrote."""
    values = read_json(folder / "comparison.json") | {"verdict": read_json(folder / "verdict.json")}
    return TypeAdapter(Comparison).validate_python(values)


def read_verdict(folder: Path) -> Verdict:
    """The verdict that `write_comparison` wrote."""
    return TypeAdapter(Verdict).validate_python(read_json(folder / "verdict.json"))


def summary(comparison: Comparison) -> dict[str, float]:
    """The numbers that are compared between revisions of a project."""
    verdict = comparison.verdict
    values = {
        "synthesise": float(verdict.answer == YES),
        "conditions_failed": float(sum(not condition.holds for condition in verdict.conditions)),
        "balanced_accuracy_with": verdict.means[0],
        "balanced_accuracy_without": verdict.means[1],
        "gain": verdict.gain.mean,
        "gain_low": verdict.gain.low,
        "gain_high": verdict.gain.high,
        "sign_flip_p": verdict.sign_flip_p,
        "gain_rare": verdict.rare.mean,
        "gain_over_twin_low": verdict.over_twin.low,
        "calibration_error_with": verdict.calibration[0],
        "calibration_error_without": verdict.calibration[1],
    }
    return values if verdict.others is None else values | {"gain_others_low": verdict.others.low}


def _known_means(values: NDArray[np.float64]) -> list[float | None]:
    means = [metrics.known_mean(of_class) for of_class in values.T]
    return [None if np.isnan(mean) else mean for mean in means]
