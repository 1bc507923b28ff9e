"""Registering the generator of the present outputs, and the decision on it."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd

from tasks.core.files import read_json, sha256_of
from tasks.core.params import Params
from tasks.data.manifest import read_manifest, rows_of, rows_sha256
from tasks.evidence.results import hashes_of, read_verdict
from tasks.registry import decisions
from tasks.registry.champion import MODEL, Registry
from tasks.registry.comparison import compare_with, objection
from tasks.registry.decisions import YES, Champions, Decision
from tasks.registry.ledger import openings
from tasks.registry.packaging import Candidacy, Unusable, origin_of
from tasks.report.words import interval, verdict_sentences
from tasks.support.errors import BadInput

PAGE = Path("registry.md")  # what was decided, for people; git ignores it
_MOST_DECISIONS = 20  # on the page


def require_present(verdict: dict[str, Any], data: Path) -> None:
    """Refuse a verdict on anything but the present outputs.

    Raises:
        BadInput: the verdict is on others, or of an earlier format.
    """
    folders = [data / name for name in ("split", "synthetic", "classifiers", "generator")]
    for name, value in hashes_of(*folders).items():
        if verdict.get(name) != value:
            folder = data / name.removesuffix("_sha256")
            raise BadInput(f"{data}/evaluation is the verdict on another {folder}: run `dvc repro` first")


def candidacy_of(params: Params, verdict: dict[str, Any], data: Path) -> Candidacy:
    """The generator in `data`, with what is known of it."""
    generator = data / "generator"
    selection = read_json(generator / "selection.json")
    settings = read_json(generator / "generator.json")
    return Candidacy(
        folder=generator,
        classes=settings["classes"],
        image_shape=(settings["size_px"], settings["size_px"], settings["channels"]),
        origin=origin_of(data, verdict["split_sha256"]),
        tags={
            "synthetic_sha256": verdict["synthetic_sha256"],
            "evaluation_sha256": sha256_of(data / "evaluation"),
            "verdict": verdict["answer"],
            "reasons": " ".join(verdict_sentences(read_verdict(data / "evaluation"))),
            **{f"score_{name}": f"{value:.6g}" for name, value in _numbers(selection["scores"]).items()},
        },
        threads=params.compute.intra_op_threads,
    )


def decide(
    registry: Registry, params: Params, version: str, verdict: dict[str, Any], data: Path
) -> tuple[Decision, str | None]:
    """The decision on a version under the present evidence, one that stands or one taken now; and who was champion."""
    champions, taken = registry.champions(), registry.decisions()
    test = rows_of(read_manifest(data / "split"), "test")
    facts = decisions.facts_of(verdict) | {"test_sha256": rows_sha256(test)}
    if standing := decisions.standing(taken, version, facts, champions.current):
        return standing, champions.current
    if verdict["answer"] == YES:
        decision = _on_yes(registry, params, version, champions, facts, data)
    else:
        successor = registry.usable(champions)[0] if champions.current == version else None
        decision = decisions.on_no(version, champions, successor, facts)
    same, overlapping = _openings(test)
    opened = {"test_opened": same, "overlapping_opened": overlapping}
    decision = replace(decision, facts=decision.facts | opened)
    if not decisions.recorded(taken, decision):  # what the files refuse, or a no, comes to the same each time
        registry.decide(decision, champions)
    return decision, champions.current


def _on_yes(
    registry: Registry, params: Params, version: str, champions: Champions, facts: dict[str, Any], data: Path
) -> Decision:
    champion = champions.current
    try:
        with registry.package(version):
            pass
    except Unusable as error:
        reason = f"{error}: delete that version from the registry, then `make register`"
        return decisions.refused(version, champions, reason, facts)
    if champion is None or champion == version:
        return decisions.on_yes(version, facts)
    try:
        with registry.package(champion) as package:
            if against := objection(package, read_manifest(data / "split"), params.images):
                reason = f"the champion, version {champion}, {against}: `make rollback` retires it"
                return decisions.refused(version, champions, reason, facts)
            gain = compare_with(package, params, facts["pair"][0], data)
    except Unusable as error:
        reason = f"of the champion {error}: restore it, or `make rollback` retires it"
        return decisions.refused(version, champions, reason, facts)
    values = gain.mean, gain.low, gain.high
    sentence = f"over the champion, version {champion}, the balanced accuracy differs by {interval(*values)}"
    more = facts | {"champion_images": gain.images}
    return decisions.on_comparison(version, champions, values, sentence, more)


def outcome_line(version: str, new: bool, decision: Decision, before: str | None) -> str:
    """What became of a version: one line."""
    outcome = "champion" if decision.champion == version else f"not promoted to champion, since {decision.reason}"
    if decision.event == "withdrawn":
        outcome = f"no longer champion, since {decision.reason}"
    if decision.champion == version != before:
        outcome = "promoted to champion"
    return f"{MODEL} version {version} ({'new' if new else 'already registered'}): candidate, {outcome}"


def openings_line(data: Path) -> str:
    """How often the test images were opened: one line."""
    same, overlapping = _openings(rows_of(read_manifest(data / "split"), "test"))
    line = f"test images: opened {'once' if same == 1 else f'{same} times'} here (ledger.jsonl)"
    return f"{line}, {overlapping} more in test sets that share some with these" if overlapping else line


def write_page(registry: Registry, *lines: str) -> None:
    """Write what a command says, who is champion, and the last decisions with their reasons to `PAGE`."""
    taken, champions = registry.decisions(), registry.champions()
    champion = f"version {champions.current} is champion" if champions.current else "there is no champion"
    shown = [
        f"- version {decision.version or 'none'} {decision.event}: {decision.reason}"
        for decision in reversed(taken[-_MOST_DECISIONS:])
    ]
    text = [f"# {MODEL}: {champion}", "", *(f"{line}\n" for line in lines), "## Decisions, the last one first", ""]
    PAGE.write_text("\n".join([*text, *shown, ""]), encoding="utf-8")


def _openings(test: pd.DataFrame) -> tuple[int, int]:
    return openings(rows_sha256(test), test["sha256"])


def _numbers(scores: dict[str, Any]) -> dict[str, float]:
    return {name: value for name, value in scores.items() if isinstance(value, int | float)}
