"""Tables of the report on all arms, as lines of Markdown."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from tasks.core.params import Arm, Evaluate
from tasks.evidence.comparison import RESOLVED, Comparison, Exams
from tasks.evidence.metrics import known_mean
from tasks.evidence.results import Scores, scores_of

Interval = tuple[float, float, float]


def conditions_table(comparison: Comparison) -> list[str]:
    """What a yes needs, and whether it was found."""
    rows = [[each.name, "yes" if each.holds else "**no**", each.sentence] for each in comparison.verdict.conditions]
    return _table(["condition", "holds", "found"], rows, text=range(3))


def arms_table(comparison: Comparison, exams: Exams) -> list[str]:
    """One row an arm, and one of the model that always names the class with the most training images."""
    header = ["arm", "balanced accuracy", "spread", "accuracy", "macro-F1", "G-mean", "share of the gap", "validation"]
    header += ["ECE", "ECE scaled", "overfitting", "p"]
    rows = []
    for name, arm in comparison.arms.items():
        test, p = arm.test, comparison.p_values.get(name)
        scores = [test.mean, test.spread, test.accuracy.mean(), test.macro_f1.mean(), test.g_mean.mean()]
        cells = [name, *(f"{value:.4f}" for value in scores), _share(comparison.gaps[name])]
        cells += [f"{value:.4f}" for value in (arm.validation, *arm.calibration)]
        rows.append([*cells, f"{arm.overfitting:+.4f}", "" if p is None else f"{p:.3f}"])
    majority = _majority(exams, exams.test.labels)
    scores = [majority.mean, 0.0, majority.accuracy.mean(), majority.macro_f1.mean(), majority.g_mean.mean()]
    rows.append(["majority", *(f"{value:.4f}" for value in scores), *[""] * 6])
    return _table(header, rows)


def natural_table(comparison: Comparison, exams: Exams) -> list[str]:
    """The arms on the test images that are as imbalanced as train."""
    parts = {name: arm.natural for name, arm in comparison.arms.items()}
    parts["majority"] = _majority(exams, exams.test.labels[exams.test.natural])
    rows = [
        [name, *(f"{values.mean():.4f}" for values in (natural.accuracy, natural.balanced, natural.macro_f1))]
        for name, natural in parts.items()
    ]
    return _table(["arm", "accuracy", "balanced accuracy", "macro-F1"], rows)


def by_class_tables(comparison: Comparison, classes: Sequence[str]) -> list[str]:
    """Recall, and share of wrong predictions, of each class: on all test images, and on those of natural shares."""
    lines = []
    for part, title in (("test", "on all test images"), ("natural", "on the naturally imbalanced ones")):
        for score, about in (
            ("recalls", "Recall"),
            ("wrong_shares", "Share of the predictions of a class that are wrong"),
        ):
            rows = [
                [name, *(_number(known_mean(values)) for values in getattr(getattr(arm, part), score).T)]
                for name, arm in comparison.arms.items()
            ]
            lines += [f"{about}, {title}:", "", *_table(["arm", *classes], rows), ""]
    return lines


def recalls_table(comparison: Comparison, balance: pd.DataFrame) -> list[str]:
    """The pair's difference of recalls by class beside what the class had to train on."""
    rows = []
    for row in balance.to_dict("records"):
        difference, p = comparison.recalls[row["label"]]
        rows.append(
            [row["label"], str(row["real"]), str(row["synthetic"]), str(difference), f"{p:.3f}", row["abstained"]]
        )
    return _table(
        ["class", "real", "synthetic", "difference of recalls", "p", "no synthesis because"], rows, text=(0, 5)
    )


def overfitting_table(comparison: Comparison, arms: Mapping[str, Arm]) -> list[str]:
    """Accuracy on training batches and on validation at the end, and when the loss on validation was lowest."""
    rows = []
    for name, result in comparison.arms.items():
        arm, history = arms[name], result.history
        last, best = history.iloc[-1], history.iloc[int(history["validation_loss"].argmin())]
        alpha = f"{arm.mixup_alpha:g}" if arm.mixup_alpha else "none"
        ends = [f"{last['train_accuracy']:.4f}", f"{last['validation_accuracy']:.4f}", f"{result.overfitting:+.4f}"]
        rows.append([name, arm.augmentation or "none", alpha, *ends, f"{best['step']:.0f} of {last['step']:.0f}"])
    header = ["arm", "augmentation", "mixup alpha", "training accuracy", "validation accuracy", "gap"]
    return _table([*header, "lowest validation loss at step"], rows, text=(0, 1))


def resolution_lines(comparison: Comparison, exams: Exams, params: Evaluate) -> list[str]:
    """What it would take to know the difference to one point."""
    found, images = comparison.resolution, len(exams.test.labels)
    seeds = f"{found.seeds} seeds" if found.seeds else "no number of seeds"
    more = f"{found.images} test images" if found.images else "no number of test images"
    return [
        f"To know the difference to ±{RESOLVED:g} ({params.confidence:.0%}), it would take {seeds} with these {images}",
        f"test images, or {more} with these {len(comparison.evidence.overall.by_seed)} seeds.",
    ]


def _majority(exams: Exams, labels: NDArray[np.int32]) -> Scores:
    """Scores of the model that always names the class with the most training images."""
    always = np.zeros((1, len(labels), len(exams.classes)), np.float32)
    always[..., int(exams.counts.argmax())] = 1
    return scores_of(always, labels)


def _share(gap: Interval | None) -> str:
    return "undefined" if gap is None else f"{gap[0]:.2f} [{gap[1]:.2f}, {gap[2]:.2f}]"


def _number(value: float) -> str:
    return "none" if np.isnan(value) else f"{value:.3f}"


def _table(header: Sequence[str], rows: Sequence[Sequence[str]], text: Sequence[int] = (0,)) -> list[str]:
    """Lines of a table with some columns of text."""
    sides = ["---" if column in text else "--:" for column in range(len(header))]
    escaped = ([cell.replace("|", "\\|") for cell in cells] for cells in (header, *rows))  # a class may be a|b
    first, *rest = (f"| {' | '.join(cells)} |" for cells in escaped)
    return [first, f"| {' | '.join(sides)} |", *rest]
