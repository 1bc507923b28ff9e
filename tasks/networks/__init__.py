"""Networks, and nothing else of the project: the registry ships this package under another name.

It imports TensorFlow without the lines that it prints before any log level counts.
"""

import os
import re
import sys
import tempfile

_NOISE = re.compile(
    rb"WARNING: All log messages before absl|[IWE]\d{4} \d\d:\d\d:|To enable the following instructions"
)


def import_tensorflow() -> None:
    """Import TensorFlow; what it says about itself on stderr is left out, anything else is passed on."""
    if "tensorflow" in sys.modules:
        return
    with tempfile.TemporaryFile() as said:
        stderr = os.dup(2)
        os.dup2(said.fileno(), 2)
        try:
            import tensorflow  # noqa: F401
        finally:
            os.dup2(stderr, 2)
            os.close(stderr)
            said.seek(0)
            os.write(2, b"".join(line for line in said if not _NOISE.match(line)))


import_tensorflow()
