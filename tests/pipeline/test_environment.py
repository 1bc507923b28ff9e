"""Where and how a run goes on comes from the environment: a Dask cluster, a closed network."""

import signal
import socket
import threading
import time
from pathlib import Path

from tests.pipeline.project import PYTHON, Project


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def test_candidates_and_arms_run_on_a_dask_cluster_with_the_same_results(
    fresh: Project, reproduced: Project, tmp_path: Path
) -> None:
    project = fresh.copy(tmp_path / "project")
    port = free_port()
    address = f"tcp://127.0.0.1:{port}"
    dask = PYTHON.with_name("dask")
    project.env["PYTHONPATH"] = "."  # as the README says: a cluster has to find the project's code
    scheduler = project.start(dask, "scheduler", "--host", "127.0.0.1", "--port", port, "--no-dashboard")
    worker = project.start(dask, "worker", address, "--nthreads", 2, "--no-dashboard", "--name", "the-worker")
    try:
        project.env["EQUIPOISE_DASK_ADDRESS"] = address
        project.flow()
    finally:
        project.stop(worker, signal.SIGKILL)
        project.stop(scheduler, signal.SIGKILL)
    assert project.lock() == reproduced.lock()
    # What a mapped stage says is said by the process that runs it.
    assert "select_generator: done in" in project.output
    assert "train_gan@conditional: done in" not in project.output


def test_no_connection_leaves_the_machine(fresh: Project, tmp_path: Path) -> None:
    """A proxy that every well-behaved client would use counts who calls: telemetry of six libraries is off."""
    calls: list[bytes] = []
    proxy = socket.create_server(("127.0.0.1", 0))

    def count() -> None:
        while True:
            try:
                client, _ = proxy.accept()
            except OSError:
                return
            with client:
                client.settimeout(5)
                calls.append(client.recv(200))

    threading.Thread(target=count, daemon=True).start()
    project = fresh.copy(tmp_path / "project")
    address = f"http://127.0.0.1:{proxy.getsockname()[1]}"
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"):
        project.env[name] = address
    project.env["NO_PROXY"] = project.env["no_proxy"] = "127.0.0.1,localhost"
    project.flow()
    project.repro()
    time.sleep(2)  # DVC reports from a process that it leaves behind
    proxy.close()
    assert calls == []
