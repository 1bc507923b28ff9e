"""Register: the generator in the MLflow registry, promoted only if it earned a yes and beats the champion."""

from pathlib import Path

from tasks.core.files import read_json
from tasks.core.params import Params
from tasks.registry import registration
from tasks.registry.champion import Registry
from tasks.support.commands import command
from tasks.support.errors import BadInput
from tasks.support.progress import log
from tasks.support.stages import DATA
from tasks.support.versioning import Versions


def register(params: Params, data: Path = DATA) -> str:
    """Lines that say which version the generator is, whether it is champion, and how often test was opened.

    A generator is known by its hash: one that the registry holds is not registered twice. It becomes champion if the
    verdict on it is yes and it beats the champion there is, whose images are tried on today's data. Each decision is
    recorded once, and stands on the page `registration.PAGE` in the project folder, too.

    Raises:
        BadInput: the evaluation is not on the present outputs, or the registry cannot be reached.
    """
    verdict = read_json(data / "evaluation/verdict.json")
    registration.require_present(verdict, data)
    registry = Registry()
    version, new = registry.register(registration.candidacy_of(params, verdict, data))
    decision, before = registration.decide(registry, params, version, verdict, data)
    lines = registration.outcome_line(version, new, decision, before), registration.openings_line(data)
    registration.write_page(registry, *lines)
    return "\n".join(lines)


def _register_current(params: Params) -> None:
    """Register, unless a stage is due: parameters of now would then be compared with classifiers of before."""
    versions = Versions()
    if due := [name for name in versions.order() if not versions.current(name)]:
        raise BadInput(
            f"{', '.join(due)} did not run with the present parameters, code and data: run `dvc repro` first"
        )
    log.info(register(params))


if __name__ == "__main__":
    command(_register_current)
