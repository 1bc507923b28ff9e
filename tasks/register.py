"""Register: the generator in the MLflow registry, promoted to champion only if the verdict on it is yes."""

import subprocess
from pathlib import Path

from tasks.support.commands import command
from tasks.support.files import read_json, sha256_of
from tasks.support.progress import log
from tasks.support.tracking import Candidacy, register_generator

CODE = [  # what loading and using a generator imports, and nothing else of the project
    "tasks/__init__.py",
    "tasks/dataset/__init__.py",
    "tasks/dataset/ranges.py",
    "tasks/gan/__init__.py",
    "tasks/gan/checkpoints.py",
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
        BadInput: the registry cannot be reached.
    """
    verdict = read_json(report / "verdict.json")
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
    return register_generator(
        Candidacy(
            folder=generator,
            code=[Path(path) for path in CODE],
            classes=settings["classes"],
            image_shape=(settings["size_px"], settings["size_px"], settings["channels"]),
            tags=tags,
            promote=verdict["verdict"] == "synthesise",
        )
    )


def _git_commit() -> str:
    return subprocess.run(["git", "rev-parse", "HEAD"], check=True, capture_output=True, text=True).stdout.strip()


if __name__ == "__main__":
    command(lambda _: log.info(register()))
