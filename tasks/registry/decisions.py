"""Who is champion, and who was before: what follows from the decisions on it. Nothing here asks MLflow or a file."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args

Event = Literal["promoted", "not promoted", "withdrawn", "rolled back", "restored", "moved by hand"]
YES = "synthesise"
# What a verdict says in numbers. Its thresholds and answer are no evidence: they say what somebody makes of it.
EVIDENCE = ("pair", "means", "gain", "sign_flip_p", "rare", "others", "calibration", "twin", "over_twin", "confidence")
_FORMAT = 2  # of decisions in the registry; those without one have hashes of other things


class EarlierFormat(Exception):
    """A decision that another Equipoise wrote."""


@dataclass(frozen=True)
class Decision:
    """What became of a version.

    Attributes:
        version: None where somebody removed the alias.
        champion: the version that is champion from then on.
        facts: hashes and numbers on which it rests; see `facts_of`.
    """

    event: Event
    version: str | None
    champion: str | None
    reason: str
    facts: dict[str, Any]


@dataclass(frozen=True)
class Champions:
    """The present champion, and those before it, the oldest first: each once, without those that left for good."""

    current: str | None
    earlier: tuple[str, ...]


def to_text(decision: Decision) -> str:
    """A decision as one line of JSON."""
    return json.dumps(asdict(decision) | {"format": _FORMAT}, sort_keys=True, allow_nan=False)


def from_text(text: str) -> Decision:
    """The decision of a line that `to_text` wrote.

    Raises:
        EarlierFormat: it did not.
    """
    try:
        values = json.loads(text)
        if values.pop("format") != _FORMAT or values["event"] not in get_args(Event):
            raise EarlierFormat(text)
        return Decision(**values)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise EarlierFormat(text) from error


def champions_after(decisions: Sequence[Decision]) -> Champions:
    """Who is champion after these decisions, the oldest first."""
    champions = Champions(None, ())
    for decision in decisions:
        champions = _after(champions, decision)
    return champions


def _after(champions: Champions, decision: Decision) -> Champions:
    champion = decision.champion
    if champion == champions.current:
        return champions
    if decision.event in ("promoted", "moved by hand"):
        before = [version for version in (*champions.earlier, champions.current) if version != champion]
        return Champions(champion, tuple(version for version in before if version))
    if champion in champions.earlier:  # those between were passed over
        return Champions(champion, champions.earlier[: champions.earlier.index(champion)])
    return Champions(champion, ())


def facts_of(verdict: Mapping[str, Any]) -> dict[str, Any]:
    """What a decision rests on in a verdict: `evidence_sha256` identifies its numbers, whatever answer they were given.

    Args:
        verdict: verdict.json of `evaluate`.
    """
    numbers = json.dumps({name: verdict[name] for name in EVIDENCE}, sort_keys=True)
    gain = {name: verdict["gain"][name] for name in ("mean", "low", "high")}
    return {
        "evidence_sha256": hashlib.sha256(numbers.encode()).hexdigest(),
        "answer": verdict["answer"],
        "generator_sha256": verdict["generator_sha256"],
        "split_sha256": verdict["split_sha256"],
        "pair": verdict["pair"],
        "gain": gain | {"sign_flip_p": verdict["sign_flip_p"]},
    }


def standing(
    decisions: Sequence[Decision], version: str, facts: Mapping[str, Any], champion: str | None
) -> Decision | None:
    """The last decision on a version that needs no other one under the same facts and champion, or None.

    A rollback of a generator stands under the same evidence, whoever else is champion, under whatever version the
    generator was registered, and whatever answer the evidence is given. All else stands only while the answer is the
    same: a promotion while it lasts, a withdrawal until the version is champion again, and a comparison against the
    champion with which it was made. What was refused for want of files does not stand.
    """

    def same(decision: Decision, *names: str) -> bool:
        return all(name in decision.facts and decision.facts[name] == facts[name] for name in names)

    rolled_back = [one for one in decisions if one.event == "rolled back" and same(one, *_ROLLED_BACK)]
    if rolled_back and champion != version:
        return rolled_back[-1]
    of_version = [one for one in decisions if one.version == version]
    if not of_version or not same(of_version[-1], "evidence_sha256", "answer"):
        return None
    last = of_version[-1]
    if last.event in ("promoted", "withdrawn"):
        return last if (champion == version) == (last.event == "promoted") else None
    return last if "over_champion" in last.facts and last.champion == champion else None


_ROLLED_BACK = ("generator_sha256", "evidence_sha256")


def on_no(version: str, champions: Champions, successor: str | None, facts: dict[str, Any]) -> Decision:
    """The decision on a version under a verdict that is no: a champion makes room for its successor."""
    if champions.current == version:
        return Decision("withdrawn", version, successor, "the verdict on it is no", facts)
    return refused(version, champions, "the verdict on it is no", facts)


def on_yes(version: str, facts: dict[str, Any]) -> Decision:
    """The decision on a version that earned a yes where there is no other champion."""
    return Decision("promoted", version, version, "the verdict on it is yes", facts)


def on_comparison(
    version: str, champions: Champions, gain: tuple[float, float, float], sentence: str, facts: dict[str, Any]
) -> Decision:
    """The decision on a version that earned a yes, after a comparison with the champion.

    It is promoted if the whole interval of the difference lies above 0.

    Args:
        gain: difference of balanced accuracies, and the bounds of its interval; `sentence` says it.
    """
    facts = facts | {"over_champion": list(gain)}
    if gain[1] > 0:
        return Decision("promoted", version, version, f"the verdict on it is yes, and {sentence}", facts)
    return refused(version, champions, f"{sentence}, so that it is not shown to be better", facts)


def refused(version: str, champions: Champions, reason: str, facts: dict[str, Any]) -> Decision:
    """The decision that all stays as it is."""
    return Decision("not promoted", version, champions.current, reason, facts)


def recorded(decisions: Sequence[Decision], decision: Decision) -> bool:
    """Whether the last decision on a version says this already."""
    last = next((one for one in reversed(decisions) if one.version == decision.version), None)
    return last is not None and _essence(last) == _essence(decision)


def _essence(decision: Decision) -> tuple[Any, ...]:
    evidence = [decision.facts.get(name) for name in ("evidence_sha256", "answer")]
    return decision.event, decision.champion, decision.reason, *evidence
