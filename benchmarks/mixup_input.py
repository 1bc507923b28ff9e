"""Speed of the input of a mixup training at 150 pixels: `python -m benchmarks.mixup_input`, some minutes.

One run, one process, one set of JPEGs. The published way (S4): two of Keras's legacy generators read, decode and change
every image of every epoch with numpy and scipy, and their batches are mixed with Beta(0.2, 0.2) for each example.
Equipoise decodes each file once into an array, on disk or in memory, gathers batches from it on the host, and mixes and
changes them in the compiled loop; the loop measured here does that and does not train. A mixed image counts once.

What favours ours: "from files" adds the decoding, done once, spread over 10 epochs; the array on disk was just written,
so the system's page cache holds it; and ours gathers on a second thread, while the published generators use one.
Then the affine change alone, against TensorFlow's own. Last, steps of `plain` that train from hand-overs, of the array
on disk and of the one in memory, and for comparison from a constant that holds all images in memory.
"""

import contextlib
import io
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from tasks.core.environment import pin
from tasks.core.params import Arm, Augmentation, Plain, load
from tests.classifier.examples import PLAIN

if TYPE_CHECKING:
    from tasks.classifier.arms import Draws

SIZE_PX, BATCH, EPOCHS, ALPHA = 150, 32, 10, 0.2
CLASSES, FILES = 2, 2_400  # files in all
THEIR_BATCHES, OUR_STEPS, TRAINED_STEPS, CHANGES, ROUNDS = 8, 150, 8, 60, 5
PARAMS = load(Path(__file__).parents[1])
pin(PARAMS.compute)
SLIGHT = Augmentation(rotation_deg=5, shift_share=0.05, shear=0.05, zoom=0, flip=True, brightness=[1, 1.3], fill="edge")
ARM = Arm(**PLAIN | {"augmentation": "slight", "mixup_alpha": ALPHA})


def main() -> None:
    from tasks.data.images import read_images
    from tasks.networks import import_tensorflow

    import_tensorflow()
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)  # the array on disk lies below the current folder
        paths = draw_files(Path("photographs"))
        labels = np.arange(FILES) % CLASSES
        start = time.perf_counter()
        on_disk = read_images(paths, SIZE_PX, 3, in_memory_mb=0.0)
        decoding_s = (time.perf_counter() - start) / FILES
        in_memory = np.array(on_disk)
        published, disk, memory = [], [], []
        for _ in range(ROUNDS):
            published.append(seconds_an_image(their_batches(Path("photographs")), THEIR_BATCHES))
            disk.append(our_seconds(on_disk, labels))
            memory.append(our_seconds(in_memory, labels))
        theirs, from_disk, from_memory = (statistics.median(each) for each in (published, disk, memory))
        print(f"| input of {SIZE_PX}x{SIZE_PX} colour images, batch {BATCH} | images/s | times the published one |")
        print("| --- | --: | --: |")
        for name, seconds in {
            "published: two generators from files": theirs,
            f"Equipoise from files: decoded once, spread over {EPOCHS} epochs": from_disk + decoding_s / EPOCHS,
            "Equipoise from the array on disk, decoding left out": from_disk,
            "Equipoise from the array in memory": from_memory,
        }.items():
            print(f"| {name} | {1 / seconds:.0f} | {theirs / seconds:.1f} |")
        print(f"\nDecoding alone, once: {1 / decoding_s:.0f} images/s.\n")
        compare_changes(in_memory)
        compare_trainings(on_disk, in_memory, labels)


def draw_files(root: Path) -> list[str]:
    """Paths of JPEGs of smooth noise, in one folder for each class."""
    rng = np.random.default_rng(0)
    paths = []
    for number in range(FILES):
        path = root / str(number % CLASSES) / f"{number:05d}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        small = Image.fromarray(rng.integers(0, 256, (12, 12, 3), np.uint8))
        small.resize((SIZE_PX, SIZE_PX), Image.Resampling.BICUBIC).save(path, quality=90)
        paths.append(str(path))
    return paths


def their_batches(root: Path) -> Iterator[tuple[NDArray[np.float32], NDArray[np.float32]]]:
    """Batches of the published generator, as its authors wrote it."""
    from keras.src.legacy.preprocessing.image import ImageDataGenerator

    changes = ImageDataGenerator(
        rescale=1 / 255,
        rotation_range=5,
        width_shift_range=0.05,
        height_shift_range=0.05,
        shear_range=0.05,
        brightness_range=(1, 1.3),
        horizontal_flip=True,
    )
    with contextlib.redirect_stdout(io.StringIO()):
        first, second = (
            changes.flow_from_directory(root, (SIZE_PX, SIZE_PX), batch_size=BATCH, class_mode="categorical")
            for _ in range(2)
        )
    while True:
        (x1, y1), (x2, y2) = next(first), next(second)
        share = np.random.default_rng().beta(ALPHA, ALPHA, len(x1))
        x_share, y_share = share.reshape(-1, 1, 1, 1), share.reshape(-1, 1)
        yield x1 * x_share + x2 * (1 - x_share), y1 * y_share + y2 * (1 - y_share)


def seconds_an_image(batches: Iterator[tuple[NDArray[np.float32], ...]], count: int) -> float:
    """Of some batches after the first one, which opens the folders."""
    next(batches)
    start = time.perf_counter()
    images = sum(len(next(batches)[0]) for _ in range(count))
    return (time.perf_counter() - start) / images


