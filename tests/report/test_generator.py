from typing import Any

import pandas as pd

from tasks.report.generator import generator_lines
from tasks.report.selection import selection_lines

SELECTION: dict[str, Any] = {
    "candidate": "conditional",
    "seed": 0,
    "epoch": 30,
    "reason": {"code": "alone", "rivals": 1, "passed": 2, "needed": 2},
    "scores": {"kid": 0.01, "kid_low": 0.0, "kid_high": 0.02, "cas": 0.9},
    "classes": {"2": {"refused": None}, "5": {"refused": None}},
    "pooled": [],
    "losers": [],
    "alarms": [],
}
SCORES = pd.DataFrame([{"candidate": "conditional", "seed": 0, "epoch": 30, "chosen": True, "cas": None}])
FILTERED = {
    "2": {"counts": {"accepted": 9, "copy": 1}, "made": 10, "accepted_share": 0.9, "abstained": None}
    | {"min_probability": 0.5, "min_distance": 0.8, "max_distance": 1.2}
}


def test_it_says_what_was_chosen_and_what_the_filter_kept() -> None:
    lines, chosen = generator_lines(SELECTION, SCORES, FILTERED), selection_lines(SELECTION, SCORES)
    assert lines[: len(chosen)] == chosen
    assert "| 2 | 10 | 90% | 1 | 0 | 0 | 0.500 | 0.80 to 1.20 |  |" in lines
