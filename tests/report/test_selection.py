from typing import Any

import pandas as pd
import pytest

from tasks.report.selection import refusal_sentence, selection_lines, why_chosen, why_not

BOTH = {"evaluator": 0.2, "random_networks": 0.254}
COLLAPSED = {"guard": "collapsed", "diversity": BOTH, "min_diversity": 0.5}
COLLAPSE = "collapsed: 0.20 (evaluator) and 0.25 (random networks) times as varied as real images, below 0.5"
ALARM = {"part": "all", "detector": "collapse", "seed": 1, "epoch": 3, "consequence": "stop", "value": 0.01}
WINNER = "conditional seed 0 epoch 30"


def _selection(**more: Any) -> dict[str, Any]:
    return {
        "candidate": "conditional",
        "seed": 0,
        "epoch": 30,
        "reason": {"code": "highest_cas", "rivals": 2, "passed": 2, "needed": 2},
        "scores": {"kid": 0.03, "kid_low": 0.02, "kid_high": 0.04, "cas": 0.907},
        "classes": {label: {"refused": None, "held_out": 17} for label in ("2", "5")},
        "pooled": [],
        "losers": [],
    } | more


def _loser(epoch: int | None, cas: float | None, reason: dict[str, Any]) -> dict[str, Any]:
    kid = None if epoch is None else 0.0432
    return {"candidate": "conditional", "seed": 0, "epoch": epoch, "kid": kid, "cas": cas, "reason": reason}


@pytest.mark.parametrize(
    ("refusal", "sentence"),
    [
        ({"guard": "not_made"}, "the generator makes no images of it"),
        (COLLAPSED, COLLAPSE),
        (
            {"guard": "unlike", "kid_share": BOTH, "max_kid": 0.5},
            "unlike the class: KID is 0.20 (evaluator) and 0.25 (random networks) times that of noise, above 0.5",
        ),
        (
            {"guard": "copies", "c_t": BOTH, "min_c_t": -3.0, "authenticity": BOTH, "min_authenticity": 0.2},
            "copies training images: C_T is 0.20 (evaluator) and 0.25 (random networks), below -3, and authenticity "
            "0.20 (evaluator) and 0.25 (random networks), below 0.2",
        ),
        (
            {"guard": "misses", "coverage": BOTH, "min_coverage": 0.5, "pooled": ["2", "5"]},
            "misses much of the class (classes 2, 5 together): covers 0.20 (evaluator) and 0.25 (random networks) "
            "times as many validation images as training images do, below 0.5",
        ),
    ],
)
def test_what_each_guard_refuses_has_its_sentence(refusal: dict[str, Any], sentence: str) -> None:
    assert refusal_sentence(refusal) == sentence


def test_why_one_was_chosen_is_said_with_its_scores_and_what_it_cannot_make() -> None:
    assert why_chosen(_selection()) == (
        f"{WINNER} has the highest CAS of the 2 snapshots that pass the guards in most of the classes that need "
        "images, 2 of 2: CAS 0.9070, KID 0.0300 [0.0200, 0.0400]."
    )
    alone = _selection(
        reason={"code": "alone", "rivals": 1, "passed": 1, "needed": 3},
        scores={"kid": 0.03, "cas": 0.6},
        classes={"2": {"refused": COLLAPSED}, "5": {"refused": None}, "8": {"refused": {"guard": "not_made"}}},
    )
    assert why_chosen(alone) == (
        f"{WINNER} alone passes the guards in most of the classes that need images, 1 of 3: CAS 0.6000, KID 0.0300 "
        f"[unknown]. Refused in class 2 {COLLAPSE}."
    )


@pytest.mark.parametrize(
    ("loser", "sentence"),
    [
        (
            _loser(10, None, {"code": "kid_not_lowest", "snapshots": 3}),
            "KID 0.0432 is not among the 3 lowest of its training",
        ),
        (_loser(20, 0.812, {"code": "lower_cas", "winner": 0.907}), f"CAS 0.8120 below 0.9070 of {WINNER}"),
        (
            _loser(20, 0.907, {"code": "higher_kid", "winner": 0.03}),
            f"CAS as high as that of {WINNER}, KID 0.0432 above 0.0300",
        ),
        (_loser(40, 0.907, {"code": "equal"}), f"CAS and KID are those of {WINNER}, which comes first"),
        (
            _loser(40, 0.95, {"code": "guards", "passed": 0, "most": 2, "refused": {"5": COLLAPSED, "2": COLLAPSED}}),
            f"passes the guards in 0 of the classes that need images, {WINNER} in 2: refused in class 5 {COLLAPSE}; in "
            f"class 2 {COLLAPSE}",
        ),
        (
            _loser(8, 0.9, {"code": "guards", "passed": 1, "most": 2, "refused": {}}),
            f"passes the guards in 1 of the classes that need images, {WINNER} in 2: it makes no images of the others",
        ),
        (
            _loser(None, None, {"code": "no_snapshot", "alarms": [ALARM, ALARM | {"detector": "d_loss_zero"}]}),
            "stopped before its first snapshot: collapse (all, epoch 3); d loss zero (all, epoch 3)",
        ),
    ],
)
def test_why_each_other_one_was_not_chosen_is_said(loser: dict[str, Any], sentence: str) -> None:
    assert why_not(loser, _selection()) == sentence


def _lines(losers: list[dict[str, Any]], pooled: list[str]) -> list[str]:
    scores = {"candidate": "conditional", "seed": 0, "epoch": 30, "chosen": True, "kid": 0.01, "kid_low": 0.0}
    scores |= {"kid_high": 0.02, "cas": 0.9, "cas_classes": "2, 5", "refused": 0.0}
    return selection_lines(_selection(losers=losers, pooled=pooled), pd.DataFrame([scores]))


def test_it_says_what_was_chosen_and_how_it_scored() -> None:
    lines = _lines([], [])
    assert lines[0] == why_chosen(_selection())
    row = "| **conditional seed 0 epoch 30** | 0.0100 [0.0000, 0.0200] | 0.9000 | 2, 5 | unknown | unknown | 0 |"
    assert row in lines
    assert not any("taken together" in line for line in lines)


def test_small_classes_that_were_taken_together_are_named() -> None:
    (line,) = [line for line in _lines([], ["2", "5"]) if "taken together" in line]
    assert line.startswith("Coverage and density of 2, 5 are taken together, 17 validation images in all")


def test_no_loser_is_lost() -> None:
    losers = [_loser(epoch, 0.5, {"code": "lower_cas", "winner": 0.9}) for epoch in range(30)]
    losers += [_loser(epoch, None, {"code": "kid_not_lowest", "snapshots": 3}) for epoch in range(30, 34)]
    lines = _lines([*losers, _loser(None, None, {"code": "no_snapshot", "alarms": [ALARM]})], [])
    shown = [line for line in lines if line.startswith("- ")]
    assert shown[0] == "- conditional seed 0: stopped before its first snapshot: collapse (all, epoch 3)"
    assert len(shown) == 22  # 20 reasons, and what is not shown
    assert shown[20:] == [
        "- 11 more, in data/generator/selection.json",
        "- 4 more: their KID is not among the lowest of their training",
    ]
