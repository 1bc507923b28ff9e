"""The registry of generators in MLflow: who is in it, who is champion, and every decision on that.

A decision is a tag of the registered model, so that it outlives the versions it speaks of. Tags are only added; the
alias `champion` follows them. Clones that share a store share its champion. The ledger mirrors the decisions.
"""

import os
import re
import secrets
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TypeVar
from urllib.parse import urlsplit

from tasks.registry import ledger
from tasks.registry.decisions import Champions, Decision, EarlierFormat, champions_after, from_text, to_text
from tasks.registry.packaging import Candidacy, Package, Unusable, log_generator, read_package, sha256_of_artifact
from tasks.support.errors import BadInput, first_line, retried

MODEL = os.environ.get("EQUIPOISE_MODEL", "equipoise-generator")
T = TypeVar("T")
_CHAMPION, _CANDIDATE, _APPLIED = "champion", "candidate", "decision_applied"
_NAME = re.compile(r"decision_(\d{6})_[0-9a-f]{8}")
_MOST, _MOST_OF_REASON = 5000, 2000  # characters of a tag's value, which MLflow bounds; of a reason within
_PAUSES_S, _WITHIN_S = (0.5, 1.0, 2.0), 10.0  # of attempts; over HTTP MLflow makes some of its own
_MAY_PASS = ("INTERNAL_ERROR", "TEMPORARILY_UNAVAILABLE", "REQUEST_LIMIT_EXCEEDED")  # MLflow's codes
_NEW_NAME = "set EQUIPOISE_MODEL to a new name, or delete the registered model in MLflow, and begin anew"


@dataclass(frozen=True)
class Lineage:
    """Where a registered generator comes from.

    Attributes:
        version: in the registry.
        run: candidate/seed/epoch, its folder in data/generators when it was registered.
        split_sha256: of the folder with the manifest of the images that it learnt from.
        sources_sha256: of the listing of the sources of these images.
        git_commit: of the code; with `-dirty` where files were changed, whose differences `git_diff_sha256` is of.
    """

    version: str
    run: str
    split_sha256: str
    sources_sha256: str
    git_commit: str
    git_diff_sha256: str


