"""Which tracked runs this process works on: their heartbeats are renewed while it lives.

Processes of several machines and containers share a tracking server, where host names and process numbers repeat. So a
run carries a random id of the process that opened it and the time of its last heartbeat; one whose heartbeat is too old
has been left behind, whoever opened it. Where a process number has one meaning, in one start of a machine and one
container, a process that is gone is known to be at once.
"""

import os
import threading
import uuid
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

OWNER = uuid.uuid4().hex  # of this process
OWNER_TAG, HEARTBEAT_TAG, PROCESS_TAG = "equipoise.owner", "equipoise.heartbeat", "equipoise.process"
BEAT_S = 30.0  # between two heartbeats; each is one small write
LEASE_S = 180.0  # five heartbeats may be lost, and clocks of machines differ by less


def tags() -> dict[str, str]:
    """What a run carries that this process opens."""
    process = f"{_space()} {os.getpid()} {_started(os.getpid())}"
    return {OWNER_TAG: OWNER, PROCESS_TAG: process, HEARTBEAT_TAG: datetime.now(UTC).isoformat(timespec="seconds")}


def left_behind(run_tags: Mapping[str, str]) -> bool:
    """Whether the process that works on a run with these tags is gone, or has not renewed its heartbeat in time.

    Runs of this process are not left behind, and of runs without a heartbeat, which others made, nothing is known.
    """
    if HEARTBEAT_TAG not in run_tags or run_tags.get(OWNER_TAG) == OWNER:
        return False
    space, _, process = run_tags.get(PROCESS_TAG, "").partition(" ")
    number, _, started = process.partition(" ")
    if space == _space() and _started(int(number)) != started:
        return True
    return datetime.now(UTC) - datetime.fromisoformat(run_tags[HEARTBEAT_TAG]) > timedelta(seconds=LEASE_S)


def _space() -> str:
    """Where a process number has one meaning: a start of a machine, and one of its containers."""
    return f"{Path('/proc/sys/kernel/random/boot_id').read_text().strip()}/{Path('/proc/self/ns/pid').readlink()}"


def _started(number: int) -> str:
    """When a process started, in ticks of the machine's clock; empty where there is none of this number."""
    with suppress(OSError):
        return Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()[19]
    return ""


class Leases:
    """The runs that a process works on, renewed by a thread, and what it could not do at their ends, tried again."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._held: Counter[str] = Counter()
        self._clients: dict[str, Any] = {}
        self._undone: list[Callable[[], object]] = []
        self._idle = threading.Event()
        self._thread: threading.Thread | None = None

    def hold(self, client: Any, run_id: str) -> None:
        """Work on a run, once more where this process does already."""
        with self._guard:
            self._held[run_id] += 1
            self._clients[run_id] = client
            self._start()

    def release(self, run_id: str) -> bool:
        """Work on a run once less; gives whether this process works on it no longer."""
        with self._guard:
            self._held[run_id] -= 1
            last = self._held[run_id] < 1
            if last:
                del self._held[run_id], self._clients[run_id]
            if not self._clients and not self._undone:
                self._idle.set()
            return last

    def holds(self, run_id: str) -> bool:
        return run_id in self._held

    def later(self, action: Callable[[], object]) -> None:
        """Try an action with every heartbeat until it raises no error."""
        with self._guard:
            self._undone.append(action)
            self._start()

    def _start(self) -> None:
        self._idle.clear()
        if self._thread is None:
            self._thread = threading.Thread(target=self._beat, name="heartbeats", daemon=True)
            self._thread.start()

    def _beat(self) -> None:
        while True:
            self._idle.wait(BEAT_S)
            with self._guard:
                clients, undone = dict(self._clients), list(self._undone)
                if not clients and not undone:
                    self._thread = None
                    return
            for run_id, client in clients.items():
                with suppress(Exception):  # a lease outlasts some lost heartbeats
                    client.set_tag(run_id, HEARTBEAT_TAG, tags()[HEARTBEAT_TAG])
            done = [action for action in undone if _succeeds(action)]
            with self._guard:
                self._undone = [action for action in self._undone if action not in done]


def _succeeds(action: Callable[[], object]) -> bool:
    with suppress(Exception):
        action()
        return True
    return False
