"""Projects in which something has run, made once for all tests: copy them, never run in them."""

import os
import socket
import subprocess
import time
from collections.abc import Iterator

import pytest

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
def fresh(tmp_path_factory: pytest.TempPathFactory, server: str) -> Project:
    """A project in which nothing has run."""
    root = tmp_path_factory.mktemp("fresh")
    draw_shapes(root / "source", {"bird": 60, "cat": 60, "dog": 60})
    return make_project(root / "project", server, tiny_params(root / "source"))


@pytest.fixture(scope="session")
def flowed(tmp_path_factory: pytest.TempPathFactory, fresh: Project) -> Project:
    """A project in which the flow has run."""
    project = fresh.copy(tmp_path_factory.mktemp("flowed") / "project")
    project.flow()
    return project


@pytest.fixture(scope="session")
def reproduced(tmp_path_factory: pytest.TempPathFactory, fresh: Project) -> Project:
    """A project in which `dvc repro` has run."""
    project = fresh.copy(tmp_path_factory.mktemp("reproduced") / "project")
    project.repro()
    return project
