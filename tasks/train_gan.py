"""Train a generator: one class-conditional GAN per candidate, on training images alone."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from tasks.dataset.images import read_images
from tasks.dataset.manifest import class_names, label_indices, read_manifest, rows_of
from tasks.support.commands import command_for_each
from tasks.support.errors import BadInput
from tasks.support.files import replacing
from tasks.support.params import Candidate, Images, TrainGan
from tasks.support.plots import draw_curves, draw_grid
from tasks.support.progress import bar, log
from tasks.support.tracking import child_run

if TYPE_CHECKING:
    import keras

_GRID_COLUMNS = 10
_PANELS = {
    "losses": {"generator": "g_loss", "discriminator": "d_loss"},
    "discriminator accuracy": {"on real": "real_accuracy", "on generated": "fake_accuracy"},
    "KID against train": {"KID": "kid"},
    "diversity within classes": {"mean": "diversity_mean", "least": "diversity_least"},
}


def train_gan(params: TrainGan, images: Images, name: str, data: Path = Path("data")) -> Path:
    """Folder with generator.npz, generator.json, history.csv, history.png, grid.png and grids/ of the candidate `name`.

    Only images of the split train are opened; KID and diversity here are against those. Grids are made from the same
    latents each time.

    Raises:
        BadInput: there is no such candidate.
    """
    from tasks.gan.checkpoints import save_generator  # deferred: TensorFlow takes seconds to start
    from tasks.gan.model import Gan

    if name not in params.candidates:
        raise BadInput(f"no candidate {name} in params.yaml; expected one of {', '.join(params.candidates)}")
    candidate = params.candidates[name]
    manifest = read_manifest(data / "split")
    classes, rows = class_names(manifest), rows_of(manifest, "train")
    pixels, labels = read_images(rows["path"], images.size_px, images.channels), label_indices(rows, classes)
    gan, score = Gan(pixels, labels, len(classes), candidate), _scorer(pixels, labels, candidate)
    history = []
    with replacing(data / "generators" / name) as folder, child_run(name, candidate.model_dump()) as run:
        (folder / "grids").mkdir()
        for epoch, values in enumerate(bar(gan.epochs(), f"train_gan {name}", "epoch", total=candidate.epochs), 1):
            history.append({"epoch": epoch, **values, **score(gan.average)})
            run.metrics(history[-1], epoch)
            if epoch % candidate.grid_every == 0:
                _draw(folder / f"grids/{epoch:05d}.png", gan.average, classes, candidate, f"epoch {epoch}")
        save_generator(folder, gan.average, classes, candidate.latent, candidate.width, candidate.seed)
        table = pd.DataFrame(history)
        table.to_csv(folder / "history.csv", index=False, float_format="%.6g")
        draw_curves(folder / "history.png", table, "epoch", _PANELS)
        _draw(folder / "grid.png", gan.average, classes, candidate, f"{name}: generated, by class")
        run.files(folder)
    log.info("  %s: KID %.4f, least diversity %.2f", name, table["kid"].iloc[-1], table["diversity_least"].iloc[-1])
    return data / "generators" / name


def _scorer(
    pixels: NDArray[np.uint8], labels: NDArray[np.int32], candidate: Candidate
) -> Callable[["keras.Model"], dict[str, float]]:
    """A function from a generator to its scores against train, by one generated image for each real one."""
    from tasks.gan.sampling import draw_latents, generate
    from tasks.gan.scores import diversities, kid, random_network

    extract = random_network(pixels.shape[1], pixels.shape[3], candidate.seed)
    features, latents = extract(pixels), draw_latents([candidate.seed], len(labels), candidate.latent)

    def score(generator: "keras.Model") -> dict[str, float]:
        made = generate(generator, latents, labels)
        spread = diversities(made, labels, pixels, labels)
        return {
            "kid": kid(features, extract(made)),
            "diversity_mean": float(spread.mean()),
            "diversity_least": float(spread.min()),
        }

    return score


def _draw(path: Path, generator: "keras.Model", classes: list[str], candidate: Candidate, title: str) -> None:
    from tasks.gan.sampling import draw_latents, generate

    labels = np.repeat(np.arange(len(classes), dtype=np.int32), _GRID_COLUMNS)
    made = generate(generator, draw_latents([candidate.seed, 1], len(labels), candidate.latent), labels)
    draw_grid(path, made.reshape(len(classes), _GRID_COLUMNS, *made.shape[1:]), classes, title)


if __name__ == "__main__":
    command_for_each(lambda params, name: train_gan(params.train_gan, params.images, name))
