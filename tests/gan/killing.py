"""Trainings in a process of its own, which is stopped at random moments: what lies on disk then is what a kill leaves.

TensorFlow is imported once, in the server that forks the processes.
"""

import multiprocessing
import os
import shutil
import signal
import time
from collections.abc import Callable
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import Any

import numpy as np

from tasks.core.environment import pin
from tasks.gan.loop import Loop, Record, Watch, train
from tasks.gan.parts import train_parts
from tests.gan.candidates import COMPUTE, CONDITIONAL, DCGAN, Quiet, loop_of, setting_of

pin(COMPUTE)
ROOT = Path(__file__).parents[2]
EPOCHS = 30
_STEADY: dict[str, Any] = {"steps_per_epoch": 2, "batch": 4, "d_dropout": 0.3, "g_dropout": 0.2, "snapshot_every": 1}


def steady_loop() -> Loop:
    """A training with all that a state holds: dropout in both networks, an average, LeCam's anchors."""
    return loop_of(CONDITIONAL.model_copy(update=_STEADY | {"epochs": EPOCHS, "lecam": 0.3}))


class Listener(Quiet):
    """Sets an event at the first epoch, and keeps the history."""

    def __init__(self, begun: Event | None = None) -> None:
        self.history: list[Record] = []
        self._begun = begun

    def epoch(self, record: Record) -> None:
        self.history.append(record)
        if self._begun is not None:
            self._begun.set()


def train_steady(folder: Path, begun: Event) -> None:
    train(steady_loop(), folder, 1, Watch(on_epoch=Listener(begun).epoch), "steady")


def train_dcgan(folder: Path, begun: Event | None = None) -> list[Record]:
    """History of a warm start on all classes and of one class, with batch norm."""
    changes = {"epochs": 8, "batch_norm": True, "warm_start_epochs": 8, "classes": ["2"], "half_batches": True}
    listener = Listener(begun)
    for _ in train_parts(setting_of(DCGAN.model_copy(update=_STEADY | changes)), 0, folder, listener):
        pass
    return listener.history


def copies_at_random_moments(run: Callable[[Path, Event], Any], folder: Path, count: int, most_s: float) -> list[Path]:
    """Copies of what a training in `folder`/run has on disk at so many moments, the last one that of a kill -9.

    They are at most `most_s` seconds apart. A training that comes to its end before is followed by another.
    """
    os.environ["PYTHONPATH"] = str(ROOT)
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__])
    rng, copies = np.random.default_rng(0), list[Path]()
    while len(copies) < count:
        run_folder = folder / f"run_{len(copies)}"
        begun = context.Event()
        process = context.Process(target=run, args=(run_folder, begun))
        process.start()
        assert begun.wait(120)
        while process.is_alive() and len(copies) < count:
            process.join(rng.uniform(0, most_s))
            last = len(copies) == count - 1
            if _killed(process) if last else _stopped(process.pid):
                copies.append(folder / f"copy_{len(copies)}")
                shutil.copytree(run_folder, copies[-1])
                if not last:
                    os.kill(process.pid, signal.SIGCONT)
        process.join()
    return copies


def _stopped(process: int) -> bool:
    """Whether every thread of the process stands now; it may have come to its end."""
    try:
        os.kill(process, signal.SIGSTOP)
        while any("State:\tT" not in path.read_text() for path in Path(f"/proc/{process}/task").glob("*/status")):
            time.sleep(0.001)
    except (FileNotFoundError, ProcessLookupError):
        return False
    return True


def _killed(process: Any) -> bool:
    """Whether a kill -9 came before the end of the process."""
    process.kill()
    process.join()
    return bool(process.exitcode == -signal.SIGKILL)
