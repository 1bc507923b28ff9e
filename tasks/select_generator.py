"""Select the generator: candidates scored against validation images, the best one kept with the reasons."""

import shutil
from pathlib import Path
from typing import Any

import numpy as np

from tasks.dataset.images import read_images
from tasks.dataset.manifest import class_names, label_indices, read_manifest, rows_of
from tasks.support.commands import command
from tasks.support.files import read_json, remove_others, replacing, write_json
from tasks.support.params import Images, SelectGenerator, TrainGan
from tasks.support.progress import log

_RANDOM_NETWORKS = 3


def select_generator(params: SelectGenerator, train_gan: TrainGan, images: Images, data: Path = Path("data")) -> Path:
    """Folder with generator.npz, generator.json and grid.png of the best candidate, and selection.json.

    Each candidate makes one image for every validation image, of the same class, times `per_image`. The lowest KID
    wins, in the mean over several random networks, among candidates whose least diversity within a class is not below
    `min_diversity`; among all where none is that diverse, and then the collapsed classes are not synthesised. Outputs
    of candidates that params.yaml no longer names are removed.
    """
    remove_others(data / "generators", set(train_gan.candidates))
    scores = _score(params, list(train_gan.candidates), images, data)
    chosen, reason = choose(scores, params.min_diversity)
    classes = read_json(data / "generators" / chosen / "generator.json")["classes"]
    selection = {
        "candidate": chosen,
        "reason": reason,
        "scores": {name: scores[chosen][name] for name in ("kid", "diversity_mean", "diversity_least")},
        "candidates": scores,
        "classes": {label: scores[chosen]["diversity"][label] for label in classes},
    }
    with replacing(data / "generator") as folder:
        for name in ("generator.npz", "generator.json", "grid.png"):
            shutil.copyfile(data / "generators" / chosen / name, folder / name)
        write_json(folder / "selection.json", selection)
    log.info("  %s: %s", chosen, reason)
    return data / "generator"


def choose(scores: dict[str, dict[str, Any]], min_diversity: float) -> tuple[str, str]:
    """The candidate with the lowest KID among those diverse enough, else among all, and the reason as a sentence."""
    diverse = [name for name, score in scores.items() if score["diversity_least"] >= min_diversity]
    chosen = min(diverse or scores, key=lambda name: scores[name]["kid"])
    score = scores[chosen]
    if not diverse:
        return chosen, (
            f"No candidate is diverse enough in every class (least {score['diversity_least']:.2f}, needed "
            f"{min_diversity:g}); of all, it has the lowest KID, {score['kid']:.4f}."
        )
    refused = len(scores) - len(diverse)
    return chosen, (
        f"Lowest KID, {score['kid']:.4f}, of {len(diverse)} candidates diverse enough in every class"
        + (f"; {refused} were not." if refused else ".")
    )


def _score(params: SelectGenerator, names: list[str], images: Images, data: Path) -> dict[str, dict[str, Any]]:
    from tasks.gan.checkpoints import load_generator  # deferred: TensorFlow takes seconds to start
    from tasks.gan.sampling import draw_latents, generate
    from tasks.gan.scores import diversities, kid, random_network

    manifest = read_manifest(data / "split")
    classes = class_names(manifest)
    seen, unseen = rows_of(manifest, "train"), rows_of(manifest, "validation")
    train = read_images(seen["path"], images.size_px, images.channels)
    validation = read_images(unseen["path"], images.size_px, images.channels)
    networks = [
        random_network(images.size_px, images.channels, params.seed + number) for number in range(_RANDOM_NETWORKS)
    ]
    real = [extract(validation) for extract in networks]
    labels = np.repeat(label_indices(unseen, classes), params.per_image)
    scores = {}
    for name in names:
        model, settings = load_generator(data / "generators" / name)
        made = generate(model, draw_latents([params.seed], len(labels), settings["latent"]), labels)
        spread = diversities(made, labels, train, label_indices(seen, classes))
        distances = [kid(features, extract(made)) for features, extract in zip(real, networks, strict=True)]
        scores[name] = {
            "kid": round(float(np.mean(distances)), 6),
            "diversity_mean": round(float(spread.mean()), 6),
            "diversity_least": round(float(spread.min()), 6),
            "diversity": {label: round(float(value), 6) for label, value in zip(classes, spread, strict=True)},
        }
    return scores


if __name__ == "__main__":
    command(lambda params: select_generator(params.select_generator, params.train_gan, params.images))
