import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import mlflow.pyfunc
import pandas as pd
import pytest
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import TEMPORARILY_UNAVAILABLE

from tasks.core.files import sha256_of
from tasks.data.manifest import rows_of, rows_sha256
from tasks.networks.checkpoints import identity_of
from tasks.register import register
from tasks.registry import ledger, registration
from tasks.registry.champion import MODEL, Lineage, Registry
from tasks.registry.decisions import Champions
from tasks.registry.ledger import FILE, open_test
from tasks.registry.packaging import Unusable
from tasks.registry.registration import PAGE
from tasks.rollback import rollback
from tasks.support.errors import BadInput
from tests.evaluated import NO, PARAMS, ROWS, YES, Evaluated, alias, promote, tags_of, weights_of

LEAKING = ROWS.assign(split=["train", "test", "validation", "test", "test"] * 2)  # the second was a training image


@pytest.fixture
def evaluated(project: Path, empty_store: Path) -> Evaluated:
    return Evaluated(project, empty_store)


def _ledger() -> list[dict[str, Any]]:
    return [json.loads(line) for line in FILE.read_text().splitlines()]


def _events() -> list[str]:
    return [each.event for each in Registry().decisions()]


def test_the_same_generator_is_registered_once_and_follows_its_verdict(evaluated: Evaluated) -> None:
    assert evaluated.register(NO) == (
        f"{MODEL} version 1 (new): candidate, not promoted to champion, since the verdict on it is no"
    )
    assert (alias("candidate"), alias("champion")) == ("1", None)
    tags = tags_of("1")
    assert (tags["verdict"], tags["score_kid"]) == (NO, "0.25")
    assert tags["reasons"].startswith("The calibration error after temperature scaling is 0.0500 instead of 0.0400")
    assert (len(tags["git_commit"]), tags["git_diff_sha256"]) == (40, "")
    assert evaluated.register(YES) == f"{MODEL} version 1 (already registered): candidate, promoted to champion"
    assert alias("champion") == "1"
    assert evaluated.register(YES) == f"{MODEL} version 1 (already registered): candidate, champion"
    assert evaluated.register(NO).endswith("candidate, no longer champion, since the verdict on it is no")
    assert alias("champion") is None


def test_another_champion_stays_when_a_new_generator_does_not_earn_its_place(evaluated: Evaluated) -> None:
    evaluated.register(YES)
    evaluated.generator(seed=1)
    assert "version 2 (new): candidate, not promoted to champion" in evaluated.register(NO)
    assert (alias("champion"), alias("candidate")) == ("1", "2")


def test_a_champion_that_lost_its_yes_makes_room_for_the_one_before(evaluated: Evaluated) -> None:
    evaluated.register(YES)
    evaluated.generator(seed=1)
    evaluated.register(NO)
    promote("2")
    assert "version 2 (already registered): candidate, no longer champion" in evaluated.register(NO, mean=0.0)
    assert alias("champion") == "1"


def test_each_decision_is_recorded_once_with_its_numbers_in_registry_and_ledger(evaluated: Evaluated) -> None:
    test = rows_of(ROWS, "test")
    for stage in ("evaluate", "evaluate", "register"):
        open_test(rows_sha256(test), test["sha256"], stage)
    open_test("a smaller one", test["sha256"][:1], "evaluate")
    open_test("another test set", ["0"], "evaluate")
    for _ in range(3):
        evaluated.register(YES)
    (decision,) = Registry().decisions()
    (written,) = _ledger()[5:]
    assert written["event"] == "promoted"
    for facts in (decision.facts, written["facts"]):
        assert facts["gain"] == {"mean": 0.02, "low": 0.01, "high": 0.03, "sign_flip_p": 0.03}
        assert (facts["test_opened"], facts["overlapping_opened"]) == (3, 1)
        assert facts["split_sha256"] == sha256_of(evaluated.data / "split")
        assert facts["generator_sha256"] == identity_of(evaluated.data / "generator")
    before = FILE.read_bytes()
    for _ in range(2):
        evaluated.register(NO)
    assert FILE.read_bytes().startswith(before)
    assert _events() == ["promoted", "withdrawn"]
    assert (tags_of("1")["decision"], tags_of("1")["decision_reason"]) == ("withdrawn", "the verdict on it is no")
    assert register(PARAMS).splitlines()[1] == (
        "test images: opened 3 times here (ledger.jsonl), 1 more in test sets that share some with these"
    )


