"""Tables of the report as lines of Markdown, and their one writer."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from tasks.core.params import Arm
from tasks.evidence.results import Comparison, Result
from tasks.report.words import condition_sentence, interval


def markdown_table(header: Sequence[str], rows: Sequence[Sequence[str]], text: Sequence[int] = (0,)) -> list[str]:
    """Lines of a table, of which the columns `text` are aligned to the left and all others, numbers, to the right."""
    sides = ["---" if column in text else "--:" for column in range(len(header))]
    escaped = ([cell.replace("|", "\\|") for cell in cells] for cells in (header, *rows))  # a class may be a|b
    first, *rest = (f"| {' | '.join(cells)} |" for cells in escaped)
    return [first, f"| {' | '.join(sides)} |", *rest]


def conditions_table(comparison: Comparison) -> list[str]:
    """What a yes needs, and whether it holds."""
    verdict = comparison.verdict
    rows = [
        [condition.name, "yes" if condition.holds else "**no**", condition_sentence(condition, verdict)]
        for condition in verdict.conditions
    ]
    return markdown_table(["condition", "holds", "found"], rows, text=range(3))


def arms_table(comparison: Comparison) -> list[str]:
    """One row an arm, and one of the model that always names the class with the most training images."""
    header = ["arm", "balanced accuracy", "spread", "accuracy", "macro-F1", "G-mean", "share of the gap", "validation"]
    header += ["ECE", "ECE scaled", "overfitting", "p"]
    rows = []
    for name, arm in comparison.arms.items():
        p = comparison.p_values.get(name)
        cells = [name, *_on_test(arm), _share(comparison.gaps[name])]
        cells += [f"{value:.4f}" for value in (arm.validation, *arm.calibration)]
        rows.append([*cells, f"{arm.overfitting:+.4f}", "" if p is None else f"{p:.3f}"])
    return markdown_table(header, [*rows, ["majority", *_on_test(comparison.majority), *[""] * 6]])


def natural_table(comparison: Comparison) -> list[str]:
    """The arms on the test images that are as imbalanced as train."""
    rows = []
    for name, result in (comparison.arms | {"majority": comparison.majority}).items():
        natural = result.natural
        scores = (natural.accuracy, natural.balanced, natural.macro_f1)
        rows.append([name, *(f"{np.mean(values):.4f}" for values in scores)])
    return markdown_table(["arm", "accuracy", "balanced accuracy", "macro-F1"], rows)


def by_class_tables(comparison: Comparison) -> list[str]:
    """Recall, and share of wrong predictions, of each class: on all test images, and on those of natural shares."""
    lines = []
    for part, place in (("test", "on all test images"), ("natural", "on the naturally imbalanced ones")):
        for score, title in (
            ("recalls", "Recall"),
            ("wrong_shares", "Share of the predictions of a class that are wrong"),
        ):
            rows = [
                [name, *(_number(value) for value in getattr(getattr(arm, part), score))]
                for name, arm in comparison.arms.items()
            ]
            lines += [f"{title}, {place}:", "", *markdown_table(["arm", *comparison.classes], rows), ""]
    return lines


def recalls_table(comparison: Comparison, balance: pd.DataFrame, reasons: Mapping[str, str]) -> list[str]:
    """The pair's difference of recalls by class beside what the class had to train on.

    Args:
        balance: balance.csv of `synthesize`.
        reasons: why a class has no synthetic images, by class.
    """
    rows = []
    for row in balance.to_dict("records"):
        gain = comparison.recalls[row["label"]]
        difference = interval(gain.difference.mean, gain.difference.low, gain.difference.high)
        counts = [str(row["real"]), str(row["synthetic"])]
        rows.append([row["label"], *counts, difference, f"{gain.p:.3f}", reasons.get(row["label"], "")])
    header = ["class", "real", "synthetic", "difference of recalls", "p", "no synthesis because"]
    return markdown_table(header, rows, text=(0, 5))


def overfitting_table(
    comparison: Comparison, arms: Mapping[str, Arm], histories: Mapping[str, pd.DataFrame]
) -> list[str]:
    """Accuracy on training batches and on validation at the end, and when the loss on validation was lowest."""
    rows = []
    for name, result in comparison.arms.items():
        arm, history = arms[name], histories[name]
        last, best = history.iloc[-1], history.iloc[int(history["validation_loss"].argmin())]
        alpha = f"{arm.mixup_alpha:g}" if arm.mixup_alpha else "none"
        ends = [f"{last['train_accuracy']:.4f}", f"{last['validation_accuracy']:.4f}", f"{result.overfitting:+.4f}"]
        rows.append([name, arm.augmentation or "none", alpha, *ends, f"{best['step']:.0f} of {last['step']:.0f}"])
    header = ["arm", "augmentation", "mixup alpha", "training accuracy", "validation accuracy", "gap"]
    return markdown_table([*header, "lowest validation loss at step"], rows, text=(0, 1))


def checks_table(checks: Sequence[Mapping[str, object]]) -> list[str]:
    """Rows of checks.json."""
    rows = []
    for row in checks:
        least, most = ("" if row[bound] is None else f"{row[bound]:g}" for bound in ("minimum", "maximum"))
        passed, otherwise = "yes" if row["passed"] else "no", "stops" if row["fatal"] else "is reported"
        place = [str(row[name]) for name in ("table", "column", "rule")]
        rows.append([*place, least, most, f"{row['observed']:g}", passed, otherwise])
    header = ["table", "column", "rule", "at least", "at most", "observed", "passed", "else"]
    return markdown_table(header, rows, text=(0, 1, 2, 6, 7))


def _on_test(result: Result) -> list[str]:
    test = result.test
    values = (test.mean, test.spread, np.mean(test.accuracy), np.mean(test.macro_f1), np.mean(test.g_mean))
    return [f"{value:.4f}" for value in values]


def _share(gap: tuple[float, float, float] | None) -> str:
    return "undefined" if gap is None else f"{gap[0]:.2f} [{gap[1]:.2f}, {gap[2]:.2f}]"


def _number(value: float | None) -> str:
    return "none" if value is None else f"{value:.3f}"
