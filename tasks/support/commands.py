"""Stages as commands: `python -m tasks.<stage> [item]`."""

import errno
import fcntl
import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tasks.core.environment import pin
from tasks.core.params import Params, load
from tasks.support import progress
from tasks.support.errors import BadInput
from tasks.support.stages import Stage

LOCK = Path(".state/lock")
_DISK_TROUBLE = (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOSPC, errno.EDQUOT)


def command(run: Callable[[Params], object]) -> None:
    """Run a function of the parameters; a user's mistake is one line on stderr and exit code 1."""
    _call(run)


def stage_command(stage: Stage) -> None:
    """Run a stage of the project in the current folder; the item of one that runs for each is the only argument.

    An item that the parameters do not name is an error that says which they name.
    """
    items = len(sys.argv) - 1
    if items != (stage.each is not None):
        item = f" NAME (one of {stage.each} in the parameters)" if stage.each else ""
        sys.exit(f"usage: python -m tasks.{stage.name}{item}")
    _call(lambda params: stage.run(params, *sys.argv[1:]))


def guarded(run: Callable[[], object]) -> int:
    """Exit code of `run`: 0, or 1 where the user's input or disk is at fault, which is then named in one line."""
    try:
        run()
    except BadInput as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except OSError as error:
        if error.errno not in _DISK_TROUBLE:
            raise
        place = f"{error.filename}: " if error.filename else ""
        print(f"error: {place}{error.strerror}: make it accessible, or free space", file=sys.stderr)
        return 1
    return 0


@contextmanager
def alone() -> Iterator[None]:
    """Hold the project folder: two runs that write the same outputs would spoil both.

    Raises:
        BadInput: another process holds it, or the folder cannot be written.
    """
    try:
        LOCK.parent.mkdir(exist_ok=True)
        handle = os.open(LOCK, os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as error:
        raise BadInput(f"cannot write {LOCK}: {error.strerror}: make the project folder writable") from error
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(handle, 32, 0).decode() or "unknown"
            raise BadInput(
                f"process {holder} is already running Equipoise in {Path.cwd()}: wait for it or stop it"
            ) from None
        os.ftruncate(handle, 0)
        os.pwrite(handle, str(os.getpid()).encode(), 0)
        yield
    finally:
        os.close(handle)


def _call(run: Callable[[Params], object]) -> None:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))  # so that tracked runs are ended
    progress.show()

    def locked() -> None:
        with alone():
            params = load()
            pin(params.compute)
            run(params)

    sys.exit(guarded(locked))