def our_seconds(images: NDArray[np.uint8], labels: NDArray[np.int64]) -> float:
    """Seconds for each image that is drawn, gathered, mixed and changed, and not trained on."""
    import tensorflow as tf

    from tasks.classifier.feeding import Fed, ahead, batch_of, hand_overs

    @tf.function(input_signature=[Fed.spec(BATCH, images.shape[1:], mixed=True)])
    def look(fed):  # type: ignore[no-untyped-def]
        total = tf.constant(0.0)
        for step in tf.range(tf.shape(fed.images)[0]):
            x, y = batch_of(fed, step, ARM, SLIGHT, CLASSES)
            total += tf.reduce_sum(x) + tf.reduce_sum(y)
        return total

    compiled = look.get_concrete_function()
    start = time.perf_counter()
    for draws in draws_of(labels, [OUR_STEPS]):
        for fed in ahead(hand_overs(images, labels, draws, mixed=True)):
            compiled(Fed(*map(tf.constant, fed)))
    return (time.perf_counter() - start) / (OUR_STEPS * BATCH)


def draws_of(labels: NDArray[np.int64], chunks: list[int]) -> Iterator["Draws"]:
    from tasks.classifier.arms import draw

    none = np.zeros(len(labels), np.bool_)
    return draw(ARM, SLIGHT, labels, none, SIZE_PX, BATCH, chunks, np.random.default_rng(0))


def compare_changes(images: NDArray[np.uint8]) -> None:
    """Print batches a second of TensorFlow's own affine change and of ours, in graphs."""
    import tensorflow as tf

    from tasks.networks.arrays import to_signed
    from tasks.networks.augmentation import transform

    batch = to_signed(tf.constant(images[:BATCH], tf.float32))
    settings = {"output_shape": [SIZE_PX] * 2, "interpolation": "BILINEAR", "fill_mode": "NEAREST", "fill_value": 0.0}
    change = tf.raw_ops.ImageProjectiveTransformV3
    theirs = tf.function(lambda matrices: change(images=batch, transforms=matrices, **settings))
    ways = {
        "TensorFlow's projective transform": lambda matrices: theirs(matrices).numpy(),
        "ours": lambda matrices: transform(batch, matrices, "edge").numpy(),
    }
    drawn = next(draws_of(np.arange(FILES) % CLASSES, [CHANGES + 1])).transforms
    print_in_turns("affine change alone", "batches/s", ways, list(map(tf.constant, drawn)), 1)


def compare_trainings(on_disk: NDArray[np.uint8], in_memory: NDArray[np.uint8], labels: NDArray[np.int64]) -> None:
    """Print steps a second from a constant and from hand-overs of both arrays."""
    ways = {
        "a constant in memory": _from_constant(in_memory, labels),
        "hand-overs of the array in memory": _from_hand_overs(in_memory, labels),
        "hand-overs of the array on disk": _from_hand_overs(on_disk, labels),
    }
    draws = list(draws_of(labels, [2] + [TRAINED_STEPS] * ROUNDS))
    print_in_turns(f"`plain` at {SIZE_PX} pixels, fed from", "steps/s", ways, draws, TRAINED_STEPS)


def print_in_turns(
    title: str, unit: str, ways: dict[str, Callable[[Any], object]], inputs: list[Any], size: int
) -> None:
    """Print how many of `size` a second each way makes of inputs, the median of all but the first, taken in turns."""
    taken: dict[str, list[float]] = {name: [] for name in ways}
    for given in inputs:
        for name, run in ways.items():
            start = time.perf_counter()
            run(given)
            taken[name].append(time.perf_counter() - start)
    print(f"| {title} | {unit} | times the first |\n| --- | --: | --: |")
    middles = [statistics.median(seconds[1:]) for seconds in taken.values()]
    for name, middle in zip(ways, middles, strict=True):
        print(f"| {name} | {size / middle:.2f} | {middles[0] / middle:.2f} |")
    print()


def _from_hand_overs(images: NDArray[np.uint8], labels: NDArray[np.int64]) -> Callable[["Draws"], object]:
    from tasks.classifier.feeding import Examples
    from tasks.classifier.steps import compile_steps

    examples = Examples(images, labels, np.zeros(len(labels), np.bool_))
    return compile_steps(*_network(), ARM, SLIGHT, BATCH, CLASSES, examples)


def _from_constant(images: NDArray[np.uint8], labels: NDArray[np.int64]) -> Callable[["Draws"], object]:
    import tensorflow as tf

    from tasks.classifier.feeding import Fed, batch_of
    from tasks.classifier.steps import train_step

    model, optimizer = _network()
    held, kinds, prior = tf.constant(images), tf.constant(labels, tf.int32), tf.zeros(CLASSES)

    @tf.function
    def steps(own, others, *rest):  # type: ignore[no-untyped-def]
        sums = tf.zeros(2)
        for step in tf.range(tf.shape(own)[0]):
            at = [tf.gather(of, which[step][None]) for which in (own, others) for of in (held, kinds)]
            fed = Fed(*at, *(each[step][None] for each in rest))
            x, y = batch_of(fed, 0, ARM, SLIGHT, CLASSES)
            sums += train_step(model, optimizer, x, y, fed.weights[0], prior, prior)
        return sums

    def run(draws: "Draws") -> object:
        names = ("coefficients", "label_coefficients", "weights", "transforms", "brightness")
        given = (draws.indices, draws.partners, *(getattr(draws, name) for name in names))
        return steps(*map(tf.constant, given)).numpy()

    return run


def _network():  # type: ignore[no-untyped-def]
    from tasks.classifier.networks import build_classifier
    from tasks.classifier.steps import build_optimizer

    model = build_classifier(Plain(kind="plain"), SIZE_PX, 3, CLASSES, seed=1)
    return model, build_optimizer(model, "adam", "constant", 0.001, TRAINED_STEPS)


if __name__ == "__main__":
    main()
