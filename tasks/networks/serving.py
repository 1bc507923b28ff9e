"""The registered generator as MLflow loads it: rows of class name and seed in, images out.

MLflow calls `_load_pyfunc` on a client that has this package and the generator's files, but no project.
"""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from .checkpoints import identity_of, load_generator
from .sampling import draw_latents


class ClassGenerator:
    """Makes images of named classes."""

    def __init__(self, folder: Path) -> None:
        self._generator = load_generator(folder)

    def predict(self, model_input: pd.DataFrame, params: dict[str, Any] | None = None) -> NDArray[np.uint8]:  # noqa: ARG002
        """Images uint8 (rows, height, width, channels), one per row of columns `class` (name) and `seed` (integer).

        Raises:
            ValueError: a class the generator was not trained on.
        """
        classes = self._generator.classes
        if unknown := sorted(set(model_input["class"]) - set(classes)):
            raise ValueError(f"unknown class {', '.join(unknown)}: this generator makes {', '.join(classes)}")
        latents = np.stack([draw_latents([int(seed)], 1, self._generator.latent)[0] for seed in model_input["seed"]])
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
