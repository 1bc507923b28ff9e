import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import mlflow.pyfunc
import pandas as pd
import pytest
from mlflow import MlflowClient

from tasks.dataset.manifest import rows_of, rows_sha256
from tasks.register import register
from tasks.rollback import rollback
from tasks.support.errors import BadInput
from tasks.support.files import sha256_of, write_json
from tasks.support.ledger import FILE, open_test
from tasks.support.params import Params, load
from tasks.support.registry import MODEL, Registry
from tests.gan.candidates import save_untrained

PARAMS = Path(__file__).parents[1] / "params.yaml"
ROWS = pd.DataFrame(
    [
        (f"data/raw/{label}/{number}.png", label, f"{label}{number}", split)
        for label in ("cat", "dog")
        for number, split in enumerate(("train", "train", "validation", "test", "test"))
    ],
    columns=["path", "label", "sha256", "split"],
)
METRICS = {"pair": ["gan_mixup", "mixup"], "gain": {"mean": 0.02, "low": 0.01, "high": 0.03, "sign_flip_p": 0.03}}
YES, NO = "synthesise", "do not synthesise"


class Evaluated:
    """A project with a generator and a report on it."""

    def __init__(self, root: Path) -> None:
        self.data, self.params = root / "data", load(PARAMS)
        (root / "params.yaml").write_text("a: 1\n")
        write_json(self.data / "sources.json", {})
        for name in ("generator", "report", "split", "synthetic"):
            (self.data / name).mkdir()
        self.generator()

    def generator(self, seed: int = 0, rows: pd.DataFrame = ROWS, made: tuple[str, ...] = ("cat", "dog")) -> None:
        """Put another generator there, of the images of `rows` in train and validation."""
        folder = self.data / "generator"
        rows.to_parquet(self.data / "split/manifest.parquet")
        save_untrained(folder, list(made), seed)
        write_json(folder / "selection.json", {"scores": {"kid": 0.25}})
        rows_of(rows, "train", "validation")[["sha256", "label", "split"]].to_csv(folder / "seen.csv", index=False)

    def register(self, verdict: str, params: Params | None = None) -> str:
        """Register under this verdict; one line of what was said."""
        judged = {f"{name}_sha256": sha256_of(self.data / name) for name in ("generator", "split")}
        write_json(self.data / "report/verdict.json", {"verdict": verdict, "reasons": ["Because.", "And so."]} | judged)
        write_json(self.data / "report/metrics.json", METRICS)
        return register(params or self.params).splitlines()[0]


@pytest.fixture
def evaluated(project: Path) -> Evaluated:
    made = Evaluated(project)
    identity = ["-c", "user.name=test", "-c", "user.email=test@example.com"]
    for command in (["init", "--quiet"], [*identity, "commit", "--quiet", "--allow-empty", "--message=start"]):
        subprocess.run(["git", *command], cwd=project, check=True)
    return made


def _alias(name: str) -> str | None:
    alias = MlflowClient().get_registered_model(MODEL).aliases.get(name)
    return None if alias is None else str(alias)


def _tags(version: str) -> dict[str, str]:
    return dict(MlflowClient().get_model_version(MODEL, version).tags)


def _ledger() -> list[dict[str, Any]]:
    return [json.loads(line) for line in FILE.read_text().splitlines()]


def _weights(version: str) -> Path:
    """The file with a version's weights in the local store."""
    (found,) = [
        path
        for path in Path("mlartifacts").rglob("generator.npz")
        if sha256_of(path.parent) == _tags(version)["generator_sha256"]
    ]
    return found


def test_the_same_generator_is_registered_once_and_follows_its_verdict(evaluated: Evaluated) -> None:
    assert evaluated.register(NO) == (
        f"{MODEL} version 1 (new): candidate, not promoted to champion, since the verdict on it is no"
    )
    assert _alias("candidate") == "1"
    assert _alias("champion") is None
    tags = _tags("1")
    assert (tags["verdict"], tags["reasons"], tags["score_kid"]) == (NO, "Because. And so.", "0.25")
    assert len(tags["git_commit"]) == 40
    assert evaluated.register(YES) == f"{MODEL} version 1 (already registered): candidate, promoted to champion"
    assert _alias("champion") == "1"
    assert evaluated.register(NO).endswith("candidate, no longer champion, since the verdict on it is no")
    assert _alias("champion") is None


