"""Register: the generator in the MLflow registry, promoted to champion only if the verdict on it is yes."""

import shutil
import subprocess
import tempfile
from pathlib import Path

from tasks.support.commands import command
from tasks.support.errors import BadInput
from tasks.support.files import read_json, sha256_of
from tasks.support.progress import log
from tasks.support.tracking import Candidacy, register_generator

PROJECT = Path(__file__).parents[1]
CODE = [  # what loading and using a generator imports
    "tasks/__init__.py",
    "tasks/dataset/__init__.py",
    "tasks/dataset/ranges.py",
    "tasks/dataset/resolution.py",
    "tasks/gan/__init__.py",
    "tasks/gan/checkpoints.py",
    "tasks/gan/conditional.py",
    "tasks/gan/dcgan.py",
    "tasks/gan/layers.py",
    "tasks/gan/networks.py",
    "tasks/gan/sampling.py",
    "tasks/gan/serving.py",
    "tasks/support/__init__.py",
    "tasks/support/quiet.py",
    "tasks/support/weights.py",
]


def register(generator: Path = Path("data/generator"), report: Path = Path("data/report")) -> str:
    """One line that says which version the generator is, and whether it is champion.

    A generator is found by the hash of its files: one that the registry holds is not registered twice, but gets the
    verdict and the aliases of the present report.

    Raises:
        BadInput: the report is on another generator, or the registry cannot be reached.
    """
    verdict = read_json(report / "verdict.json")
    if verdict["generator_sha256"] != sha256_of(generator):
        raise BadInput(f"{report} is the verdict on another generator than {generator}: run `dvc repro` first")
    settings = read_json(generator / "generator.json")
    tags = {
        "generator_sha256": sha256_of(generator),
        "synthetic_sha256": sha256_of(Path("data/synthetic")),
        "data_sha256": sha256_of(Path("data/split")),
        "report_sha256": sha256_of(report),
        "git_commit": _git_commit(),
        "verdict": verdict["verdict"],
        "reasons": " ".join(verdict["reasons"]),
        **{
            f"score_{name}": f"{value:.6g}" for name, value in read_json(generator / "selection.json")["scores"].items()
        },
    }
    with tempfile.TemporaryDirectory() as temporary:
        candidacy = Candidacy(
            folder=generator,
            code=_package(Path(temporary)),
            classes=settings["classes"],
            image_shape=(settings["size_px"], settings["size_px"], settings["channels"]),
            tags=tags,
            promote=verdict["verdict"] == "synthesise",
        )
        return register_generator(candidacy)


def _package(folder: Path) -> Path:
    """A package in `folder` of the modules needed to load a generator, and of nothing else of the project."""
    for name in CODE:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(PROJECT / name, folder / name)
    return folder / "tasks"


def _git_commit() -> str:
    done = subprocess.run(["git", "rev-parse", "HEAD"], check=False, capture_output=True, text=True)
    if done.returncode:
        raise BadInput(f"git has no commit here ({done.stderr.strip().splitlines()[0]}): commit the project first")
    return done.stdout.strip()


if __name__ == "__main__":
    command(lambda _: log.info(register()))
