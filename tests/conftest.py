"""What several tests need: tiny images made in code, and a folder of its own for each test."""

import os
import warnings
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tasks.core.environment import pin
from tasks.core.params import Compute
from tasks.networks import import_tensorflow
from tasks.support import environment

pin(Compute(intra_op_threads=1, xla=False, mixed_precision=False))

with warnings.catch_warnings():  # what importing them warns of is their own
    warnings.simplefilter("ignore")
    import_tensorflow()
    import great_expectations  # noqa: F401
    import keras  # noqa: F401
    import mlflow.pyfunc


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty project folder as the current one, with stores of its own."""
    (tmp_path / "data").mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(environment, "ROOT", tmp_path)
    monkeypatch.setitem(os.environ, "MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/mlflow.db")
    return tmp_path


@pytest.fixture(scope="session")
def empty_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An MLflow store without runs: to make its tables takes MLflow seconds, to copy it none."""
    path = tmp_path_factory.mktemp("store") / "mlflow.db"
    mlflow.MlflowClient(f"sqlite:///{path}").search_experiments()
    return path


@pytest.fixture
def class_folders(tmp_path: Path) -> Path:
    """A source with 30 grey 8x8 noise images in each of the classes `bird` and `cat`."""
    rng = np.random.default_rng(0)
    root = tmp_path / "source"
    for label in ("bird", "cat"):
        (root / label).mkdir(parents=True)
        for number in range(30):
            image = Image.fromarray(rng.integers(0, 256, (8, 8), np.uint8))
            image.save(root / label / f"{number:02d}.png")
    return root
