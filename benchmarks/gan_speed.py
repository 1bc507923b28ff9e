"""Steps per second of S0's DCGAN: `python -m benchmarks.gan_speed --threads 2 --torch-python PATH`, about 10 minutes.

Sides: the loop as it is copied (train_on_batch, predict, D really frozen in G's step), the same step as one plain
tf.function, PyTorch with channels last (`uv venv /tmp/torch; uv pip install --python /tmp/torch/bin/python
torch==2.13.0 numpy`; left out, and said so, without --torch-python), and Equipoise's kind dcgan with and without one
pass of G shared by both updates. All wait in processes of their own and take turns in each round, as the machine's
speed changes.
"""

import argparse
import os
import subprocess
import sys
from pathlib import Path
from statistics import median

SIDES = {
    "loop": "train_on_batch / predict loop",
    "function": "plain tf.function",
    "torch": "PyTorch, channels last",
    "equipoise": "Equipoise",
    "shared": "Equipoise, shared pass",
}
ROUNDS = {32: (9, 10), 128: (5, 1)}  # side in pixels: rounds, steps of each side in a round
FOLDER = Path(__file__).parent


class Process:
    """A process that trains when told to."""

    def __init__(self, command: list[str]) -> None:
        env = os.environ | {"PYTHONPATH": str(FOLDER.parent)}
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=env
        )
        self.ready = self._answer()

    def train(self, side: str) -> tuple[float, float]:
        """Wall and CPU seconds of its steps."""
        self._process.stdin.write(f"{side}\n")
        self._process.stdin.flush()
        wall, cpu = self._answer().split()
        return float(wall), float(cpu)

    def end(self) -> None:
        self._process.communicate()

    def _answer(self) -> str:
        line = self._process.stdout.readline().strip()
        if not line:
            raise RuntimeError(f"a side ended: {self._process.stderr.read()[-2000:]}")
        return line.removeprefix("ready: ")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, required=True, help="intra-op threads of each side")
    parser.add_argument("--torch-python", help="an interpreter that has torch and numpy")
    arguments = parser.parse_args()
    if not arguments.torch_python:
        print("without --torch-python: PyTorch is left out\n")
    print("| side in pixels | side | s per step | CPU s per step | times the loop's speed | in CPU time |")
    print("| --: | --- | --: | --: | --: | --: |")
    for size_px in ROUNDS:
        _compare(size_px, arguments.threads, arguments.torch_python)


def _compare(size_px: int, threads: int, torch_python: str | None) -> None:
    rounds, steps = ROUNDS[size_px]
    numbers = [str(number) for number in (size_px, threads, steps)]
    module = [sys.executable, "-m", "benchmarks.gan_sides"]
    processes = dict.fromkeys(("loop", "function"), Process([*module, "published", *numbers]))
    if torch_python:
        processes["torch"] = Process([torch_python, str(FOLDER / "gan_torch.py"), *numbers])
    processes |= dict.fromkeys(("equipoise", "shared"), Process([*module, "equipoise", *numbers]))
    taken: dict[str, list[tuple[float, float]]] = {side: [] for side in processes}
    for _ in range(rounds):
        for side, process in processes.items():
            taken[side].append(process.train(side))
    for process in set(processes.values()):
        process.end()
    for side in processes:
        wall, cpu = (median(seconds[kind] for seconds in taken[side]) / steps for kind in (0, 1))
        gains = [_ratio(taken["loop"], taken[side], kind) for kind in (0, 1)]
        print(f"| {size_px} | {SIDES[side]} | {wall:.3f} | {cpu:.3f} | {gains[0]:.2f} | {gains[1]:.2f} |", flush=True)


def _ratio(base: list[tuple[float, float]], other: list[tuple[float, float]], kind: int) -> float:
    """Median over rounds of how many times faster the other side was; kind 0 by wall time, 1 by CPU time."""
    return median(slow[kind] / fast[kind] for slow, fast in zip(base, other, strict=True))


if __name__ == "__main__":
    main()
