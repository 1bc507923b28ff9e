"""Register: the generator in the MLflow registry, promoted only if it earned a yes and beats the champion."""

import shutil
import subprocess
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

from tasks.challenge import challenge, objection
from tasks.dataset.manifest import read_manifest, rows_of, rows_sha256
from tasks.support.commands import command
from tasks.support.errors import BadInput
from tasks.support.files import read_json, sha256_of
from tasks.support.ledger import openings
from tasks.support.params import Params
from tasks.support.progress import log
from tasks.support.registry import MODEL, Candidacy, Decision, Registry, Unusable

PROJECT = Path(__file__).parents[1]
CODE = [  # what loading and using a generator imports
    "tasks/__init__.py",
    "tasks/dataset/__init__.py",
    "tasks/dataset/ranges.py",
    "tasks/dataset/resolution.py",
    "tasks/gan/__init__.py",
    "tasks/gan/checkpoints.py",
    "tasks/gan/conditional.py",
    "tasks/gan/dcgan.py",
    "tasks/gan/layers.py",
    "tasks/gan/networks.py",
    "tasks/gan/sampling.py",
    "tasks/gan/serving.py",
    "tasks/support/__init__.py",
    "tasks/support/errors.py",
    "tasks/support/files.py",
    "tasks/support/quiet.py",
    "tasks/support/weights.py",
]


def register(params: Params, data: Path = Path("data")) -> str:
    """One line that says which version the generator is, and whether it is champion.

    A generator is found by the hash of its files: one that the registry holds is not registered twice. It becomes
    champion if the verdict on it is yes and it beats the champion there is, whose images are tried on today's data. A
    decision is taken once for each report and champion, and recorded.

    Raises:
        BadInput: the report is on another generator or on other data, or the registry cannot be reached.
    """
    verdict = read_json(data / "report/verdict.json")
    for name in ("generator", "split"):
        if verdict[f"{name}_sha256"] != sha256_of(data / name):
            raise BadInput(f"{data}/report is the verdict on another {name} than {data / name}: run `dvc repro` first")
    registry = Registry()
    with tempfile.TemporaryDirectory() as temporary:
        version, new = registry.register(_candidacy(data, verdict, _package(Path(temporary))))
    decision = _decide(registry, params, version, verdict, data)
    outcome = {
        "promoted": "promoted to champion",
        "not promoted": f"not promoted to champion, since {decision.reason}",
        "withdrawn": f"no longer champion, since {decision.reason}",
        "rolled back": f"not promoted to champion, since {decision.reason}",
    }[decision.event]
    known, opened = "new" if new else "already registered", openings(decision.facts["test_sha256"])
    times = f"{opened} times" if opened > 1 else "once"
    return (
        f"{MODEL} version {version} ({known}): candidate, {outcome}\ntest images: opened {times} so far (ledger.jsonl)"
    )


def _candidacy(data: Path, verdict: dict[str, Any], code: Path) -> Candidacy:
    generator = data / "generator"
    settings, selection = read_json(generator / "generator.json"), read_json(generator / "selection.json")
    return Candidacy(
        folder=generator,
        code=code,
        classes=settings["classes"],
        image_shape=(settings["size_px"], settings["size_px"], settings["channels"]),
        tags={
            "generator_sha256": sha256_of(generator),
            "synthetic_sha256": sha256_of(data / "synthetic"),
            "data_sha256": sha256_of(data / "split"),
            "report_sha256": sha256_of(data / "report"),
            "git_commit": _git_commit(),
            "verdict": verdict["verdict"],
            "reasons": " ".join(verdict["reasons"]),
            **{f"score_{name}": f"{value:.6g}" for name, value in selection["scores"].items()},
        },
    )


def _decide(registry: Registry, params: Params, version: str, verdict: dict[str, Any], data: Path) -> Decision:
    """The decision on a version under the present report: the one that stands, or one taken and recorded now."""
    decisions, facts, gone = registry.decisions(), _facts(data), None
    last = decisions[-1] if decisions else None
    try:
        champion = registry.champion()
    except Unusable as error:
        champion, gone = last.champion if last else None, f"{error}: `make rollback` puts the one before in its place"
    report = facts["report_sha256"]
    standing = [each for each in decisions if (each.version, each.facts.get("report_sha256")) == (version, report)]
    if standing and standing[-1].champion == champion:
        return standing[-1]
    stay = Decision("not promoted", version, "the verdict on it is no", champion, last.earlier if last else [], facts)
    if verdict["verdict"] != "synthesise":
        decision = replace(stay, event="withdrawn", champion=None) if champion == version else stay
    elif gone:
        decision = replace(stay, reason=gone)
    else:
        decision = _contest(registry, params, stay, data)
    decision = replace(decision, facts=decision.facts | {"test_opened": openings(facts["test_sha256"])})
    registry.decide(decision)
    return decision


def _contest(registry: Registry, params: Params, stay: Decision, data: Path) -> Decision:
    """The decision on a version that earned a yes: promoted if there is no other champion, or if it beats that one.

    Args:
        stay: the decision that leaves all as it is, to be changed.
    """
    champion, version = stay.champion, stay.version
    try:
        with registry.files(version):
            won = replace(stay, event="promoted", champion=version, reason="the verdict on it is yes")
    except Unusable as error:
        return replace(stay, reason=f"{error}: delete that version, then `make register`")
    if champion is None or champion == version:
        return won
    try:
        with registry.files(champion) as files:
            if reason := objection(files, read_manifest(data / "split"), params.images):
                return replace(stay, reason=f"the champion, version {champion}, {reason}: `make rollback` retires it")
            gain = challenge(params, files, stay.facts["pair"][0], data)
    except Unusable as error:
        return replace(stay, reason=f"of the champion, {error}: restore it, or `make rollback` retires it")
    sentence = f"over the champion, version {champion}, the balanced accuracy differs by {gain}"
    facts = stay.facts | {"over_champion": [gain.mean, gain.low, gain.high]}
    if gain.low > 0:
        return replace(won, reason=f"{won.reason}, and {sentence}", earlier=[*stay.earlier, champion], facts=facts)
    return replace(stay, reason=f"{sentence}, so that it is not shown to be better", facts=facts)


def _facts(data: Path) -> dict[str, Any]:
    """Hashes and numbers on which a decision rests."""
    metrics = read_json(data / "report/metrics.json")
    return {
        "report_sha256": sha256_of(data / "report"),
        "generator_sha256": sha256_of(data / "generator"),
        "data_sha256": sha256_of(data / "split"),
        "git_commit": _git_commit(),
        "pair": metrics["pair"],
        "gain": metrics["gain"],
        "test_sha256": rows_sha256(rows_of(read_manifest(data / "split"), "test")),
    }


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


if __name__ == "__main__":
    command(lambda params: log.info(register(params)))
