import copy
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from tasks.core.params import Params, load
from tasks.support.errors import BadInput

SHIPPED = Path(__file__).parents[2] / "params.yaml"
PRETRAINED = {
    "kind": "pretrained",
    "base": "VGG16",
    "weights": "none",
    "weights_sha256": None,
    "fine_tune": True,
    "dense": 256,
}


@pytest.fixture
def values() -> dict[str, Any]:
    return copy.deepcopy(yaml.safe_load(SHIPPED.read_text()))


def _load(folder: Path, values: Any) -> Params:
    path = folder / "params.yaml"
    path.write_text(yaml.safe_dump(values))
    return load(path)


def test_the_shipped_file_is_valid_and_its_values_arrive() -> None:
    params = load(SHIPPED)
    assert params.split.keep == {"2": 0.2, "5": 0.2, "8": 0.2}
    assert params.train.seeds == 6
    assert next(iter(params.train.arms)) == "imbalanced"


def test_every_key_of_the_shipped_file_is_explained() -> None:
    """By a comment in its line, or in a line with the same key elsewhere, or by the comment block above an arm."""
    lines = SHIPPED.read_text().splitlines()
    explained = {line.split(":")[0].strip() for line in lines if "#" in line}
    blocks = " ".join(line for line in lines if line.lstrip().startswith("#"))
    for line in lines:
        key, colon, value = line.partition(":")
        if colon and value.strip() and not key.strip().startswith(("#", "{")) and not value.strip().startswith("{"):
            assert key.strip() in explained or f"{key.strip()}:" in blocks, line


def test_an_unknown_key_is_named(tmp_path: Path, values: dict[str, Any]) -> None:
    values["split"]["kep"] = {}
    with pytest.raises(BadInput, match=r"params\.yaml: unknown key split\.kep: remove it or correct its spelling"):
        _load(tmp_path, values)


def test_a_missing_key_is_named(tmp_path: Path, values: dict[str, Any]) -> None:
    del values["train"]["seeds"]
    with pytest.raises(BadInput, match=r"params\.yaml: key train\.seeds is missing"):
        _load(tmp_path, values)


def test_a_value_out_of_range_is_named_with_its_bound(tmp_path: Path, values: dict[str, Any]) -> None:
    values["split"]["keep"]["2"] = 1.5
    with pytest.raises(BadInput, match=r"split\.keep\.2 is 1\.5: input should be less than or equal to 1"):
        _load(tmp_path, values)


def test_a_value_of_the_wrong_type_is_not_converted(tmp_path: Path, values: dict[str, Any]) -> None:
    values["train"]["seeds"] = "6"
    with pytest.raises(BadInput, match=r"train\.seeds is '6': input should be a valid integer"):
        _load(tmp_path, values)


