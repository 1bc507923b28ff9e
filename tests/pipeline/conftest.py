"""Projects in which something has run, made once for all tests: copy them, never run in them."""

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from filelock import FileLock

from tests.pipeline.project import PYTHON, Project, draw_shapes, make_project, tiny_params


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of a Prefect server of the tests' own, so that each flow need not start one."""
    home = tmp_path_factory.mktemp("server")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    env = {"PATH": "/usr/bin:/bin", "HOME": str(home), "PREFECT_HOME": str(home), "DO_NOT_TRACK": "true"}
    env |= {"PREFECT_SERVER_ANALYTICS_ENABLED": "false"}
    command = [PYTHON.with_name("prefect"), "server", "start", "--host", "127.0.0.1", "--port", str(port)]
    log = (home / "log").open("w")
    process = subprocess.Popen(command, env=env, cwd=home, stdout=log, stderr=log, start_new_session=True)
    address = f"http://127.0.0.1:{port}/api"
    try:
        for _ in range(180):
            try:
                with socket.create_connection(("127.0.0.1", port), timeout=5):
                    break
            except OSError:
                assert process.poll() is None, (home / "log").read_text()
                time.sleep(1)
        else:
            pytest.fail("the Prefect server did not start in three minutes")
        yield address
    finally:
        os.killpg(process.pid, 9)
        process.wait()
        log.close()


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Path:
    """A folder that all worker processes of this test run share."""
    own = tmp_path_factory.getbasetemp()
    return own if worker_id == "master" else own.parent


@pytest.fixture(scope="session")
def fresh(shared: Path, server: str) -> Project:
    """A project in which nothing has run."""

    def make(root: Path) -> None:
        draw_shapes(root / "source", {"bird": 60, "cat": 60, "dog": 60})
        make_project(root / "project", server, tiny_params(root / "source"))

    return Project(_made_once(shared / "fresh", make) / "project", server)


@pytest.fixture(scope="session")
def flowed(shared: Path, fresh: Project) -> Project:
    """A project in which the flow has run; `output` is what it printed."""

    def make(root: Path) -> None:
        (root / "output").write_text(fresh.copy(root / "project").flow())

    root = _made_once(shared / "flowed", make)
    project = Project(root / "project", fresh.env["PREFECT_API_URL"])
    project.output = (root / "output").read_text()
    return project


@pytest.fixture(scope="session")
def reproduced(shared: Path, fresh: Project) -> Project:
    """A project in which `dvc repro` has run."""
    root = _made_once(shared / "reproduced", lambda root: fresh.copy(root / "project").repro())
    return Project(root / "project", fresh.env["PREFECT_API_URL"])


def _made_once(root: Path, make: Callable[[Path], object]) -> Path:
    with FileLock(f"{root}.lock"):
        if not (root / "made").exists():
            shutil.rmtree(root, ignore_errors=True)
            root.mkdir()
            make(root)
            (root / "made").touch()
    return root
