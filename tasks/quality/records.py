"""What a selection reads of trainings and writes of itself: places of snapshots, a table of scores, and a record."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from tasks.core.files import read_json, write_json
from tasks.core.params import Candidate
from tasks.data.images import RESIZER
from tasks.data.manifest import rows_of
from tasks.networks.checkpoints import identity_of
from tasks.quality.guards import NOT_MADE
from tasks.quality.select import Choice, Snapshot
from tasks.support.errors import BadInput

PLACE = ("candidate", "seed", "epoch")
_SCORES = ("diversity", "coverage", "density", "c_t", "authenticity")
_DIGITS = 6


@dataclass(frozen=True)
class Trainings:
    """What the trainings of all candidates left.

    Attributes:
        places: candidate, seed and epoch of each snapshot.
        absent: the trainings without a snapshot, as losers: their reason has the code `no_snapshot`, and the alarms
            that stopped them.
        alarms: all alarms, with their candidates.
    """

    places: list[tuple[str, int, int]]
    absent: list[dict[str, Any]]
    alarms: list[dict[str, Any]]


def read_trainings(generators: Path, candidates: Mapping[str, Candidate]) -> Trainings:
    """What lies below the folder of all candidates.

    Raises:
        BadInput: there is no snapshot.
    """
    trainings = Trainings([], [], [])
    for name, candidate in candidates.items():
        alarms = read_json(generators / name / "alarms.json")
        trainings.alarms.extend({"candidate": name, **alarm} for alarm in alarms)
        for seed in range(candidate.seeds):
            epochs = sorted(int(path.name) for path in (generators / name / f"seed_{seed}").iterdir())
            trainings.places.extend((name, seed, epoch) for epoch in epochs)
            if not epochs:
                stops = [alarm for alarm in alarms if alarm["seed"] == seed and alarm["consequence"] == "stop"]
                reason = {"code": "no_snapshot", "alarms": stops}
                loser = {"candidate": name, "seed": seed, "epoch": None, "kid": None, "cas": None, "reason": reason}
                trainings.absent.append(loser)
    if not trainings.places:
        raise BadInput(
            f"detectors stopped every training before its first snapshot ({'; '.join(map(_stop, trainings.absent))}): "
            "change candidates or train_gan.detectors"
        )
    return trainings


def _stop(loser: Mapping[str, Any]) -> str:
    alarms = ", ".join(f"{alarm['detector']} in epoch {alarm['epoch']}" for alarm in loser["reason"]["alarms"])
    return f"{loser['candidate']} seed {loser['seed']}: {alarms}"


def needed_classes(manifest: pd.DataFrame) -> list[str]:
    """Classes that need images: all with fewer training images than the largest, or all where none has."""
    counts = rows_of(manifest, "train")["label"].value_counts()
    return sorted(counts[counts < counts.max()].index if counts.nunique() > 1 else counts.index)


def write_records(
    folder: Path,
    choice: Choice,
    snapshots: Sequence[Snapshot],
    measured: Mapping[str, Mapping[str, Any]],
    classes: Sequence[str],
    trainings: Trainings,
) -> None:
    """Write scores.csv and selection.json beside the files of the generator that was chosen.

    Args:
        measured: scores of `Measure.measure` by the snapshot's folder.
    """
    table = _scores_table(snapshots, measured, choice.winner)
    table.to_csv(folder / "scores.csv", index=False)
    winner, scores = choice.winner, measured[choice.winner.folder]
    losers = [
        _named(loser) | {"kid": loser.kid.value, "cas": loser.cas, "reason": reason} for loser, reason in choice.losers
    ]
    row = table[table["chosen"]].iloc[0].drop([*PLACE, "chosen", "cas_classes"]).dropna()
    selection = {
        **_named(winner),
        "run": winner.folder,
        "generator_sha256": identity_of(folder),
        "reason": choice.why,
        "scores": {str(name): float(value) for name, value in row.items()},
        "classes": {label: _class(label, winner, scores) for label in classes},
        "pooled": scores["pooled"],
        "cas_classes": scores["cas_classes"],
        "resizer": RESIZER.name,
        "pixels": [0, 255],
        "losers": losers + trainings.absent,
        "alarms": trainings.alarms,
    }
    write_json(folder / "selection.json", selection)


def _scores_table(
    snapshots: Sequence[Snapshot], measured: Mapping[str, Mapping[str, Any]], winner: Snapshot
) -> pd.DataFrame:
    """One row for each snapshot; scores by class as least and mean over the classes it makes."""
    rows = []
    for snapshot in snapshots:
        row = _named(snapshot) | {"chosen": snapshot is winner, "kid": snapshot.kid.value, "cas": snapshot.cas}
        row |= {"kid_low": snapshot.kid.low, "kid_high": snapshot.kid.high}
        if snapshot.refused is not None:
            scores = measured[snapshot.folder]
            row |= {"cas_classes": ", ".join(scores["cas_classes"]), "refused": len(snapshot.refused)}
            row |= summary(scores)
        rows.append(row)
    return pd.DataFrame(rows)


def summary(measured: Mapping[str, Any]) -> dict[str, float]:
    """Least and mean over classes of each score in the mean over feature spaces, where there are any."""
    values = {}
    for name in _SCORES:
        by_class = [
            np.mean(known)
            for scores in measured["classes"].values()
            if (known := [value for value in scores[name].values() if value is not None])
        ]
        if by_class:
            values[f"{name}_least"] = round(float(min(by_class)), _DIGITS)
            values[f"{name}_mean"] = round(float(np.mean(by_class)), _DIGITS)
    return values


def _class(label: str, snapshot: Snapshot, measured: Mapping[str, Any]) -> dict[str, Any]:
    """What is known of a snapshot's images of a class, and what a guard has against them under `refused`, or None."""
    if label not in snapshot.classes:
        return {"refused": NOT_MADE}
    return {"refused": (snapshot.refused or {}).get(label), **measured["classes"][label]}


def _named(snapshot: Snapshot) -> dict[str, Any]:
    return {name: getattr(snapshot, name) for name in PLACE}
