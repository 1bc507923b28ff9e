"""Who is champion, and who was before: told by the decisions on it, one after the other."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

Event = Literal["promoted", "not promoted", "withdrawn", "rolled back", "restored", "moved by hand"]


@dataclass(frozen=True)
class Decision:
    """What became of a version.

    Attributes:
        version: None where somebody removed the alias.
        champion: the version in office from then on.
        facts: hashes and numbers on which it rests; `evidence_sha256` is of the verdict and its numbers.
    """

    event: Event
    version: str | None
    champion: str | None
    reason: str
    facts: dict[str, Any]


@dataclass(frozen=True)
class Office:
    """The champion, and those before it, the oldest first: each once, without those that left for good."""

    champion: str | None
    earlier: tuple[str, ...]


def office(decisions: Sequence[Decision]) -> Office:
    """Who is in office after these decisions, the oldest first."""
    now = Office(None, ())
    for decision in decisions:
        now = _after(now, decision)
    return now


def _after(now: Office, decision: Decision) -> Office:
    champion = decision.champion
    if champion == now.champion:
        return now
    if decision.event in ("promoted", "moved by hand"):
        before = tuple(version for version in (*now.earlier, now.champion) if version not in (champion, None))
        return Office(champion, tuple(version for version in before if version))
    if champion in now.earlier:  # those between did not serve
        return Office(champion, now.earlier[: now.earlier.index(champion)])
    return Office(champion, ())


def stands(decisions: Sequence[Decision], version: str, evidence_sha256: str, champion: str | None) -> Decision | None:
    """The last decision on a version that needs no other one under the same evidence and champion, or None.

    A rollback stands whoever else is champion, a promotion while it lasts, a withdrawal until it is champion again, and
    a comparison against the champion with which it was made. What was refused for want of files does not.
    """
    on_it = [each for each in decisions if each.version == version]
    same = [each for each in on_it if each.facts.get("evidence_sha256") == evidence_sha256]
    rolled_back = [each for each in same if each.event == "rolled back"]
    if rolled_back and champion != version:
        return rolled_back[-1]
    if not same or same[-1] is not on_it[-1]:
        return None
    last = same[-1]
    if last.event in ("promoted", "withdrawn"):
        return last if (champion == version) == (last.event == "promoted") else None
    return last if "over_champion" in last.facts and last.champion == champion else None
