"""Which snapshot becomes the generator, and what each other one lacks: codes and numbers."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tasks.gan.scores import Interval
from tasks.quality.guards import Refusal

Reason = dict[str, Any]  # `code`, and the numbers that go with it


@dataclass(frozen=True)
class Snapshot:
    """A generator as it was after an epoch of a training, and what is known of it.

    Attributes:
        classes: names of those it makes.
        refused: by class, what the guard that refuses it goes by; None where guards were not asked.
        cas: classification accuracy score; None where no classifier learnt from it.
    """

    candidate: str
    seed: int
    epoch: int
    classes: Sequence[str]
    kid: Interval
    refused: Mapping[str, Refusal] | None = None
    cas: float | None = None

    @property
    def training(self) -> tuple[str, int]:
        return self.candidate, self.seed

    @property
    def folder(self) -> str:
        """Where it lies below the folder of all candidates."""
        return folder_of(self.candidate, self.seed, self.epoch)


@dataclass(frozen=True)
class Choice:
    """The snapshot that becomes the generator, why it won, and every other snapshot with why it did not."""

    winner: Snapshot
    why: Reason
    losers: Sequence[tuple[Snapshot, Reason]]


def folder_of(candidate: str, seed: int, epoch: int) -> str:
    """Where a snapshot lies below the folder of all candidates."""
    return f"{candidate}/seed_{seed}/{epoch:05d}"


def closest(snapshots: Sequence[Snapshot], count: int) -> list[Snapshot]:
    """The `count` snapshots with the lowest KID of each training, in the given order; of equals the first."""
    kept: dict[tuple[str, int], list[Snapshot]] = {}
    for snapshot in sorted(snapshots, key=lambda snapshot: snapshot.kid.value):
        kept.setdefault(snapshot.training, []).append(snapshot)
    return [snapshot for snapshot in snapshots if snapshot in kept[snapshot.training][:count]]


def rivals(snapshots: Sequence[Snapshot], needed: Collection[str]) -> list[Snapshot]:
    """Of the snapshots that guards were asked about, those that pass them in most of the classes that need images."""
    asked = [snapshot for snapshot in snapshots if snapshot.refused is not None]
    most = max(len(_usable(snapshot, needed)) for snapshot in asked)
    return [snapshot for snapshot in asked if len(_usable(snapshot, needed)) == most]


def compared_classes(best: Sequence[Snapshot], snapshot: Snapshot) -> list[str]:
    """Classes whose images the CAS of a snapshot is of: those that all of the best make, too, or else all its own.

    A generator of a few classes would else win by the real images of all the others.
    """
    shared = [name for name in snapshot.classes if all(name in other.classes for other in best)]
    return shared or list(snapshot.classes)


def choose(snapshots: Sequence[Snapshot], needed: Collection[str], count: int) -> Choice:
    """The snapshot to keep, with a code for each other one.

    Those come first that pass the guards in most of the classes that need images; among them the highest CAS wins, then
    the lowest KID, then the first. Codes of why one won: `highest_cas` of several rivals, or `alone`; of why not, in
    this order: `kid_not_lowest` of its training, `guards` passed in fewer classes, `lower_cas`, `higher_kid`, `equal`.

    Args:
        snapshots: all; `closest(snapshots, count)` of them have `refused` and `cas`.
        needed: names of the classes that need images.
    """
    best = rivals(snapshots, needed)
    winner = min(best, key=lambda snapshot: (-(snapshot.cas or 0.0), snapshot.kid.value))
    others = [snapshot for snapshot in snapshots if snapshot is not winner]
    why = {
        "code": "highest_cas" if len(best) > 1 else "alone",
        "rivals": len(best),
        "passed": len(_usable(winner, needed)),
        "needed": len(needed),
    }
    return Choice(winner, why, [(snapshot, _why_not(snapshot, winner, needed, count)) for snapshot in others])


def _usable(snapshot: Snapshot, needed: Collection[str]) -> list[str]:
    return [name for name in snapshot.classes if name in needed and name not in (snapshot.refused or {})]


def _why_not(snapshot: Snapshot, winner: Snapshot, needed: Collection[str], count: int) -> Reason:
    if snapshot.cas is None:
        return {"code": "kid_not_lowest", "snapshots": count}
    passed, most = len(_usable(snapshot, needed)), len(_usable(winner, needed))
    if passed < most:
        return {"code": "guards", "passed": passed, "most": most, "refused": dict(snapshot.refused or {})}
    if snapshot.cas != winner.cas:
        return {"code": "lower_cas", "winner": winner.cas}
    if snapshot.kid.value != winner.kid.value:
        return {"code": "higher_kid", "winner": winner.kid.value}
    return {"code": "equal"}
