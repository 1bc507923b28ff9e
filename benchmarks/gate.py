"""How often the verdict is wrong: `python -m benchmarks.gate --experiments 1000`, forty minutes on one core.

Experiments are drawn, not trained: whether an arm's training is right about a test image depends on how hard the image
is, on how hard it is for this arm, on how good this training came out, and on chance. So each experiment has other test
images, other arms and other seeds. Ten classes, three of them rare; balanced accuracy of all arms about .95, as on the
digits. The spreads are those that make seeds differ by .004 and one arm from another on the same images by .006;
unsteady seeds differ by .02, more than those of any arm on the photographs of pets.md.
"""

import argparse
from itertools import product
from pathlib import Path

import numpy as np
from scipy.stats import norm

from tasks.core.params import load
from tasks.evidence.statistics import compare
from tasks.evidence.verdict import YES, Evidence, decide

CLASSES, RARE = 10, (2, 5, 8)
PARAMS = load(Path(__file__).parents[1]).evaluate.model_copy(update={"resamples": 1000})
RECALLS = np.where(np.isin(np.arange(CLASSES), RARE), 0.90, 0.97)
IMAGE, ARM_IMAGE, CHANCE, SEED = 1.0, 0.5, 0.5, 0.05
# Gains of the arm with synthetic images and of its twin in the rare classes, one point of balanced accuracy each .033;
# and how much seeds differ.
CASES = {
    "no effect": (0.0, 0.0, SEED),
    "no effect, unsteady seeds": (0.0, 0.0, 6 * SEED),
    "the twin is as good, +1 point": (1 / 30, 1 / 30, SEED),
    "true effect, +1 point": (1 / 30, 0.0, SEED),
    "true effect, +2 points": (2 / 30, 0.0, SEED),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--experiments", type=int, required=True)
    count = parser.parse_args().experiments
    print("| case | seeds | test images | yes | lower bound above 0 | spread over seeds | of the difference |")
    print("| --- | --: | --: | --: | --: | --: | --: |")
    for (case, settings), seeds, images in product(CASES.items(), (6, 10), (720, 3000)):
        rng = np.random.default_rng(0)
        found = [_experiment(*settings, seeds, images, rng) for _ in range(count)]
        yes, gain, spread, difference = np.array(found, float).T
        shares = f"{yes.mean():.3f} | {gain.mean():.3f} | {spread.mean():.4f} | {difference.std():.4f}"
        print(f"| {case} | {seeds} | {images} | {shares} |", flush=True)


def _experiment(
    gain: float, gain_of_twin: float, spread: float, seeds: int, images: int, rng: np.random.Generator
) -> tuple[bool, bool, float, float]:
    """Whether the verdict is yes, and the gain's lower bound above 0; the spread over seeds, and the difference."""
    labels = np.arange(images) % CLASSES
    hard = IMAGE * rng.normal(size=images)
    rare = np.isin(labels, RARE)

    def correct(more: float) -> np.ndarray:
        trouble = hard + ARM_IMAGE * rng.normal(size=images) + CHANCE * rng.normal(size=(seeds, images))
        bar = np.hypot(np.hypot(IMAGE, ARM_IMAGE), CHANCE) * norm.ppf(RECALLS[labels] + more * rare)
        return trouble < bar + spread * rng.normal(size=(seeds, 1))

    gan, free, twin = correct(gain), correct(0.0), correct(gain_of_twin)
    every = list(range(CLASSES))
    gains = compare(gan, free, labels, PARAMS.resamples, 0)
    difference = gains.over(every, PARAMS.confidence)
    evidence = Evidence(
        pair=("gan", "free"),
        means=(0.0, 0.0),
        gain=difference,
        sign_flip_p=1.0,
        rare=gains.over(RARE, PARAMS.confidence),
        others=gains.over([kind for kind in every if kind not in RARE], PARAMS.confidence),
        calibration=(0.0, 0.0),
        twin="twin",
        over_twin=compare(gan, twin, labels, PARAMS.resamples, 0).over(every, PARAMS.confidence),
        confidence=PARAMS.confidence,
    )
    by_seed = [np.mean([row[labels == kind].mean() for kind in every]) for row in gan]
    answer = decide(evidence, PARAMS, None).answer == YES
    return answer, difference.low > 0, float(np.std(by_seed, ddof=1)), difference.mean


if __name__ == "__main__":
    main()