def test_lineage_leads_from_a_generator_s_hash_to_what_it_was_made_of(evaluated: Evaluated) -> None:
    evaluated.register(NO)
    commit = subprocess.run(["git", "rev-parse", "HEAD"], check=True, capture_output=True, text=True).stdout.strip()
    sha256 = identity_of(evaluated.data / "generator")
    lineage = Registry().lineage(sha256)
    assert lineage == Lineage(
        version="1",
        run="conditional/0/00030",
        split_sha256=sha256_of(evaluated.data / "split"),
        sources_sha256=sha256_of(evaluated.data / "sources.json"),
        git_commit=commit,
        git_diff_sha256="",
    )
    Path("params.yaml").write_text("of a tree that was changed since\n")
    evaluated.register(YES)
    assert Registry().lineage(sha256) == lineage
    evaluated.generator(seed=1)
    evaluated.register(NO)
    dirty = Registry().lineage(identity_of(evaluated.data / "generator"))
    assert (dirty.version, dirty.git_commit, len(dirty.git_diff_sha256)) == ("2", f"{commit}-dirty", 64)
    with pytest.raises(BadInput, match=r"no registered version of .* is generator 0: `make register` first"):
        Registry().lineage("0")


def test_the_page_says_in_words_who_is_champion_and_what_was_decided(evaluated: Evaluated) -> None:
    line = evaluated.register(NO)
    evaluated.register(YES)
    page = PAGE.read_text()
    assert page.startswith(
        f"# {MODEL}: version 1 is champion\n\n{MODEL} version 1 (already registered): candidate, pro"
    )
    assert "- version 1 promoted: the verdict on it is yes\n- version 1 not promoted: the verdict on it is no\n" in page
    assert line.endswith("since the verdict on it is no")
    status = subprocess.run(["git", "status", "--porcelain"], check=True, capture_output=True, text=True).stdout
    assert PAGE.name not in status


def test_an_answer_that_changes_with_the_thresholds_is_another_decision(evaluated: Evaluated) -> None:
    evaluated.register(YES)
    assert evaluated.register(NO, max_calibration_loss=0.5).endswith(
        "no longer champion, since the verdict on it is no"
    )
    assert evaluated.register(YES).endswith("promoted to champion")
    assert _events() == ["promoted", "withdrawn", "promoted"]


@pytest.mark.usefixtures("evaluated")
def test_a_registry_of_an_earlier_format_is_named_with_what_to_do(evaluated: Evaluated) -> None:
    evaluated.register(NO)
    earlier = {"event": "promoted", "version": "1", "champion": "1", "reason": "", "facts": {}}
    MlflowClient().set_registered_model_tag(MODEL, "decision_000000_01234567", json.dumps(earlier))
    expected = f"{MODEL} at sqlite:.* holds decisions of an earlier Equipoise: set EQUIPOISE_MODEL to a new name"
    for command in (lambda: evaluated.register(YES), rollback):
        with pytest.raises(BadInput, match=expected):
            command()
    MlflowClient().delete_registered_model_tag(MODEL, "decision_000000_01234567")
    MlflowClient().delete_model_version_tag(MODEL, "1", "sources_sha256")
    with pytest.raises(BadInput, match=r"version 1 of .* has no tags sources_sha256: set EQUIPOISE_MODEL"):
        Registry().lineage(identity_of(evaluated.data / "generator"))


def test_a_champion_that_no_longer_runs_is_a_reason(evaluated: Evaluated, monkeypatch: pytest.MonkeyPatch) -> None:
    evaluated.register(YES)
    evaluated.generator(seed=1)
    monkeypatch.setattr(registration, "compare_with", _does_not_run)
    assert evaluated.register(YES).endswith(
        "not promoted to champion, since of the champion version 1 does not run here: restore it, or `make rollback` "
        "retires it"
    )
    assert alias("champion") == "1"


