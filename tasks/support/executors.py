"""Where per-image work runs: processes of this machine, or the Dask cluster at EQUIPOISE_DASK_ADDRESS."""

import multiprocessing
import os
from collections.abc import Iterator
from concurrent.futures import Executor, ProcessPoolExecutor
from contextlib import contextmanager

DASK_ADDRESS = "EQUIPOISE_DASK_ADDRESS"


@contextmanager
def executor() -> Iterator[Executor]:
    """An executor; its workers need the project folder as current one."""
    if address := os.environ.get(DASK_ADDRESS):
        from distributed import Client  # the optional extra `dask`

        with Client(address) as client:  # type: ignore[no-untyped-call]
            yield client.get_executor()
        return
    context = multiprocessing.get_context("forkserver")  # a plain fork would copy the threads of TensorFlow and Prefect
    with ProcessPoolExecutor(os.cpu_count(), mp_context=context) as pool:
        yield pool