def test_all_mistakes_are_told_at_once_in_one_line(tmp_path: Path, values: dict[str, Any]) -> None:
    values["split"]["seed"] = -1
    values["split"]["shares"]["train"] = 0.9
    with pytest.raises(BadInput) as caught:
        _load(tmp_path, values)
    assert "split.seed is -1" in str(caught.value)
    assert "train + validation + test is 1.5, expected 1" in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [("a: [1", "is not valid YAML"), ("", "input should be"), ("- 1", "input should be"), ("\0", "is not valid YAML")],
)
def test_a_broken_file_is_one_line(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "params.yaml"
    path.write_text(text)
    with pytest.raises(BadInput, match=message) as caught:
        load(path)
    assert "\n" not in str(caught.value)


def test_a_missing_file_says_where_to_run(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="run Equipoise in the project folder"):
        load(tmp_path / "params.yaml")


@pytest.mark.parametrize(
    ("section", "changed", "message"),
    [
        ("gan_mixup", {"synthetic": None}, "rows: synthetic needs a section synthetic"),
        ("full", {"rows": "synthetic"}, "rows: synthetic needs a section synthetic"),
        ("gan_mixup_twin", {"tail_share": 0.1}, r"train\.arms\.gan_mixup has no twin: add an arm that differs in"),
        ("oversampled_augmented", {"loss": "weighted"}, "oversample and loss weighted correct the same thing twice"),
        (
            "imbalanced",
            {"loss": "weighted", "tail_share": 0.1},
            "tail_share and loss weighted correct the same thing twice",
        ),
        (
            "full",
            {"augmentation": "elastic"},
            r"arms\.full names augmentation elastic; train\.augmentations has shifts",
        ),
        ("full", {"withheld": False}, "names arm full, which is none without withheld: true"),
    ],
)
def test_arms_that_cannot_mean_what_they_say_are_refused(
    tmp_path: Path, values: dict[str, Any], section: str, changed: dict[str, Any], message: str
) -> None:
    values["train"]["arms"][section] |= changed
    with pytest.raises(BadInput, match=message) as error:
        _load(tmp_path, values)
    assert len(str(error.value)) < 200


def test_the_arms_to_copy_from_are_valid_and_do_not_repeat_each_other(tmp_path: Path, values: dict[str, Any]) -> None:
    values["train"]["arms"] |= yaml.safe_load((SHIPPED.parent / "benchmarks/arms.yaml").read_text())
    arms = _load(tmp_path, values).train.arms
    assert len(arms) == 20  # those that are shipped are among them
    assert len({arm.model_dump_json() for arm in arms.values()}) == 20


def test_arms_with_synthetic_images_do_not_get_more_trials_than_those_without(
    tmp_path: Path, values: dict[str, Any]
) -> None:
    arms = values["train"]["arms"]
    for number, share in enumerate((0.1, 0.2, 0.3)):
        for name in ("gan_mixup", "gan_mixup_twin"):
            synthetic = arms[name]["synthetic"] | {"share": share}
            arms[f"{name}_{number}"] = arms[name] | {"synthetic": synthetic}
    with pytest.raises(BadInput, match=r"train\.arms has 4 arms with synthetic images to choose from .* and 3 without"):
        _load(tmp_path, values)


@pytest.mark.parametrize(
    ("candidate", "changed", "message"),
    [
        ("dcgan", {"loss": "relativistic"}, "train_gan.candidates.dcgan: separate_updates needs a loss of real and"),
        (
            "conditional",
            {"loss": "relativistic", "half_batches": True},
            "train_gan.candidates.conditional: half_batches needs a loss without pairs",
        ),
        ("conditional", {"snapshot_every": 31}, "snapshot_every 31 is more than epochs 30: lower it"),
        (
            "conditional",
            {"gradient_penalty": 0.1, "penalty": "approximate", "d_dropout": 0.1},
            "penalty approximate needs d_dropout 0",
        ),
        ("dcgan", {"gradient_penalty": 0.1, "batch_norm": True}, "gradient_penalty needs batch_norm false"),
        ("dcgan", {"classes": ["2", "5", "2"]}, "candidates.dcgan: classes names 2 more than once"),
        ("conditional", {"epochs": 3000, "snapshot_every": 2}, "leave more than 1000 snapshots, which all lie on disk"),
        ("conditional", {"lecam": 0.3, "lecam_start": 3000}, "counts from step lecam_start 3000, of 3000: lower"),
        ("dcgan", {"depth": 1}, "unknown key train_gan.candidates.dcgan.depth"),
        ("conditional", {"kind": "stylegan"}, "does not match any of the expected tags"),
    ],
)
def test_candidates_whose_terms_do_not_fit_are_named(
    tmp_path: Path, values: dict[str, Any], candidate: str, changed: dict[str, Any], message: str
) -> None:
    values["train_gan"]["candidates"][candidate] |= changed
    with pytest.raises(BadInput, match=re.escape(message)):
        _load(tmp_path, values)


@pytest.mark.parametrize("section", ["train_gan.candidates.dcgan", "ingest.sources.0"])
def test_a_missing_kind_is_named(tmp_path: Path, values: dict[str, Any], section: str) -> None:
    at = values
    for part in section.split("."):
        at = at[int(part) if part.isdigit() else part]
    del at["kind"]
    with pytest.raises(BadInput, match=re.escape(f"key {section}.kind is missing: add it")):
        _load(tmp_path, values)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        (
            {"network": {"kind": "plain"}},
            "train.network plain needs images of at least 16 pixels a side and gets 8",
        ),
        ({"network": PRETRAINED, "size_px": 31}, "train.network pretrained needs images of at least 32 pixels a side"),
        ({"size_px": 150}, "train.network small needs a side that is a multiple of 8: train.size_px is 150"),
        ({"size_px": 513}, "train.size_px is 513: input should be less than or equal to 512"),
        ({"network": {"kind": "plain", "width": 32}}, "unknown key train.network.width: remove it"),
        ({"network": {"kind": "small"}}, "key train.network.width is missing"),
        ({"network": {"width": 32}}, "key train.network.kind is missing: add it"),
        ({"network": PRETRAINED | {"fine_tune": False}}, "weights none and fine_tune false leave features random"),
        ({"network": PRETRAINED | {"base": "VGG19"}}, "train.network.base is 'VGG19': input should be 'VGG16'"),
        ({"network": PRETRAINED | {"weights": "model.keras"}}, "train.network.weights is 'model.keras': string should"),
        ({"network": PRETRAINED | {"weights": "a/b.h5"}}, "weights_sha256 is null: set it to what `sha256sum a/b.h5`"),
        (
            {"network": PRETRAINED | {"weights_sha256": "0" * 64}},
            "weights none has no file: set weights_sha256 to",
        ),
        (
            {"network": PRETRAINED | {"base": "MobileNetV2", "weights": "imagenet"}},
            "Keras has no checksum of MobileNetV2's ImageNet weights: set weights_sha256",
        ),
        ({"optimizer": "sgd"}, "train.optimizer is 'sgd'"),
    ],
)
def test_networks_that_do_not_fit_are_named(
    tmp_path: Path, values: dict[str, Any], changed: dict[str, Any], message: str
) -> None:
    values["train"] |= changed
    with pytest.raises(BadInput, match=re.escape(message)):
        _load(tmp_path, values)


