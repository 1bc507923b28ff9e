import json
import sys
from pathlib import Path
from typing import Any

import mlflow.pyfunc
import pandas as pd
import pytest
from mlflow import MlflowClient

from tasks.core.files import sha256_of
from tasks.data.manifest import rows_of, rows_sha256
from tasks.register import register
from tasks.registry import ledger
from tasks.registry.champion import MODEL, Registry
from tasks.registry.ledger import FILE, open_test
from tasks.support.errors import BadInput
from tests.evaluated import NO, PARAMS, ROWS, YES, Evaluated, alias, promote, tags_of, weights_of

LEAKING = ROWS.assign(split=["train", "test", "validation", "test", "test"] * 2)  # the second was a training image


@pytest.fixture
def evaluated(project: Path) -> Evaluated:
    return Evaluated(project)


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
    assert (tags["verdict"], tags["reasons"], tags["score_kid"]) == (NO, "Because. And so.", "0.25")
    assert len(tags["git_commit"]) == 40
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
        assert (facts["test_opened"], facts["akin_opened"]) == (3, 1)
        assert facts["data_sha256"] == sha256_of(evaluated.data / "split")
        assert facts["generator_sha256"] == sha256_of(evaluated.data / "generator")
    before = FILE.read_bytes()
    for _ in range(2):
        evaluated.register(NO)
    assert FILE.read_bytes().startswith(before)
    assert _events() == ["promoted", "withdrawn"]
    assert (tags_of("1")["decision"], tags_of("1")["decision_reason"]) == ("withdrawn", "the verdict on it is no")
    assert register(PARAMS).splitlines()[1] == (
        "test images: opened 3 times here (ledger.jsonl), 1 more in test sets that share some with these"
    )


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
    office = Registry().office()
    assert (office.champion, office.earlier) == ("2", ("1",))
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
    before = registry.office()
    promote("2")
    with pytest.raises(BadInput, match="another process has decided on the champion meanwhile: run it again"):
        registry.decide(registry.decisions()[0], before)
    assert alias("champion") == "2"


def test_an_alias_moved_by_hand_counts_and_is_noted(evaluated: Evaluated) -> None:
    evaluated.register(YES)
    evaluated.generator(seed=1)
    evaluated.register(NO)
    MlflowClient().set_registered_model_alias(MODEL, "champion", "2")
    office = Registry().office()
    assert (office.champion, office.earlier) == ("2", ("1",))
    MlflowClient().delete_registered_model_alias(MODEL, "champion")
    assert Registry().office().champion is None
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


@pytest.mark.parametrize("file", ["MLmodel", "code/tasks/networks/serving.py", "data/generator.json"])
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
    with pytest.raises(BadInput, match=r"have SHA-256 .* was registered: they were changed"):
        mlflow.pyfunc.load_model(uri)


def test_a_deleted_champion_is_told(evaluated: Evaluated) -> None:
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
    (evaluated.data / name / "more.txt").write_text("other")
    with pytest.raises(BadInput, match=f"is the verdict on another data/{name}: run `dvc repro` first"):
        register(PARAMS)
