"""Train a generator: one class-conditional GAN per candidate, on training images alone."""

from pathlib import Path

import numpy as np
import pandas as pd

from tasks.dataset.images import read_images
from tasks.dataset.manifest import class_names, label_indices, read_manifest, rows_of
from tasks.support.commands import command_for_each
from tasks.support.errors import BadInput
from tasks.support.files import replacing
from tasks.support.params import Images, TrainGan
from tasks.support.plots import draw_curves, draw_grid
from tasks.support.progress import bar, log
from tasks.support.tracking import child_run

_GRID_COLUMNS = 10
_PANELS = {
    "losses": {"generator": "g_loss", "discriminator": "d_loss"},
    "discriminator accuracy": {"on real": "real_accuracy", "on generated": "fake_accuracy"},
    "KID against train": {"KID": "kid"},
    "diversity within classes": {"mean": "diversity_mean", "least": "diversity_least"},
}


def train_gan(params: TrainGan, images: Images, name: str, data: Path = Path("data")) -> Path:
    """Folder with generator.npz, generator.json, history.csv, history.png and grid.png of the candidate `name`.

    Only images of the split train are opened; KID and diversity here are against those.

    Raises:
        BadInput: there is no such candidate.
    """
    from tasks.gan.checkpoints import save_generator  # deferred: TensorFlow takes seconds to start
    from tasks.gan.model import Gan
    from tasks.gan.sampling import draw_latents, generate
    from tasks.gan.scores import diversities, kid, random_network

    if name not in params.candidates:
        raise BadInput(f"no candidate {name} in params.yaml; expected one of {', '.join(params.candidates)}")
    candidate = params.candidates[name]
    manifest = read_manifest(data / "split")
    classes, rows = class_names(manifest), rows_of(manifest, "train")
    pixels, labels = read_images(rows["path"], images.size_px, images.channels), label_indices(rows, classes)
    gan = Gan(pixels, labels, len(classes), candidate)
    extract = random_network(images.size_px, images.channels, candidate.seed)
    features, latents = extract(pixels), draw_latents([candidate.seed], len(labels), candidate.latent)
    history = []
    with replacing(data / "generators" / name) as folder, child_run(name, candidate.model_dump()) as run:
        for epoch, values in enumerate(bar(gan.epochs(), f"train_gan {name}", "epoch", total=candidate.epochs), 1):
            made = generate(gan.average, latents, labels)
            spread = diversities(made, labels, pixels, labels)
            scores = {
                "kid": kid(features, extract(made)),
                "diversity_mean": spread.mean(),
                "diversity_least": spread.min(),
            }
            history.append({"epoch": epoch, **values, **scores})
            run.metrics(history[-1], epoch)
        save_generator(folder, gan.average, classes, candidate.latent, candidate.width, candidate.seed)
        table = pd.DataFrame(history)
        table.to_csv(folder / "history.csv", index=False, float_format="%.6g")
        draw_curves(folder / "history.png", table, "epoch", _PANELS)
        shown = np.repeat(np.arange(len(classes), dtype=np.int32), _GRID_COLUMNS)
        grid = generate(gan.average, draw_latents([candidate.seed, 1], len(shown), candidate.latent), shown)
        draw_grid(
            folder / "grid.png",
            grid.reshape(len(classes), _GRID_COLUMNS, *grid.shape[1:]),
            classes,
            f"{name}: generated, by class",
        )
        run.files(folder)
    log.info("  %s: KID %.4f, least diversity %.2f", name, table["kid"].iloc[-1], table["diversity_least"].iloc[-1])
    return data / "generators" / name


if __name__ == "__main__":
    command_for_each(lambda params, name: train_gan(params.train_gan, params.images, name))
