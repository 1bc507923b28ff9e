"""The deployment of prefect.yaml on a real server, executed by a real process worker when its time has come."""

import asyncio
import signal
import time
from pathlib import Path

from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.filters import FlowRunFilter
from prefect.client.schemas.objects import FlowRun

from tests.pipeline.project import Project
from tests.pipeline.test_readme import as_here


async def _runs(server: str) -> list[FlowRun]:
    async with PrefectClient(server) as client:
        flow_filter = FlowRunFilter(state={"type": {"any_": ["COMPLETED", "FAILED", "CRASHED"]}})
        return [run for run in await client.read_flow_runs(flow_run_filter=flow_filter) if run.deployment_id]


def test_a_scheduled_run_fires_by_itself(reproduced: Project, server: str, tmp_path: Path) -> None:
    project = reproduced.copy(tmp_path / "project")
    definition = project.folder / "prefect.yaml"
    text = definition.read_text()
    assert 'cron: "0 2 * * *"' in text
    definition.write_text(text.replace('"0 2 * * *"', '"* * * * *"'))  # each minute, so that a test can wait for it
    worker = project.start("sh", "-c", f"exec {as_here('make worker')} SERVER={server}")
    try:
        deadline = time.monotonic() + 300
        while not (ended := asyncio.run(_runs(server))):
            assert time.monotonic() < deadline, "no scheduled run ended in five minutes"
            assert worker.poll() is None, worker.communicate()[0]
            time.sleep(2)
    finally:
        project.stop(worker, signal.SIGKILL)
    assert ended[0].state is not None
    assert ended[0].state.is_completed(), ended[0].state.message
    assert ended[0].auto_scheduled
    assert project.lock() == reproduced.lock()
    assert (project.folder / "mlflow.db").exists()
