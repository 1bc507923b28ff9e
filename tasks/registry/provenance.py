"""Which code and data a run was made of: what the registry's tags say of them."""

import hashlib
import subprocess
from pathlib import Path

from tasks.core.files import read_json, sha256_of
from tasks.support.errors import BadInput
from tasks.support.stages import LISTING

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
