from typing import Any

import pandas as pd

from tasks.report.generator import generator_lines


def _loser(epoch: int | None, cas: float | None, reason: str = "CAS below") -> dict[str, Any]:
    return {"candidate": "conditional", "seed": 0, "epoch": epoch, "kid": 0.1, "cas": cas, "reason": reason}


def _lines(losers: list[dict[str, Any]], pooled: list[str]) -> list[str]:
    classes = {"2": {"refused": None, "held_out": 17}, "5": {"refused": None, "held_out": 17}}
    selection = {"reason": "The best.", "losers": losers, "alarms": [], "pooled": pooled, "classes": classes}
    scores = {"candidate": "conditional", "seed": 0, "epoch": 30, "chosen": True, "kid": 0.01, "kid_low": 0.0}
    scores |= {"kid_high": 0.02, "cas": 0.9, "cas_classes": "2, 5", "refused": 0.0}
    return generator_lines(selection, pd.DataFrame([scores]))


def test_it_says_what_was_chosen_and_how_it_scored() -> None:
    lines = _lines([], [])
    assert lines[0] == "The best."
    row = "| **conditional seed 0 epoch 30** | 0.0100 [0.0000, 0.0200] | 0.9000 | 2, 5 | unknown | unknown | 0 |"
    assert row in lines
    assert not any("taken together" in line for line in lines)


def test_small_classes_that_were_taken_together_are_named() -> None:
    (line,) = [line for line in _lines([], ["2", "5"]) if "taken together" in line]
    assert line.startswith("Coverage and density of 2, 5 are taken together, 17 validation images in all")


def test_no_loser_is_lost() -> None:
    losers = [_loser(epoch, 0.5) for epoch in range(30)] + [_loser(epoch, None) for epoch in range(30, 34)]
    lines = _lines([*losers, _loser(None, None, "stopped before its first snapshot")], [])
    told = [line for line in lines if line.startswith("- ")]
    assert told[0] == "- conditional seed 0: stopped before its first snapshot"
    assert len(told) == 22  # 20 reasons, and what is not shown
    assert told[20:] == [
        "- 11 more, in data/generator/selection.json",
        "- 4 more: their KID is not among the lowest of their training",
    ]
