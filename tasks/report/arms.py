"""The report on all arms: a verdict, the numbers behind it, and pictures; without dates, so that it is versioned."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from tasks.core.files import write_json
from tasks.core.params import Arm, Evaluate
from tasks.core.params.roles import free_arms, generative_arms
from tasks.evidence.comparison import Comparison, Exams
from tasks.evidence.metrics import known_mean
from tasks.evidence.results import Scores
from tasks.report.gallery import enlargement_lines, sample_lines, training_lines
from tasks.report.plots import draw_arms, draw_confusions, draw_curves
from tasks.report.tables import (
    arms_table,
    by_class_tables,
    conditions_table,
    natural_table,
    recalls_table,
    resolution_lines,
)


@dataclass(frozen=True)
class About:
    """What the report tells beside the comparison.

    Attributes:
        arms: their settings, and trained: the folder with one folder per arm, as `train` writes them.
        balance: per class real, promised and synthetic counts and why synthesis abstained (or ""), from `synthesize`.
        judged: SHA-256 of the outputs that were judged: registration refuses the verdict on others.
        generator: lines on it.
        checks: rows of checks.json of all stages that check their output.
        removed: the tables `quarantine`, `left out` and `excluded` of files that are not used, each with `reason`.
        synthetic_px: side of the generator's images.
    """

    arms: Mapping[str, Arm]
    trained: Path
    balance: pd.DataFrame
    judged: dict[str, str]
    generator: list[str]
    checks: list[dict[str, Any]]
    removed: dict[str, pd.DataFrame]
    synthetic_px: int


def write_report(folder: Path, params: Evaluate, comparison: Comparison, exams: Exams, about: About) -> None:
    """Write report.md, summary.txt, verdict.json, metrics.json, curves.csv, confusion.csv, pictures into `folder`."""
    verdict = comparison.verdict
    write_json(folder / "verdict.json", {"verdict": verdict.answer, "reasons": verdict.reasons} | about.judged)
    write_json(folder / "metrics.json", _metrics(comparison, exams))
    _write_tables(folder, comparison, exams)
    _draw(folder, comparison, exams)
    (folder / "summary.txt").write_text("\n".join(_summary(comparison)) + "\n", encoding="utf-8")
    lines = _report(params, comparison, exams, about)
    lines += enlargement_lines(about.synthetic_px, exams.validation.images.shape[1])
    lines += training_lines(folder, comparison, about.arms, about.trained)
    lines += ["## The data", "", *sample_lines(folder, exams), *_data_lines(about.checks, about.removed)]
    (folder / "report.md").write_text("\n".join(lines) + "\n", encoding="utf-8")


def _metrics(comparison: Comparison, exams: Exams) -> dict[str, Any]:
    """What `dvc metrics show` compares between revisions; rounded, so that it is read with ease."""
    evidence, arms = comparison.evidence, {}
    for name, arm in comparison.arms.items():
        gap = comparison.gaps[name]
        arms[name] = {
            "balanced_accuracy_spread": round(arm.test.spread, 5),
            "test": _means(arm.test, exams.classes),
            "natural": _means(arm.natural, exams.classes),
            "calibration_error": round(arm.calibration[0], 5),
            "calibration_error_scaled": round(arm.calibration[1], 5),
            "overfitting": round(arm.overfitting, 5),
            "share_of_gap": None if gap is None else [round(value, 4) for value in gap],
        }
    overall = evidence.overall
    gain = {"mean": overall.mean, "low": overall.low, "high": overall.high, "sign_flip_p": evidence.p}
    conditions = {condition.name: condition.holds for condition in comparison.verdict.conditions}
    return {
        "arms": arms,
        "pair": list(comparison.pair),
        "gain": {name: round(value, 5) for name, value in gain.items()},
        "conditions": conditions,
    }


def _means(scores: Scores, classes: list[str]) -> dict[str, Any]:
    """Means over seeds."""
    recalls, wrong = scores.recalls.mean(axis=0), scores.wrong_shares
    return {
        "accuracy": round(float(scores.accuracy.mean()), 5),
        "balanced_accuracy": round(scores.mean, 5),
        "macro_f1": round(float(scores.macro_f1.mean()), 5),
        "g_mean": round(float(scores.g_mean.mean()), 5),
        "recall": {label: _rounded(value) for label, value in zip(classes, recalls, strict=True)},
        "wrong_share": {label: _rounded(known_mean(each)) for label, each in zip(classes, wrong.T, strict=True)},
    }


def _rounded(value: float) -> float | None:
    return None if np.isnan(value) else round(float(value), 5)


def _write_tables(folder: Path, comparison: Comparison, exams: Exams) -> None:
    """curves.csv (arm, step, means over seeds) and confusion.csv (one row per prediction of the arm with synthesis)."""
    curves = [arm.history.assign(arm=name) for name, arm in comparison.arms.items()]
    pd.concat(curves).to_csv(folder / "curves.csv", index=False, float_format="%.6g")
    confusion = comparison.arms[comparison.pair[0]].test.confusion
    names = np.array(exams.classes)
    true, predicted = np.repeat(np.stack(np.nonzero(confusion)), confusion[confusion > 0], axis=1)
    pd.DataFrame({"actual": names[true], "predicted": names[predicted]}).to_csv(folder / "confusion.csv", index=False)


def _draw(folder: Path, comparison: Comparison, exams: Exams) -> None:
    arms = comparison.arms
    draw_arms(
        folder / "arms.png",
        {name: arm.test.balanced.tolist() for name, arm in arms.items()},
        "balanced accuracy on test",
    )
    for name, part in (("confusion", "test"), ("confusion_natural", "natural")):
        matrices = {each: getattr(arm, part).confusion.astype(np.float64) for each, arm in arms.items()}
        draw_confusions(folder / f"{name}.png", matrices, exams.classes)
    curves = {name: arm.history.set_index("step") for name, arm in arms.items()}
    columns = {
        f"{name}|{column}": curve[column]
        for name, curve in curves.items()
        for column in ("train_loss", "validation_loss", "validation_balanced_accuracy")
    }
    panels = {
        column.replace("_", " "): {name: f"{name}|{column}" for name in arms}
        for column in ("train_loss", "validation_loss", "validation_balanced_accuracy")
    }
    draw_curves(folder / "curves.png", pd.DataFrame(columns).reset_index(), "step", panels)


def _summary(comparison: Comparison) -> list[str]:
    width = max(len(name) for name in comparison.arms)
    header = f"{'arm'.ljust(width)}  balanced accuracy on test (mean ± spread over seeds)"
    rows = [
        f"{name.ljust(width)}  {arm.test.mean:.4f} ± {arm.test.spread:.4f}" for name, arm in comparison.arms.items()
    ]
    return [header, *rows, f"verdict: {comparison.verdict.answer}", *comparison.verdict.reasons]


def _report(params: Evaluate, comparison: Comparison, exams: Exams, about: About) -> list[str]:
    return [
        *_verdict_lines(params, comparison, exams, about.arms),
        *_arms_lines(params, comparison, exams),
        "## Classes",
        "",
        f"Recall of {comparison.pair[0]} less that of {comparison.pair[1]}; p adjusted after Holm over the classes.",
        "",
        *recalls_table(comparison, about.balance),
        "",
        *by_class_tables(comparison, exams.classes),
        "![confusion matrices](confusion.png)",
        "",
        "![confusion matrices on the naturally imbalanced images](confusion_natural.png)",
        "",
        "## Generator",
        "",
        *about.generator,
        "## Training",
        "",
        "Means over seeds; the oracle and arms that mix or oversample see other training images, hence other losses.",
        "",
        "![curves](curves.png)",
        "",
    ]


def _verdict_lines(params: Evaluate, comparison: Comparison, exams: Exams, arms: Mapping[str, Arm]) -> list[str]:
    seeds, images = len(comparison.evidence.overall.by_seed), len(exams.test.labels)
    rare = ", ".join(exams.classes[kind] for kind in exams.rare)
    return [
        f"# Verdict: {comparison.verdict.answer}",
        "",
        *(f"{reason}\n" for reason in comparison.verdict.reasons),
        f"The two arms were chosen on validation alone: one of {len(generative_arms(arms))} with and one of",
        f"{len(free_arms(arms))} without synthetic images. {seeds} paired seeds, {images} test images,",
        f"{params.resamples} two-level bootstrap resamples (seeds, and test images within classes).",
        f"A yes needs all of these; rare classes are those with fewer training images than the mean: {rare}.",
        "",
        *conditions_table(comparison),
        "",
        *resolution_lines(comparison, exams, params),
        "",
    ]


def _arms_lines(params: Evaluate, comparison: Comparison, exams: Exams) -> list[str]:
    seeds = len(comparison.evidence.overall.by_seed)
    gap = f" Share of the gap: from {params.baseline} (0) to {params.oracle} (1)." if params.oracle else ""
    return [
        "## Arms",
        "",
        f"Means over {seeds} seeds on test, and the spread of the balanced accuracy over them.{gap} ECE: expected",
        "calibration error, before and after temperature scaling. Overfitting: accuracy on training batches, which are",
        "mixed and changed in some arms, less that on validation. p: of the sign-flip test against",
        f"{comparison.pair[1]}, adjusted after Holm; it describes and does not decide.",
        "The majority always names the class with the most training images.",
        "",
        *arms_table(comparison, exams),
        "",
        "![balanced accuracy of each arm and seed](arms.png)",
        "",
        f"On the {int(exams.test.natural.sum())} test images that are as imbalanced as train:",
        "",
        *natural_table(comparison, exams),
        "",
    ]


def _data_lines(checks: list[dict[str, Any]], removed: dict[str, pd.DataFrame]) -> list[str]:
    lines = []
    links = {
        "quarantine": "[contact sheet](../clean/quarantine/{}.png)",
        "left out": "[list](../raw/left_out.csv)",
        "excluded": "rows of [the split](../split/manifest.parquet)",
    }
    for place, files in removed.items():
        for reason, count in files["reason"].value_counts().sort_index().items():
            lines.append(f"- {place}: {count} {reason}, {links[place].format(reason)}")
    failed = [row for row in checks if not row["passed"]]
    told = set(removed["quarantine"]["reason"])
    lines += [f"- {sentence}" for row in failed if row["column"] not in told for sentence in row["sentences"]]
    lines += [
        "",
        f"{len(checks) - len(failed)} of {len(checks)} checks passed, by Great Expectations, whose own pages are the",
        "[Data Docs](../../data_docs/index.html). Observed: the sum of the column, or the number of values that break",
        "the rule.",
        "",
        "| table | column | rule | at least | at most | observed | passed | else |",
        "| --- | --- | --- | --: | --: | --: | --- | --- |",
    ]
    for row in checks:
        least, most = ("" if row[bound] is None else f"{row[bound]:g}" for bound in ("minimum", "maximum"))
        passed, otherwise = "yes" if row["passed"] else "no", "stops" if row["fatal"] else "is reported"
        cells = (row["table"], row["column"], row["rule"], least, most, f"{row['observed']:g}", passed, otherwise)
        lines.append(f"| {' | '.join(cells)} |")
    return lines