def _does_not_run(*_: object) -> None:
    raise Unusable("version 1 does not run here")


def test_an_error_that_passes_is_asked_again(evaluated: Evaluated, monkeypatch: pytest.MonkeyPatch) -> None:
    failures = iter([MlflowException("database is locked", TEMPORARILY_UNAVAILABLE)] * 2)
    search = MlflowClient.search_registered_models

    def unsteady(*arguments: Any) -> Any:
        if error := next(failures, None):
            raise error
        return search(*arguments)

    monkeypatch.setattr(MlflowClient, "search_registered_models", unsteady)
    assert evaluated.register(YES).endswith("promoted to champion")


@pytest.mark.usefixtures("evaluated")
def test_a_note_of_somebody_among_the_tags_is_no_decision(evaluated: Evaluated) -> None:
    evaluated.register(YES)
    MlflowClient().set_registered_model_tag(MODEL, "decision_note", "a good one")
    assert evaluated.register(YES).endswith("candidate, champion")


class _Killed(Exception):
    pass


def _kill(*_: object) -> None:
    raise _Killed


def test_a_promotion_that_a_kill_cut_short_is_finished_by_the_next_run(
    evaluated: Evaluated, monkeypatch: pytest.MonkeyPatch
) -> None:
    evaluated.register(YES)
    evaluated.generator(seed=1)
    evaluated.register(NO)
    with monkeypatch.context() as killing:
        killing.setattr(Registry, "_apply", _kill)  # the tag is written, the alias is not
        with pytest.raises(_Killed):
            promote("2")
    assert alias("champion") == "1"
    assert Registry().champions() == Champions("2", ("1",))
    assert alias("champion") == "2"
    assert _ledger()[-1]["reason"] == "planted"


