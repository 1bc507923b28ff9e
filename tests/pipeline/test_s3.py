"""A bucket as source and as DVC remote, on a real server, by the commands that users run."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tasks.core.files import read_json, sha256_of
from tests.pipeline.project import DVC, PYTHON, Project
from tests.s3 import Server, serving, spoiling

INGEST = (PYTHON, "-m", "tasks.ingest")
VALIDATE = (PYTHON, "-m", "tasks.validate")


@pytest.fixture
def s3(tmp_path: Path) -> Iterator[Server]:
    (tmp_path / "buckets").mkdir()
    with serving(tmp_path / "buckets") as running:
        yield running


def _aws(s3: Server) -> dict[str, str]:
    """The home is the test's own, and DVC refuses a configuration file that is none."""
    return {name: value for name, value in s3.env.items() if not name.endswith("_FILE")}


def _from_bucket(fresh: Project, folder: Path, s3: Server) -> Project:
    """A copy of a project whose source is a bucket with the same files, under a prefix."""
    project = fresh.copy(folder)
    (listed,) = read_json(fresh.folder / "data/sources.json")["sources"]
    shutil.copytree(listed["source"]["path"], s3.folder / "pictures/all")
    project.env |= _aws(s3)
    project.change("ingest", "sources", value=[{"kind": "files", "path": "s3://pictures/all"}])
    project.refresh()
    return project


def _arrived(transfers: Path) -> list[Path]:
    # While it arrives it is called <name>.arriving, and <name>.arriving.<digits> by the library that brings it.
    return [path for path in transfers.glob("*") if ".arriving" not in path.name]


def test_a_bucket_gives_the_manifest_of_the_folder_though_ingest_is_killed_three_times(
    fresh: Project, tmp_path: Path, s3: Server
) -> None:
    plain = fresh.copy(tmp_path / "plain")
    plain.run(*INGEST)
    plain.run(*VALIDATE)
    project = _from_bucket(fresh, tmp_path / "project", s3)
    transfers = project.folder / ".state/ingest"
    with spoiling(s3) as proxy:
        project.env["AWS_ENDPOINT_URL_S3"] = proxy.url
        for arrived in (1, 40, 90):
            project.kill_when(INGEST, lambda least=arrived: len(_arrived(transfers)) >= least)
            assert not (project.folder / "data/raw").exists()
        kept, asked = len(_arrived(transfers)), len(proxy.asked("GET"))
        assert kept >= 90
        project.run(*INGEST)
        in_flight = 16  # requests of the killed process that are answered after its end
        assert 180 - kept <= len(proxy.asked("GET")) - asked <= 180 - kept + in_flight
        project.run(*VALIDATE)
        assert sha256_of(project.folder / "data/manifest") == sha256_of(plain.folder / "data/manifest")
        assert not any(transfers.iterdir())

        asked = len(proxy.asked("GET"))
        assert "sources: unchanged" in project.refresh()
        shutil.copy(s3.folder / "pictures/all/cat/000.png", s3.folder / "pictures/all/cat/again.png")
        (s3.folder / "pictures/all/cat/001.png").unlink()
        assert "sources: changed" in project.refresh()
        output = project.run(*INGEST)
        assert "180 files in 3 classes: 1 new, 0 changed, 1 removed" in output
        assert len([path for path in proxy.asked("GET")[asked:] if "/pictures/all/" in path]) == 1


def test_what_one_clone_pushes_to_a_bucket_another_pulls(flowed: Project, tmp_path: Path) -> None:
    (tmp_path / "buckets/store").mkdir(parents=True)
    with serving(tmp_path / "buckets", put_into=True) as s3:
        project = flowed.copy(tmp_path / "project")
        project.env |= _aws(s3)
        identity = ["-c", "user.name=test", "-c", "user.email=test@example.com"]
        project.run(DVC, "remote", "add", "--default", "store", "s3://store/equipoise")
        project.run("git", "add", "--all")
        project.run("git", *identity, "commit", "--quiet", "--message=data")
        project.run(DVC, "push")
        project.run("git", "clone", "--quiet", project.folder, tmp_path / "second")
        second = Project(tmp_path / "second", project.env["PREFECT_API_URL"])
        second.env |= _aws(s3)
        assert not (second.folder / "data/synthetic").exists()
        second.run(DVC, "pull")
        for name in ("raw", "manifest", "clean", "split", "generator", "synthetic", "report"):
            assert sha256_of(second.folder / "data" / name) == sha256_of(project.folder / "data" / name), name
        assert "up to date" in second.run(DVC, "status")
