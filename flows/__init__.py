"""Flows: what runs on a schedule. Prefect reads its settings on import, so the environment comes first."""

from tasks.support import environment as environment
