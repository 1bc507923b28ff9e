"""Which snapshot becomes the generator, and why none of the others."""

from collections.abc import Mapping, Sequence
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
        return f"{self.candidate}/seed_{self.seed}/{self.epoch:05d}"

    def __str__(self) -> str:
        return f"{self.candidate} seed {self.seed} epoch {self.epoch}"


def closest(snapshots: Sequence[Snapshot], count: int) -> list[Snapshot]:
    """The `count` snapshots with the lowest KID of each training, in the given order; of equals the first."""
    kept: dict[tuple[str, int], list[Snapshot]] = {}
    for snapshot in sorted(snapshots, key=lambda each: each.kid.value):
        kept.setdefault(snapshot.training, []).append(snapshot)
    return [snapshot for snapshot in snapshots if snapshot in kept[snapshot.training][:count]]


def compared_classes(snapshots: Sequence[Snapshot], snapshot: Snapshot) -> list[str]:
    """Classes whose images the CAS of a snapshot is of: those that all snapshots make, or all of its own if none are.

    A generator of a few classes would else win by the real images of all the others.
    """
    shared = [name for name in snapshot.classes if all(name in each.classes for each in snapshots)]
    return shared or list(snapshot.classes)


def choose(snapshots: Sequence[Snapshot], count: int) -> tuple[Snapshot, str, list[tuple[Snapshot, str]]]:
    """The winner, the sentence that says why, and every other snapshot with its reason.

    Of the snapshots with a CAS those come first that no guard refuses in any class they make, or, where there is none,
    those refused in the fewest classes; among them the highest CAS wins, then the lowest KID, then the first.

    Args:
        snapshots: all; `closest(snapshots, count)` of them have `refused` and `cas`.
    """
    measured = [snapshot for snapshot in snapshots if snapshot.cas is not None]
    least = min(len(_refused(snapshot)) for snapshot in measured)
    rivals = [snapshot for snapshot in measured if len(_refused(snapshot)) == least]
    winner = min(rivals, key=_rank)
    losers = [(each, _why_not(each, winner, count)) for each in snapshots if each is not winner]
    return winner, _why(winner, rivals), losers


def _refused(snapshot: Snapshot) -> Mapping[str, str]:
    return snapshot.refused or {}


def _rank(snapshot: Snapshot) -> tuple[float, float]:
    return -(snapshot.cas or 0.0), snapshot.kid.value


def _why(winner: Snapshot, rivals: Sequence[Snapshot]) -> str:
    scores = f"CAS {winner.cas:.4f}, KID {winner.kid.value:.4f} [{winner.kid.low:.4f}, {winner.kid.high:.4f}]"
    best = f"has the highest CAS of {len(rivals)} snapshots" if len(rivals) > 1 else "is the only snapshot"
    if not _refused(winner):
        return f"{winner} {best} that no guard refuses in any class: {scores}."
    return (
        f"{winner} {best} refused in the fewest classes, {len(_refused(winner))}, as none passes every guard: "
        f"{scores}. Refused: {_told(winner)}."
    )


def _why_not(snapshot: Snapshot, winner: Snapshot, count: int) -> str:
    if snapshot.cas is None:
        return f"KID {snapshot.kid.value:.4f} is not among the {count} lowest of its training"
    if len(_refused(snapshot)) > len(_refused(winner)):
        return _told(snapshot)
    if snapshot.cas != winner.cas:
        return f"CAS {snapshot.cas:.4f} below {winner.cas:.4f} of {winner}"
    if snapshot.kid.value != winner.kid.value:
        return f"CAS as high as that of {winner}, KID {snapshot.kid.value:.4f} above {winner.kid.value:.4f}"
    return f"CAS and KID are those of {winner}, which comes first"


def _told(snapshot: Snapshot) -> str:
    return "; ".join(f"in class {label} {sentence}" for label, sentence in _refused(snapshot).items())
