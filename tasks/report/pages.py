"""The report's first page: the verdict, the numbers behind it, and where to look further."""

from pathlib import Path

import numpy as np
import pandas as pd

from tasks.core.params.classifiers import free_arms, generative_arms
from tasks.report.data import data_section
from tasks.report.filter import abstentions
from tasks.report.generator import generator_section
from tasks.report.plots import draw_arms, draw_confusions
from tasks.report.run import Run
from tasks.report.tables import arms_table, by_class_tables, conditions_table, natural_table, recalls_table
from tasks.report.training import arms_section, curves_section, overfitting_section
from tasks.report.words import verdict_sentences


def write_pages(folder: Path, run: Run) -> None:
    """Write report.md, summary.txt, curves.csv and confusion.csv for `dvc plots`, pages and pictures into `folder`."""
    lines = [
        *_verdict_section(run),
        *_arms_section(folder, run),
        *_classes_section(folder, run),
        *generator_section(folder, run),
        *curves_section(folder, run),
        *overfitting_section(folder, run),
        *arms_section(folder, run),
        *data_section(folder, run),
    ]
    (folder / "report.md").write_text("\n".join(lines) + "\n", encoding="utf-8")
    (folder / "summary.txt").write_text("\n".join(_summary(run)) + "\n", encoding="utf-8")


def _reasons(run: Run) -> list[str]:
    """Sentences behind the verdict, and on classes that should have synthetic images and have none."""
    missing = [f"No images of class {label} were made: {why}." for label, why in abstentions(run.filtered).items()]
    return verdict_sentences(run.comparison.verdict) + missing


def _summary(run: Run) -> list[str]:
    arms = run.comparison.arms
    width = max(len(name) for name in arms)
    header = f"{'arm'.ljust(width)}  balanced accuracy on test (mean ± spread over seeds)"
    rows = [f"{name.ljust(width)}  {arm.test.mean:.4f} ± {arm.test.spread:.4f}" for name, arm in arms.items()]
    return [header, *rows, f"verdict: {run.comparison.verdict.answer}", *_reasons(run)]


def _verdict_section(run: Run) -> list[str]:
    arms, resamples = run.params.arms, run.params.evaluate.resamples
    images = np.sum(run.comparison.majority.test.confusion)
    return [
        f"# Verdict: {run.comparison.verdict.answer}",
        "",
        *(f"{reason}\n" for reason in _reasons(run)),
        f"The two arms were chosen on validation alone: one of {len(generative_arms(arms))} with and one of",
        f"{len(free_arms(arms))} without synthetic images. {run.seeds} paired seeds, {images} test images,",
        f"{resamples} two-level bootstrap resamples (seeds, and test images within classes).",
        "A yes needs all of these; rare classes are those with fewer training images than the mean: "
        f"{', '.join(run.comparison.rare)}.",
        "",
        *conditions_table(run.comparison),
        "",
        *_resolution_lines(run, int(images)),
        "",
    ]


def _resolution_lines(run: Run, images: int) -> list[str]:
    """What it would take to know the difference to one point."""
    needed, confidence = run.comparison.resolution, run.comparison.verdict.confidence
    seeds = f"{needed.seeds} seeds" if needed.seeds else "no number of seeds"
    more = f"{needed.images} test images" if needed.images else "no number of test images"
    return [
        f"To know the difference to ±{needed.width:g} ({confidence:.0%}), it would take {seeds} with these {images}",
        f"test images, or {more} with these {run.seeds} seeds.",
    ]


def _arms_section(folder: Path, run: Run) -> list[str]:
    arms, evaluate = run.comparison.arms, run.params.evaluate
    draw_arms(folder / "arms.png", {name: arm.test.balanced for name, arm in arms.items()}, "balanced accuracy on test")
    gap = f" Share of the gap: from {evaluate.baseline} (0) to {evaluate.oracle} (1)." if evaluate.oracle else ""
    return [
        "## Arms",
        "",
        f"Means over {run.seeds} seeds on test, and the spread of the balanced accuracy over them.{gap} ECE: expected",
        "calibration error, before and after temperature scaling. Overfitting: accuracy on training batches, which are",
        "mixed and changed in some arms, less that on validation. p: of the sign-flip test against",
        f"{run.pair[1]}, adjusted after Holm; it describes and does not decide.",
        "The majority always names the class with the most training images.",
        "",
        *arms_table(run.comparison),
        "",
        "![balanced accuracy of each arm and seed](arms.png)",
        "",
        f"On the {np.sum(run.comparison.majority.natural.confusion)} test images that are as imbalanced as train:",
        "",
        *natural_table(run.comparison),
        "",
    ]


def _classes_section(folder: Path, run: Run) -> list[str]:
    for name, part in (("confusion", "test"), ("confusion_natural", "natural")):
        matrices = {
            arm: np.array(getattr(result, part).confusion, np.float64) for arm, result in run.comparison.arms.items()
        }
        draw_confusions(folder / f"{name}.png", matrices, run.classes)
    _write_confusion(folder / "confusion.csv", run)
    return [
        "## Classes",
        "",
        f"Recall of {run.pair[0]} less that of {run.pair[1]}; p adjusted after Holm over the classes.",
        "",
        *recalls_table(run.comparison, run.balance, abstentions(run.filtered)),
        "",
        *by_class_tables(run.comparison),
        "![confusion matrices](confusion.png)",
        "",
        "![confusion matrices on the naturally imbalanced images](confusion_natural.png)",
        "",
    ]


def _write_confusion(path: Path, run: Run) -> None:
    """One row for each prediction of the arm with synthetic images."""
    confusion, names = np.array(run.comparison.arms[run.pair[0]].test.confusion), np.array(run.classes)
    true, predicted = np.repeat(np.stack(np.nonzero(confusion)), confusion[confusion > 0], axis=1)
    pd.DataFrame({"actual": names[true], "predicted": names[predicted]}).to_csv(path, index=False)
