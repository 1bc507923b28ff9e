"""The words for a selection: why a snapshot became the generator, why no other did, what guards refuse."""

from collections.abc import Callable, Mapping
from typing import Any

import pandas as pd

from tasks.report.tables import markdown_table

_MOST_REASONS = 20


def refusal_sentence(refusal: Mapping[str, Any]) -> str:
    """What a guard has against the images of a class, as the end of a sentence."""
    return _REFUSALS[refusal["guard"]](refusal)


def why_chosen(selection: Mapping[str, Any]) -> str:
    """Why the generator was chosen, in a sentence or two.

    Args:
        selection: selection.json of `select_generator`.
    """
    why, scores = selection["reason"], selection["scores"]
    first = "alone passes"
    if why["code"] == "highest_cas":
        first = f"has the highest CAS of the {why['rivals']} snapshots that pass"
    kid = _interval(scores["kid"], scores.get("kid_low"), scores.get("kid_high"))
    sentence = (
        f"{_name(selection)} {first} the guards in most of the classes that need images, {why['passed']} of "
        f"{why['needed']}: CAS {scores['cas']:.4f}, KID {kid}."
    )
    refused = {label: scores["refused"] for label, scores in selection["classes"].items() if scores["refused"]}
    made = {label: refusal for label, refusal in refused.items() if refusal["guard"] != "not_made"}
    return f"{sentence} Refused {_refused(made)}." if made else sentence


def why_not(loser: Mapping[str, Any], selection: Mapping[str, Any]) -> str:
    """Why a snapshot, or a training that left none, was not chosen.

    Args:
        loser: one of the losers of `selection`.
    """
    reason, winner = loser["reason"], _name(selection)
    match reason["code"]:
        case "no_snapshot":
            stops = "; ".join(
                f"{alarm['detector'].replace('_', ' ')} ({alarm['part']}, epoch {alarm['epoch']})"
                for alarm in reason["alarms"]
            )
            return f"stopped before its first snapshot: {stops}"
        case "kid_not_lowest":
            return f"KID {loser['kid']:.4f} is not among the {reason['snapshots']} lowest of its training"
        case "guards":
            lacks = (
                f"refused {_refused(reason['refused'])}" if reason["refused"] else "it makes no images of the others"
            )
            return (
                f"passes the guards in {reason['passed']} of the classes that need images, {winner} in "
                f"{reason['most']}: {lacks}"
            )
        case "lower_cas":
            return f"CAS {loser['cas']:.4f} below {reason['winner']:.4f} of {winner}"
        case "higher_kid":
            return f"CAS as high as that of {winner}, KID {loser['kid']:.4f} above {reason['winner']:.4f}"
        case _:
            return f"CAS and KID are those of {winner}, which comes first"


def selection_lines(selection: Mapping[str, Any], scores: pd.DataFrame) -> list[str]:
    """Lines of Markdown on what was chosen, what each snapshot scored, and why the others were not chosen.

    Args:
        selection: selection.json of `select_generator`, and scores its table of snapshots, a row each.
    """
    return [
        why_chosen(selection),
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
        *_loser_lines(selection),
        "",
    ]


_REFUSALS: dict[str, Callable[[Mapping[str, Any]], str]] = {
    "not_made": lambda _: "the generator makes no images of it",
    "collapsed": lambda numbers: (
        f"collapsed: {_both(numbers['diversity'])} times as varied as real images, below {numbers['min_diversity']:g}"
    ),
    "unlike": lambda numbers: (
        f"unlike the class: KID is {_both(numbers['kid_share'])} times that of noise, above {numbers['max_kid']:g}"
    ),
    "copies": lambda numbers: (
        f"copies training images: C_T is {_both(numbers['c_t'])}, below {numbers['min_c_t']:g}, and authenticity "
        f"{_both(numbers['authenticity'])}, below {numbers['min_authenticity']:g}"
    ),
    "misses": lambda numbers: (
        f"misses much of the class{_together(numbers['pooled'])}: covers {_both(numbers['coverage'])} times as many "
        f"validation images as training images do, below {numbers['min_coverage']:g}"
    ),
}


def _both(values: Mapping[str, float]) -> str:
    return f"{values['evaluator']:.2f} (evaluator) and {values['random_networks']:.2f} (random networks)"


def _together(pooled: list[str]) -> str:
    return f" (classes {', '.join(pooled)} together)" if pooled else ""


def _refused(refused: Mapping[str, Mapping[str, Any]]) -> str:
    return "; ".join(f"in class {label} {refusal_sentence(refusal)}" for label, refusal in refused.items())


def _name(snapshot: Mapping[Any, Any]) -> str:
    epoch = "" if snapshot["epoch"] is None else f" epoch {snapshot['epoch']}"
    return f"{snapshot['candidate']} seed {snapshot['seed']}{epoch}"


def _interval(value: float, low: float | None, high: float | None) -> str:
    known = low is not None and high is not None and not pd.isna(low)
    return f"{value:.4f} [{low:.4f}, {high:.4f}]" if known else f"{value:.4f} [unknown]"


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


def _scores_table(scores: pd.DataFrame) -> list[str]:
    rows = []
    for row in scores[scores["cas"].notna()].to_dict("records"):
        name = f"**{_name(row)}**" if row["chosen"] else _name(row)
        kid = _interval(row["kid"], row["kid_low"], row["kid_high"])
        least = [_number(row.get(f"{score}_least")) for score in ("diversity", "coverage")]
        rows.append([name, kid, f"{row['cas']:.4f}", row["cas_classes"], *least, f"{row['refused']:.0f}"])
    header = ["snapshot", "KID", "CAS", "of", "least diversity", "least coverage", "classes refused"]
    return markdown_table(header, rows, text=(0, 3))


def _number(value: float | None) -> str:
    return "unknown" if value is None or pd.isna(value) else f"{value:.2f}"


def _loser_lines(selection: Mapping[str, Any]) -> list[str]:
    losers = selection["losers"]
    stopped = [loser for loser in losers if loser["epoch"] is None]
    measured = [loser for loser in losers if loser["cas"] is not None]
    rest = len(losers) - len(stopped) - len(measured)
    shown = [*stopped, *measured][:_MOST_REASONS]
    cut = len(stopped) + len(measured) - len(shown)
    lines = [f"- {_name(loser)}: {why_not(loser, selection)}" for loser in shown]
    lines += [f"- {cut} more, in data/generator/selection.json"] if cut else []
    return [*lines, *([f"- {rest} more: their KID is not among the lowest of their training"] if rest else [])]
