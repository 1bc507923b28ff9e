"""The registry of generators in MLflow: who is in it, who is champion, and every decision on that.

A decision is a tag of the registered model, so that it outlives the versions it speaks of. Tags are only added; the
alias `champion` follows them. Clones that share a store share its champion.
"""

import io
import json
import os
import re
import secrets
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr
from dataclasses import asdict, dataclass
from importlib.metadata import version as installed
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
import pandas as pd

from tasks.core.files import sha256_of
from tasks.registry import ledger
from tasks.registry.decisions import Decision, Office, office
from tasks.support.errors import BadInput, first_line
from tasks.support.tracking import child_run

MODEL = os.environ.get("EQUIPOISE_MODEL", "equipoise-generator")
_CHAMPION, _CANDIDATE, _APPLIED = "champion", "candidate", "decision_applied"
_NAME = re.compile(r"decision_(\d{6})_[0-9a-f]{8}")
_MOST, _MOST_OF_REASON = 5000, 2000  # characters of a tag's value; of a reason within
_ADDED = "registered_model_meta"  # to a download, by MLflow


class Unusable(BadInput):
    """A registered generator that cannot be used: deleted, or not what was registered."""


@dataclass(frozen=True)
class Candidacy:
    """A generator that asks for its place in the registry.

    `folder` holds its files, `code` is a package of the modules needed to load them, `tags` what is known of it:
    `generator_sha256` identifies it.
    """

    folder: Path
    code: Path
    classes: list[str]
    image_shape: tuple[int, int, int]
    tags: dict[str, str]


class Registry:
    """The registered generators of the store at MLFLOW_TRACKING_URI.

    Raises, all methods:
        BadInput: the store cannot be reached.
    """

    def __init__(self) -> None:
        from mlflow import MlflowClient

        self._client = MlflowClient()

    def register(self, candidacy: Candidacy) -> tuple[str, bool]:
        """Version of a generator, and whether it is new: one whose hash is known is not registered again.

        It gets the tags, and the alias `candidate`: the generator of the present outputs.
        """
        with _reached():
            sha256 = candidacy.tags["generator_sha256"]
            found = self._client.search_model_versions(f"name = '{MODEL}' and tags.generator_sha256 = '{sha256}'")
            version = str(found[0].version) if found else _log_generator(candidacy)
            for name, value in candidacy.tags.items():
                self._client.set_model_version_tag(MODEL, version, name, value[:_MOST])
            self._client.set_registered_model_alias(MODEL, _CANDIDATE, version)
        return version, not found

    def decisions(self) -> list[Decision]:
        """All of them, the oldest first."""
        return list(self._named().values())

    def office(self) -> Office:
        """Who is champion, after what was left undone is done: a decision that a kill cut short, the ledger's lines,
        and a note of an alias that somebody moved.
        """
        named = self._named()
        ledger.complete({name: asdict(decision) for name, decision in named.items()})
        now = office(list(named.values()))
        with _reached():
            tags, aliases = self._tags_and_aliases()
            last = max(named, default="")
            if tags.get(_APPLIED, "") < last:
                self._apply(now.champion, last)
                return now
        alias = aliases.get(_CHAMPION)
        if alias == now.champion or (alias is None and not self.exists(now.champion)):
            return now
        reason = f"somebody made version {alias} champion" if alias else f"somebody retired version {now.champion}"
        self.decide(Decision("moved by hand", alias, alias, reason, {}), now)
        return office(self.decisions())

    def decide(self, decision: Decision, before: Office) -> None:
        """Record a decision, and set the alias `champion`: a kill in between is mended by the next `office`.

        Raises:
            BadInput: the champion is not that of `before` any more.
        """
        named = self._named()
        if office(list(named.values())) != before:
            raise BadInput("another process has decided on the champion meanwhile: run it again")
        number = 1 + max((int(name.split("_")[1]) for name in named), default=0)
        name = f"decision_{number:06d}_{secrets.token_hex(4)}"
        shortened = asdict(decision) | {"reason": decision.reason[:_MOST_OF_REASON]}
        with _reached():
            value = json.dumps(shortened, sort_keys=True, allow_nan=False)
            self._client.set_registered_model_tag(MODEL, name, value)
            self._apply(decision.champion, name)
            about = {"decision": decision.event, "decision_reason": shortened["reason"]}
            for key, text in about.items() if self.exists(decision.version) else ():
                self._client.set_model_version_tag(MODEL, decision.version, key, text)
        ledger.complete({name: shortened})

    def exists(self, version: str | None) -> bool:
        with _reached():
            query = f"name = '{MODEL}' and version_number = {version}"
            return version is not None and bool(self._client.search_model_versions(query))

    @contextmanager
    def files(self, version: str) -> Iterator[Path]:
        """A folder with the generator's files, while the block lasts. Nothing is read of them before all that was
        registered, code included, has the recorded SHA-256.

        Raises:
            Unusable: the version was deleted, or its files are others than those registered.
        """
        from mlflow.artifacts import download_artifacts
        from mlflow.models import Model

        if not self.exists(version):
            raise Unusable(f"version {version} was deleted from the registry")
        with _reached():
            recorded = self._client.get_model_version(MODEL, version).tags.get("artifact_sha256")
        if recorded is None:
            raise Unusable(f"version {version} has no artifact_sha256 among its tags, by which its files could be told")
        Path(".state").mkdir(exist_ok=True)
        with tempfile.TemporaryDirectory(dir=".state") as temporary:
            try:
                place = Path(download_artifacts(artifact_uri=f"models:/{MODEL}/{version}", dst_path=temporary))
                place.joinpath("MLmodel").stat()  # of a folder that is away MLflow makes an empty one
            except Exception as error:  # whatever the store of artifacts raises
                raise BadInput(
                    f"the files of version {version} cannot be fetched ({first_line(error)}): make their store "
                    f"reachable and run it again, or delete the version from the registry"
                ) from error
            if (found := _sha256_of_artifact(place)) != recorded:
                raise Unusable(
                    f"the files of version {version} were changed: they have SHA-256 {found[:12]}..., and "
                    f"{recorded[:12]}... was registered"
                )
            yield place / Model.load(str(place)).flavors["python_function"]["data"]

    def _named(self) -> dict[str, Decision]:
        """Decisions by the names of their tags, in order."""
        tags, _ = self._tags_and_aliases()
        return {name: Decision(**json.loads(tags[name])) for name in sorted(tags) if _NAME.fullmatch(name)}

    def _tags_and_aliases(self) -> tuple[dict[str, str], dict[str, str]]:
        with _reached():
            held = self._client.search_registered_models(f"name = '{MODEL}'")
        if not held:
            return {}, {}
        return held[0].tags, {name: str(version) for name, version in held[0].aliases.items()}

    def _apply(self, champion: str | None, name: str) -> None:
        if champion is not None and self.exists(champion):
            self._client.set_registered_model_alias(MODEL, _CHAMPION, champion)
        elif _CHAMPION in self._tags_and_aliases()[1]:
            self._client.delete_registered_model_alias(MODEL, _CHAMPION)
        self._client.set_registered_model_tag(MODEL, _APPLIED, name)


