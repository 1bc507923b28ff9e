"""The loop of a GAN's training, whatever its step trains: epochs, snapshots, and going on after a kill.

The state of a training is one file, replaced in one step. The randomness of an epoch depends on the seed and the
epoch's number alone, and dropout's on variables that are saved with the rest, so that a training that was killed ends
with the bits of one that was not, given the same processor type, number of threads and versions.
"""

import json
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
import tensorflow as tf

from tasks.core.files import replacing_file
from tasks.gan.step import METRICS, Draws, Step, part
from tasks.networks.arrays import Weights, get_weights, save_weights
from tasks.support.progress import bar, log

Record = dict[str, Any]
STATE = "state.npz"
_SEEN = "seen"  # the member beside the weights, JSON as bytes


class Loop:
    """Epochs of a step, compiled at the first for any number of steps; `epoch` counts those done of `epochs`."""

    def __init__(self, step: Step, draw: Callable[[int], Iterator[Draws]], epochs: int, *, xla: bool = False) -> None:
        """Args: draw gives the draws of the epoch after so many, in chunks of steps."""
        self.step, self.draw, self.epochs, self.epoch = step, draw, epochs, 0
        self._compiled = tf.function(step.__call__, jit_compile=xla)

    def train_epoch(self) -> dict[str, float]:
        """Train one epoch; the means over its steps, and `d_loss_spread`, the standard deviation of D's loss."""
        sums, steps = np.zeros(len(METRICS)), 0
        for draws in self.draw(self.epoch):
            sums += self._many_steps(tf.nest.map_structure(tf.constant, draws)).numpy()
            steps += len(draws.samples)
        self.epoch += 1
        means = dict(zip(METRICS, (sums / steps).tolist(), strict=True))
        means["d_loss_spread"] = max(0.0, means["d_loss_spread"] - means["d_loss"] ** 2) ** 0.5
        return means

    def state(self) -> Weights:
        """All that the training needs to go on."""
        return {name: variable.numpy() for name, variable in self._variables().items()}

    def restore(self, state: Weights, epoch: int) -> None:
        """Go on after `epoch` epochs, with the state they left."""
        for name, variable in self._variables().items():
            variable.assign(state[name])
        self.epoch = epoch

    @cached_property
    def _many_steps(self) -> Any:
        first = next(self.draw(0))
        specs = tf.nest.map_structure(lambda leaf: tf.TensorSpec([None, *leaf.shape[1:]], leaf.dtype), first)
        return tf.function(self._run, input_signature=[specs]).get_concrete_function()

    def _variables(self) -> dict[str, Any]:
        parts = self.step.variables()
        return {
            f"{name}/{number:03d}": variable
            for name, variables in parts.items()
            for number, variable in enumerate(variables)
        }

    def _run(self, draws: Draws) -> tf.Tensor:
        sums = tf.zeros(len(METRICS))
        for number in tf.range(tf.shape(draws.samples)[0]):
            of_step = part(draws, number)
            sums += self._compiled(of_step)
            self.step.follow(of_step.decay)
        return sums


@dataclass
class Seen:
    """What a training has shown so far: a record of each epoch, and its alarms."""

    history: list[Record] = field(default_factory=list)
    alarms: list[Record] = field(default_factory=list)

    @property
    def stopped(self) -> bool:
        return any(alarm["consequence"] == "stop" for alarm in self.alarms)


@dataclass(frozen=True)
class Watch:
    """What a training is asked and told.

    Attributes:
        score: further values of an epoch's record.
        alarms: those that the last epoch of a history raises; one of consequence "stop" ends the training.
        on_epoch: called with each record, those before a kill included.
        on_snapshot: called after each snapshot.
    """

    score: Callable[[], dict[str, float]] = dict
    alarms: Callable[[Sequence[Record]], list[Record]] = lambda history: []  # noqa: ARG005
    on_epoch: Callable[[Record], None] = lambda record: None  # noqa: ARG005
    on_snapshot: Callable[[], None] = lambda: None


def train(loop: Loop, folder: Path, snapshot_every: int, watch: Watch, title: str) -> Seen:
    """Train to the last epoch or to an alarm that stops; a training that finds its state in `folder` goes on from it.

    After every so many epochs, and the last, <epoch>.npz in `folder` has the averaged weights.
    """
    folder.mkdir(parents=True, exist_ok=True)
    seen = load_state(folder / STATE, loop) or Seen()
    for record in seen.history:
        watch.on_epoch(record)
    for _ in bar(range(loop.epoch, loop.epochs), title, "epoch"):
        metrics = loop.train_epoch()
        seen.history.append({"epoch": loop.epoch, **metrics, **watch.score()})
        watch.on_epoch(seen.history[-1])
        seen.alarms += watch.alarms(seen.history)
        if seen.stopped:
            break
        if loop.epoch % snapshot_every == 0 or loop.epoch == loop.epochs:
            save_weights(folder / f"{loop.epoch:05d}.npz", [get_weights(loop.step.networks.average)])
            watch.on_snapshot()
            save_state(folder / STATE, loop, seen)
    return seen


def snapshots_in(folder: Path) -> list[Path]:
    """The files <epoch>.npz of a training, in order."""
    return sorted(folder.glob("[0-9]*.npz"))


def save_state(path: Path, loop: Loop, seen: Seen) -> None:
    """Write a training's state and what it has shown so far; a kill leaves the old file or the new one."""
    with replacing_file(path) as sibling, sibling.open("wb") as file:
        text = json.dumps({"epoch": loop.epoch, **vars(seen)})
        arrays: dict[str, Any] = {_SEEN: np.frombuffer(text.encode(), np.uint8)}
        np.savez(file, allow_pickle=False, **arrays, **loop.state())
        file.flush()
        os.fsync(file.fileno())


def load_state(path: Path, loop: Loop) -> Seen | None:
    """Put a training where `save_state` saw it and give what it had shown; None where no file can be read."""
    try:
        with path.open("rb") as opened, np.load(opened, allow_pickle=False) as file:
            state = {name: file[name] for name in file.files}
    except FileNotFoundError:
        return None
    except (OSError, ValueError, EOFError, BadZipFile) as error:
        log.warning("  %s cannot be read (%s): this training starts again", path, error)
        return None
    values = json.loads(state.pop(_SEEN).tobytes())
    loop.restore(state, values.pop("epoch"))
    return Seen(**values)
