import copy
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from tasks.core.params import FILES, Params, load
from tasks.support.errors import BadInput
from tests.parameters import read_values, write_values

SHIPPED = Path(__file__).parents[2]
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
    return copy.deepcopy(read_values())


def _load(folder: Path, values: Any) -> Params:
    write_values(folder, values)
    return load(folder)


def test_the_shipped_file_is_valid_and_its_values_arrive() -> None:
    params = load(SHIPPED)
    assert params.split.keep == {"2": 0.2, "5": 0.2, "8": 0.2}
    assert params.train.seeds == 6
    assert next(iter(params.arms)) == "imbalanced"


@pytest.mark.parametrize("name", FILES)
def test_every_key_of_the_shipped_files_is_explained(name: str) -> None:
    """By a comment in its line, or in a line with the same key elsewhere, or by a comment block that names it."""
    lines = (SHIPPED / name).read_text().splitlines()
    explained = {line.split(":")[0].strip() for line in lines if "#" in line}
    blocks = " ".join(line for line in lines if line.lstrip().startswith("#"))
    for line in lines:
        key, colon, value = line.partition(":")
        if (
            colon
            and value.strip()
            and not key.strip().startswith(("#", "{"))
            and not value.strip().startswith(("{", "&"))
        ):
            assert key.strip() in explained or f"{key.strip()}:" in blocks, line


def test_what_a_user_decides_fits_on_a_screen() -> None:
    assert len((SHIPPED / "params.yaml").read_text().splitlines()) <= 80


def test_an_unknown_key_is_named(tmp_path: Path, values: dict[str, Any]) -> None:
    values["split"]["kep"] = {}
    with pytest.raises(BadInput, match=r"params\.yaml: unknown key split\.kep: remove it or correct its spelling"):
        _load(tmp_path, values)