def test_another_champion_stays_when_a_new_generator_does_not_earn_its_place(evaluated: Evaluated) -> None:
    evaluated.register(YES)
    evaluated.generator(seed=1)
    assert "version 2 (new): candidate, not promoted to champion" in evaluated.register(NO)
    assert (_alias("champion"), _alias("candidate")) == ("1", "2")


def test_each_decision_is_recorded_once_with_its_numbers_in_registry_and_ledger(evaluated: Evaluated) -> None:
    test = rows_sha256(rows_of(ROWS, "test"))
    for stage in ("evaluate", "evaluate", "register"):
        open_test(test, stage)
    open_test("another test set", "evaluate")
    for _ in range(3):
        evaluated.register(YES)
    (decision,) = Registry().decisions()
    written = _ledger()[4:]
    assert [entry["event"] for entry in written] == ["promoted"]
    for decided in (decision.facts, written[0]["facts"]):
        assert decided["gain"] == METRICS["gain"]
        assert decided["test_opened"] == 3
        assert decided["report_sha256"] == sha256_of(evaluated.data / "report")
        assert decided["data_sha256"] == sha256_of(evaluated.data / "split")
    before = FILE.read_bytes()
    evaluated.register(NO)
    assert FILE.read_bytes().startswith(before)
    assert [each.event for each in Registry().decisions()] == ["promoted", "withdrawn"]
    assert (_tags("1")["decision"], _tags("1")["decision_reason"]) == ("withdrawn", "the verdict on it is no")
    assert register(evaluated.params).splitlines()[1] == "test images: opened 3 times so far (ledger.jsonl)"


def test_a_spoilt_ledger_is_named_with_its_line(evaluated: Evaluated) -> None:
    open_test("of a test set", "evaluate")
    FILE.write_text(FILE.read_text() + "garbage\n")
    with pytest.raises(BadInput, match=r"ledger\.jsonl line 2 is no JSON object: restore the file"):
        evaluated.register(NO)


def test_a_tampered_champion_is_refused_and_rollback_retires_it(evaluated: Evaluated) -> None:
    evaluated.register(YES)
    with _weights("1").open("ab") as file:
        file.write(b"0")
    evaluated.generator(seed=1)
    line = evaluated.register(YES)
    assert "not promoted to champion, since of the champion, the files of version 1 have SHA-256 " in line
    assert line.endswith("they were changed: restore it, or `make rollback` retires it")
    assert _alias("champion") == "1"
    assert rollback() == f"{MODEL}: version 1 was rolled back; there is no champion now"
    assert evaluated.register(YES).endswith("version 2 (already registered): candidate, promoted to champion")


def test_a_generator_whose_registered_files_were_changed_is_not_promoted(evaluated: Evaluated) -> None:
    evaluated.register(NO)
    _weights("1").unlink()
    line = evaluated.register(YES)
    assert "not promoted to champion, since the files of version 1 have SHA-256 " in line
    assert line.endswith("delete that version, then `make register`")
    MlflowClient().delete_model_version(MODEL, "1")
    assert evaluated.register(YES).endswith("version 2 (new): candidate, promoted to champion")


def test_loading_verifies_the_recorded_hash(evaluated: Evaluated) -> None:
    evaluated.register(YES)
    uri, rows = f"models:/{MODEL}@champion", pd.DataFrame({"class": ["dog"], "seed": [3]})
    assert mlflow.pyfunc.load_model(uri).predict(rows).shape == (1, 8, 8, 1)
    with _weights("1").open("ab") as file:
        file.write(b"0")
    with pytest.raises(BadInput, match=r"have SHA-256 .* was registered: they were changed"):
        mlflow.pyfunc.load_model(uri)


def test_a_deleted_champion_is_told_and_rollback_puts_the_one_before_in_its_place(evaluated: Evaluated) -> None:
    evaluated.register(YES)
    registry = Registry()
    first = registry.decisions()[0]
    evaluated.generator(seed=1)
    evaluated.register(NO)
    _promote_by_hand(registry, "2", earlier=["1"])
    MlflowClient().delete_model_version(MODEL, "2")
    evaluated.generator(seed=2)
    expected = (
        "since champion version 2 was deleted from the registry: `make rollback` puts the one before in its place"
    )
    for _ in range(2):
        assert evaluated.register(YES).endswith(expected)
    assert len(registry.decisions()) == 4
    assert rollback() == f"{MODEL}: version 2 was rolled back; version 1 is champion again"
    assert _alias("champion") == first.champion == "1"
    assert [entry["event"] for entry in _ledger()][-2:] == ["not promoted", "rolled back"]


