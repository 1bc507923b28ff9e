"""Which snapshot becomes the generator, and why none of the others."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from tasks.gan.scores import Interval


@dataclass(frozen=True)
class Snapshot:
    """A generator as it was after an epoch of a training, and what is known of it.

    Attributes:
        classes: names of those it makes.
        refused: by class, the sentence of the guard that refuses it; None where guards were not asked.
        cas: classification accuracy score; None where no classifier learnt from it.
    """

    candidate: str
    seed: int
    epoch: int
    classes: Sequence[str]
    kid: Interval
    refused: Mapping[str, str] | None = None
    cas: float | None = None

    @property
    def training(self) -> tuple[str, int]:
        return self.candidate, self.seed

    @property
    def place(self) -> str:
        """Its folder below those of all candidates."""
        return place_of(self.candidate, self.seed, self.epoch)

    def __str__(self) -> str:
        return f"{self.candidate} seed {self.seed} epoch {self.epoch}"


def place_of(candidate: str, seed: int, epoch: int) -> str:
    """Folder of a snapshot below those of all candidates."""
    return f"{candidate}/seed_{seed}/{epoch:05d}"


def closest(snapshots: Sequence[Snapshot], count: int) -> list[Snapshot]:
    """The `count` snapshots with the lowest KID of each training, in the given order; of equals the first."""
    kept: dict[tuple[str, int], list[Snapshot]] = {}
    for snapshot in sorted(snapshots, key=lambda each: each.kid.value):
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
    shared = [name for name in snapshot.classes if all(name in each.classes for each in best)]
    return shared or list(snapshot.classes)


def choose(
    snapshots: Sequence[Snapshot], needed: Collection[str], count: int
) -> tuple[Snapshot, str, list[tuple[Snapshot, str]]]:
    """The winner, the sentence that says why, and every other snapshot with its reason.

    Those come first that pass the guards in most of the classes that need images; among them the highest CAS wins, then
    the lowest KID, then the first.

    Args:
        snapshots: all; `closest(snapshots, count)` of them have `refused` and `cas`.
        needed: names of the classes that need images.
    """
    best = rivals(snapshots, needed)
    winner = min(best, key=_rank)
    losers = [(each, _why_not(each, winner, needed, count)) for each in snapshots if each is not winner]
    return winner, _why(winner, best, needed), losers


def _usable(snapshot: Snapshot, needed: Collection[str]) -> list[str]:
    return [name for name in snapshot.classes if name in needed and name not in (snapshot.refused or {})]


def _rank(snapshot: Snapshot) -> tuple[float, float]:
    return -(snapshot.cas or 0.0), snapshot.kid.value


def _why(winner: Snapshot, best: Sequence[Snapshot], needed: Collection[str]) -> str:
    first = f"has the highest CAS of the {len(best)} snapshots that pass" if len(best) > 1 else "alone passes"
    sentence = (
        f"{winner} {first} the guards in most of the classes that need images, {len(_usable(winner, needed))} of "
        f"{len(needed)}: CAS {winner.cas:.4f}, KID {winner.kid}."
    )
    return f"{sentence} Refused {_told(winner)}." if winner.refused else sentence


def _why_not(snapshot: Snapshot, winner: Snapshot, needed: Collection[str], count: int) -> str:
    if snapshot.cas is None:
        return f"KID {snapshot.kid.value:.4f} is not among the {count} lowest of its training"
    passed, most = len(_usable(snapshot, needed)), len(_usable(winner, needed))
    if passed < most:
        told = f"refused {_told(snapshot)}" if snapshot.refused else "it makes no images of the others"
        return f"passes the guards in {passed} of the classes that need images, {winner} in {most}: {told}"
    if snapshot.cas != winner.cas:
        return f"CAS {snapshot.cas:.4f} below {winner.cas:.4f} of {winner}"
    if snapshot.kid.value != winner.kid.value:
        return f"CAS as high as that of {winner}, KID {snapshot.kid.value:.4f} above {winner.kid.value:.4f}"
    return f"CAS and KID are those of {winner}, which comes first"


def _told(snapshot: Snapshot) -> str:
    return "; ".join(f"in class {label} {sentence}" for label, sentence in (snapshot.refused or {}).items())
