"""`python -m tasks.report`."""

from tasks.report.stage import report
from tasks.support.commands import command

if __name__ == "__main__":
    command(report.run)