@contextmanager
def _reached() -> Iterator[None]:
    from mlflow.exceptions import MlflowException

    try:
        yield
    except MlflowException as error:
        where = urlsplit(os.environ["MLFLOW_TRACKING_URI"])
        place = where._replace(netloc=where.netloc.rpartition("@")[2]).geturl()  # without a password
        raise BadInput(
            f"the registry at {place} says {first_line(error)}: start the MLflow server, then `make register`"
        ) from error


def _sha256_of_artifact(folder: Path) -> str:
    (folder / _ADDED).unlink(missing_ok=True)
    return sha256_of(folder)


@contextmanager
def _same_path() -> Iterator[None]:
    """MLflow tries what it logs, and leaves the model's code at the head of sys.path, in a folder it then deletes."""
    before = sys.path
    try:
        yield
    finally:
        sys.path = before


def _log_generator(candidacy: Candidacy) -> str:
    """Version under which a generator was logged and registered, with the SHA-256 of all its files."""
    import mlflow
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, DataType, Schema, TensorSpec

    output = TensorSpec(np.dtype(np.uint8), (-1, *candidacy.image_shape))
    rows = pd.DataFrame({"class": candidacy.classes, "seed": 0, "index": list(range(len(candidacy.classes)))})
    columns = [ColSpec(DataType.string, "class"), *(ColSpec(DataType.long, name) for name in ("seed", "index"))]
    recorded = {"generator_sha256": candidacy.tags["generator_sha256"]}
    # one run for each model
    with child_run("register", {}) as child, mlflow.start_run(run_id=child.run_id), _same_path():
        model = mlflow.pyfunc.log_model(
            name="generator",
            loader_module="tasks.networks.serving",
            data_path=str(candidacy.folder),
            code_paths=[str(candidacy.code)],
            model_config=recorded,
            signature=ModelSignature(inputs=Schema(columns), outputs=Schema([output])),
            input_example=rows,
            pip_requirements=[f"{name}=={installed(name)}" for name in ("numpy", "pandas", "tensorflow", "keras")],
        )
    with tempfile.TemporaryDirectory() as temporary:
        logged = Path(mlflow.artifacts.download_artifacts(artifact_uri=model.model_uri, dst_path=temporary))
        tags = recorded | {"artifact_sha256": _sha256_of_artifact(logged)}
    with redirect_stderr(io.StringIO()):  # it prints what the caller says anyway
        return str(mlflow.register_model(model.model_uri, MODEL, tags=tags).version)
