"""Select the generator: the snapshots of all candidates judged on validation images, the best one kept with reasons."""

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from tasks.core.files import read_json, remove_others, replacing, write_json
from tasks.core.params import Candidate, Images, Params, SelectGenerator
from tasks.data.images import RESIZER, read_images
from tasks.data.manifest import class_names, label_indices, read_manifest, rows_of
from tasks.report.plots import draw_scores
from tasks.support.commands import stage_command
from tasks.support.errors import BadInput
from tasks.support.progress import bar, log
from tasks.support.stages import stage

if TYPE_CHECKING:
    from tasks.quality.judging import Judge
    from tasks.quality.select import Snapshot

FILES = ("generator.npz", "generator.json", "samples.npz")
SEEN = "seen.csv"  # the images by which the generator was trained and selected
PLACE = ("candidate", "seed", "epoch")

Place = tuple[str, int, int]  # candidate, seed and epoch
Measured = dict[str, Any]  # of a snapshot, as `Measure.measure` gives it


@stage(
    params=("compute", "images", "select_generator", "candidates"),
    rooms=("data", "networks", "gan", "classifier", "quality"),
    out="generator",
)
def select_generator(params: Params, out: Path, *, raw: Path, split: Path, generators: Path) -> None:
    """Write generator.npz, generator.json and samples.npz of the best snapshot, selection.json, scores, and seen.csv:
    hash, label and split of each image by which it was trained or selected.

    KID is taken of every snapshot; guards are asked, and classifiers learn from the images, only of the `cas_snapshots`
    with the lowest KID of each training. `choose` has the rule; classes that need images are all but the largest in
    train. Images of the splits train and validation are opened.
    Outputs of candidates that params.yaml no longer names are removed.

    Raises:
        BadInput: no training left a snapshot.
    """
    from tasks.networks.checkpoints import identity_of  # deferred: TensorFlow takes seconds to start
    from tasks.quality.select import choose

    candidates = params.candidates
    remove_others(generators, set(candidates))
    alarms = {name: read_json(generators / name / "alarms.json") for name in candidates}
    places, absent = _find(candidates, generators, alarms)
    manifest = read_manifest(split)
    classes, needed = class_names(manifest), _needed(manifest)
    judge = _judge(params.select_generator, params.images, manifest)
    snapshots, measured = _score(judge, params.select_generator.cas_snapshots, needed, generators, places)
    winner, reason, losers = choose(snapshots, needed, params.select_generator.cas_snapshots)
    table = _table(snapshots, measured, winner)
    with replacing(out) as folder:
        for name in FILES:
            shutil.copyfile(generators / winner.place / name, folder / name)
        table.to_csv(folder / "scores.csv", index=False)
        draw_scores(folder / "scores.png", table)
        selection = _selection(winner, classes, measured, table)
        selection |= {
            "generator_sha256": identity_of(folder),
            "reason": reason,
            "losers": [_lost(each, why) for each, why in losers] + absent,
        }
        selection["alarms"] = [{"candidate": name, **each} for name, several in alarms.items() for each in several]
        write_json(folder / "selection.json", selection)
        seen = rows_of(manifest, "train", "validation")[["sha256", "label", "split"]]
        seen.sort_values(["sha256", "label"]).to_csv(folder / SEEN, index=False)
    log.info("  %s", reason)


def _find(
    candidates: Mapping[str, Candidate], generators: Path, alarms: Mapping[str, list[dict[str, Any]]]
) -> tuple[list[Place], list[dict[str, Any]]]:
    """Places of all snapshots, and the trainings that left none, as losers with the reason.

    Raises:
        BadInput: there is no snapshot.
    """
    places, absent = [], []
    for name, candidate in candidates.items():
        for seed in range(candidate.seeds):
            epochs = sorted(int(path.name) for path in (generators / name / f"seed_{seed}").iterdir())
            places += [(name, seed, epoch) for epoch in epochs]
            if not epochs:
                stops = [each for each in alarms[name] if each["seed"] == seed and each["consequence"] == "stop"]
                told = " ".join(f"{each['detector']} ({each['part']}, epoch {each['epoch']})" for each in stops)
                place = {"candidate": name, "seed": seed, "epoch": None, "kid": None, "cas": None}
                absent.append(place | {"reason": f"stopped before its first snapshot: {told}"})
    if not places:
        told = "; ".join(f"{each['candidate']} seed {each['seed']}: {each['reason']}" for each in absent)
        raise BadInput(f"no training left a snapshot ({told}): change candidates or train_gan.detectors")
    return places, absent


