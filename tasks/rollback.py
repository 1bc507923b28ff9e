"""Rollback: the champion before this one takes its place again."""

from tasks.support.commands import command
from tasks.support.errors import BadInput
from tasks.support.progress import log
from tasks.support.registry import MODEL, Decision, Registry, Unusable


def rollback() -> str:
    """One line that says who is champion now: the last one before whose files are as registered, or none.

    The version that was rolled back is not promoted again under the same report.

    Raises:
        BadInput: there is no champion and none before, or the registry cannot be reached.
    """
    registry = Registry()
    champion, earlier, decisions = _in_office(registry)
    skipped, target = [], None
    while earlier and target is None:
        target = earlier.pop()
        try:
            with registry.files(target):
                pass
        except Unusable as error:
            skipped.append(f"{error}")
            target = None
    leaving = champion or decisions[-1].version
    reason = "; ".join([f"version {leaving} was rolled back", *skipped])
    facts = next((each.facts for each in reversed(decisions) if each.version == leaving), {})
    registry.decide(Decision("rolled back", leaving, reason, target, earlier, facts))
    return f"{MODEL}: {reason}; {f'version {target} is champion again' if target else 'there is no champion now'}"


def _in_office(registry: Registry) -> tuple[str | None, list[str], list[Decision]]:
    """The champion, those before it, and all decisions."""
    decisions = registry.decisions()
    if decisions:
        last = decisions[-1]
        try:
            champion = registry.champion()
        except Unusable:  # it was deleted: those before it are still there
            champion = last.champion
        earlier = list(last.earlier)
        if last.champion and last.champion != champion:  # somebody moved the alias by hand
            earlier.append(last.champion)
        if champion or earlier:
            return champion, earlier, decisions
    raise BadInput("there is no champion and none before: nothing can be rolled back")


if __name__ == "__main__":
    command(lambda _: log.info(rollback()))
