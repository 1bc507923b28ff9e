"""A project with a generator and a report on it, as far as the registry looks at them."""

import subprocess
from pathlib import Path

import pandas as pd
from mlflow import MlflowClient

from tasks.core.files import write_json
from tasks.core.params import load
from tasks.evaluate import judged
from tasks.networks.checkpoints import identity_of
from tasks.register import register
from tasks.registry.champion import MODEL, Registry
from tasks.registry.decisions import Decision
from tests.gan.candidates import save_untrained

YES, NO = "synthesise", "do not synthesise"
PARAMS = load(Path(__file__).parents[1] / "params.yaml")
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
    write_json(folder / "selection.json", {"scores": {"kid": 0.25}, "generator_sha256": identity_of(folder)})
    seen = rows[rows["split"].isin(["train", "validation"])]
    seen[["sha256", "label", "split"]].to_csv(folder / "seen.csv", index=False)


class Evaluated:
    def __init__(self, root: Path) -> None:
        self.data = root / "data"
        (root / "params.yaml").write_text("a: 1\n")
        write_json(self.data / "sources.json", {})
        for name in ("generator", "report", "split", "synthetic", "classifiers"):
            (self.data / name).mkdir()
        identity = ["-c", "user.name=test", "-c", "user.email=test@example.com"]
        for command in (["init", "--quiet"], [*identity, "commit", "--quiet", "--allow-empty", "--message=start"]):
            subprocess.run(["git", *command], cwd=root, check=True)
        self.generator(seed=0)

    def generator(self, seed: int, rows: pd.DataFrame = ROWS) -> None:
        """Put another generator there, and the data it was made of."""
        rows.to_parquet(self.data / "split/manifest.parquet")
        save_generator(self.data / "generator", rows, ["cat", "dog"], seed)

    def register(self, verdict: str, mean: float = 0.02) -> str:
        """Register under this verdict and difference of balanced accuracies; the line on the version."""
        report = self.data / "report"
        write_json(
            report / "verdict.json", {"verdict": verdict, "reasons": ["Because.", "And so."]} | judged(self.data)
        )
        gain = {"mean": mean, "low": 0.01, "high": 0.03, "sign_flip_p": 0.03}
        write_json(report / "metrics.json", {"pair": ["gan_mixup", "mixup"], "gain": gain})
        return register(PARAMS).splitlines()[0]


def alias(name: str) -> str | None:
    found = MlflowClient().get_registered_model(MODEL).aliases.get(name)
    return None if found is None else str(found)


def tags_of(version: str) -> dict[str, str]:
    return dict(MlflowClient().get_model_version(MODEL, version).tags)


def weights_of(version: str) -> Path:
    """The file with a version's weights in the local store."""
    (found,) = [
        path
        for path in Path("mlartifacts").rglob("generator.npz")
        if identity_of(path.parent) == tags_of(version)["generator_sha256"]
    ]
    return found


def promote(version: str) -> None:
    """Make a version champion, as if it had won."""
    registry = Registry()
    registry.decide(Decision("promoted", version, version, "planted", {}), registry.office())
