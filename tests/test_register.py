import subprocess
from pathlib import Path

import pytest
from mlflow import MlflowClient
from mlflow.entities.model_registry import ModelVersion
from mlflow.exceptions import MlflowException

from tasks.register import register
from tasks.support.errors import BadInput
from tasks.support.files import sha256_of, write_json
from tasks.support.tracking import MODEL
from tests.gan.candidates import save_untrained


@pytest.fixture
def evaluated(project: Path) -> Path:
    """A project with a generator and a report whose verdict is no."""
    (project / "params.yaml").write_text("a: 1\n")
    (project / "data/sources.json").write_text("{}\n")
    for name in ("generator", "report", "split", "synthetic"):
        (project / "data" / name).mkdir()
    _generator(project, seed=0)
    _verdict(project, "do not synthesise")
    identity = ["-c", "user.name=test", "-c", "user.email=test@example.com"]
    for command in (["init", "--quiet"], [*identity, "commit", "--quiet", "--allow-empty", "--message=start"]):
        subprocess.run(["git", *command], cwd=project, check=True)
    return project


def _generator(project: Path, seed: int) -> None:
    save_untrained(project / "data/generator", ["cat", "dog"], seed)
    write_json(project / "data/generator/selection.json", {"scores": {"kid": 0.25}})


def _verdict(project: Path, verdict: str) -> None:
    about = {"generator_sha256": sha256_of(project / "data/generator")}
    write_json(project / "data/report/verdict.json", {"verdict": verdict, "reasons": ["Because.", "And so."]} | about)


def _alias(name: str) -> ModelVersion | None:
    try:
        return MlflowClient().get_model_version_by_alias(MODEL, name)
    except MlflowException:
        return None


def test_the_same_generator_is_registered_once_and_follows_its_verdict(evaluated: Path) -> None:
    assert register() == f"{MODEL} version 1 (new): candidate, not promoted to champion"
    candidate = _alias("candidate")
    assert candidate is not None
    assert candidate.tags["verdict"] == "do not synthesise"
    assert candidate.tags["reasons"] == "Because. And so."
    assert candidate.tags["score_kid"] == "0.25"
    assert len(candidate.tags["git_commit"]) == 40
    assert _alias("champion") is None
    _verdict(evaluated, "synthesise")
    assert register() == f"{MODEL} version 1 (already registered): candidate, promoted to champion"
    champion = _alias("champion")
    assert champion is not None
    assert champion.tags["verdict"] == "synthesise"
    _verdict(evaluated, "do not synthesise")
    register()
    assert _alias("champion") is None


def test_another_champion_stays_when_a_new_generator_does_not_earn_its_place(evaluated: Path) -> None:
    _verdict(evaluated, "synthesise")
    register()
    _generator(evaluated, seed=1)
    _verdict(evaluated, "do not synthesise")
    assert register() == f"{MODEL} version 2 (new): candidate, not promoted to champion"
    champion, candidate = _alias("champion"), _alias("candidate")
    assert champion is not None
    assert candidate is not None
    assert (int(champion.version), int(candidate.version)) == (1, 2)


@pytest.mark.usefixtures("evaluated")
def test_a_registry_that_is_away_is_named_with_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    with pytest.raises(BadInput, match=r"cannot register at http://127\.0\.0\.1:9: .* then `make register`"):
        register()


def test_the_verdict_on_another_generator_is_refused(evaluated: Path) -> None:
    _generator(evaluated, seed=1)
    with pytest.raises(BadInput, match="is the verdict on another generator than data/generator: run `dvc repro`"):
        register()
