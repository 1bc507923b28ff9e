"""`python -m tasks.report`."""

from tasks.report import report
from tasks.support.commands import stage_command

if __name__ == "__main__":
    stage_command(report)
