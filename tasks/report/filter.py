"""The part of the report on the filter: what it kept and refused, and why a class has no synthetic images."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from tasks.report.run import read_arrays
from tasks.report.selection import refusal_sentence
from tasks.report.sheets import Cell, Row, draw_sheet
from tasks.report.tables import markdown_table

_SHOWN = 6  # accepted images of a class, after which a gap parts them from refused ones


def abstentions(filtered: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:
    """Why classes that need synthetic images have none, as ends of sentences by class.

    Args:
        filtered: filter.json of `synthesize`, by class.
    """
    return {label: _why(entry) for label, entry in filtered.items() if entry["abstained"]}


def filter_section(folder: Path, synthetic: Path, filtered: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Lines of Markdown; triples.png is written into `folder`.

    Args:
        synthetic: folder that `synthesize` wrote.
    """
    filled = {label: entry for label, entry in filtered.items() if entry["bounds"]}
    if not filled:
        return []
    draw_triples(folder / "triples.png", synthetic, len(filled))
    picture = ["", "![generated images beside the nearest real ones](triples.png)", ""]
    return ["## Filter", "", *filter_lines(filled), *picture]


def filter_lines(filled: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Lines of Markdown on the classes that were filled."""
    rows = []
    for label, entry in filled.items():
        bounds, counts = entry["bounds"], entry["counts"]
        refused = [str(counts.get(reason, 0)) for reason in ("copy", "unlikely", "outlier")]
        distance = f"{bounds['min_distance']:.2f} to {bounds['max_distance']:.2f}"
        row = [label, str(entry["made"]), f"{entry['accepted_share']:.0%}", *refused]
        rows.append([*row, f"{bounds['min_probability']:.3f}", distance, _why(entry) if entry["abstained"] else ""])
    header = ["class", "made", "accepted", "copies", "unlikely", "outliers", "least probability", "distance"]
    return [
        "Kept are images that classifiers of real images, each blind to a part of them, put into their class as",
        "surely as unseen real ones, and that are as far from their nearest real one. Else: copy (too near),",
        "unlikely (another class), outlier (too far).",
        "",
        *markdown_table([*header, "given up because"], rows, text=(0, 8)),
    ]


def draw_triples(path: Path, synthetic: Path, classes: int) -> None:
    """Write a sheet of accepted and refused images, each above the nearest real one.

    Args:
        classes: that were filled; there are examples of the first of them.
    """
    arrays = read_arrays(synthetic / "examples.npz")
    examples = pd.read_csv(synthetic / "examples.csv", dtype={"label": str}, keep_default_na=False)
    rows: list[Row] = []
    for label, of_class in examples.groupby("label", sort=False):
        accepted = of_class.index[of_class["outcome"] == "accepted"]
        refused = of_class.index[of_class["outcome"] != "accepted"]
        columns = [*accepted, *[None] * (_SHOWN + 1 - len(accepted)), *refused]
        made = [None if place is None else _made(arrays["images"][place], of_class.loc[place]) for place in columns]
        nearest = [None if place is None else Cell(arrays["nearest"][place]) for place in columns]
        rows += [Row(f"{label}\ngenerated", made), Row(f"{label}\nnearest real", nearest)]
    shown = examples["label"].nunique()
    more = f" (the first {shown} of {classes} classes)" if shown < classes else ""
    note = "p: probability of the class, d: distance, 1 is usual"
    draw_sheet(path, f"Generated images and the nearest real ones{more}", rows, note, cell_px=96)


def _made(image: Any, example: pd.Series) -> Cell:
    return Cell(image, f"{example['outcome']}\np {example['probability']:.3f}\nd {example['distance']:.2f}")


def _why(entry: Mapping[str, Any]) -> str:
    return _REASONS[entry["abstained"]["code"]](entry["abstained"], entry)


def _accepted(entry: Mapping[str, Any]) -> str:
    counts = entry["counts"]
    refused = ", ".join(f"{counts[outcome]} {outcome}" for outcome in sorted(counts) if outcome != "accepted")
    return f"{counts.get('accepted', 0)} of {entry['made']} generated images were accepted (refused: {refused})"


_REASONS: dict[str, Callable[[Mapping[str, Any], Mapping[str, Any]], str]] = {
    "max_per_real": lambda reason, _: (
        f"synthesize.max_per_real {reason['max_per_real']:g} allows {reason['real']} real images not one"
    ),
    "min_images": lambda reason, _: (
        f"{reason['real']} real images, fewer than synthesize.min_images {reason['min_images']}"
    ),
    "folds": lambda reason, _: (
        f"{reason['differing']} real images that differ, fewer than synthesize.filter.folds {reason['folds']}"
    ),
    "refused": lambda reason, _: refusal_sentence(reason["refused"]),
    "min_acceptance": lambda reason, entry: (
        f"{_accepted(entry)}, a smaller share than synthesize.filter.min_acceptance {reason['min_acceptance']:g}"
    ),
    "max_generated": lambda reason, entry: (
        f"{_accepted(entry)}, fewer than the {reason['wanted']} wanted: synthesize.filter.max_generated allows no more"
    ),
}
