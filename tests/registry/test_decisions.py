import pytest

from tasks.registry.decisions import Decision, Event, Office, office, stands


def _decision(event: Event, version: str | None, champion: str | None, **facts: object) -> Decision:
    return Decision(event, version, champion, "because", {"evidence_sha256": "e"} | facts)


PROMOTED_1 = _decision("promoted", "1", "1")
PROMOTED_2 = _decision("promoted", "2", "2", over_champion=[0.1, 0.1, 0.1])


@pytest.mark.parametrize(
    ("decisions", "champion", "earlier"),
    [
        ([], None, ()),
        ([PROMOTED_1], "1", ()),
        ([PROMOTED_1, _decision("not promoted", "2", "1")], "1", ()),
        ([PROMOTED_1, PROMOTED_2], "2", ("1",)),
        ([PROMOTED_1, PROMOTED_2, _decision("rolled back", "2", "1")], "1", ()),
        ([PROMOTED_1, PROMOTED_2, _decision("rolled back", "2", "1"), _decision("rolled back", "1", None)], None, ()),
        ([PROMOTED_1, PROMOTED_2, _decision("promoted", "3", "3"), _decision("rolled back", "3", "1")], "1", ()),
        ([PROMOTED_1, PROMOTED_2, PROMOTED_1], "1", ("2",)),
        ([PROMOTED_1, PROMOTED_2, _decision("withdrawn", "2", "1")], "1", ()),
        ([PROMOTED_1, _decision("withdrawn", "1", None)], None, ()),
        ([PROMOTED_1, _decision("moved by hand", "5", "5")], "5", ("1",)),
        ([PROMOTED_1, _decision("moved by hand", None, None)], None, ("1",)),
        ([PROMOTED_1, _decision("moved by hand", None, None), _decision("restored", "1", "1")], "1", ()),
    ],
)
def test_each_decision_leaves_a_champion_and_those_before(
    decisions: list[Decision], champion: str | None, earlier: tuple[str, ...]
) -> None:
    assert office(decisions) == Office(champion, earlier)


def test_a_promotion_stands_while_it_lasts() -> None:
    assert stands([PROMOTED_1], "1", "e", "1") == PROMOTED_1
    assert stands([PROMOTED_1], "1", "other evidence", "1") is None
    assert stands([PROMOTED_1], "1", "e", "2") is None
    assert stands([PROMOTED_1], "2", "e", "1") is None


def test_a_withdrawal_stands_until_the_version_is_champion_again() -> None:
    withdrawn = _decision("withdrawn", "1", None)
    assert stands([PROMOTED_1, withdrawn], "1", "e", None) == withdrawn
    assert stands([PROMOTED_1, withdrawn], "1", "e", "1") is None


def test_a_rollback_stands_whoever_is_champion_and_whatever_was_decided_since() -> None:
    rolled = _decision("rolled back", "2", "1")
    for decisions in ([rolled], [rolled, _decision("not promoted", "2", "1")]):
        for champion in ("1", "3", None):
            assert stands(decisions, "2", "e", champion) == rolled
        assert stands(decisions, "2", "e", "2") is None  # somebody has brought it back by hand
    assert stands([rolled], "2", "other evidence", "1") is None


def test_a_comparison_stands_against_the_champion_with_which_it_was_made() -> None:
    lost = _decision("not promoted", "2", "1", over_champion=[0.0, -0.1, 0.1])
    assert stands([lost], "2", "e", "1") == lost
    assert stands([lost], "2", "e", "3") is None
    refused = _decision("not promoted", "2", "1")
    assert stands([lost, refused], "2", "e", "1") is None