class Registry:
    """The registered generators of the store at MLFLOW_TRACKING_URI.

    Raises, all methods:
        BadInput: the store cannot be reached, or holds what an earlier Equipoise wrote.
    """

    def __init__(self) -> None:
        from mlflow import MlflowClient

        self._client = MlflowClient()

    def register(self, candidacy: Candidacy) -> tuple[str, bool]:
        """Version of a generator, and whether it is new: one whose hash is known is not registered again.

        It gets the tags, and the alias `candidate`: the generator of the present outputs.
        """
        sha256 = candidacy.origin["generator_sha256"]
        known = self._version(sha256)
        version = known or _asked(lambda: self._version(sha256) or log_generator(MODEL, candidacy))
        _asked(lambda: self._tag_version(version, candidacy.tags))
        _asked(lambda: self._client.set_registered_model_alias(MODEL, _CANDIDATE, version))
        return version, known is None

    def lineage(self, generator_sha256: str) -> Lineage:
        """Where the generator with this hash comes from, as the manifest names it for each synthetic image.

        Raises:
            BadInput: no version has it, or an earlier Equipoise registered it.
        """
        version = self._version(generator_sha256)
        if version is None:
            raise BadInput(f"no registered version of {MODEL} is generator {generator_sha256}: `make register` first")
        tags = _asked(lambda: self._client.get_model_version(MODEL, version)).tags
        names = [name for name in Lineage.__dataclass_fields__ if name != "version"]
        if missing := [name for name in names if name not in tags]:
            raise BadInput(f"version {version} of {MODEL} has no tags {', '.join(missing)}: {_NEW_NAME}")
        return Lineage(version, **{name: tags[name] for name in names})

    def decisions(self) -> list[Decision]:
        """All of them, the oldest first."""
        return list(self._named().values())

    def champions(self) -> Champions:
        """Who is champion, after what was left undone is done: a decision that a kill cut short, the ledger's lines,
        and a note of an alias that somebody moved.
        """
        named = self._named()
        ledger.complete({name: asdict(decision) for name, decision in named.items()})
        champions = champions_after(list(named.values()))
        tags, aliases = self._tags_and_aliases()
        last = max(named, default="")
        if tags.get(_APPLIED, "") < last:
            self._apply(champions.current, last)
            return champions
        alias = aliases.get(_CHAMPION)
        if alias == champions.current or (alias is None and not self.exists(champions.current)):
            return champions
        moved = f"somebody made version {alias} champion" if alias else f"somebody retired version {champions.current}"
        self.decide(Decision("moved by hand", alias, alias, moved, {}), champions)
        return champions_after(self.decisions())

    def decide(self, decision: Decision, before: Champions) -> None:
        """Record a decision, and set the alias `champion`: a kill in between is mended by the next `champions`.

        Raises:
            BadInput: the champion is not that of `before` any more.
        """
        named = self._named()
        if champions_after(list(named.values())) != before:
            raise BadInput("another process has decided on the champion meanwhile: run it again")
        number = 1 + max((int(name.split("_")[1]) for name in named), default=0)
        name = f"decision_{number:06d}_{secrets.token_hex(4)}"
        shortened = replace(decision, reason=decision.reason[:_MOST_OF_REASON])
        _asked(lambda: self._client.set_registered_model_tag(MODEL, name, to_text(shortened)))
        self._apply(decision.champion, name)
        if (version := decision.version) is not None and self.exists(version):  # for who looks at its page
            about = {"decision": decision.event, "decision_reason": shortened.reason}
            _asked(lambda: self._tag_version(version, about))
        ledger.complete({name: asdict(shortened)})

    def exists(self, version: str | None) -> bool:
        query = f"name = '{MODEL}' and version_number = {version}"
        return version is not None and bool(_asked(lambda: self._client.search_model_versions(query)))

    @contextmanager
    def package(self, version: str) -> Iterator[Package]:
        """A version's package, on this machine while the block lasts. Nothing is read of it before all that was
        registered, code included, has the recorded SHA-256.

        Raises:
            Unusable: the version was deleted, or its files are others than those registered.
        """
        if not self.exists(version):
            raise Unusable(f"version {version} was deleted from the registry")
        recorded = _asked(lambda: self._client.get_model_version(MODEL, version)).tags.get("artifact_sha256")
        if recorded is None:
            raise Unusable(f"version {version} has no artifact_sha256 among its tags, by which its files are known")
        Path(".state").mkdir(exist_ok=True)
        with tempfile.TemporaryDirectory(dir=".state") as temporary:
            folder = _downloaded(version, temporary)
            if (sha256 := sha256_of_artifact(folder)) != recorded:
                raise Unusable(
                    f"the files of version {version} were changed: they have SHA-256 {sha256[:12]}..., and "
                    f"{recorded[:12]}... was registered"
                )
            yield read_package(version, folder)

    def usable(self, champions: Champions) -> tuple[str | None, list[str]]:
        """The last version before the champion whose files are as registered, or None; and what others lack."""
        passed_over: list[str] = []
        for version in reversed(champions.earlier):
            try:
                with self.package(version):
                    return version, passed_over
            except Unusable as error:
                passed_over.append(f"{error}")
        return None, passed_over

    def _version(self, generator_sha256: str) -> str | None:
        query = f"name = '{MODEL}' and tags.generator_sha256 = '{generator_sha256}'"
        versions = _asked(lambda: self._client.search_model_versions(query))
        return str(versions[0].version) if versions else None

    def _tag_version(self, version: str, tags: Mapping[str, str]) -> None:
        for name, value in tags.items():
            self._client.set_model_version_tag(MODEL, version, name, value[:_MOST])

    def _named(self) -> dict[str, Decision]:
        """Decisions by the names of their tags, in order."""
        tags, _ = self._tags_and_aliases()
        try:
            return {name: from_text(tags[name]) for name in sorted(tags) if _NAME.fullmatch(name)}
        except EarlierFormat as error:
            raise BadInput(f"{MODEL} at {_place()} holds decisions of an earlier Equipoise: {_NEW_NAME}") from error

    def _tags_and_aliases(self) -> tuple[dict[str, str], dict[str, str]]:
        models = _asked(lambda: self._client.search_registered_models(f"name = '{MODEL}'"))
        if not models:
            return {}, {}
        return models[0].tags, {name: str(version) for name, version in models[0].aliases.items()}

    def _apply(self, champion: str | None, name: str) -> None:
        if self.exists(champion):
            _asked(lambda: self._client.set_registered_model_alias(MODEL, _CHAMPION, champion))
        elif _CHAMPION in self._tags_and_aliases()[1]:
            _asked(lambda: self._client.delete_registered_model_alias(MODEL, _CHAMPION))
        _asked(lambda: self._client.set_registered_model_tag(MODEL, _APPLIED, name))


def _asked(ask: Callable[[], T]) -> T:
    """What the registry answers; it is asked again while the error may pass by itself."""
    from mlflow.exceptions import MlflowException
    from sqlalchemy.exc import SQLAlchemyError

    def may_pass(error: Exception) -> bool:
        return isinstance(error, SQLAlchemyError | OSError) or getattr(error, "error_code", None) in _MAY_PASS

    try:
        return retried(ask, may_pass, _PAUSES_S, _WITHIN_S)
    except (MlflowException, SQLAlchemyError, OSError) as error:
        raise BadInput(
            f"the registry at {_place()} says {first_line(error)}: start the MLflow server, then `make register`"
        ) from error


def _place() -> str:
    where = urlsplit(os.environ["MLFLOW_TRACKING_URI"])
    return where._replace(netloc=where.netloc.rpartition("@")[2]).geturl()  # without a password


def _downloaded(version: str, temporary: str) -> Path:
    from mlflow.artifacts import download_artifacts

    def download() -> Path:
        folder = Path(download_artifacts(artifact_uri=f"models:/{MODEL}/{version}", dst_path=temporary))
        folder.joinpath("MLmodel").stat()  # of a folder that is away MLflow makes an empty one
        return folder

    try:
        return retried(download, lambda _: True, _PAUSES_S, _WITHIN_S)
    except Exception as error:  # whatever the store of artifacts raises
        raise BadInput(
            f"the files of version {version} cannot be fetched ({first_line(error)}): make their store reachable and "
            f"run it again, or delete the version from the registry"
        ) from error
