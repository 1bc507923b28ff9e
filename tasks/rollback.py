"""Rollback: the champion before this one takes its place again."""

from tasks.registry.champion import MODEL, Registry, Unusable
from tasks.registry.decisions import Decision, Office
from tasks.support.commands import command
from tasks.support.errors import BadInput
from tasks.support.progress import log


def rollback() -> str:
    """One line that says who is champion now: the last one before whose files are as registered, or none.

    The version that was rolled back is not promoted again under the same evidence.

    Raises:
        BadInput: there is no champion and none before, or the registry cannot be reached.
    """
    registry = Registry()
    office = registry.office()
    leaving, (target, passed) = office.champion, usable(registry, office)
    if leaving is None and target is None:
        raise BadInput("; ".join([*passed, "there is no champion and none before: nothing can be rolled back"]))
    if leaving is None:
        decision = Decision("restored", target, target, "; ".join(["there was no champion", *passed]), {})
    else:
        evidence = [
            each.facts for each in registry.decisions() if each.version == leaving and "evidence_sha256" in each.facts
        ]
        reason = "; ".join([f"version {leaving} was rolled back", *passed])
        decision = Decision("rolled back", leaving, target, reason, evidence[-1] if evidence else {})
    registry.decide(decision, office)
    return (
        f"{MODEL}: {decision.reason}; {f'version {target} is champion again' if target else 'there is no champion now'}"
    )


def usable(registry: Registry, office: Office) -> tuple[str | None, list[str]]:
    """The last version before the champion whose files are as registered, or None; and what is wrong with others."""
    passed: list[str] = []
    for version in reversed(office.earlier):
        try:
            with registry.files(version):
                return version, passed
        except Unusable as error:
            passed.append(f"{error}")
    return None, passed


if __name__ == "__main__":
    command(lambda _: log.info(rollback()))