def test_a_missing_key_is_named(tmp_path: Path, values: dict[str, Any]) -> None:
    del values["train"]["seeds"]
    with pytest.raises(
        BadInput, match=r"key train\.seeds is missing in params\.yaml and tuning\.yaml: add it to one of them"
    ):
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
    values["split"]["shares"]["train"] = 0.8
    with pytest.raises(BadInput) as caught:
        _load(tmp_path, values)
    assert "split.seed is -1" in str(caught.value)
    assert "train + validation is 1, which leaves no image for test" in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: [1", "is not valid YAML"),
        ("", "holds NoneType, expected sections"),
        ("- 1", "holds list, expected sections"),
        ("\0", "is not valid YAML"),
        ("a: 1\na: 2\n", "key a stands twice in the mapping at line 1: remove one"),
    ],
)
@pytest.mark.parametrize("name", FILES)
def test_a_broken_file_is_one_line(tmp_path: Path, values: dict[str, Any], name: str, text: str, message: str) -> None:
    write_values(tmp_path, values)
    (tmp_path / name).write_text(text)
    with pytest.raises(BadInput, match=rf"{name} .*{message}") as caught:
        load(tmp_path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", FILES)
def test_a_missing_file_says_where_to_run(tmp_path: Path, values: dict[str, Any], name: str) -> None:
    write_values(tmp_path, values)
    (tmp_path / name).unlink()
    with pytest.raises(BadInput, match=rf"{name}.*run Equipoise in the project folder"):
        load(tmp_path)


def test_a_key_in_both_files_is_named(tmp_path: Path, values: dict[str, Any]) -> None:
    write_values(tmp_path, values)
    with (tmp_path / "tuning.yaml").open("a") as file:
        file.write("images: {size_px: 16}\n")
    with pytest.raises(BadInput, match=r"key images\.size_px stands in both params\.yaml and tuning\.yaml"):
        load(tmp_path)


def test_a_key_may_move_to_the_other_file(tmp_path: Path, values: dict[str, Any]) -> None:
    write_values(tmp_path, values)
    params, tuning = (yaml.safe_load((tmp_path / name).read_text()) for name in FILES)
    params["train"]["batch"] = tuning["train"].pop("batch")
    for name, part in zip(FILES, (params, tuning), strict=True):
        (tmp_path / name).write_text(yaml.safe_dump(part))
    assert load(tmp_path) == load(SHIPPED)


def test_a_mistake_is_told_with_the_file_in_which_it_stands(tmp_path: Path, values: dict[str, Any]) -> None:
    values["train"] |= {"batch": 0, "seeds": 0}
    with pytest.raises(BadInput) as caught:
        _load(tmp_path, values)
    assert "tuning.yaml: train.batch is 0: input should be" in str(caught.value)
    assert "params.yaml: train.seeds is 0: input should be" in str(caught.value)


def test_an_inherited_key_may_be_written_again(tmp_path: Path, values: dict[str, Any]) -> None:
    write_values(tmp_path, values)
    lines = (SHIPPED / "params.yaml").read_text()
    (tmp_path / "params.yaml").write_text(lines)
    assert load(tmp_path).arms["gan_mixup_twin"].twin


@pytest.mark.parametrize(
    ("section", "changed", "message"),
    [
        ("gan_mixup", {"synthetic_share": None}, "rows: synthetic needs a synthetic_share"),
        ("full", {"rows": "synthetic"}, "rows: synthetic needs a synthetic_share"),
        ("full", {"twin": True}, "twin: true needs rows: synthetic"),
        ("full", {"remix": True}, "remix: true needs a mixup_alpha"),
        ("gan_mixup_twin", {"tail_share": 0.1}, r"arms\.gan_mixup has no twin: add an arm that differs in"),
        ("oversampled_augmented", {"loss": "weighted"}, "oversample and loss weighted correct the same thing twice"),
        (
            "imbalanced",
            {"loss": "weighted", "tail_share": 0.1},
            "tail_share and loss weighted correct the same thing twice",
        ),
        (
            "full",
            {"augmentation": "elastic"},
            r"arms\.full names augmentation elastic; augmentations has shifts",
        ),
        ("full", {"withheld": False}, "names arm full, which is none without withheld: true"),
    ],
)
def test_arms_that_cannot_mean_what_they_say_are_refused(
    tmp_path: Path, values: dict[str, Any], section: str, changed: dict[str, Any], message: str
) -> None:
    values["arms"][section] |= changed
    with pytest.raises(BadInput, match=message) as error:
        _load(tmp_path, values)
    assert len(str(error.value)) < 200


def test_the_arms_to_copy_from_are_valid_and_do_not_repeat_each_other(tmp_path: Path, values: dict[str, Any]) -> None:
    values["arms"] |= yaml.safe_load((SHIPPED / "benchmarks/arms.yaml").read_text())
    arms = _load(tmp_path, values).arms
    assert len(arms) == 20  # those that are shipped are among them
    assert len({arm.model_dump_json() for arm in arms.values()}) == 20


def test_arms_with_synthetic_images_do_not_get_more_trials_than_those_without(
    tmp_path: Path, values: dict[str, Any]
) -> None:
    arms = values["arms"]
    for number, share in enumerate((0.1, 0.2, 0.3)):
        for name in ("gan_mixup", "gan_mixup_twin"):
            arms[f"{name}_{number}"] = arms[name] | {"synthetic_share": share}
    with pytest.raises(BadInput, match=r"arms has 4 arms with synthetic images to choose from .* and 3 without"):
        _load(tmp_path, values)


@pytest.mark.parametrize(
    ("candidate", "changed", "message"),
    [
        ("dcgan", {"loss": "relativistic"}, "candidates.dcgan: separate_updates needs a loss of real and"),
        (
            "conditional",
            {"loss": "relativistic", "half_batches": True},
            "candidates.conditional: half_batches needs a loss without pairs",
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
        ("dcgan", {"depth": 1}, "unknown key candidates.dcgan.depth"),
        ("conditional", {"kind": "stylegan"}, "does not match any of the expected tags"),
    ],
)
def test_candidates_whose_terms_do_not_fit_are_named(
    tmp_path: Path, values: dict[str, Any], candidate: str, changed: dict[str, Any], message: str
) -> None:
    values["candidates"][candidate] |= changed
    with pytest.raises(BadInput, match=re.escape(message)):
        _load(tmp_path, values)


@pytest.mark.parametrize("section", ["candidates.dcgan", "ingest.sources.0"])
def test_a_missing_kind_is_named(tmp_path: Path, values: dict[str, Any], section: str) -> None:
    at = values
    for part in section.split("."):
        at = at[int(part) if part.isdigit() else part]
    del at["kind"]
    with pytest.raises(BadInput, match=re.escape(f"key {section}.kind is missing in params.yaml and")):
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
        ({"network": {"width": 32}}, "key train.network.kind is missing in params.yaml and"),
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
    values["augmentations"]["shifts"]["brightness"] = [1.3, 1]
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
