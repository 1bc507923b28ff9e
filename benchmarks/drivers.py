"""Seconds and peak memory of both drivers on the shipped digits: `python -m benchmarks.drivers`, in a fresh clone.

Runs what a user runs, in this order, after `make setup`: the first flow (everything is due), a second flow and
`dvc repro` (nothing is due). Peak memory is the largest resident set of any one process.
"""

import resource
import subprocess
import sys
import time
from pathlib import Path

RUNS = {
    "flow, everything due": [sys.executable, "-m", "flows.rebalance"],
    "flow, nothing due": [sys.executable, "-m", "flows.rebalance"],
    "dvc repro, nothing due": [Path(sys.executable).with_name("dvc"), "repro"],
}


def main() -> None:
    if Path("dvc.lock").exists():
        sys.exit("dvc.lock exists: run this in a fresh clone, where nothing has run yet")
    print("| run | seconds | peak memory so far, MB |\n| --- | --: | --: |")
    for name, command in RUNS.items():
        start = time.monotonic()
        subprocess.run(command, check=True, capture_output=True)
        peak_mb = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
        print(f"| {name} | {time.monotonic() - start:.1f} | {peak_mb:.0f} |", flush=True)


if __name__ == "__main__":
    main()
