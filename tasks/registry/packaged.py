"""A registered generator in a process of its own: the code in its package runs, and never today's."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from tasks.registry.packaging import Package, Unusable

Make = Callable[[str, int, int], NDArray[np.uint8]]
_DRIVER = Path(__file__).with_name("packaged_driver.py")
_END_S = 30.0  # for a process that was told to end


@contextmanager
def running(package: Package, seed: int) -> Iterator[Make]:
    """A function from a class, a start and a count to images uint8 (count, height, width, channels) of that seed.

    The process sees no GPU, whose memory this process may hold.

    Raises, the function too:
        Unusable: the package does not load or run with the libraries that are installed here.
    """
    with tempfile.TemporaryDirectory() as temporary, Path(temporary, "stderr").open("w+b") as stderr:
        process = _start(package, temporary, stderr)
        try:
            _await(process, package, stderr)

            def make(label: str, start: int, count: int) -> NDArray[np.uint8]:
                file = f"{temporary}/images.npy"
                asked = {"label": label, "seed": seed, "start": start, "count": count, "file": file}
                _ask(process, asked)
                _await(process, package, stderr)
                return _checked(np.load(file, allow_pickle=False), count, package)

            yield make
        finally:
            _end(process)


def _start(package: Package, temporary: str, stderr: IO[bytes]) -> subprocess.Popen[bytes]:
    environment = os.environ | {"CUDA_VISIBLE_DEVICES": "-1"}
    if package.threads:
        environment["TF_NUM_INTRAOP_THREADS"] = str(package.threads)
    command = [sys.executable, "-I", str(_DRIVER), str(package.folder.absolute())]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=stderr, cwd=temporary, env=environment)


def _ask(process: subprocess.Popen[bytes], asked: dict[str, Any]) -> None:
    if process.stdin is None:
        raise ValueError("the process was started without a pipe")
    try:
        process.stdin.write(json.dumps(asked).encode() + b"\n")
        process.stdin.flush()
    except BrokenPipeError:
        pass  # it has ended: waiting for its answer says why


def _await(process: subprocess.Popen[bytes], package: Package, stderr: IO[bytes]) -> None:
    if process.stdout is None or process.stdout.readline():
        return
    process.wait()  # what it says of its end comes after the end of its answers
    stderr.seek(0)
    lines = stderr.read().decode(errors="replace").strip().splitlines()
    said = lines[-1].strip()[:300] if lines else "nothing"
    raise Unusable(
        f"version {package.version} does not run with the libraries that are installed here (it says {said}); it was "
        f"made with {', '.join(package.requirements.split())}"
    )


def _checked(images: NDArray[Any], count: int, package: Package) -> NDArray[np.uint8]:
    expected = (count, *package.image_shape)
    if images.shape != expected or images.dtype != np.uint8:
        raise Unusable(
            f"version {package.version} makes {images.dtype} {images.shape} where uint8 {expected} was registered"
        )
    return images


def _end(process: subprocess.Popen[bytes]) -> None:
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            pipe.close()
    try:
        process.wait(_END_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
