"""The part of the report on the generator: which was chosen and why, what snapshots scored, what the filter kept."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from tasks.core.files import read_json
from tasks.report.candidates import draw_samples, write_candidates
from tasks.report.plots import draw_scores
from tasks.report.run import Run
from tasks.report.selection import selection_lines

_MOST_REASONS = 20


def generator_section(folder: Path, run: Run) -> list[str]:
    """Lines of Markdown; generated.png, scores.png and the candidates' pages are written into `folder`."""
    generator = run.folders.generator
    draw_scores(folder / "scores.png", run.scores)
    classes = read_json(generator / "generator.json")["classes"]
    draw_samples(folder / "generated.png", generator / "samples.npz", classes, "generated, by class")
    return [
        "## Generator",
        "",
        *generator_lines(run.selection, run.scores, run.filtered),
        *write_candidates(folder, run.folders.generators, list(run.params.candidates)),
    ]


def abstentions(run: Run) -> dict[str, str]:
    """Why a class has no synthetic images, by class."""
    rows = run.balance[run.balance["abstained"] != ""]
    return dict(zip(rows["label"], rows["abstained"], strict=True))


def generator_lines(
    selection: Mapping[str, Any], scores: pd.DataFrame, filtered: Mapping[str, Mapping[str, Any]]
) -> list[str]:
    """Lines of Markdown.

    Args:
        selection: selection.json of `select_generator`, and scores its table of snapshots, a row each.
        filtered: filter.json of `synthesize`, by class.
    """
    return [
        *selection_lines(selection, scores),
        *_alarms(selection["alarms"]),
        "![what the chosen generator makes](generated.png)",
        "",
        *_filter_lines(filtered),
    ]


def _alarms(alarms: list[dict[str, Any]]) -> list[str]:
    if not alarms:
        return []
    lines = [
        f"- {each['candidate']} ({each['part']}, seed {each['seed']}), epoch {each['epoch']}: {each['sentence']}"
        for each in alarms[:_MOST_REASONS]
    ]
    more = [f"- {len(alarms) - _MOST_REASONS} more"] if len(alarms) > _MOST_REASONS else []
    return ["What the detectors saw in training:", "", *lines, *more, ""]


def _filter_lines(filtered: Mapping[str, Mapping[str, Any]]) -> list[str]:
    if not filtered:
        return []
    lines = [
        "## Filter",
        "",
        "Kept are images that classifiers of real images, each blind to a part of them, put into their class as",
        "surely as unseen real ones, and that are as far from their nearest real one. Else: copy (too near),",
        "unlikely (another class), outlier (too far).",
        "",
        "| class | made | accepted | copies | unlikely | outliers | least probability | distance | given up because |",
        "| --- | --: | --: | --: | --: | --: | --: | --: | --- |",
    ]
    for label, each in filtered.items():
        refused = " | ".join(str(each["counts"].get(reason, 0)) for reason in ("copy", "unlikely", "outlier"))
        lines.append(
            f"| {label} | {each['made']} | {each['accepted_share']:.0%} | {refused} | {each['min_probability']:.3f} "
            f"| {each['min_distance']:.2f} to {each['max_distance']:.2f} | {each['abstained'] or ''} |"
        )
    return [*lines, "", "![generated images beside the nearest real ones](triples.png)", ""]
