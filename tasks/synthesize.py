"""Synthesize: filtered images of the rare classes, and the balanced manifest of real and synthetic rows."""

import shutil
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from tasks.core.files import read_json, replacing, sha256_of, write_json
from tasks.core.params import Images, Params, Synthesize
from tasks.data.balance import plan
from tasks.data.images import read_images, write_image
from tasks.data.manifest import class_names, label_indices, read_manifest, rows_of, write_manifest
from tasks.support.commands import stage_command
from tasks.support.expectations import Check, check, require
from tasks.support.progress import bar, log
from tasks.support.stages import stage

if TYPE_CHECKING:
    from tasks.networks.checkpoints import Generator
    from tasks.quality.fill import Filling, Made
    from tasks.quality.filter import ClassFilter

LINEAGE = {
    "generator": "string",  # SHA-256 of its weights
    "run": "string",  # candidate/seed/epoch, its folder in data/generators
    "seed": "Int64",
    "latent_index": "Int64",  # of the latents of that seed and the class
    "filter_probability": "Float64",
    "filter_distance": "Float64",  # to the nearest training image of the class; 1 is usual for a real one
    "nearest_real": "string",  # that image's path
    "nearest_distance": "Float64",  # from it in pixels, 0 to 255: root of the mean squared difference
}
UNFILTERED = ".unfiltered"  # the folder of what the generator made first, filtered or not
_PROMISE = Check(
    "between",
    "missing",
    'class "{label}" lacks {missing} of the {promised} training images promised: report this as a defect of Equipoise',
    minimum=0,
    maximum=0,
)


@stage(params=("compute", "images", "synthesize"), rooms=("data", "networks", "classifier", "quality"), out="synthetic")
def synthesize(params: Params, out: Path, *, raw: Path, split: Path, generator: Path) -> None:
    """Write <class>/<number>.png of the images kept, manifest.parquet with all real rows and theirs, balance.csv,
    filter.json and, where classes were to be filled, the picture triples.png.

    For a comparison it also has, under the split `unfiltered`, as many images of each class that the generator made
    first.

    Of the real images only those of the split train are opened. A synthetic row has its LINEAGE, from which the image
    can be made again.

    Raises:
        BadInput: the images kept are not those promised.
    """
    manifest, selection = read_manifest(split), read_json(generator / "selection.json")
    planned = plan(rows_of(manifest, "train"), selection["classes"], params.synthesize)
    wanted = {
        str(label): int(count) for label, count in zip(planned["label"], planned["synthetic"], strict=True) if count
    }
    with replacing(out, keep_refused=True) as folder:
        filled, rows = (
            _fill_all(params.synthesize, params.images, manifest, wanted, generator, folder) if wanted else ({}, [])
        )
        balance = _settle(planned, filled)
        manifest = _with_synthetic(manifest, rows, out)
        trained = rows_of(manifest, "train").groupby("label").size()
        balance["missing"] = balance["promised"] - balance["label"].map(trained)
        balance.to_csv(folder / "balance.csv", index=False)
        write_manifest(folder, manifest)
        write_json(folder / "filter.json", {label: _summary(filling) for label, filling in filled.items()})
        results = check({"balanced": (balance, [_PROMISE])})
        write_json(folder / "checks.json", results)
        require(results)
    log.info("  %d images in %d classes", balance["synthetic"].sum(), (balance["synthetic"] > 0).sum())
    for label, reason in balance.loc[balance["abstained"].notna(), ["label", "abstained"]].itertuples(index=False):
        log.info("  no images of class %s: %s", label, reason)


def _settle(planned: pd.DataFrame, filled: "Mapping[str, Filling]") -> pd.DataFrame:
    """The plan with the images made and the share accepted, and with nothing promised of a class that was given up."""
    labels = planned["label"]
    given_up = {label: filling.abstained for label, filling in filled.items() if filling.abstained}
    synthetic = planned["synthetic"].where(~labels.isin(given_up), 0)
    return pd.DataFrame(
        {
            "label": labels,
            "real": planned["real"],
            "promised": planned["real"] + synthetic,
            "synthetic": synthetic,
            "made": labels.map({label: filling.made for label, filling in filled.items()}).fillna(0).astype(int),
            "accepted_share": labels.map({label: filling.accepted_share for label, filling in filled.items()}),
            "abstained": planned["abstained"].where(~labels.isin(given_up), labels.map(given_up)),
        }
    )


