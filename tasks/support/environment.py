"""What a process of Equipoise needs in its environment, and where per-image work runs."""

import multiprocessing
import os
from collections.abc import Iterator
from concurrent.futures import Executor, ProcessPoolExecutor
from contextlib import contextmanager
from pathlib import Path

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


ROOT = Path.cwd()

_DEFAULTS = {
    "DO_NOT_TRACK": "true",
    "DVC_NO_ANALYTICS": "true",
    "GX_ANALYTICS_ENABLED": "false",
    "GIT_PYTHON_REFRESH": "quiet",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_LOGGING_LEVEL": "WARNING",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    "MLFLOW_TRACKING_URI": f"sqlite:///{ROOT}/mlflow.db",
    # A tracking server that is away must not hold a stage up for minutes.
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "20",
    "MPLBACKEND": "Agg",
    "PREFECT_HOME": str(ROOT / ".prefect"),
    "PREFECT_LOGGING_EXTRA_LOGGERS": "equipoise",
    "PREFECT_LOGGING_LEVEL": "WARNING",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    # The temporary server needs 11-18 s on a quiet machine; Prefect's default gives up after 20.
    "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "180",
    "TF_CPP_MIN_LOG_LEVEL": "3",  # TensorFlow's optimiser calls errors what it merely leaves out
}

for _name, _value in _DEFAULTS.items():
    os.environ.setdefault(_name, _value)