def test_published_trainings_can_be_written_down(tmp_path: Path, values: dict[str, Any]) -> None:
    values["train"] |= {"network": {"kind": "plain"}, "size_px": 150, "schedule": "constant"}
    _load(tmp_path, values)
    slow = {"optimizer": "rmsprop", "learning_rate": 0.00002, "schedule": "constant", "batch": 5}
    values["train"] |= {"network": PRETRAINED | {"weights": "imagenet", "fine_tune": False}} | slow
    _load(tmp_path, values)


def test_a_brightness_the_wrong_way_round_is_refused(tmp_path: Path, values: dict[str, Any]) -> None:
    values["train"]["augmentations"]["shifts"]["brightness"] = [1.3, 1]
    with pytest.raises(BadInput, match=re.escape("shifts: brightness is [1.3, 1], expected the lower factor first")):
        _load(tmp_path, values)


def test_a_filter_that_can_keep_nothing_is_refused(tmp_path: Path, values: dict[str, Any]) -> None:
    values["synthesize"]["filter"]["min_distance_quantile"] = 0.95
    with pytest.raises(BadInput, match=r"min_distance_quantile 0\.95 must be below max_distance_quantile 0\.95"):
        _load(tmp_path, values)


def test_what_has_no_pixels_cannot_stay_in_the_data(tmp_path: Path, values: dict[str, Any]) -> None:
    values["validate"]["quality"]["quarantine"] = ["zero_byte", "dark"]
    with pytest.raises(BadInput, match="quarantine lacks not_an_image, too_large, truncated, unsupported_mode"):
        _load(tmp_path, values)