def _fill_all(
    params: Synthesize, images: Images, manifest: pd.DataFrame, wanted: dict[str, int], source: Path, folder: Path
) -> "tuple[dict[str, Filling], list[dict[str, Any]]]":
    """What came of each class wanted, and the rows of the images kept, which are in `folder` with a picture of some."""
    from tasks.networks.checkpoints import load_generator  # deferred: TensorFlow takes seconds to start
    from tasks.quality.filter import Real, assign_folds, class_filter, train_judges
    from tasks.report.triples import block, draw_triples

    classes, train = class_names(manifest), rows_of(manifest, "train")
    labels, groups = label_indices(train, classes), pd.factorize(train["group"])[0]
    folds = assign_folds(labels, groups, params.filter.folds, np.random.default_rng(params.seed))
    pixels = read_images(train["path"], images.size_px, images.channels)
    real = Real(pixels, labels, groups, folds)
    judges = train_judges(params.filter.classifier, real, len(classes), params.seed)
    generator, origin = load_generator(source), _origin(source, params.seed)
    filled, rows, blocks = {}, [], {}
    for label, count in bar(wanted.items(), "synthesize", "class"):
        kind = classes.index(label)
        judged_by = class_filter(params.filter, judges, real, kind)
        paths, shown = train["path"][labels == kind].tolist(), pixels[labels == kind]
        filled[label], made = _fill_one(params, judged_by, label, count, generator, paths, shown, folder)
        rows += [row | origin for row in made]
        blocks[label] = block(filled[label], shown)
    draw_triples(folder / "triples.png", blocks)
    return filled, rows


def _fill_one(
    params: Synthesize,
    judged_by: "ClassFilter",
    label: str,
    wanted: int,
    generator: "Generator",
    paths: list[str],
    real: NDArray[np.uint8],
    folder: Path,
) -> "tuple[Filling, list[dict[str, Any]]]":
    """What came of one class, and the rows of its images in `folder`: none of either where the class is given up."""
    from tasks.networks.checkpoints import draw_latents
    from tasks.quality.fill import fill

    rows: list[dict[str, Any]] = []
    (folder / label).mkdir()

    def make(start: int, count: int) -> NDArray[np.uint8]:
        latents = draw_latents(params.seed, label, range(start, start + count), generator.latent)
        return generator.generate(latents, np.full(count, generator.classes.index(label), np.int32))

    def keep(made: "Made") -> None:
        path = folder / label / f"{len(rows):06d}.png"
        write_image(path, made.image)
        lineage = {
            "latent_index": made.latent_index,
            "filter_probability": made.probability,
            "filter_distance": made.distance,
            "nearest_real": paths[made.nearest],
            "nearest_distance": _difference(made.image, real[made.nearest]),
        }
        rows.append(
            {"label": label, "split": "train", "natural_test": False} | _describe(path, folder, made.image) | lineage
        )

    filling = fill(params.filter, judged_by, wanted, make, keep)
    if filling.abstained:
        shutil.rmtree(folder / label)
        return filling, []
    return filling, rows + _write_unfiltered(folder, label, make(0, wanted))


def _write_unfiltered(folder: Path, label: str, made: NDArray[np.uint8]) -> list[dict[str, Any]]:
    """Rows of the images that the generator made first, written as they are."""
    rows = []
    (folder / UNFILTERED / label).mkdir(parents=True)
    for index, image in enumerate(made):
        path = folder / UNFILTERED / label / f"{index:06d}.png"
        write_image(path, image)
        about = {"label": label, "split": "unfiltered", "natural_test": False, "latent_index": index}
        rows.append(about | _describe(path, folder, image))
    return rows


def _origin(source: Path, seed: int) -> dict[str, Any]:
    selection = read_json(source / "selection.json")
    return {"generator": sha256_of(source / "generator.npz"), "run": selection["run"], "seed": seed}


def _describe(path: Path, folder: Path, image: NDArray[np.uint8]) -> dict[str, Any]:
    height, width, channels = image.shape
    size, sha256 = path.stat().st_size, sha256_of(path)
    of_file = {"path": path.relative_to(folder).as_posix(), "bytes": size, "sha256": sha256, "group": sha256}
    return of_file | {"format": "PNG", "width": width, "height": height, "mode": "L" if channels == 1 else "RGB"}


def _difference(image: NDArray[np.uint8], other: NDArray[np.uint8]) -> float:
    return round(float(np.sqrt(((image.astype(np.float64) - other) ** 2).mean())), 4)


def _with_synthetic(manifest: pd.DataFrame, rows: list[dict[str, Any]], out: Path) -> pd.DataFrame:
    columns = manifest.reindex(columns=[*manifest.columns, *LINEAGE]).astype(LINEAGE)
    made = pd.DataFrame(rows, columns=columns.columns)
    made["path"] = [(out / name).as_posix() for name in made["path"]]
    return pd.concat([columns, made.astype(columns.dtypes)], ignore_index=True)


def _summary(filling: "Filling") -> dict[str, Any]:
    """What filter.json says of a class."""
    share = {"made": filling.made, "accepted_share": filling.accepted_share, "abstained": filling.abstained}
    return asdict(filling.bounds) | {"counts": dict(filling.counts)} | share


if __name__ == "__main__":
    stage_command(synthesize)
