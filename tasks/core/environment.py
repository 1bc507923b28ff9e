"""What decides the bits of a result beside code, parameters and data: threads and the order of their operations."""

import os

from threadpoolctl import threadpool_limits

from tasks.core.params import Compute


def pin(compute: Compute) -> None:
    """Fix what decides the bits of a result: thread counts and deterministic operations. Before TensorFlow starts."""
    threads = str(compute.intra_op_threads)
    os.environ |= {
        "TF_DETERMINISTIC_OPS": "1",
        "TF_NUM_INTRAOP_THREADS": threads,
        "OMP_NUM_THREADS": threads,
        "OPENBLAS_NUM_THREADS": threads,
    }
    threadpool_limits(compute.intra_op_threads)  # of NumPy's library, which was loaded before
