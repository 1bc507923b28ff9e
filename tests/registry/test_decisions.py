import pytest

from tasks.registry.decisions import (
    Champions,
    Decision,
    EarlierFormat,
    Event,
    champions_after,
    facts_of,
    from_text,
    standing,
    to_text,
)
from tests.evaluated import verdict_of

FACTS = {"evidence_sha256": "e", "answer": "synthesise"}


def _decision(event: Event, version: str | None, champion: str | None, **facts: object) -> Decision:
    return Decision(event, version, champion, "because", FACTS | {"generator_sha256": f"g{version}"} | facts)


def _standing(decisions: list[Decision], version: str, champion: str | None, **facts: str) -> Decision | None:
    return standing(decisions, version, FACTS | {"generator_sha256": f"g{version}"} | facts, champion)


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
    assert champions_after(decisions) == Champions(champion, earlier)


def test_a_promotion_stands_while_it_lasts() -> None:
    assert _standing([PROMOTED_1], "1", "1") == PROMOTED_1
    assert _standing([PROMOTED_1], "1", "1", evidence_sha256="other") is None
    assert _standing([PROMOTED_1], "1", "2") is None
    assert _standing([PROMOTED_1], "2", "1") is None


def test_a_withdrawal_stands_until_the_version_is_champion_again() -> None:
    withdrawn = _decision("withdrawn", "1", None)
    assert _standing([PROMOTED_1, withdrawn], "1", None) == withdrawn
    assert _standing([PROMOTED_1, withdrawn], "1", "1") is None


def test_a_rollback_stands_whoever_is_champion_and_whatever_was_decided_since() -> None:
    rolled = _decision("rolled back", "2", "1")
    for decisions in ([rolled], [rolled, _decision("not promoted", "2", "1")]):
        for champion in ("1", "3", None):
            assert _standing(decisions, "2", champion) == rolled
        assert _standing(decisions, "2", "2") is None  # somebody has brought it back by hand
    assert _standing([rolled], "2", "1", evidence_sha256="other") is None


def test_a_comparison_stands_against_the_champion_with_which_it_was_made() -> None:
    lost = _decision("not promoted", "2", "1", over_champion=[0.0, -0.1, 0.1])
    assert _standing([lost], "2", "1") == lost
    assert _standing([lost], "2", "3") is None
    refused = _decision("not promoted", "2", "1")
    assert _standing([lost, refused], "2", "1") is None


def test_a_rollback_stands_for_the_generator_whatever_its_version_and_whatever_answer_its_evidence_is_given() -> None:
    rolled = _decision("rolled back", "2", "1")
    assert _standing([rolled], "3", "1", generator_sha256="g2", answer="do not synthesise") == rolled
    assert _standing([rolled], "3", "1") is None


def test_a_promotion_and_a_withdrawal_stand_while_the_answer_is_the_same() -> None:
    assert _standing([PROMOTED_1], "1", "1", answer="do not synthesise") is None
    withdrawn = _decision("withdrawn", "1", None, answer="do not synthesise")
    assert _standing([PROMOTED_1, withdrawn], "1", None, answer="do not synthesise") == withdrawn
    assert _standing([PROMOTED_1, withdrawn], "1", None) is None


def test_evidence_is_the_numbers_of_a_verdict_and_neither_thresholds_nor_what_it_is_of() -> None:
    hashes = {"generator_sha256": "g", "split_sha256": "s", "synthetic_sha256": "y", "classifiers_sha256": "c"}
    facts = facts_of(verdict_of("synthesise") | hashes)
    other = facts_of(verdict_of("do not synthesise", max_calibration_loss=0.5) | hashes | {"classifiers_sha256": "d"})
    assert other["evidence_sha256"] == facts["evidence_sha256"]
    assert facts_of(verdict_of("synthesise", mean=0.021) | hashes)["evidence_sha256"] != facts["evidence_sha256"]
    assert facts["gain"] == {"mean": 0.02, "low": 0.01, "high": 0.03, "sign_flip_p": 0.03}


def test_a_decision_is_read_as_it_was_written_and_others_are_of_an_earlier_format() -> None:
    assert from_text(to_text(PROMOTED_1)) == PROMOTED_1
    texts = ["", "1", "{", '{"event": "promoted"}', to_text(PROMOTED_1).replace('"format": 2', '"format": 1')]
    for text in [*texts, to_text(PROMOTED_1).replace("promoted", "crowned")]:
        with pytest.raises(EarlierFormat):
            from_text(text)
