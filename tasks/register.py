"""Register: the generator in the MLflow registry, promoted only if it earned a yes and beats the champion."""

import hashlib
import json
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import pandas as pd

from tasks.challenge import challenge, objection
from tasks.core.files import read_json, sha256_of
from tasks.core.params import Params
from tasks.data.manifest import read_manifest, rows_of, rows_sha256
from tasks.evidence.results import hashes_of, read_verdict
from tasks.registry.champion import MODEL, Candidacy, Registry, Unusable
from tasks.registry.decisions import Decision, Event, Office, stands
from tasks.registry.ledger import openings
from tasks.report.words import interval, verdict_sentences
from tasks.rollback import usable
from tasks.support.commands import command
from tasks.support.errors import BadInput
from tasks.support.progress import log
from tasks.support.versioning import Versions

PROJECT = Path(__file__).parents[1]
CODE = [  # what loading and using a generator imports
    "tasks/__init__.py",
    "tasks/core/__init__.py",
    "tasks/core/files.py",
    "tasks/networks/__init__.py",
    "tasks/networks/checkpoints.py",
    "tasks/networks/conditional.py",
    "tasks/networks/dcgan.py",
    "tasks/networks/layers.py",
    "tasks/networks/checkpoints.py",
    "tasks/networks/sampling.py",
    "tasks/networks/serving.py",
    "tasks/support/__init__.py",
    "tasks/support/errors.py",
    "tasks/networks/quiet.py",
    "tasks/networks/ranges.py",
    "tasks/networks/resolution.py",
    "tasks/networks/weights.py",
]


def register(params: Params, data: Path = Path("data")) -> str:
    """Lines that say which version the generator is, whether it is champion, and how often test was opened.

    A generator is found by the hash of its files: one that the registry holds is not registered twice. It becomes
    champion if the verdict on it is yes and it beats the champion there is, whose images are tried on today's data.
    Each decision is recorded once.

    Raises:
        BadInput: the report is not on the present outputs, or the registry cannot be reached.
    """
    verdict = read_json(data / "evaluation/verdict.json")
    folders = [data / name for name in ("split", "synthetic", "classifiers", "generator")]
    for name, value in hashes_of(*folders).items():
        if verdict[name] != value:
            folder = data / name.removesuffix("_sha256")
            raise BadInput(f"{data}/evaluation is the verdict on another {folder}: run `dvc repro` first")
    registry = Registry()
    with tempfile.TemporaryDirectory() as temporary:
        version, new = registry.register(_candidacy(data, verdict, _package(Path(temporary))))
    test = rows_of(read_manifest(data / "split"), "test")
    decision, before = _decide(registry, params, version, verdict, test, data)
    outcome = "champion" if decision.champion == version else f"not promoted to champion, since {decision.reason}"
    if decision.event == "withdrawn":
        outcome = f"no longer champion, since {decision.reason}"
    if decision.champion == version != before:
        outcome = "promoted to champion"
    known = "new" if new else "already registered"
    return f"{MODEL} version {version} ({known}): candidate, {outcome}\n{_wear(test)}"


def _candidacy(data: Path, verdict: dict[str, Any], code: Path) -> Candidacy:
    generator = data / "generator"
    settings, selection = read_json(generator / "generator.json"), read_json(generator / "selection.json")
    return Candidacy(
        folder=generator,
        code=code,
        classes=settings["classes"],
        image_shape=(settings["size_px"], settings["size_px"], settings["channels"]),
        tags={
            "generator_sha256": verdict["generator_sha256"],
            "synthetic_sha256": verdict["synthetic_sha256"],
            "data_sha256": verdict["split_sha256"],
            "report_sha256": sha256_of(data / "report"),
            "git_commit": _git_commit(),
            "verdict": verdict["answer"],
            "reasons": " ".join(verdict_sentences(read_verdict(data / "evaluation"))),
            **{f"score_{name}": f"{value:.6g}" for name, value in selection["scores"].items()},
        },
    )


