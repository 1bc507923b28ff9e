from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from tasks.core.params import Arm
from tasks.report.batches import beta_density, captions, change_captions, draw_training, with_synthetic
from tests.classifier.examples import arm, made, mixed

NAMES = ["cat", "dog", "7"]
ALL = arm(oversample=True, augmentation="geometric", **mixed(0.5), **made())


def _arrays(labels: list[int], partners: list[int], images: list[float], of_labels: list[float]) -> dict[str, Any]:
    nothing = np.zeros(len(labels), bool)
    shares = {"coefficients": np.array(images, np.float32), "label_coefficients": np.array(of_labels, np.float32)}
    places = {"labels": np.array(labels), "partners": np.array(partners)}
    return places | shares | {"synthetic": nothing, "partner_synthetic": nothing}


def _noise(count: int) -> NDArray[np.uint8]:
    return np.random.default_rng(0).integers(0, 256, (count, 8, 8, 1), np.uint8)


def test_captions_name_the_parts_of_a_label() -> None:
    arrays = _arrays([0, 0, 0, 0, 0, 1], [1, 1, 1, 0, 1, 2], [0.5] * 6, [0.83, 1.0, 0.0, 0.4, 0.997, 0.25])
    assert captions(arrays, NAMES) == [
        ".83 cat\n+ .17 dog",
        "cat",
        "dog",
        "cat",  # both are cats
        "cat",  # less than half a hundredth of a dog
        '.25 dog\n+ .75 "7"',
    ]


def test_images_are_marked_where_a_synthetic_one_can_be_seen() -> None:
    arrays = _arrays([2, 2, 0, 0, 0], [0, 0, 2, 2, 2], [0.3, 0.0, 0.3, 1.0, 0.5], [1.0] * 5)
    arrays["synthetic"] = np.array([True, True, False, False, False])
    arrays["partner_synthetic"] = np.array([False, False, True, True, False])
    assert with_synthetic(arrays).tolist() == [True, False, True, False, False]


@pytest.mark.parametrize(("alpha", "middle"), [(1.0, 1.0), (2.0, 1.5), (0.5, 2 / np.pi)])
def test_the_density_is_that_of_the_beta_distribution(alpha: float, middle: float) -> None:
    places, density = beta_density(alpha)
    assert places[199] == pytest.approx(0.5)
    assert density[199] == pytest.approx(middle)
    np.testing.assert_allclose(density, density[::-1], rtol=1e-6)
    assert np.isfinite(density).all()
    assert (density[0] > 10) == (alpha < 1)


def test_changes_at_their_bounds_are_called_by_kind_and_amount() -> None:
    kinds = ["rotation", "rotation", "shift", "shear", "zoom", "flip", "brightness", "all", "all"]
    assert change_captions(kinds, [-50, 50, 8, -0.2, 1.2, 1, 0.5, -1, 1]) == [
        "rotation -50°",
        "rotation +50°",
        "shift +8 px",
        "shear -0.2",
        "zoom 1.2",
        "flip",
        "brightness 0.5",
        "all at the lower bound",
        "all at the upper bound",
    ]


@pytest.mark.parametrize(
    ("one", "files"),
    [
        (ALL, ["batch.png", "beta.png", "changes.png"]),
        (arm(augmentation="shifts"), ["batch.png", "changes.png"]),
        (arm(**mixed(0.2), tail_share=0.9), ["batch.png"]),
        (arm(), ["batch.png"]),
    ],
)
def test_an_arm_has_pictures_of_what_it_does_with_equal_bytes(one: Arm, files: list[str], tmp_path: Path) -> None:
    names = ["a $\\frac{1}{0}$ cat", "d" * 60, "7"]
    arrays = _arrays([0, 1, 2], [1, 1, 0], [0.3] * 3, [0.3] * 3) | {"images": _noise(3)}
    if one.mixup_alpha and not one.tail_share:
        arrays["lambdas"] = np.random.default_rng(0).random((4, 3)).astype(np.float32)
    if one.augmentation:
        arrays |= {"original": _noise(1)[0], "drawn": _noise(5), "bounds": _noise(1)}
        arrays |= {"bound_kinds": np.array(["flip"]), "bound_values": np.array([1.0])}
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
        assert draw_training(tmp_path / folder, one, arrays, names) == files
    first, second = (sorted((tmp_path / folder).iterdir()) for folder in ("one", "two"))
    assert [path.name for path in first] == files
    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in second]


def test_an_augmentation_that_changes_nothing_has_a_picture_without_bounds(tmp_path: Path) -> None:
    arrays = _arrays([0], [0], [1.0], [1.0]) | {"images": _noise(1), "original": _noise(1)[0], "drawn": _noise(5)}
    arrays |= {"bounds": _noise(0), "bound_kinds": np.array([], np.str_), "bound_values": np.array([])}
    assert "changes.png" in draw_training(tmp_path, arm(augmentation="shifts"), arrays, NAMES)
