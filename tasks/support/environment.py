"""What a process of Equipoise needs in its environment before libraries are imported; no output depends on it.

Importing this package sets it: telemetry off, libraries quiet, caches and stores inside the project. What the user has
set (a tracking address, a Prefect server) stays.
"""

import os
from pathlib import Path

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