def _needed(manifest: pd.DataFrame) -> list[str]:
    """Classes that need images: all with fewer training images than the largest, or all where none has."""
    counts = rows_of(manifest, "train")["label"].value_counts()
    return sorted(counts[counts < counts.max()].index if counts.nunique() > 1 else counts.index)


def _judge(params: SelectGenerator, images: Images, manifest: pd.DataFrame) -> "Judge":
    """A judge that knows the real images of the splits train and validation."""
    from tasks.quality.guards import Labelled
    from tasks.quality.judging import Judge

    classes, splits = class_names(manifest), [rows_of(manifest, name) for name in ("train", "validation")]
    train, validation = (
        Labelled(
            read_images(rows["path"], images.size_px, images.channels),
            label_indices(rows, classes),
        )
        for rows in splits
    )
    return Judge(params, classes, train, splits[0]["group"].tolist(), validation)


def _score(
    judge: "Judge", count: int, needed: Sequence[str], generators: Path, places: Sequence[Place]
) -> tuple[list["Snapshot"], dict[str, Measured]]:
    """All snapshots with their KID, `count` of each training with guards and CAS, and what was measured of those."""
    from tasks.networks.checkpoints import load_generator
    from tasks.quality.select import Snapshot, closest, compared_classes, place_of, rivals

    snapshots, measured = [], {}
    for place in bar(places, "KID", "snapshot"):
        generator = load_generator(generators / place_of(*place))
        snapshots.append(Snapshot(*place, generator.classes, judge.kid(generator)))
    for snapshot in bar(closest(snapshots, count), "guards", "snapshot"):
        measured[snapshot.place], refused = judge.guard(load_generator(generators / snapshot.place))
        snapshots[snapshots.index(snapshot)] = replace(snapshot, refused=refused)
    best = rivals(snapshots, needed)
    for number, snapshot in enumerate(bar(snapshots, "CAS", "snapshot")):
        if snapshot.refused is not None:
            compared = compared_classes(best, snapshot)
            cas = judge.cas(load_generator(generators / snapshot.place), compared)
            measured[snapshot.place]["cas_classes"] = compared
            snapshots[number] = replace(snapshot, cas=cas)
    return snapshots, measured


def _table(snapshots: Sequence["Snapshot"], measured: Mapping[str, Measured], winner: "Snapshot") -> pd.DataFrame:
    """One row for each snapshot; scores by class as least and mean over the classes it makes."""
    from tasks.quality.judging import summary

    rows = []
    for each in snapshots:
        row = _named(each) | {"chosen": each is winner} | _value(each)
        row |= {"kid_low": each.kid.low, "kid_high": each.kid.high}
        if each.refused is not None:
            compared = ", ".join(measured[each.place]["cas_classes"])
            row |= {"cas_classes": compared, "refused": len(each.refused), **summary(measured[each.place])}
        rows.append(row)
    return pd.DataFrame(rows)


def _selection(
    winner: "Snapshot", classes: Sequence[str], measured: Mapping[str, Measured], table: pd.DataFrame
) -> dict[str, Any]:
    """What selection.json says of the winner."""
    of_winner = measured[winner.place]
    return {
        **_named(winner),
        "run": winner.place,
        "scores": _scores(table[table["chosen"]].iloc[0]),
        "classes": {label: _class(label, winner, of_winner) for label in classes},
        "pooled": of_winner["pooled"],
        "cas_classes": of_winner["cas_classes"],
        "resizer": RESIZER.name,
        "pixels": [0, 255],
    }


def _lost(snapshot: "Snapshot", why: str) -> dict[str, Any]:
    return _named(snapshot) | _value(snapshot) | {"reason": why}


def _scores(row: "pd.Series[Any]") -> dict[str, float]:
    """The numbers of a row of the table, by name."""
    return {str(name): float(value) for name, value in row.drop([*PLACE, "chosen", "cas_classes"]).dropna().items()}


def _class(label: str, snapshot: "Snapshot", measured: Measured) -> dict[str, Any]:
    """What is known of a snapshot's images of a class, and the reason against them under `refused`, or None."""
    if label not in snapshot.classes:
        return {"refused": "the generator makes no images of it"}
    return {"refused": (snapshot.refused or {}).get(label), **measured["classes"][label]}


def _named(snapshot: "Snapshot") -> dict[str, Any]:
    return {name: getattr(snapshot, name) for name in PLACE}


def _value(snapshot: "Snapshot") -> dict[str, Any]:
    return {"kid": snapshot.kid.value, "cas": snapshot.cas}


if __name__ == "__main__":
    stage_command(select_generator)
