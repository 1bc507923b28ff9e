from pathlib import Path

import pytest
from mlflow import MlflowClient

from tasks.registry.champion import MODEL, Registry
from tasks.rollback import rollback
from tasks.support.errors import BadInput
from tests.evaluated import NO, YES, Evaluated, alias, promote, weights_of


@pytest.fixture
def three(project: Path, empty_store: Path) -> Evaluated:
    """Three versions, of which the third is champion after the others; its files are the present ones."""
    evaluated = Evaluated(project, empty_store)
    evaluated.register(YES)
    for seed in (1, 2):
        evaluated.generator(seed)
        evaluated.register(NO)
        promote(str(seed + 1))
    return evaluated


@pytest.mark.usefixtures("three")
def test_the_champion_before_takes_its_place_again_until_there_is_none() -> None:
    for leaving, successor in (("3", "version 2 is"), ("2", "version 1 is")):
        assert rollback() == f"{MODEL}: version {leaving} was rolled back; {successor} champion again"
        assert alias("champion") == str(int(leaving) - 1)
    assert rollback() == f"{MODEL}: version 1 was rolled back; there is no champion now"
    assert alias("champion") is None
    with pytest.raises(BadInput, match="there is no champion and none before: nothing can be rolled back"):
        rollback()
    assert [each.event for each in Registry().decisions()][-3:] == ["rolled back"] * 3


def test_what_was_rolled_back_is_promoted_again_only_under_other_evidence(three: Evaluated) -> None:
    for _ in range(3):
        rollback()
    three.generator(seed=0)
    for _ in range(2):
        assert three.register(YES).endswith("not promoted to champion, since version 1 was rolled back")
    (three.data / "report/picture.png").write_text("another picture, or layout")
    assert three.register(YES).endswith("not promoted to champion, since version 1 was rolled back")
    for answer in (YES, NO):  # whatever is asked of the same numbers
        line = three.register(answer, max_calibration_loss=0.5)
        assert line.endswith("not promoted to champion, since version 1 was rolled back")
    assert alias("champion") is None
    assert three.register(YES, mean=0.025).endswith("promoted to champion")


def test_a_second_rollback_keeps_the_evidence_of_the_first(project: Path, empty_store: Path) -> None:
    evaluated = Evaluated(project, empty_store)
    evaluated.register(YES)
    MlflowClient().delete_registered_model_alias(MODEL, "champion")
    assert rollback().endswith("version 1 is champion again")
    assert rollback().endswith("there is no champion now")
    assert evaluated.register(YES).endswith("not promoted to champion, since version 1 was rolled back")


@pytest.mark.usefixtures("three")
def test_versions_that_cannot_be_used_are_passed_over() -> None:
    with weights_of("2").open("ab") as file:
        file.write(b"0")
    line = rollback()
    assert line.startswith(
        f"{MODEL}: version 3 was rolled back; the files of version 2 were changed: they have SHA-256"
    )
    assert line.endswith("; version 1 is champion again")
    assert alias("champion") == "1"


@pytest.mark.usefixtures("three")
def test_a_deleted_champion_makes_room() -> None:
    MlflowClient().delete_model_version(MODEL, "3")
    assert alias("champion") is None
    assert rollback() == f"{MODEL}: version 3 was rolled back; version 2 is champion again"
    assert alias("champion") == "2"


@pytest.mark.usefixtures("three")
def test_a_champion_retired_by_hand_comes_back() -> None:
    MlflowClient().delete_registered_model_alias(MODEL, "champion")
    assert rollback() == f"{MODEL}: there was no champion; version 3 is champion again"


@pytest.mark.usefixtures("project")
def test_without_any_champion_nothing_is_rolled_back() -> None:
    with pytest.raises(BadInput, match="there is no champion and none before: nothing can be rolled back"):
        rollback()
