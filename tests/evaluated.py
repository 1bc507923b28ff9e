"""A project with a generator and a report on it, as far as the registry looks at them."""

import shutil
import subprocess
from pathlib import Path
from typing import Any

import pandas as pd
from mlflow import MlflowClient

from tasks.core.files import write_json
from tasks.core.params import load
from tasks.evidence.results import hashes_of
from tasks.networks.checkpoints import identity_of
from tasks.register import register
from tasks.registry.champion import MODEL, Registry
from tasks.registry.decisions import Decision
from tests.gan.candidates import save_untrained
from tests.parameters import ROOT

YES, NO = "synthesise", "do not synthesise"
PARAMS = load(ROOT)
ROWS = pd.DataFrame(
    [
        (f"data/raw/{label}/{number}.png", label, f"{label}{number}", f"{label}{number}", split)
        for label in ("cat", "dog")
        for number, split in enumerate(("train", "train", "validation", "test", "test"))
    ],
    columns=["path", "label", "sha256", "group", "split"],
)


def save_generator(folder: Path, rows: pd.DataFrame, classes: list[str], seed: int) -> None:
    """Write the files of a generator that has seen the images of `rows` in train and validation."""
    save_untrained(folder, classes, seed)
    selection = {"scores": {"kid": 0.25}, "run": "conditional/0/00030", "classes": {}}
    write_json(folder / "selection.json", selection | {"generator_sha256": identity_of(folder)})
    seen = rows[rows["split"].isin(["train", "validation"])]
    seen[["sha256", "label", "split"]].to_csv(folder / "seen.csv", index=False)


def lay_project(root: Path, empty_store: Path) -> None:
    """Put parameters, an empty listing and an empty store into a project."""
    for name in ("params.yaml", "tuning.yaml", "dvc.yaml", ".gitignore"):
        shutil.copyfile(ROOT / name, root / name)
    shutil.copyfile(empty_store, root / "mlflow.db")
    (root / "data").mkdir(exist_ok=True)
    write_json(root / "data/sources.json", {})


class Evaluated:
    def __init__(self, root: Path, empty_store: Path) -> None:
        self.data = root / "data"
        lay_project(root, empty_store)
        for name in ("generator", "evaluation", "report", "split", "synthetic", "classifiers"):
            (self.data / name).mkdir()
        identity = ["-c", "user.name=test", "-c", "user.email=test@example.com"]
        for command in (["init", "--quiet"], ["add", "."], [*identity, "commit", "--quiet", "--message=start"]):
            subprocess.run(["git", *command], cwd=root, check=True)
        self.generator(seed=0)

    def generator(self, seed: int, rows: pd.DataFrame = ROWS) -> None:
        """Put another generator there, and the data it was made of."""
        rows.to_parquet(self.data / "split/manifest.parquet")
        save_generator(self.data / "generator", rows, ["cat", "dog"], seed)

    def register(self, verdict: str, mean: float = 0.02, max_calibration_loss: float = 0.01) -> str:
        """Register under this verdict, see `verdict_of`; the line on the version."""
        folders = [self.data / name for name in ("split", "synthetic", "classifiers", "generator")]
        values = verdict_of(verdict, mean, max_calibration_loss) | hashes_of(*folders)
        write_json(self.data / "evaluation/verdict.json", values)
        return register(PARAMS).splitlines()[0]


def verdict_of(answer: str, mean: float = 0.02, max_calibration_loss: float = 0.01) -> dict[str, Any]:
    """The verdict of an evaluation: with this answer, difference of balanced accuracies and threshold."""
    gain = {"mean": mean, "low": 0.01, "high": 0.03, "p": 0.02, "by_seed": [mean, mean]}
    calibration = {"name": "calibration", "value": 0.01, "threshold": max_calibration_loss, "holds": answer == YES}
    return {
        "pair": ["gan_mixup", "mixup"],
        "means": [0.92, 0.9],
        "gain": gain,
        "sign_flip_p": 0.03,
        "rare": gain,
        "others": None,
        "calibration": [0.05, 0.04],
        "twin": "gan_mixup_twin",
        "over_twin": gain,
        "confidence": 0.95,
        "answer": answer,
        "none_made": None,
        "conditions": [calibration],
    }


def alias(name: str) -> str | None:
    version = MlflowClient().get_registered_model(MODEL).aliases.get(name)
    return None if version is None else str(version)


def tags_of(version: str) -> dict[str, str]:
    return dict(MlflowClient().get_model_version(MODEL, version).tags)


def weights_of(version: str) -> Path:
    """The file with a version's weights in the local store."""
    (path,) = [
        path
        for path in Path("mlartifacts").rglob("generator.npz")
        if identity_of(path.parent) == tags_of(version)["generator_sha256"]
    ]
    return path


def promote(version: str) -> None:
    """Make a version champion, as if it had won."""
    registry = Registry()
    registry.decide(Decision("promoted", version, version, "planted", {}), registry.champions())
