"""S0's training step in PyTorch, channels last: a side of benchmarks/gan_speed.py, run by a Python that has torch.

`python gan_torch.py SIZE_PX THREADS STEPS`: for each line of its input it trains so many steps and prints the wall and
the CPU seconds that they took.
"""

import sys
import time

import numpy as np
import torch
from torch import nn
from torch.nn import functional

BATCH, LATENT, IMAGES = 64, 100, 500


def main() -> None:
    size_px, threads, steps = (int(word) for word in sys.argv[1:])
    torch.set_num_threads(threads)
    torch.manual_seed(0)
    step = _step(size_px)
    step()
    print(f"ready: PyTorch {torch.__version__.partition('+')[0]}", flush=True)
    for _ in sys.stdin:
        wall, cpu = time.perf_counter(), time.process_time()
        for _ in range(steps):
            step()
        print(time.perf_counter() - wall, time.process_time() - cpu, flush=True)


def _networks(size_px: int) -> tuple[nn.Module, nn.Module]:
    side_px = size_px // 8
    blocks: list[nn.Module] = [
        nn.Linear(LATENT, 256 * side_px**2),
        nn.LeakyReLU(0.2, inplace=True),
        nn.Unflatten(1, (256, side_px, side_px)),
    ]
    for channels in (256, 128, 128):
        blocks += [nn.ConvTranspose2d(channels, 128, 4, stride=2, padding=1), nn.LeakyReLU(0.2, inplace=True)]
    generator = nn.Sequential(*blocks, nn.Conv2d(128, 3, 3, padding=1), nn.Tanh())
    blocks = [nn.Conv2d(3, 16, 3, padding=1), nn.LeakyReLU(0.2, inplace=True)]
    for channels, filters in ((16, 8), (8, 16), (16, 8)):
        blocks += [nn.Conv2d(channels, filters, 3, stride=2, padding=1), nn.LeakyReLU(0.2, inplace=True)]
    judge = nn.Sequential(*blocks, nn.Flatten(), nn.Dropout(0.2), nn.Linear(8 * side_px**2, 1))
    return generator.to(memory_format=torch.channels_last), judge.to(memory_format=torch.channels_last)


def _step(size_px: int):  # type: ignore[no-untyped-def]
    generator, judge = _networks(size_px)
    d_optimizer = torch.optim.Adam(judge.parameters(), 2e-4, (0.5, 0.999))
    g_optimizer = torch.optim.Adam(generator.parameters(), 2e-5, (0.5, 0.999))
    rng = np.random.default_rng(0)
    images = rng.uniform(-1, 1, (IMAGES, size_px, size_px, 3)).astype(np.float32)

    def update(optimizer: torch.optim.Optimizer, seen: torch.Tensor, real: float) -> None:
        optimizer.zero_grad()
        logits = judge(seen)
        functional.binary_cross_entropy_with_logits(logits, torch.full_like(logits, real)).backward()
        optimizer.step()

    def step() -> None:
        batch = torch.from_numpy(images[rng.integers(0, IMAGES, BATCH // 2)]).permute(0, 3, 1, 2)  # channels last
        update(d_optimizer, batch, 1.0)
        with torch.no_grad():
            made = generator(torch.randn(BATCH // 2, LATENT))
        update(d_optimizer, made, 0.0)
        judge.requires_grad_(False)
        update(g_optimizer, generator(torch.randn(BATCH, LATENT)), 1.0)
        judge.requires_grad_(True)

    return step


if __name__ == "__main__":
    main()
