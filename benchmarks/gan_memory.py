"""Memory of a GAN's training by number of images: `python -m benchmarks.gan_memory`, about 3 minutes.

Each row is a process of its own that reads so many images of 64x64 colour pixels, in memory or, with in_memory_mb 0,
into a file on disk, and trains kind `conditional` on them for an epoch. Anonymous memory is what the system cannot
drop; pages of the file on disk can be dropped at any time, and are not in it.
"""

import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import numpy as np

SIZE_PX = 64
IMAGES = (5_000, 20_000, 80_000)
LIMITS_MB = {"in memory": 1e9, "on disk": 0.0}
CHANGED = {"width": 16, "depth": 1, "steps_per_epoch": 20}


def main() -> None:
    print("| images | where | uint8 pixels, MB | peak anonymous memory, MB | more than with the fewest images, MB |")
    print("| --: | --- | --: | --: | --: |")
    for where, limit_mb in LIMITS_MB.items():
        base = None
        for images in IMAGES:
            command = [sys.executable, "-m", "benchmarks.gan_memory", str(images), str(limit_mb)]
            peak_mb = float(subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()[-1])
            base = peak_mb if base is None else base
            pixels_mb = images * SIZE_PX**2 * 3 / 1e6
            print(f"| {images} | {where} | {pixels_mb:.0f} | {peak_mb:.0f} | {peak_mb - base:.0f} |", flush=True)


def train(images: int, limit_mb: float) -> None:
    """Print the peak of anonymous memory in megabytes (10^6)."""
    from tasks.core.environment import pin
    from tasks.core.params import load

    params = load(Path(__file__).parents[1])
    pin(params.compute)
    from tasks.data.images import read_images, write_image
    from tasks.gan.build import build_loop

    peak, done = [0], threading.Event()
    watcher = threading.Thread(target=_watch, args=(peak, done))
    watcher.start()
    with tempfile.TemporaryDirectory() as folder:
        picture = Path(folder, "picture.png")
        write_image(picture, np.random.default_rng(0).integers(0, 256, (SIZE_PX, SIZE_PX, 3), np.uint8))
        pixels = read_images([str(picture)] * images, SIZE_PX, 3, limit_mb)
    candidate = params.candidates["conditional"].model_copy(update=CHANGED)
    labels = np.arange(images, dtype=np.int32) % 3
    build_loop(pixels, labels, 3, candidate, 0, 1, params.compute).train_epoch()
    done.set()
    watcher.join()
    print(peak[0] / 1000)


def _watch(peak: list[int], done: threading.Event) -> None:
    """Keep the largest anonymous memory in kilobytes, looked at a hundred times a second."""
    while not done.is_set():
        status = Path("/proc/self/status").read_text()
        peak[0] = max(peak[0], int(status.split("RssAnon:")[1].split()[0]))
        time.sleep(0.01)


if __name__ == "__main__":
    train(int(sys.argv[1]), float(sys.argv[2])) if len(sys.argv) > 1 else main()
