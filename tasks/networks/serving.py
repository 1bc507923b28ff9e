"""The registered generator as MLflow loads it: rows of class name, seed and index in, images out.

MLflow calls `_load_pyfunc` on a client that has this package and the generator's files, but no project.
"""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from .checkpoints import draw_latents, identity_of, load_generator


class ClassGenerator:
    """Makes images of named classes."""

    def __init__(self, folder: Path) -> None:
        self._generator = load_generator(folder)

    def predict(self, model_input: pd.DataFrame, params: dict[str, Any] | None = None) -> NDArray[np.uint8]:  # noqa: ARG002
        """Images uint8 (rows, height, width, channels), one for each row of columns `class` (name), `seed` and `index`.

        An image depends on these three alone; the same three stand in the manifest for each synthetic image, as its
        label, seed and latent_index.

        Raises:
            ValueError: a class that the generator was not trained on, or a negative seed or index.
        """
        classes = self._generator.classes
        if unknown := sorted(set(model_input["class"]) - set(classes)):
            raise ValueError(f"unknown class {', '.join(unknown)}: this generator makes {', '.join(classes)}")
        if (model_input[["seed", "index"]] < 0).any(axis=None):
            raise ValueError("a seed or an index is below 0: give whole numbers from 0")
        latents = np.empty((len(model_input), self._generator.latent), np.float32)
        indices = model_input["index"].to_numpy()
        of_seeds: dict[tuple[str, int], list[int]] = {}
        for row, key in enumerate(zip(model_input["class"], model_input["seed"], strict=True)):
            of_seeds.setdefault(key, []).append(row)
        for (name, seed), rows in of_seeds.items():
            latents[rows] = draw_latents(int(seed), name, indices[rows], self._generator.latent)
        labels = np.array([classes.index(name) for name in model_input["class"]], np.int32)
        return self._generator.generate(latents, labels)


def _load_pyfunc(data_path: str, recorded: dict[str, Any]) -> ClassGenerator:
    """A generator from the files of which the SHA-256 was recorded as `generator_sha256` at registration.

    Raises:
        ValueError: the files are others.
    """
    if (found := identity_of(Path(data_path))) != recorded["generator_sha256"]:
        raise ValueError(
            f"the generator's files have SHA-256 {found}, {recorded['generator_sha256']} was registered: they were "
            "changed, fetch them again or register another version"
        )
    return ClassGenerator(Path(data_path))
