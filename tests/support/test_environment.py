import os
from collections.abc import Iterator

import pytest
from distributed import LocalCluster

from tasks.support.environment import DASK_ADDRESS, executor


@pytest.fixture
def cluster() -> Iterator[str]:
    # Any free port: on the usual one, the cluster of another test may answer at the same time.
    with LocalCluster(n_workers=1, threads_per_worker=1, processes=False, dashboard_address="127.0.0.1:0") as running:
        yield running.scheduler_address


def test_processes_of_this_machine_by_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(DASK_ADDRESS, raising=False)
    with executor() as workers:
        assert workers.submit(os.getpid).result() != os.getpid()
        assert list(workers.map(abs, [-3, 2, -1])) == [3, 2, 1]


def test_the_dask_cluster_where_an_address_is_set(cluster: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(DASK_ADDRESS, cluster)
    with executor() as workers:
        assert type(workers).__module__ == "distributed.cfexecutor"
        assert list(workers.map(abs, [-3, 2, -1])) == [3, 2, 1]