def test_what_the_ledger_missed_it_gets_the_next_time(evaluated: Evaluated, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as full:
        full.setattr(ledger, "append", _kill)
        with pytest.raises(_Killed):
            evaluated.register(YES)
    assert not FILE.exists()
    evaluated.register(YES)
    assert [entry["event"] for entry in _ledger()] == ["promoted"]


def test_a_decision_on_a_champion_that_another_process_has_replaced_is_not_taken(evaluated: Evaluated) -> None:
    evaluated.register(YES)
    evaluated.generator(seed=1)
    evaluated.register(NO)
    registry = Registry()
    before = registry.champions()
    promote("2")
    with pytest.raises(BadInput, match="another process has decided on the champion meanwhile: run it again"):
        registry.decide(registry.decisions()[0], before)
    assert alias("champion") == "2"


def test_an_alias_moved_by_hand_counts_and_is_noted(evaluated: Evaluated) -> None:
    evaluated.register(YES)
    evaluated.generator(seed=1)
    evaluated.register(NO)
    MlflowClient().set_registered_model_alias(MODEL, "champion", "2")
    assert Registry().champions() == Champions("2", ("1",))
    MlflowClient().delete_registered_model_alias(MODEL, "champion")
    assert Registry().champions().current is None
    assert _events()[-2:] == ["moved by hand"] * 2
    assert [entry["reason"] for entry in _ledger()[-2:]] == [
        "somebody made version 2 champion",
        "somebody retired version 2",
    ]


def test_a_tampered_champion_is_refused_and_counts_again_when_it_is_restored(evaluated: Evaluated) -> None:
    evaluated.register(YES)
    whole = weights_of("1").read_bytes()
    place = weights_of("1")
    place.write_bytes(whole + b"0")
    evaluated.generator(seed=1, rows=LEAKING)
    for _ in range(2):
        line = evaluated.register(YES)
        assert "not promoted to champion, since of the champion the files of version 1 were changed: they have" in line
        assert line.endswith("restore it, or `make rollback` retires it")
    assert _events() == ["promoted", "not promoted"]
    assert alias("champion") == "1"
    place.write_bytes(whole)
    assert "since the champion, version 1, has seen 2 images" in evaluated.register(YES)


@pytest.mark.parametrize("file", ["MLmodel", "code/equipoise_generator/serving.py", "data/generator.json"])
def test_no_file_of_a_registered_generator_can_be_changed_unnoticed(evaluated: Evaluated, file: str) -> None:
    evaluated.register(NO)
    (place,) = (path.parent for path in Path("mlartifacts").rglob("MLmodel"))
    (changed,) = place.rglob(file.replace("data/", "data/**/"))
    changed.write_text("{")
    line = evaluated.register(YES)
    assert "not promoted to champion, since the files of version 1 were changed: they have SHA-256 " in line
    assert line.endswith("delete that version from the registry, then `make register`")
    MlflowClient().delete_model_version(MODEL, "1")
    assert evaluated.register(YES).endswith("version 2 (new): candidate, promoted to champion")


def test_a_version_without_a_recorded_hash_is_not_used(evaluated: Evaluated) -> None:
    evaluated.register(NO)
    MlflowClient().delete_model_version_tag(MODEL, "1", "artifact_sha256")
    assert "since version 1 has no artifact_sha256 among its tags" in evaluated.register(YES)


def test_files_out_of_reach_are_an_error_and_no_decision(evaluated: Evaluated) -> None:
    evaluated.register(YES)
    Path("mlartifacts").rename("away")
    evaluated.generator(seed=1)
    Path("mlartifacts").mkdir()
    with pytest.raises(BadInput, match=r"the files of version 1 cannot be fetched \(.*\): make their store reachable"):
        evaluated.register(YES)
    assert _events() == ["promoted"]


def test_loading_verifies_the_recorded_hash(evaluated: Evaluated, monkeypatch: pytest.MonkeyPatch) -> None:
    before = list(sys.path)
    evaluated.register(YES)
    assert sys.path == before
    monkeypatch.setattr(sys, "path", before)  # a client puts the model's code before all else, for as long as it lives
    uri, rows = f"models:/{MODEL}@champion", pd.DataFrame({"class": ["dog"], "seed": [3], "index": [0]})
    assert mlflow.pyfunc.load_model(uri).predict(rows).shape == (1, 8, 8, 1)
    with weights_of("1").open("ab") as file:
        file.write(b"0")
    with pytest.raises(ValueError, match=r"have SHA-256 .* was registered: they were changed"):
        mlflow.pyfunc.load_model(uri)


def test_a_deleted_champion_is_named(evaluated: Evaluated) -> None:
    evaluated.register(YES)
    MlflowClient().delete_model_version(MODEL, "1")
    evaluated.generator(seed=1)
    for _ in range(2):
        assert evaluated.register(YES).endswith(
            "not promoted to champion, since of the champion version 1 was deleted from the registry: restore it, or "
            "`make rollback` retires it"
        )
    assert _events() == ["promoted", "not promoted"]


def test_a_champion_that_cannot_be_compared_is_refused_with_the_reason(evaluated: Evaluated) -> None:
    evaluated.register(YES)
    evaluated.generator(seed=1, rows=LEAKING)
    assert evaluated.register(YES).endswith(
        "since the champion, version 1, has seen 2 images that are, or look like, some of today's 6 test images: "
        "`make rollback` retires it"
    )
    assert (alias("champion"), alias("candidate")) == ("1", "2")


def test_a_registry_that_is_away_is_named_with_what_to_do(
    evaluated: Evaluated, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://me:secret@127.0.0.1:9")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    with pytest.raises(BadInput, match=r"the registry at http://127\.0\.0\.1:9 says .* then `make register`"):
        evaluated.register(NO)


@pytest.mark.parametrize("name", ["generator", "split", "synthetic", "classifiers"])
def test_the_verdict_on_other_outputs_is_refused(evaluated: Evaluated, name: str) -> None:
    evaluated.register(NO)
    if name == "generator":
        evaluated.generator(seed=1)
    else:
        (evaluated.data / name / "more.txt").write_text("other")
    with pytest.raises(BadInput, match=f"is the verdict on another data/{name}: run `dvc repro` first"):
        register(PARAMS)
