"""The registry of generators in MLflow: who is in it, who is champion, and every decision on that.

A decision is a tag of the registered model, so that it outlives the versions it speaks of; tags are only added. Clones
that share a store share its champion.
"""

import io
import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr
from dataclasses import asdict, dataclass
from importlib.metadata import version as installed
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd

from tasks.support import ledger
from tasks.support.errors import BadInput
from tasks.support.files import sha256_of
from tasks.support.tracking import child_run, first_line

MODEL = "equipoise-generator"
_CHAMPION, _CANDIDATE = "champion", "candidate"
_DECISION = "decision_{:06d}"
_MOST = 5000  # characters of a tag's value


class Unusable(BadInput):
    """A registered generator that cannot be used: deleted, out of reach or changed."""


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


@dataclass(frozen=True)
class Decision:
    """What became of a version.

    Attributes:
        champion: the version in office from then on, and earlier: those before it, the oldest first.
        facts: hashes and numbers on which it rests.
    """

    event: Literal["promoted", "not promoted", "withdrawn", "rolled back"]
    version: str
    reason: str
    champion: str | None
    earlier: list[str]
    facts: dict[str, Any]


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
            version = self._find(candidacy.tags["generator_sha256"])
            new = version is None
            if version is None:
                version = _log_generator(candidacy)
            for name, value in candidacy.tags.items():
                self._client.set_model_version_tag(MODEL, version, name, value[:_MOST])
            self._client.set_registered_model_alias(MODEL, _CANDIDATE, version)
        return version, new

    def champion(self) -> str | None:
        """The version in office.

        Raises:
            Unusable: the last decision's champion was deleted from the registry.
        """
        with _reached():
            alias = self._client.get_registered_model(MODEL).aliases.get(_CHAMPION)
        if alias is not None:
            return str(alias)
        last = self.decisions()[-1:]
        if last and last[0].champion is not None and not self._exists(last[0].champion):
            raise Unusable(f"champion version {last[0].champion} was deleted from the registry")
        return None

    def decisions(self) -> list[Decision]:
        """All of them, the oldest first."""
        with _reached():
            held = self._client.search_registered_models(f"name = '{MODEL}'")
        tags = held[0].tags if held else {}
        names = sorted(name for name in tags if name.startswith(_DECISION.partition("{")[0]))
        return [Decision(**json.loads(tags[name])) for name in names]

    def decide(self, decision: Decision) -> None:
        """Set the alias `champion`, and add the decision to the registry and to the ledger.

        In this order, so that a decision cut short is taken again.
        """
        number = len(self.decisions()) + 1
        with _reached():
            if decision.champion is not None and self._exists(decision.champion):
                self._client.set_registered_model_alias(MODEL, _CHAMPION, decision.champion)
            elif self._client.get_registered_model(MODEL).aliases.get(_CHAMPION):
                self._client.delete_registered_model_alias(MODEL, _CHAMPION)
            about = {"decision": decision.event, "decision_reason": decision.reason}
            for name, value in about.items() if self._exists(decision.version) else ():
                self._client.set_model_version_tag(MODEL, decision.version, name, value[:_MOST])
            value = json.dumps(asdict(decision), sort_keys=True, allow_nan=False)
            self._client.set_registered_model_tag(MODEL, _DECISION.format(number), value)
        ledger.append(asdict(decision))

    @contextmanager
    def files(self, version: str) -> Iterator[Path]:
        """A folder with the generator's files, while the block lasts: what was registered, by its recorded SHA-256.

        Raises:
            Unusable: the version or its files are gone, or the files are others than those registered.
        """
        from mlflow.artifacts import download_artifacts
        from mlflow.exceptions import MlflowException
        from mlflow.models import Model

        with tempfile.TemporaryDirectory() as temporary:
            try:
                recorded = self._client.get_model_version(MODEL, version).tags["generator_sha256"]
                place = Path(download_artifacts(artifact_uri=f"models:/{MODEL}/{version}", dst_path=temporary))
                folder = place / Model.load(str(place)).flavors["python_function"]["data"]
            except (MlflowException, OSError, KeyError) as error:
                raise Unusable(f"version {version} cannot be fetched: {first_line(error)}") from error
            if (found := sha256_of(folder)) != recorded:
                raise Unusable(
                    f"the files of version {version} have SHA-256 {found[:12]}..., {recorded[:12]}... was registered: "
                    "they were changed"
                )
            yield folder

    def _exists(self, version: str) -> bool:
        return bool(self._client.search_model_versions(f"name = '{MODEL}' and version_number = {version}"))

    def _find(self, sha256: str) -> str | None:
        found = self._client.search_model_versions(f"name = '{MODEL}' and tags.generator_sha256 = '{sha256}'")
        return str(found[0].version) if found else None


@contextmanager
def _reached() -> Iterator[None]:
    from mlflow.exceptions import MlflowException

    try:
        yield
    except MlflowException as error:
        where = os.environ["MLFLOW_TRACKING_URI"]
        raise BadInput(
            f"cannot register at {where}: {first_line(error)}: start the MLflow server, then `make register`"
        ) from error


def _log_generator(candidacy: Candidacy) -> str:
    import mlflow
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, DataType, Schema, TensorSpec

    output = TensorSpec(np.dtype(np.uint8), (-1, *candidacy.image_shape))
    rows = pd.DataFrame({"class": candidacy.classes, "seed": list(range(len(candidacy.classes)))})
    columns = [ColSpec(DataType.string, "class"), ColSpec(DataType.long, "seed")]
    recorded = {"generator_sha256": candidacy.tags["generator_sha256"]}
    with child_run("register", {}) as child, mlflow.start_run(run_id=child.run_id):  # one run for each model
        model = mlflow.pyfunc.log_model(
            name="generator",
            loader_module="tasks.gan.serving",
            data_path=str(candidacy.folder),
            code_paths=[str(candidacy.code)],
            model_config=recorded,
            signature=ModelSignature(inputs=Schema(columns), outputs=Schema([output])),
            input_example=rows,
            pip_requirements=[f"{name}=={installed(name)}" for name in ("numpy", "pandas", "tensorflow", "keras")],
        )
    with redirect_stderr(io.StringIO()):  # it prints what the caller says anyway
        registered = mlflow.register_model(model.model_uri, MODEL, tags=recorded)
    return str(registered.version)
