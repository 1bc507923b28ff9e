"""Synthesize: images of the rare classes, and the balanced manifest of real and synthetic rows."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from tasks.dataset.images import write_image
from tasks.dataset.manifest import read_manifest, rows_of, write_manifest
from tasks.support.commands import command
from tasks.support.expectations import Check, check, require
from tasks.support.files import read_json, replacing, sha256_of, write_json
from tasks.support.params import Synthesize
from tasks.support.progress import bar, log

LINEAGE = {"generator": "string", "seed": "Int64", "latent_index": "Int64"}
_PROMISE = Check(
    "between",
    "missing",
    'class "{label}" lacks {missing} of the {promised} training images promised: report this as a defect of Equipoise',
    minimum=0,
    maximum=0,
)


def synthesize(
    params: Synthesize,
    split: Path = Path("data/split"),
    generator: Path = Path("data/generator"),
    out: Path = Path("data/synthetic"),
) -> Path:
    """Folder with <class>/<index>.png, balance.csv and manifest.parquet: all real rows and the synthetic train rows.

    A synthetic row carries the generator's hash, its class, the seed and its index in the sequence of latents drawn
    from that seed and class, from which the image can be made again.

    Raises:
        BadInput: the images made are not those promised.
    """
    real = read_manifest(split)
    selection = read_json(generator / "selection.json")
    balance = plan(rows_of(real, "train"), selection["classes"], params)
    manifest = real.reindex(columns=[*real.columns, *LINEAGE]).astype(LINEAGE)
    with replacing(out, keep_refused=True) as folder:
        made = pd.DataFrame(_make(balance, generator, folder, params.seed), columns=manifest.columns)
        made["path"] = [(out / name).as_posix() for name in made["path"]]
        manifest = pd.concat([manifest, made.astype(manifest.dtypes)], ignore_index=True)
        trained = rows_of(manifest, "train").groupby("label").size()
        balance["missing"] = balance["promised"] - balance["label"].map(trained)
        balance.to_csv(folder / "balance.csv", index=False)
        write_manifest(folder, manifest)
        results = check({"balanced": (balance, [_PROMISE])})
        write_json(folder / "checks.json", results)
        require(results)
    log.info("  %d images in %d classes", len(made), (balance["synthetic"] > 0).sum())
    for label, reason in balance.loc[balance["abstained"].notna(), ["label", "abstained"]].itertuples(index=False):
        log.info("  no images of class %s: %s", label, reason)
    return out


def plan(train: pd.DataFrame, diversity: dict[str, float], params: Synthesize) -> pd.DataFrame:
    """Per class: real train images, promised count, images to make, and the reason where synthesis abstains.

    promised = min(largest class, real + max_per_real x real), and just real where it abstains: under `min_images` real
    images, or where the generator's images of the class vary less than `min_diversity` of what real ones do.
    """
    counts = train.groupby("label").size()
    rows = []
    for label, real in counts.items():
        reason = None
        if diversity[str(label)] < params.min_diversity:
            reason = f"its generated images vary {diversity[str(label)]:.2f} times as much as real ones, too little"
        if real < params.min_images:
            reason = f"{real} real images, fewer than synthesize.min_images {params.min_images}"
        wanted = min(int(counts.max()), int(real + params.max_per_real * real))
        promised = int(real) if reason else wanted
        rows.append((label, real, promised, promised - real, reason if wanted > real else None))
    return pd.DataFrame(rows, columns=["label", "real", "promised", "synthetic", "abstained"])


def _make(balance: pd.DataFrame, generator: Path, folder: Path, seed: int) -> list[dict[str, Any]]:
    from tasks.gan.checkpoints import load_generator  # deferred: TensorFlow takes seconds to start
    from tasks.gan.sampling import draw_latents, generate

    model, settings = load_generator(generator)
    source = sha256_of(generator / "generator.npz")
    rows: list[dict[str, Any]] = []
    wanted = balance.loc[balance["synthetic"] > 0, ["label", "synthetic"]]
    for label, count in bar(list(wanted.itertuples(index=False)), "synthesize", "class"):
        index = settings["classes"].index(label)
        latents = draw_latents([seed, index], count, settings["latent"])
        (folder / label).mkdir()
        for number, image in enumerate(generate(model, latents, np.full(count, index, np.int32))):
            path = folder / label / f"{number:06d}.png"
            write_image(path, image)
            rows.append(
                {"path": f"{label}/{path.name}", "label": label, "split": "train", "natural_test": False}
                | _describe(path, image)
                | {"generator": source, "seed": seed, "latent_index": number}
            )
    return rows


def _describe(path: Path, image: NDArray[np.uint8]) -> dict[str, Any]:
    height, width, channels = image.shape
    size, sha256 = path.stat().st_size, sha256_of(path)
    of_pixels = {"format": "PNG", "width": width, "height": height, "mode": "L" if channels == 1 else "RGB"}
    return {"bytes": size, "sha256": sha256, "group": sha256, **of_pixels}


if __name__ == "__main__":
    command(lambda params: synthesize(params.synthesize))
