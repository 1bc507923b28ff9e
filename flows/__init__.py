"""Flows: what runs on a schedule. Prefect reads its settings on import, so the environment comes first."""

import os

from tasks.support import environment as environment

# Errors reach people once: from the command, or from the server to which the API handler sends them.
os.environ.setdefault("PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL", "CRITICAL")
