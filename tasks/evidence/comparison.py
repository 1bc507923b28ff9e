"""Every arm's predictions compared: what each came to, and the one comparison that decides."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from tasks.core.params import Arm, Evaluate
from tasks.core.params.classifiers import twin_of
from tasks.evidence import metrics
from tasks.evidence.results import ArmResult, ClassGain, Comparison, Result, scores_of
from tasks.evidence.statistics import Difference, Gains, compare, gap_share, holm, resolution, sign_flip
from tasks.evidence.verdict import Evidence, choose_pair, decide

RESOLVED = 0.01  # the half width of an interval, one point of balanced accuracy, to which `resolution` answers


@dataclass(frozen=True)
class Targets:
    """What is right of the images that arms are compared on.

    Attributes:
        classes: names, of which labels are the places.
        counts: int (classes,), training images of each.
        validation: labels int (n,) of the validation images.
        test: labels int (m,) of the test images.
        natural: bool (m,), the test images that are as imbalanced as train.
    """

    classes: list[str]
    counts: NDArray[np.int64]
    validation: NDArray[np.int32]
    test: NDArray[np.int32]
    natural: NDArray[np.bool_]

    @property
    def rare(self) -> list[int]:
        """Labels of the classes with fewer training images than the mean; of all where they have equally many."""
        below = np.flatnonzero(self.counts < self.counts.mean())
        return [int(kind) for kind in (below if len(below) else np.arange(len(self.counts)))]

    @property
    def others(self) -> list[int]:
        return [kind for kind in range(len(self.counts)) if kind not in self.rare]


@dataclass(frozen=True)
class Predicted:
    """What the trainings of one arm came to.

    Attributes:
        validation, test: probabilities float32 (seeds, images, classes).
        history: means over seeds by step.
    """

    validation: NDArray[np.float32]
    test: NDArray[np.float32]
    history: pd.DataFrame


def mean_history(history: pd.DataFrame) -> pd.DataFrame:
    """Means over seeds by step, of the history.csv of an arm."""
    return history.groupby("step", as_index=False).mean().drop(columns="seed")


def compare_arms(
    params: Evaluate,
    arms: Mapping[str, Arm],
    targets: Targets,
    predicted: Mapping[str, Predicted],
    none_made: str | None,
) -> Comparison:
    """The results of all arms, and the comparison of the pair chosen on validation, which decides.

    Args:
        none_made: why there are no synthetic images, where there are none; see `tasks.evidence.verdict`.
    """
    results = {name: _result(targets, arm) for name, arm in predicted.items()}
    pair = choose_pair(arms, {name: result.validation for name, result in results.items()})
    correct = {name: metrics.correct(arm.test, targets.test) for name, arm in predicted.items()}

    def gains(one: str, other: str) -> Gains:
        return compare(correct[one], correct[other], targets.test, params.resamples, params.seed)

    twin = twin_of(arms, pair[0]) or ""  # parameters are refused without one
    of_pair, over_twin = gains(*pair), gains(pair[0], twin)
    evidence = _evidence(params, targets, {name: results[name] for name in pair}, twin, of_pair, over_twin)
    return Comparison(
        classes=targets.classes,
        counts=targets.counts.tolist(),
        rare=[targets.classes[kind] for kind in targets.rare],
        arms=results,
        majority=_majority(targets),
        gaps=_gaps(params, gains, list(arms)),
        p_values=_p_values(results, pair),
        recalls=_recalls(params, targets.classes, of_pair),
        resolution=resolution(of_pair, len(targets.test), RESOLVED, params.confidence),
        verdict=decide(evidence, params, none_made),
    )


def difference_of(
    params: Evaluate, labels: NDArray[np.int32], one: NDArray[np.float32], other: NDArray[np.float32]
) -> Difference:
    """The difference of balanced accuracies of two arms of equally many trainings.

    Args:
        labels: int (n,).
        one, other: probabilities float32 (seeds, n, classes).
    """
    gains = compare(metrics.correct(one, labels), metrics.correct(other, labels), labels, params.resamples, params.seed)
    return gains.over(list(range(one.shape[2])), params.confidence)


def _result(targets: Targets, predicted: Predicted) -> ArmResult:
    errors = [
        _calibration(test, targets.test, validation, targets.validation)
        for test, validation in zip(predicted.test, predicted.validation, strict=True)
    ]
    before, after = np.mean(errors, axis=0)
    last = predicted.history.iloc[-1]
    return ArmResult(
        test=scores_of(predicted.test, targets.test),
        natural=scores_of(predicted.test[:, targets.natural], targets.test[targets.natural]),
        validation=float(last["validation_balanced_accuracy"]),
        calibration=(float(before), float(after)),
        overfitting=float(last["train_accuracy"] - last["validation_accuracy"]),
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


def _majority(targets: Targets) -> Result:
    """The model that always names the class with the most training images."""
    always = np.eye(len(targets.classes), dtype=np.float32)[[targets.counts.argmax()]]
    test, natural = (
        scores_of(always[:, None].repeat(len(labels), axis=1), labels)
        for labels in (targets.test, targets.test[targets.natural])
    )
    return Result(test, natural)


def _evidence(
    params: Evaluate, targets: Targets, pair: Mapping[str, ArmResult], twin: str, gains: Gains, over_twin: Gains
) -> Evidence:
    (generative, with_images), (free, without) = pair.items()
    every, confidence = list(range(len(targets.classes))), params.confidence
    gain = gains.over(every, confidence)
    return Evidence(
        pair=(generative, free),
        means=(with_images.test.mean, without.test.mean),
        gain=gain,
        sign_flip_p=sign_flip(gain.by_seed),
        rare=gains.over(targets.rare, confidence),
        others=gains.over(targets.others, confidence) if targets.others else None,
        calibration=(with_images.calibration[1], without.calibration[1]),
        twin=twin,
        over_twin=over_twin.over(every, confidence),
        confidence=confidence,
    )


def _gaps(
    params: Evaluate, gains: Callable[[str, str], Gains], names: list[str]
) -> dict[str, tuple[float, float, float] | None]:
    """Share of the gap won back by each arm with the bounds of its interval, None where there is no gap or oracle."""
    if params.oracle is None:
        return dict.fromkeys(names)
    oracle = gains(params.oracle, params.baseline)
    return {name: gap_share(gains(name, params.baseline), oracle, params.confidence) for name in names}


def _p_values(results: Mapping[str, ArmResult], pair: tuple[str, str]) -> dict[str, float]:
    """Of the arms outside the pair."""
    rest = [name for name in results if name not in pair]
    other = np.array(results[pair[1]].test.balanced)
    adjusted = holm([sign_flip(np.array(results[name].test.balanced) - other) for name in rest])
    return dict(zip(rest, adjusted, strict=True))


def _recalls(params: Evaluate, classes: list[str], gains: Gains) -> dict[str, ClassGain]:
    differences = [gains.over([kind], params.confidence) for kind in range(len(classes))]
    adjusted = holm([difference.p for difference in differences])
    return {
        label: ClassGain(difference, p) for label, difference, p in zip(classes, differences, adjusted, strict=True)
    }
