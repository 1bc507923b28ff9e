"""Stages as commands: `python -m tasks.<stage> [item]`."""

import errno
import os
import signal
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from tasks.core.environment import pin
from tasks.core.params import Params, load
from tasks.core.params.section import Section
from tasks.report.sheets import draw_grid
from tasks.support import progress
from tasks.support.errors import BadInput
from tasks.support.mirror import ON_PARENT, tracked
from tasks.support.progress import listening
from tasks.support.stages import DATA, Stage

LOCK = Path(".state/lock")
_DISK_TROUBLE = (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOSPC, errno.EDQUOT)


def command(run: Callable[[Params], object]) -> None:
    """Run a function of the parameters alone in the project; a user's mistake is one line on stderr and exit code 1."""

    def locked() -> None:
        with alone():
            params = load()
            pin(params.compute)
            run(params)

    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))  # so that tracked runs are ended
    progress.show()
    sys.exit(guarded(locked))


def stage_command(stage: Stage) -> None:
    """Run a stage of the project in the current folder; the item of one that runs for each is the only argument.

    An item that the parameters do not name is an error that says which they name.
    """
    items = len(sys.argv) - 1
    if items != (stage.each is not None):
        item = f" NAME (one of {stage.each} in the parameters)" if stage.each else ""
        sys.exit(f"usage: python -m tasks.{stage.name}{item}")
    command(lambda params: compute(stage, params, *sys.argv[1:]))


def compute(stage: Stage, params: Params, item: str | None = None) -> None:
    """Run a stage of the project, mirrored in MLflow if it is one to look at: what commands and flows have in common.

    Raises:
        BadInput: the stage has no such item, or stops for another mistake of the user.
    """
    items: Mapping[str, Section] = getattr(params, stage.each) if stage.each else {}
    if item not in items and stage.name not in ON_PARENT:
        stage.run(params, item)
        return
    settings = items[item].model_dump() if item else {}
    out = DATA / stage.out / (item or "")
    with tracked(stage.name, item, settings, out, draw_grid) as listener, listening(listener):
        stage.run(params, item)


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
        lock = FileLock(LOCK, blocking=False)
        lock.acquire()
        LOCK.write_text(str(os.getpid()))
    except Timeout:
        holder = LOCK.read_text() or "unknown"
        raise BadInput(
            f"process {holder} is already running Equipoise in {Path.cwd()}: wait for it or stop it"
        ) from None
    except OSError as error:
        raise BadInput(f"cannot write {LOCK}: {error.strerror}: make the project folder writable") from error
    try:
        yield
    finally:
        lock.release()