def _decide(
    registry: Registry, params: Params, version: str, verdict: dict[str, Any], test: pd.DataFrame, data: Path
) -> tuple[Decision, str | None]:
    """The decision on a version under the present evidence, one that stands or one taken now; and who was champion."""
    office, facts = registry.office(), _facts(verdict, test, data)
    champion, decisions = office.champion, registry.decisions()
    if standing := stands(decisions, version, facts["evidence_sha256"], champion):
        return standing, champion
    if verdict["answer"] == "synthesise":
        found = _contest(registry, params, version, office, facts, data)
    elif champion == version:
        successor, _ = usable(registry, office)
        found = Decision("withdrawn", version, successor, "the verdict on it is no", facts)
    else:
        found = Decision("not promoted", version, champion, "the verdict on it is no", facts)
    same, akin = _openings(test)
    opened = {"test_opened": same, "akin_opened": akin}
    decision = Decision(found.event, version, found.champion, found.reason, found.facts | opened)
    last = next((each for each in reversed(decisions) if each.version == version), None)
    if last is None or _told(last) != _told(decision):  # what the files refuse, or a no, is found anew each time
        registry.decide(decision, office)
    return decision, champion


def _told(decision: Decision) -> tuple[Any, ...]:
    return decision.event, decision.champion, decision.reason, decision.facts.get("evidence_sha256")


def _contest(
    registry: Registry, params: Params, version: str, office: Office, facts: dict[str, Any], data: Path
) -> Decision:
    """The decision on a version that earned a yes: promoted if there is no other champion, or if it beats that one."""
    champion = office.champion

    def decision(event: Event, reason: str, **more: Any) -> Decision:
        return Decision(event, version, version if event == "promoted" else champion, reason, facts | more)

    try:
        with registry.files(version):
            won = "the verdict on it is yes"
    except Unusable as error:
        return decision("not promoted", f"{error}: delete that version from the registry, then `make register`")
    if champion is None or champion == version:
        return decision("promoted", won)
    try:
        with registry.files(champion) as files:
            if reason := objection(files, read_manifest(data / "split"), params.images):
                return decision(
                    "not promoted", f"the champion, version {champion}, {reason}: `make rollback` retires it"
                )
            gain, balance = challenge(params, files, facts["pair"][0], data)
    except Unusable as error:
        return decision("not promoted", f"of the champion {error}: restore it, or `make rollback` retires it")
    difference = interval(gain.mean, gain.low, gain.high)
    sentence = f"over the champion, version {champion}, the balanced accuracy differs by {difference}"
    more = {"over_champion": [gain.mean, gain.low, gain.high], "champion_images": balance}
    if gain.low > 0:
        return decision("promoted", f"{won}, and {sentence}", **more)
    return decision("not promoted", f"{sentence}, so that it is not shown to be better", **more)


def _facts(verdict: dict[str, Any], test: pd.DataFrame, data: Path) -> dict[str, Any]:
    """Hashes and numbers on which a decision rests: pictures and words of the report are no evidence."""
    return {
        "evidence_sha256": hashlib.sha256(json.dumps(verdict, sort_keys=True).encode()).hexdigest(),
        "generator_sha256": verdict["generator_sha256"],
        "data_sha256": verdict["split_sha256"],
        "git_commit": _git_commit(),
        "pair": verdict["pair"],
        "gain": verdict["gain"] | {"sign_flip_p": verdict["sign_flip_p"]},
        "test_sha256": rows_sha256(test),
    }


def _openings(test: pd.DataFrame) -> tuple[int, int]:
    return openings(rows_sha256(test), test["sha256"])


def _wear(test: pd.DataFrame) -> str:
    """How often the test images were opened."""
    same, akin = _openings(test)
    line = f"test images: opened {'once' if same == 1 else f'{same} times'} here (ledger.jsonl)"
    return f"{line}, {akin} more in test sets that share some with these" if akin else line


def _package(folder: Path) -> Path:
    """A package in `folder` of the modules needed to load a generator, and of nothing else of the project."""
    for name in CODE:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(PROJECT / name, folder / name)
    return folder / "tasks"


def _git_commit() -> str:
    done = subprocess.run(["git", "rev-parse", "HEAD"], check=False, capture_output=True, text=True)
    if done.returncode:
        raise BadInput(f"git has no commit here ({done.stderr.strip().splitlines()[0]}): commit the project first")
    return done.stdout.strip()


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
