"""Sides of benchmarks/gan_speed.py on TensorFlow: `python -m benchmarks.gan_sides SIDES SIZE_PX THREADS STEPS`.

For each line of its input, the name of a side, it trains so many steps and prints the wall and the CPU seconds that
they took. SIDES is `published` (as one copies it: S0's loop, and the same step as one tf.function) or `equipoise`.
"""

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

BATCH, LATENT, IMAGES = 64, 100, 500
ROOT = Path(__file__).parents[1]
Sides = dict[str, Callable[[int], object]]


def main() -> None:
    sides, *numbers = sys.argv[1:]
    size_px, threads, steps = (int(word) for word in numbers)
    os.environ |= {"TF_NUM_INTRAOP_THREADS": str(threads), "OMP_NUM_THREADS": str(threads)}
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (IMAGES, size_px, size_px, 3), np.uint8)
    runs = _published(images, rng) if sides == "published" else _equipoise(images, threads, steps)
    for run in runs.values():
        run(steps if sides == "equipoise" else 1)
    import tensorflow as tf

    print(f"ready: TensorFlow {tf.__version__}", flush=True)
    for line in sys.stdin:
        wall, cpu = time.perf_counter(), time.process_time()
        runs[line.strip()](steps)
        print(time.perf_counter() - wall, time.process_time() - cpu, flush=True)


def _networks(size_px: int):  # type: ignore[no-untyped-def]
    """S0's generator and discriminator, in Keras's own layers."""
    import keras
    from keras import layers

    side_px = size_px // 8
    generator = [keras.Input((LATENT,)), layers.Dense(256 * side_px**2), layers.LeakyReLU(0.2)]
    generator += [layers.Reshape((side_px, side_px, 256))]
    for _ in range(3):
        generator += [layers.Conv2DTranspose(128, 4, strides=2, padding="same"), layers.LeakyReLU(0.2)]
    generator += [layers.Conv2D(3, 3, padding="same", activation="tanh")]
    judge = [keras.Input((size_px, size_px, 3)), layers.Conv2D(16, 3, padding="same"), layers.LeakyReLU(0.2)]
    for filters in (8, 16, 8):
        judge += [layers.Conv2D(filters, 3, strides=2, padding="same"), layers.LeakyReLU(0.2)]
    judge += [layers.Flatten(), layers.Dropout(0.2), layers.Dense(1, activation="sigmoid")]
    return keras.Sequential(generator), keras.Sequential(judge)


def _published(images: NDArray[np.uint8], rng: np.random.Generator) -> Sides:
    scaled = (images.astype(np.float32) - 127.5) / 127.5
    loop, compiled = _loop(scaled, rng), _function(scaled, rng)

    def repeat(step: Callable[[], object]) -> Callable[[int], object]:
        return lambda steps: [step() for _ in range(steps)]

    return {"loop": repeat(loop), "function": repeat(compiled)}


def _loop(images: NDArray[np.float32], rng: np.random.Generator) -> Callable[[], None]:
    """The step as it is copied: a compiled D, a stacked model with D frozen, predict for the images that D sees.

    Keras 3 looks at `trainable` when a train function is first traced: D's has to be before D is frozen.
    """
    import keras

    generator, judge = _networks(images.shape[1])
    judge.compile(keras.optimizers.Adam(2e-4, 0.5), "binary_crossentropy", metrics=["accuracy"])
    half = BATCH // 2

    def update_d() -> None:
        judge.train_on_batch(images[rng.integers(0, IMAGES, half)], np.ones((half, 1), np.float32))
        made = generator.predict(rng.standard_normal((half, LATENT), np.float32), verbose=0)
        judge.train_on_batch(made, np.zeros((half, 1), np.float32))

    moved = _moved([generator, judge], update_d)
    judge.trainable = False
    stacked = keras.Sequential([generator, judge])
    stacked.compile(keras.optimizers.Adam(2e-5, 0.5), "binary_crossentropy")

    def update_g() -> None:
        stacked.train_on_batch(rng.standard_normal((BATCH, LATENT), np.float32), np.ones((BATCH, 1), np.float32))

    moved += _moved([generator, judge], update_g) + _moved([generator, judge], update_d)
    if moved != [False, True, True, False, False, True]:
        raise RuntimeError(f"G and D moved in D's, G's and D's step: {moved}; expected D alone, G alone, D alone")

    def step() -> None:
        update_d()
        update_g()

    return step


def _moved(models: list, update: Callable[[], None]) -> list[bool]:  # type: ignore[type-arg]
    """Whether the weights of each model differ after the update."""
    before = [model.get_weights() for model in models]
    update()
    pairs = zip(before, models, strict=True)
    return [any((a != b).any() for a, b in zip(was, model.get_weights(), strict=True)) for was, model in pairs]


def _function(images: NDArray[np.float32], rng: np.random.Generator) -> Callable[[], object]:
    import keras
    import tensorflow as tf

    generator, judge = _networks(images.shape[1])
    d_optimizer, g_optimizer = keras.optimizers.Adam(2e-4, 0.5), keras.optimizers.Adam(2e-5, 0.5)

    def update(optimizer: keras.Optimizer, model: keras.Model, judged: Callable[[], tf.Tensor], real: float) -> None:
        with tf.GradientTape() as tape:
            shares = judged()
            loss = keras.losses.binary_crossentropy(tf.fill(tf.shape(shares), real), shares)
        weights = model.trainable_variables
        optimizer.apply(tape.gradient(loss, weights), weights)

    @tf.function
    def compiled(real: tf.Tensor) -> None:
        update(d_optimizer, judge, lambda: judge(real, training=True), 1.0)
        made = generator(tf.random.normal((BATCH // 2, LATENT)), training=True)
        update(d_optimizer, judge, lambda: judge(made, training=True), 0.0)
        latents = tf.random.normal((BATCH, LATENT))
        update(g_optimizer, generator, lambda: judge(generator(latents, training=True), training=True), 1.0)

    return lambda: compiled(tf.constant(images[rng.integers(0, IMAGES, BATCH // 2)]))


def _equipoise(images: NDArray[np.uint8], threads: int, steps: int) -> Sides:
    """Epochs of `steps` steps of Equipoise's own training of kind dcgan."""
    from tasks.core.environment import pin
    from tasks.core.params import load

    params = load(ROOT)
    compute = params.compute.model_copy(update={"intra_op_threads": threads})
    pin(compute)
    from tasks.gan.build import build_loop

    dcgan = params.candidates["dcgan"].model_copy(
        update={"g_learning_rate": 2e-5, "steps_per_epoch": steps, "ema": 0.0}
    )
    labels = np.zeros(len(images), np.int32)

    def train(shared_pass: bool) -> Callable[[int], object]:
        loop = build_loop(images, labels, 1, dcgan.model_copy(update={"shared_pass": shared_pass}), 0, 1000, compute)
        return lambda _: loop.train_epoch()

    return {"equipoise": train(False), "shared": train(True)}


if __name__ == "__main__":
    main()
