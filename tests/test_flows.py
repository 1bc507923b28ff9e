"""The flow as a module."""

import subprocess
import sys

from tests.pipeline.project import ROOT


def test_a_flow_in_which_nothing_is_due_does_not_start_tensorflow() -> None:
    program = "import sys, flows.rebalance; print([name for name in ('tensorflow', 'keras') if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=True, capture_output=True, text=True)
    assert done.stdout == "[]\n"
    assert done.stderr == ""
