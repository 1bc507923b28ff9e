"""The part of the report on the generator: which was chosen and why, what snapshots scored, what the filter kept."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from tasks.core.files import read_json
from tasks.report.candidates import draw_samples, write_candidates
from tasks.report.plots import draw_scores
from tasks.report.run import Run
from tasks.report.tables import markdown_table

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
        selection["reason"],
        "",
        "KID is against validation images, in the mean over a classifier's and several random networks' features, with",
        "its 95% interval; CAS is the balanced accuracy on validation of a classifier that learnt from generated",
        "images of the classes named, and from real ones of all others. Coverage is a share of what real images cover.",
        "",
        *_pool_lines(selection),
        *_scores_table(scores),
        "",
        "![scores of all snapshots](scores.png)",
        "",
        "Why the others were not chosen:",
        "",
        *_losers(selection["losers"]),
        "",
        *_alarms(selection["alarms"]),
        "![what the chosen generator makes](generated.png)",
        "",
        *_filter_lines(filtered),
    ]


def _scores_table(scores: pd.DataFrame) -> list[str]:
    rows = []
    for row in scores[scores["cas"].notna()].to_dict("records"):
        name = f"{row['candidate']} seed {row['seed']} epoch {row['epoch']}"
        kid = f"{row['kid']:.4f} [{row['kid_low']:.4f}, {row['kid_high']:.4f}]"
        least = [_number(row.get(f"{score}_least")) for score in ("diversity", "coverage")]
        cas = [f"{row['cas']:.4f}", row["cas_classes"]]
        rows.append([f"**{name}**" if row["chosen"] else name, kid, *cas, *least, f"{row['refused']:.0f}"])
    header = ["snapshot", "KID", "CAS", "of", "least diversity", "least coverage", "classes refused"]
    return markdown_table(header, rows, text=(0, 3))


def _pool_lines(selection: Mapping[str, Any]) -> list[str]:
    """What to think of the coverage of small classes."""
    pooled = selection["pooled"]
    if not pooled:
        return []
    together = selection["classes"][pooled[0]]["held_out"]
    return [
        f"Coverage and density of {', '.join(pooled)} are taken together, {together} validation images in all: of so",
        "few in each class they would mean little.",
        "",
    ]


def _number(value: float | None) -> str:
    return "unknown" if value is None or pd.isna(value) else f"{value:.2f}"


def _losers(losers: list[dict[str, Any]]) -> list[str]:
    def told(each: dict[str, Any]) -> str:
        epoch = "" if each["epoch"] is None else f" epoch {each['epoch']}"
        return f"- {each['candidate']} seed {each['seed']}{epoch}: {each['reason']}"

    stopped = [each for each in losers if each["epoch"] is None]
    measured = [each for each in losers if each["cas"] is not None]
    rest = len(losers) - len(stopped) - len(measured)
    shown = [*stopped, *measured][:_MOST_REASONS]
    cut = len(stopped) + len(measured) - len(shown)
    lines = [told(each) for each in shown]
    lines += [f"- {cut} more, in data/generator/selection.json"] if cut else []
    return [*lines, *([f"- {rest} more: their KID is not among the lowest of their training"] if rest else [])]


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