def _promote_by_hand(registry: Registry, version: str, earlier: list[str]) -> None:
    last = registry.decisions()[-1]
    registry.decide(type(last)("promoted", version, "by hand", version, earlier, last.facts))


@pytest.mark.parametrize(
    ("rows", "images", "reason"),
    [
        (ROWS.replace({"label": {"dog": "emu"}}), {}, "is of the classes cat, dog, and today's are cat, emu"),
        (ROWS, {"size_px": 16}, "makes images of 8 px with 1 channels, and today's have 16 px with 1"),
        (
            ROWS.assign(split=["train", "test", "validation", "test", "test"] * 2),
            {},
            "has seen 2 of today's 6 test images, which would flatter it",
        ),
        (
            ROWS.assign(sha256="other " + ROWS["sha256"]),
            {},
            "is of other data: it has seen none of today's training and validation images",
        ),
    ],
)
def test_a_champion_that_cannot_be_compared_is_refused_with_the_reason(
    evaluated: Evaluated, rows: pd.DataFrame, images: dict[str, Any], reason: str
) -> None:
    evaluated.register(YES)
    evaluated.generator(seed=1, rows=rows)
    params = evaluated.params
    object.__setattr__(params, "images", params.images.model_copy(update=images))
    line = evaluated.register(YES, params)
    assert line.endswith(f"since the champion, version 1, {reason}: `make rollback` retires it")
    assert (_alias("champion"), _alias("candidate")) == ("1", "2")
    assert not Path(".state/challenge").exists()


def test_what_was_rolled_back_is_promoted_again_only_under_another_report(evaluated: Evaluated) -> None:
    evaluated.register(YES)
    assert rollback() == f"{MODEL}: version 1 was rolled back; there is no champion now"
    assert evaluated.register(YES).endswith("not promoted to champion, since version 1 was rolled back")
    assert _alias("champion") is None
    (evaluated.data / "report/more.txt").write_text("another report")
    assert evaluated.register(YES).endswith("promoted to champion")


def test_rollback_passes_over_versions_that_cannot_be_used(evaluated: Evaluated) -> None:
    evaluated.register(YES)
    for seed in (1, 2):
        evaluated.generator(seed)
        evaluated.register(NO)
    registry = Registry()
    _promote_by_hand(registry, "2", ["1"])
    _promote_by_hand(registry, "3", ["1", "2"])
    shutil.rmtree(_weights("2").parents[2])  # the whole of it, MLmodel included
    line = rollback()
    assert line.startswith(f"{MODEL}: version 3 was rolled back; version 2 cannot be fetched: ")
    assert line.endswith("; version 1 is champion again")
    assert _alias("champion") == "1"


def test_an_alias_moved_by_hand_counts(evaluated: Evaluated) -> None:
    evaluated.register(YES)
    evaluated.generator(seed=1)
    evaluated.register(NO)
    MlflowClient().set_registered_model_alias(MODEL, "champion", "2")
    assert rollback() == f"{MODEL}: version 2 was rolled back; version 1 is champion again"


@pytest.mark.usefixtures("evaluated")
def test_without_any_champion_nothing_is_rolled_back() -> None:
    with pytest.raises(BadInput, match="there is no champion and none before: nothing can be rolled back"):
        rollback()


def test_a_registry_that_is_away_is_named_with_what_to_do(
    evaluated: Evaluated, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    with pytest.raises(BadInput, match=r"cannot register at http://127\.0\.0\.1:9: .* then `make register`"):
        evaluated.register(NO)


@pytest.mark.parametrize("name", ["generator", "split"])
def test_the_verdict_on_another_generator_or_other_data_is_refused(evaluated: Evaluated, name: str) -> None:
    evaluated.register(NO)
    (evaluated.data / name / "more.txt").write_text("other")
    with pytest.raises(BadInput, match=f"is the verdict on another {name} than data/{name}: run `dvc repro`"):
        register(evaluated.params)
