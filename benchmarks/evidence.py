"""The whole pipeline on known data: `python -m benchmarks.evidence --work FOLDER digits`, half an hour on two cores, or
`python -m benchmarks.evidence --work FOLDER pets --pets FOLDER`, three hours.

The project as committed is cloned into --work, given the parameters below, and run by the Prefect flow; begun again, it
goes on where it was. Prints the report's verdict and tables.

digits: as shipped, but with all arms of arms.yaml and ten seeds.
pets: FOLDER holds cats_dogs.zip and birds.tar, 5,000 training and 1,000 test photographs a class, 32x32 pixels. Of the
dogs 20% stay and of the birds 10%, in train and validation; test is balanced. Nine arms, six seeds.
"""

import argparse
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

from tests.parameters import read_values, write_values

ROOT = Path(__file__).parents[1]
ARMS: dict[str, Any] = yaml.safe_load((ROOT / "benchmarks/arms.yaml").read_text())
OF_PETS = ["imbalanced", "full", "weighted", "oversampled_augmented", "mixup_oversampled_augmented", "gan_mixup"]
OF_PETS += ["gan_mixup_twin", "gan_mixup_drw", "gan_mixup_drw_twin"]
PETS = {
    "cats_dogs.zip": {"cat": "PetImages/Cat/*", "dog": "PetImages/Dog/*"},
    "birds.tar": {"bird": "birds/**"},
}
SPLITS = {"train": "**/train-*", "test": "**/test-*"}
SHIFTS = {"rotation_deg": 0, "shift_share": 0.125, "shear": 0, "zoom": 0, "flip": True, "brightness": [1.0, 1.0]}
SHIFTS |= {"fill": "edge"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, required=True)
    data = parser.add_subparsers(dest="data", required=True)
    data.add_parser("digits")
    data.add_parser("pets").add_argument("--pets", type=Path, required=True)
    arguments = parser.parse_args()
    if arguments.data == "digits":
        run(arguments.work / "digits", set_digits)
    else:
        run(arguments.work / "pets", lambda params: set_pets(params, arguments.pets.absolute()))


def run(project: Path, change: Callable[[dict[str, Any]], None]) -> None:
    """Clone the project unless it is there, change the clone's parameters, run it and print what came out."""
    if not project.exists():
        clone = project.with_name(f".{project.name}.partial")  # a kill leaves no project without its parameters
        shutil.rmtree(clone, ignore_errors=True)
        subprocess.run(["git", "clone", "--quiet", ROOT, clone], check=True)
        params = read_values()
        change(params)
        write_values(clone, params)
        clone.rename(project)
    subprocess.run([sys.executable, "-m", "flows.rebalance"], cwd=project, check=True, stdout=subprocess.DEVNULL)
    print((project / "data/report/report.md").read_text().partition("## Generator")[0])


def set_digits(params: dict[str, Any]) -> None:
    params["train"]["seeds"] = 10
    params["arms"] = ARMS


def set_pets(params: dict[str, Any], pets: Path) -> None:
    params["images"].update(size_px=32, channels=3)
    params["ingest"]["sources"] = [
        {"kind": "files", "path": str(pets / name), "classes": classes, "splits": SPLITS}
        for name, classes in PETS.items()
    ]
    params["cleanup"]["near_duplicate_bits"] = None
    params["split"]["keep"] = {"dog": 0.2, "bird": 0.1}
    conditional = params["candidates"]["conditional"]
    conditional.update(latent=64, d_dropout=0.3, epochs=60, steps_per_epoch=100, snapshot_every=10)
    params["candidates"] = {"conditional": conditional}  # `dcgan` of the birds alone collapses
    params["select_generator"]["cas_seeds"] = 1
    params["synthesize"]["min_images"] = 50
    params["train"].update(seeds=6, steps=800, batch=64, record_every=100)
    params["augmentations"] = {"shifts": SHIFTS}
    params["arms"] = {name: ARMS[name] for name in OF_PETS}


if __name__ == "__main__":
    main()
