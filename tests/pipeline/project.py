"""Copies of the project with tiny parameters, to be run for real by both drivers."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from tests.parameters import read_values, write_values

ROOT = Path(__file__).parents[2]
PYTHON = Path(sys.executable)
ARMS = ["imbalanced", "oversampled_augmented", "gan_mixup", "gan_mixup_twin"]
# What hardly trained generators pass: the pipelines here are to synthesise.
LENIENT = {"min_diversity": 0.0, "min_coverage": 0.0, "max_kid": 1000.0, "min_c_t": -1000.0, "min_authenticity": 0.0}
DVC = PYTHON.with_name("dvc")


class Project:
    """A clone of the project in a folder of its own, with a home of its own."""

    def __init__(self, folder: Path, server: str) -> None:
        self.folder = folder
        self.output = ""  # of the last command
        self.env = {
            "PATH": "/usr/bin:/bin",  # no Python of ours: stages find the interpreter that runs DVC
            "HOME": str(folder.parent / "home"),
            "PREFECT_API_URL": server,
            "PYTHONWARNINGS": "ignore",  # a subprocess shows the warnings of libraries, which are not the tests' matter
        }

    def start(self, *command: object, **options: Any) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [str(part) for part in command],
            cwd=self.folder,
            env=self.env,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
            **options,
        )

    def run(self, *command: object, code: int = 0) -> str:
        """Output of a command, which has to end with `code`."""
        process = self.start(*command)
        self.output, _ = process.communicate(timeout=600)
        assert process.returncode == code, self.output
        return self.output

    def stop(self, process: subprocess.Popen[str], how: signal.Signals) -> None:
        """Send a signal to a started command and its children, and wait for its end."""
        os.killpg(process.pid, how)
        process.communicate()

    def kill_when(self, command: tuple[object, ...], reached: Callable[[], bool]) -> None:
        """Start a command, and kill it and its children the moment that `reached` is true."""
        process = self.start(*command)
        deadline = time.monotonic() + 300
        while not reached():
            assert process.poll() is None, process.communicate()[0]
            assert time.monotonic() < deadline
            time.sleep(0.002)
        self.stop(process, signal.SIGKILL)

    def flow(self, code: int = 0) -> str:
        return self.run(PYTHON, "-m", "flows.rebalance", code=code)

    def repro(self, code: int = 0) -> str:
        return self.run(DVC, "repro", code=code)

    def refresh(self) -> str:
        return self.run(PYTHON, "-m", "tasks.sources.listing")

    def lock(self) -> str:
        return (self.folder / "dvc.lock").read_text()

    def change(self, *keys: str, value: object) -> None:
        """Set one value of the parameters."""
        params = section = read_values(self.folder)
        for key in keys[:-1]:
            section = section[key]
        section[keys[-1]] = value
        write_values(self.folder, params)

    def copy(self, folder: Path) -> "Project":
        """The same project, outputs, cache and runs included, elsewhere."""
        shutil.copytree(self.folder, folder, symlinks=True)
        return Project(folder, self.env["PREFECT_API_URL"])


def draw_shapes(root: Path, counts: dict[str, int]) -> None:
    """Class folders of 8x8 images with a bright bar in a place that depends on the class, and noise."""
    rng = np.random.default_rng(0)
    for place, (label, count) in enumerate(counts.items()):
        (root / label).mkdir(parents=True)
        for number in range(count):
            image = rng.integers(0, 90, (8, 8))
            image[:, 2 * place + rng.integers(0, 2)] += 150
            Image.fromarray(image.astype(np.uint8)).save(root / label / f"{number:03d}.png")


def tiny_params(source: Path) -> dict[str, Any]:
    """The shipped parameters with a small source and the least of everything."""
    params: dict[str, Any] = read_values()
    params["ingest"]["sources"] = [{"kind": "files", "path": str(source)}]
    params["split"]["keep"] = {"cat": 0.5}
    candidates = params["candidates"]
    for candidate in candidates.values():
        candidate.update(width=16, latent=8, batch=8, epochs=2, steps_per_epoch=4, snapshot_every=1)
    candidates["dcgan"].update(classes=["cat"], warm_start_epochs=1)
    tiny = {"steps": 12, "batch": 8, "learning_rate": 0.002, "width": 4}
    params["select_generator"].update(classifier=tiny, cas_snapshots=1, cas_seeds=1)
    params["select_generator"]["guards"] = LENIENT
    params["synthesize"].update(min_images=5)
    params["synthesize"]["filter"].update(classifier=tiny, folds=2, min_acceptance=0.0, max_generated=100)
    params["synthesize"]["filter"].update(min_probability_quantile=0.0, min_distance_quantile=0.0)
    params["synthesize"]["filter"].update(max_distance_quantile=1.0)
    params["train"].update(seeds=3, steps=12, record_every=6, batch=8)
    params["train"]["network"]["width"] = 4
    params["arms"] = {name: params["arms"][name] for name in ARMS}
    params["evaluate"].update(resamples=200, oracle=None)
    return params


def make_project(folder: Path, server: str, params: dict[str, Any]) -> Project:
    """A plain `git clone` of the project with other parameters, in which nothing has run."""
    published = folder.with_name(f"{folder.name}_published")
    published.mkdir(parents=True)
    names = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    ).stdout.split("\n")
    for name in filter(None, names):
        if (ROOT / name).exists() and not name.startswith("tests/") and name != "dvc.lock":
            (published / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, published / name)
    write_values(published, params)
    project = Project(published, server)
    (folder.parent / "home").mkdir(exist_ok=True)
    project.run("git", "init", "--quiet", "--initial-branch=main")
    project.refresh()
    project.run("git", "add", "--all")
    identity = ["-c", "user.name=test", "-c", "user.email=test@example.com"]
    project.run("git", *identity, "commit", "--quiet", "--message=start")
    project.run("git", "clone", "--quiet", published, folder)
    return Project(folder, server)
