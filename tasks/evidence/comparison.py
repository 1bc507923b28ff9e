"""Every arm's predictions on the test set, and the one comparison that decides."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from tasks.classifier.networks import build_classifier
from tasks.core.params import Arm, Evaluate, Train
from tasks.core.params.roles import twin_of
from tasks.evidence import metrics
from tasks.evidence.results import ArmResult, scores_of, validated
from tasks.evidence.statistics import Difference, Gains, Resolution, compare, gap_share, holm, resolution, sign_flip
from tasks.evidence.verdict import Evidence, Verdict, choose_pair, decide
from tasks.networks.features import predict
from tasks.networks.weights import load_weights

RESOLVED = 0.01  # to which the report says what it takes to know a difference


@dataclass(frozen=True)
class Exam:
    """Images that classifiers are judged by: uint8 (n, h, w, c), labels int (n,), which are as imbalanced as train."""

    images: NDArray[np.uint8]
    labels: NDArray[np.int32]
    natural: NDArray[np.bool_]


@dataclass(frozen=True)
class Exams:
    """The images of validation and of test, class names, and the number of training images of each class."""

    validation: Exam
    test: Exam
    classes: list[str]
    counts: NDArray[np.int64]

    @property
    def rare(self) -> list[int]:
        """Labels of the classes with fewer training images than the mean; of all where they have equally many."""
        below = np.flatnonzero(self.counts < self.counts.mean())
        return [int(kind) for kind in (below if len(below) else np.arange(len(self.counts)))]

    @property
    def others(self) -> list[int]:
        return [kind for kind in range(len(self.counts)) if kind not in self.rare]


@dataclass(frozen=True)
class Comparison:
    """All arms, the pair that decides, and what was found of it.

    Attributes:
        gaps: share of the gap that each arm wins back, with the bounds of its interval; None where there is no gap.
        p_values: of the sign-flip test of the arms outside the pair against its free one, adjusted after Holm.
        recalls: of each class, the pair's difference of recalls and its p, adjusted after Holm over the classes.
        resolution: what it takes to know the pair's difference to +- `RESOLVED`.
    """

    arms: dict[str, ArmResult]
    gaps: dict[str, tuple[float, float, float] | None]
    p_values: dict[str, float]
    evidence: Evidence
    recalls: dict[str, tuple[Difference, float]]
    resolution: Resolution
    verdict: Verdict

    @property
    def pair(self) -> tuple[str, str]:
        return self.evidence.pair


def compare_arms(
    params: Evaluate,
    train: Train,
    compared: Mapping[str, Arm],
    exams: Exams,
    trained: Path,
    none_made: str | None,
    unmade: list[str],
) -> Comparison:
    """Predict with every arm in `trained`, and compare the pair chosen on validation.

    Args:
        trained: folder with one folder per arm, as `train` writes them.
        none_made: why there are no synthetic images, where there are none.
        unmade: sentences on classes that should have some and do not.
    """
    labels, histories = exams.test.labels, {name: _history(trained / name) for name in compared}
    pair = choose_pair(compared, {name: validated(history) for name, history in histories.items()})
    on_test = {name: _predict(train, exams, exams.test, trained / name) for name in compared}
    correct = {name: metrics.correct(each, labels) for name, each in on_test.items()}

    def gains(one: str, other: str) -> Gains:
        return compare(correct[one], correct[other], labels, params.resamples, params.seed)

    arms = {
        name: _result(exams, on_test[name], _predict(train, exams, exams.validation, trained / name), history)
        for name, history in histories.items()
    }
    twin = twin_of(compared, pair[0]) or ""  # params.yaml is refused without one
    found = gains(*pair)
    evidence = _evidence(params, exams, {name: arms[name] for name in pair}, found, twin, gains(pair[0], twin))
    verdict = decide(evidence, params, none_made)
    rest = [name for name in arms if name not in pair]
    p_values = holm([sign_flip(arms[name].test.balanced - arms[pair[1]].test.balanced) for name in rest])
    return Comparison(
        arms=arms,
        gaps=_gaps(params, gains, list(arms)),
        p_values=dict(zip(rest, p_values, strict=True)),
        evidence=evidence,
        recalls=_recalls(params, exams.classes, found),
        resolution=resolution(found, len(labels), RESOLVED, params.confidence),
        verdict=Verdict(verdict.answer, verdict.reasons + unmade, verdict.conditions),
    )


def compare_trained(params: Evaluate, train: Train, exams: Exams, one: Path, other: Path) -> Difference:
    """The difference of balanced accuracies on test of two trained arms, of which the folders are given."""
    labels = exams.test.labels
    a, b = (metrics.correct(_predict(train, exams, exams.test, folder), labels) for folder in (one, other))
    found = compare(a, b, labels, params.resamples, params.seed)
    return found.over(list(range(len(exams.classes))), params.confidence)


def _predict(train: Train, exams: Exams, exam: Exam, folder: Path) -> NDArray[np.float32]:
    size_px, channels = exam.images.shape[2:]
    model = build_classifier(train.network, size_px, channels, len(exams.classes), seed=0)
    return predict(model, load_weights(folder / "weights.npz"), exam.images)


def _history(folder: Path) -> pd.DataFrame:
    """Means over seeds by step."""
    return pd.read_csv(folder / "history.csv").groupby("step", as_index=False).mean().drop(columns="seed")


def _result(
    exams: Exams, on_test: NDArray[np.float32], on_validation: NDArray[np.float32], history: pd.DataFrame
) -> ArmResult:
    natural: Any = exams.test.natural
    before, after = np.mean(
        [
            _calibration(test, exams.test.labels, validation, exams.validation.labels)
            for test, validation in zip(on_test, on_validation, strict=True)
        ],
        axis=0,
    )
    return ArmResult(
        test=scores_of(on_test, exams.test.labels),
        natural=scores_of(on_test[:, natural], exams.test.labels[natural]),
        validation=validated(history),
        calibration=(float(before), float(after)),
        history=history,
    )


def _calibration(
    test: NDArray[np.float32],
    test_labels: NDArray[np.int32],
    validation: NDArray[np.float32],
    validation_labels: NDArray[np.int32],
) -> tuple[float, float]:
    """Calibration error of one training on test before and after temperature scaling, fitted on validation."""
    scaled = metrics.scale(test, metrics.temperature(validation, validation_labels))
    return metrics.calibration_error(test, test_labels), metrics.calibration_error(scaled, test_labels)


def _evidence(
    params: Evaluate, exams: Exams, pair: Mapping[str, ArmResult], gains: Gains, twin: str, over_twin: Gains
) -> Evidence:
    (generative, with_images), (free, without) = pair.items()
    every, confidence = list(range(len(exams.classes))), params.confidence
    overall = gains.over(every, confidence)
    return Evidence(
        pair=(generative, free),
        means=(with_images.test.mean, without.test.mean),
        overall=overall,
        p=sign_flip(overall.by_seed),
        rare=gains.over(exams.rare, confidence),
        others=gains.over(exams.others, confidence) if exams.others else None,
        calibration=(with_images.calibration[1], without.calibration[1]),
        twin=twin,
        over_twin=over_twin.over(every, confidence),
    )


def _gaps(
    params: Evaluate, gains: Callable[[str, str], Gains], names: list[str]
) -> dict[str, tuple[float, float, float] | None]:
    """Share of the gap won back by each arm with the bounds of its interval, None where there is no gap or oracle."""
    if params.oracle is None:
        return dict.fromkeys(names)
    oracle = gains(params.oracle, params.baseline)
    return {name: gap_share(gains(name, params.baseline), oracle, params.confidence) for name in names}


def _recalls(params: Evaluate, classes: list[str], gains: Gains) -> dict[str, tuple[Difference, float]]:
    """Difference of recalls of each class and its p, adjusted after Holm over the classes."""
    found = [gains.over([kind], params.confidence) for kind in range(len(classes))]
    adjusted = holm([difference.p for difference in found])
    return dict(zip(classes, zip(found, adjusted, strict=True), strict=True))
