"""Rollback: the champion before this one takes its place again."""

from tasks.registry.champion import MODEL, Registry
from tasks.registry.decisions import Decision
from tasks.registry.registration import write_page
from tasks.support.commands import command
from tasks.support.errors import BadInput
from tasks.support.progress import log


def rollback() -> str:
    """One line that says who is champion now: the last one before whose files are as registered, or none.

    The generator that was rolled back is not promoted again under the same evidence.

    Raises:
        BadInput: there is no champion and none before, or the registry cannot be reached.
    """
    registry = Registry()
    champions = registry.champions()
    leaving, (target, passed_over) = champions.current, registry.usable(champions)
    if leaving is None and target is None:
        raise BadInput("; ".join([*passed_over, "there is no champion and none before: nothing can be rolled back"]))
    if leaving is None:
        decision = Decision("restored", target, target, "; ".join(["there was no champion", *passed_over]), {})
    else:
        reason = "; ".join([f"version {leaving} was rolled back", *passed_over])
        decision = Decision("rolled back", leaving, target, reason, _evidence_on(registry, leaving))
    registry.decide(decision, champions)
    present = f"version {target} is champion again" if target else "there is no champion now"
    line = f"{MODEL}: {decision.reason}; {present}"
    write_page(registry, line)
    return line


def _evidence_on(registry: Registry, version: str) -> dict[str, object]:
    """The facts of the last decision on a version that rests on evidence."""
    facts = [one.facts for one in registry.decisions() if one.version == version and "evidence_sha256" in one.facts]
    return facts[-1] if facts else {}


if __name__ == "__main__":
    command(lambda _: log.info(rollback()))
