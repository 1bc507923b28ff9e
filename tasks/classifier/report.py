"""The report on all arms: a verdict, the numbers behind it, and pictures; without dates, so that it is versioned."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from tasks.classifier.comparison import Comparison, Exam
from tasks.support.files import write_json
from tasks.support.params import Evaluate
from tasks.support.plots import draw_arms, draw_confusions, draw_curves


def write_report(
    folder: Path,
    params: Evaluate,
    comparison: Comparison,
    test: Exam,
    balance: pd.DataFrame,
    generator_sha256: str,
    about_generator: list[str],
    checks: list[dict[str, Any]],
    removed: dict[str, pd.DataFrame],
) -> None:
    """Write report.md, summary.txt, verdict.json, metrics.json, curves.csv, confusion.csv and pictures into `folder`.

    Args:
        balance: per class real, promised and synthetic counts and why synthesis abstained (or ""), from `synthesize`.
        generator_sha256: of the generator that made them, and what the report says about it.
        checks: rows of checks.json of all stages that check their output.
        removed: the tables `quarantine`, `left out` and `excluded` of files that are not used, each with `reason`.
    """
    verdict = comparison.verdict
    about = {"generator_sha256": generator_sha256}  # registration refuses the verdict on another generator
    write_json(folder / "verdict.json", {"verdict": verdict.answer, "reasons": verdict.reasons} | about)
    write_json(folder / "metrics.json", _metrics(comparison, test))
    _write_tables(folder, comparison, test)
    _draw(folder, params, comparison, test)
    (folder / "summary.txt").write_text("\n".join(_summary(comparison)) + "\n", encoding="utf-8")
    lines = _report(params, comparison, test, balance, about_generator) + _data_lines(checks, removed)
    (folder / "report.md").write_text("\n".join(lines) + "\n", encoding="utf-8")


def _metrics(comparison: Comparison, test: Exam) -> dict[str, Any]:
    """What `dvc metrics show` compares between revisions; rounded, so that it is read with ease."""
    arms = {
        name: {
            "accuracy": round(float(arm.accuracy.mean()), 5),
            "balanced_accuracy": round(arm.mean, 5),
            "balanced_accuracy_spread": round(arm.spread, 5),
            "natural_accuracy": round(float(arm.natural.mean()), 5),
            "share_of_gap": None if arm.share_of_gap is None else round(arm.share_of_gap, 4),
            "recall": {label: round(float(value), 5) for label, value in zip(test.classes, arm.recalls, strict=True)},
        }
        for name, arm in comparison.arms.items()
    }
    difference = comparison.difference
    gain = {"mean": difference.mean, "low": difference.low, "high": difference.high, "sign_flip_p": comparison.p}
    return {"arms": arms, "gain": {name: round(value, 5) for name, value in gain.items()}}


def _write_tables(folder: Path, comparison: Comparison, test: Exam) -> None:
    """curves.csv (arm, step, means over seeds) and confusion.csv (one row per prediction of the arm with synthesis)."""
    curves = [arm.history.drop(columns="seed").assign(arm=name) for name, arm in comparison.arms.items()]
    pd.concat(curves).to_csv(folder / "curves.csv", index=False, float_format="%.6g")
    confusion = comparison.arms[comparison.pair[0]].confusion
    names = np.array(test.classes)
    true, predicted = np.repeat(np.stack(np.nonzero(confusion)), confusion[confusion > 0], axis=1)
    pd.DataFrame({"actual": names[true], "predicted": names[predicted]}).to_csv(folder / "confusion.csv", index=False)


def _draw(folder: Path, params: Evaluate, comparison: Comparison, test: Exam) -> None:
    arms = comparison.arms
    draw_arms(
        folder / "arms.png", {name: arm.balanced.tolist() for name, arm in arms.items()}, "balanced accuracy on test"
    )
    shown = dict.fromkeys([params.baseline, *comparison.pair])
    draw_confusions(
        folder / "confusion.png", {name: arms[name].confusion.astype(np.float64) for name in shown}, test.classes
    )
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
    rows = [f"{name.ljust(width)}  {arm.mean:.4f} ± {arm.spread:.4f}" for name, arm in comparison.arms.items()]
    return [header, *rows, f"verdict: {comparison.verdict.answer}", *comparison.verdict.reasons]


def _report(
    params: Evaluate, comparison: Comparison, test: Exam, balance: pd.DataFrame, about_generator: list[str]
) -> list[str]:
    seeds = len(comparison.difference.by_seed)
    gap = f"; share of the gap: from {params.baseline} (0) to {params.oracle} (1)" if params.oracle else ""
    return [
        f"# Verdict: {comparison.verdict.answer}",
        "",
        *(f"{reason}\n" for reason in comparison.verdict.reasons),
        f"The two arms were chosen on validation, before test was opened: {seeds} paired seeds, {len(test.labels)}",
        f"test images, {params.resamples} two-level bootstrap resamples (seeds, and test images within classes).",
        "",
        "## Arms",
        "",
        f"Means over {seeds} seeds on test; natural: accuracy on the {int(test.natural.sum())} test images that are as",
        f"imbalanced as train{gap}.",
        "",
        *_arms_table(comparison),
        "",
        "![balanced accuracy of each arm and seed](arms.png)",
        "",
        "## Classes",
        "",
        "Recall on test beside what the class had to train on.",
        "",
        *_classes_table(params, comparison, test, balance),
        "",
        "![confusion matrices](confusion.png)",
        "",
        "## Generator",
        "",
        *about_generator,
        "## Training",
        "",
        "Means over seeds; the oracle and arms that mix or oversample see other training images, hence other losses.",
        "",
        "![curves](curves.png)",
        "",
    ]


def _arms_table(comparison: Comparison) -> list[str]:
    lines = [
        "| arm | accuracy | balanced accuracy | spread | natural | validation | share of the gap |",
        "| --- | --: | --: | --: | --: | --: | --: |",
    ]
    for name, arm in comparison.arms.items():
        share = "undefined" if arm.share_of_gap is None else f"{arm.share_of_gap:.2f}"
        lines.append(
            f"| {name} | {arm.accuracy.mean():.4f} | {arm.mean:.4f} | {arm.spread:.4f} | {arm.natural.mean():.4f} "
            f"| {arm.validation:.4f} | {share} |"
        )
    return lines


def _classes_table(params: Evaluate, comparison: Comparison, test: Exam, balance: pd.DataFrame) -> list[str]:
    shown = list(dict.fromkeys([params.baseline, comparison.pair[1], comparison.pair[0]]))
    recalls = {name: dict(zip(test.classes, comparison.arms[name].recalls, strict=True)) for name in shown}
    lines = [
        f"| class | real | synthetic | {' | '.join(shown)} | no synthesis because |",
        f"| --- | --: | --: | {' | '.join(['--:'] * len(shown))} | --- |",
    ]
    for row in balance.to_dict("records"):
        values = " | ".join(f"{recalls[name][row['label']]:.3f}" for name in shown)
        lines.append(f"| {row['label']} | {row['real']} | {row['synthetic']} | {values} | {row['abstained']} |")
    return lines


def _data_lines(checks: list[dict[str, Any]], removed: dict[str, pd.DataFrame]) -> list[str]:
    lines = ["## The data", ""]
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
