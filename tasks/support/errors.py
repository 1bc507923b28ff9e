"""The one error that is shown to people without a traceback."""


class BadInput(Exception):
    """Says in one sentence what was found, what was expected and what to do."""
