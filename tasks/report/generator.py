"""What the report says of the generator: which was chosen and why, what each snapshot scored, what the filter kept."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from tasks.gan.scores import Interval

PICTURES = {  # of the report, and where they are made
    "generated.png": "generator/grid.png",
    "scores.png": "generator/scores.png",
    "triples.png": "synthetic/triples.png",
}
_MOST_REASONS = 20


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
    lines = [
        "| snapshot | KID | CAS | of | least diversity | least coverage | classes refused |",
        "| --- | --: | --: | --- | --: | --: | --: |",
    ]
    for row in scores[scores["cas"].notna()].to_dict("records"):
        name = f"{row['candidate']} seed {row['seed']} epoch {row['epoch']}"
        lines.append(
            f"| {f'**{name}**' if row['chosen'] else name} "
            f"| {Interval(row['kid'], row['kid_low'], row['kid_high'])} | {row['cas']:.4f} | {row['cas_classes']} "
            f"| {_number(row.get('diversity_least'))} | {_number(row.get('coverage_least'))} | {row['refused']:.0f} |"
        )
    return lines


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
