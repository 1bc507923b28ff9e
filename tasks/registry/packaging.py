"""A generator as MLflow keeps it: its files, the code that makes images with it, and a hash of all of that."""

import hashlib
import io
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr
from dataclasses import dataclass
from importlib.metadata import version as installed
from pathlib import Path

import numpy as np
import pandas as pd

from tasks.core.files import read_json, sha256_of
from tasks.support.errors import BadInput
from tasks.support.stages import LISTING
from tasks.support.tracking import child_run

ROOM = Path(__file__).parents[1] / "networks"  # all code that a generator needs
PACKAGE = "equipoise_generator"  # its name in a client, which may have a package `tasks` of its own
_REQUIREMENTS = ("numpy", "pandas", "tensorflow", "keras")
_ADDED = "registered_model_meta"  # to a download, by MLflow


class Unusable(BadInput):
    """A registered generator that cannot be used: deleted, not what was registered, or one that does not run here."""


@dataclass(frozen=True)
class Candidacy:
    """A generator that asks for its place in the registry.

    Attributes:
        folder: of its files.
        origin: tags that say what it is and was made of: they are set once. `generator_sha256` identifies it.
        tags: what is known of it today.
        threads: with which its images were made, as another number may change an image by a grey level.
    """

    folder: Path
    classes: list[str]
    image_shape: tuple[int, int, int]
    origin: dict[str, str]
    tags: dict[str, str]
    threads: int


@dataclass(frozen=True)
class Package:
    """A registered generator on this machine.

    Attributes:
        version: in the registry.
        folder: of all that was registered, and files of the generator's own ones within.
        image_shape: (height, width, channels) of its images.
        threads: with which its images were made, None where that was not recorded.
        requirements: pip's lines for the libraries that it was made with.
    """

    version: str
    folder: Path
    files: Path
    image_shape: tuple[int, ...]
    threads: int | None
    requirements: str


def log_generator(model_name: str, candidacy: Candidacy) -> str:
    """Version under which a generator was logged, in a run of its own, and registered.

    Its tag `artifact_sha256` is the hash of all its files, code included.

    Raises:
        BadInput: there is no run to log it in.
    """
    import mlflow
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, DataType, Schema, TensorSpec

    output = TensorSpec(np.dtype(np.uint8), (-1, *candidacy.image_shape))
    rows = pd.DataFrame({"class": candidacy.classes, "seed": 0, "index": list(range(len(candidacy.classes)))})
    columns = [ColSpec(DataType.string, "class"), *(ColSpec(DataType.long, name) for name in ("seed", "index"))]
    with tempfile.TemporaryDirectory() as temporary, child_run("register", {}, "register") as child:
        if child.run_id is None:
            raise BadInput("the generator cannot be logged, since MLflow opens no run: start its server and try again")
        package = shutil.copytree(ROOM, Path(temporary, PACKAGE), ignore=shutil.ignore_patterns("__pycache__"))
        with mlflow.start_run(run_id=child.run_id), _leaving_no_import():
            model = mlflow.pyfunc.log_model(
                name="generator",
                loader_module=f"{PACKAGE}.serving",
                data_path=str(candidacy.folder),
                code_paths=[str(package)],
                model_config={"generator_sha256": candidacy.origin["generator_sha256"]},
                metadata={"intra_op_threads": candidacy.threads},
                signature=ModelSignature(inputs=Schema(columns), outputs=Schema([output])),
                input_example=rows,
                pip_requirements=[f"{name}=={installed(name)}" for name in _REQUIREMENTS],
            )
        logged = Path(mlflow.artifacts.download_artifacts(artifact_uri=model.model_uri, dst_path=f"{temporary}/logged"))
        tags = {**candidacy.origin, "artifact_sha256": sha256_of_artifact(logged)}
    with redirect_stderr(io.StringIO()):  # it prints what the caller says anyway
        return str(mlflow.register_model(model.model_uri, model_name, tags=tags).version)


def read_package(version: str, folder: Path) -> Package:
    """The package in a folder that was downloaded from the registry.

    Raises:
        Unusable: it is not like those of today.
    """
    from mlflow.models import Model

    try:
        model = Model.load(str(folder))
        (output,) = model.signature.outputs.inputs
        return Package(
            version=version,
            folder=folder,
            files=folder / model.flavors["python_function"]["data"],
            image_shape=tuple(output.shape[1:]),
            threads=(model.metadata or {}).get("intra_op_threads"),
            requirements=(folder / "requirements.txt").read_text(encoding="utf-8"),
        )
    except (AttributeError, KeyError, TypeError, ValueError, OSError) as error:
        raise Unusable(f"the package of version {version} is of an earlier Equipoise ({error})") from error


def sha256_of_artifact(folder: Path) -> str:
    """SHA-256 of all that was registered, of a downloaded folder."""
    (folder / _ADDED).unlink(missing_ok=True)
    return sha256_of(folder)


@contextmanager
def _leaving_no_import() -> Iterator[None]:
    """MLflow tries what it logs, and leaves its code imported, from a folder on sys.path that it then deletes."""
    before = list(sys.path)
    _forget_package()  # else MLflow would try the code of one that was loaded before
    try:
        yield
    finally:
        sys.path[:] = before
        _forget_package()


def _forget_package() -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] == PACKAGE]:
        del sys.modules[name]


_OF_RUNS = ("dvc.lock", "ledger.jsonl", LISTING.as_posix())  # a run changes them: they are committed after it


def git_state() -> dict[str, str]:
    """`git_commit` of the project in the current folder, and `git_diff_sha256` of what differs from it.

    Where files were changed or added, but for those that a run changes, the commit ends in `-dirty`. The hash is of
    their differences as `git diff --binary HEAD` writes them and of the added files, empty where there are none.

    Raises:
        BadInput: there is no commit.
    """
    commit = _git("rev-parse", "HEAD").decode().strip()
    paths = ["--", ".", *(f":(exclude){name}" for name in _OF_RUNS)]
    changes = _git("diff", "--binary", "--no-color", "--no-ext-diff", "--no-textconv", "HEAD", *paths)
    added = _git("ls-files", "-z", "--others", "--exclude-standard", *paths).decode(errors="surrogateescape")
    digest = hashlib.sha256(changes)
    for name in filter(None, added.split("\0")):
        digest.update(f"{name}\0{sha256_of(Path(name))}\n".encode(errors="surrogateescape"))
    if not changes and not added:
        return {"git_commit": commit, "git_diff_sha256": ""}
    return {"git_commit": f"{commit}-dirty", "git_diff_sha256": digest.hexdigest()}


def origin_of(data: Path, split_sha256: str) -> dict[str, str]:
    """What a generator is, and what it was made of: `tasks.registry.champion.Lineage` reads it from the registry.

    Args:
        data: the folder of all outputs.
    """
    selection = read_json(data / "generator/selection.json")
    return {
        "generator_sha256": selection["generator_sha256"],
        "run": selection["run"],
        "split_sha256": split_sha256,
        "sources_sha256": sha256_of(data / LISTING.name),
        **git_state(),
    }


def _git(*arguments: str) -> bytes:
    done = subprocess.run(["git", *arguments], check=False, capture_output=True)
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip().splitlines()
        raise BadInput(f"git has no commit here ({said[0] if said else 'it says nothing'}): commit the project first")
    return done.stdout
