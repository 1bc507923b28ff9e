"""Typed parameters: the only reader of params.yaml.

One frozen, strict section per stage, named as the stage. There are no defaults: every value stands in params.yaml,
and an unknown, missing or out-of-range key is an error that names it.
"""

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, model_validator
from pydantic.dataclasses import dataclass
from pydantic_core import ErrorDetails

from tasks.support.errors import BadInput

FILE = Path("params.yaml")
_MOST_SNAPSHOTS = 1000  # of a training

Share = Annotated[float, Field(ge=0, le=1)]
Seed = Annotated[int, Field(ge=0, lt=2**31)]
Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,39}$")]
ClassName = Annotated[str, Field(pattern=r"^[^./\\\x00-\x1f\x7f][^/\\\x00-\x1f\x7f]{0,59}$")]  # names a folder


class Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Compute(Section):
    intra_op_threads: Annotated[int, Field(ge=1, le=64)]
    xla: bool
    mixed_precision: bool


class Images(Section):
    size_px: Annotated[int, Field(ge=8, le=128, multiple_of=8)]
    channels: Literal[1, 3]


class Digits(Section):
    kind: Literal["digits"]


class Labels(Section):
    path: Annotated[str, Field(min_length=1)]
    name_column: str
    label_column: str
    suffix: str
    names: dict[str, ClassName] | None
    on_mismatch: Literal["stop", "report"]


class Files(Section):
    kind: Literal["files"]
    path: Annotated[str, Field(min_length=1)]
    classes: Annotated[dict[ClassName, str | list[str]], Field(min_length=1)] | None = None
    labels: Labels | None = None
    splits: Annotated[dict[Literal["train", "validation", "test"], str | list[str]], Field(min_length=1)] | None = None

    @model_validator(mode="after")
    def _one_way_to_classes(self) -> "Files":
        if self.classes and self.labels:
            raise ValueError("classes and labels both say what class a file has: remove one of them")
        return self


class Limits(Section):
    max_files: Annotated[int, Field(ge=1)]
    max_file_mb: Annotated[float, Field(gt=0)]
    max_total_gb: Annotated[float, Field(gt=0)]
    max_ratio: Annotated[float, Field(ge=1)]


class Ingest(Section):
    sources: Annotated[list[Annotated[Digits | Files, Field(discriminator="kind")]], Field(min_length=1)]
    limits: Limits


Defect = Literal[
    "zero_byte",
    "not_an_image",
    "too_large",
    "truncated",
    "unsupported_mode",
    "wrong_extension",
    "animated",
    "too_small",
    "odd_aspect",
    "dark",
    "bright",
    "low_information",
]
UNREADABLE: tuple[Defect, ...] = ("zero_byte", "not_an_image", "too_large", "truncated", "unsupported_mode")


class Quality(Section):
    quarantine: list[Defect]
    max_pixels: Annotated[int, Field(ge=1, le=89_478_485)]  # above, Pillow itself refuses
    min_side_px: Annotated[int, Field(ge=1)]
    max_aspect: Annotated[float, Field(ge=1)]
    min_brightness: Share
    max_brightness: Share
    min_contrast: Annotated[float, Field(ge=0, le=0.5)]

    @model_validator(mode="after")
    def _unreadable_leave(self) -> "Quality":
        if missing := [name for name in UNREADABLE if name not in self.quarantine]:
            raise ValueError(f"quarantine lacks {', '.join(missing)}: such files have no pixels to train on, add them")
        return self


class Validate(Section):
    classes: list[str] | None
    quality: Quality
    max_defect_share: Share
    max_zero_byte_share: Share


class Cleanup(Section):
    near_duplicate_bits: Annotated[int, Field(ge=0, le=8)] | None
    max_quarantined: Annotated[int, Field(ge=0)]
    min_per_class: Annotated[int, Field(ge=1)]
    max_imbalance: Annotated[float, Field(ge=1)]
    min_side_px: Annotated[int, Field(ge=1)]


class Shares(Section):
    train: Annotated[float, Field(gt=0, lt=1)]
    validation: Annotated[float, Field(gt=0, lt=1)]
    test: Annotated[float, Field(gt=0, lt=1)]

    @model_validator(mode="after")
    def _whole(self) -> "Shares":
        total = self.train + self.validation + self.test
        if abs(total - 1) > 1e-9:
            raise ValueError(f"train + validation + test is {total:g}, expected 1")
        return self


class Split(Section):
    seed: Seed
    shares: Shares
    keep: dict[str, Share]
    min_per_class: Annotated[int, Field(ge=2)]
    share_tolerance: Share


class _Candidate(Section):
    seeds: Annotated[int, Field(ge=1, le=100)]
    loss: Literal["non_saturating", "hinge", "relativistic"]
    latent: Annotated[int, Field(ge=2, le=1024)]
    width: Annotated[int, Field(ge=16, le=1024, multiple_of=16)]
    batch: Annotated[int, Field(ge=2, le=4096, multiple_of=2)]
    epochs: Annotated[int, Field(ge=1, le=100_000)]
    steps_per_epoch: Annotated[int, Field(ge=1, le=100_000)]
    snapshot_every: Annotated[int, Field(ge=1, le=100_000)]
    d_learning_rate: Annotated[float, Field(gt=0, le=1)]
    g_learning_rate: Annotated[float, Field(gt=0, le=1)]
    beta_1: Annotated[float, Field(ge=0, lt=1)]
    beta_2: Annotated[float, Field(ge=0, lt=1)]
    ema: Annotated[float, Field(ge=0, lt=1)]
    d_steps: Annotated[int, Field(ge=1, le=20)]
    half_batches: bool
    separate_updates: bool
    shared_pass: bool
    d_dropout: Annotated[float, Field(ge=0, lt=1)]
    g_dropout: Annotated[float, Field(ge=0, lt=1)]
    gradient_penalty: Annotated[float, Field(ge=0, le=1000)]
    penalty: Literal["exact", "approximate"]
    lecam: Annotated[float, Field(ge=0, le=100)]
    lecam_start: Annotated[int, Field(ge=0)]
    translation_share: Annotated[float, Field(ge=0, le=0.5)]
    cutout_share: Annotated[float, Field(ge=0, lt=1)]
    colour: bool

    @model_validator(mode="after")
    def _terms_fit(self) -> "_Candidate":
        if self.separate_updates and self.loss == "relativistic":
            raise ValueError("separate_updates needs a loss of real and generated images apart: not relativistic")
        if self.half_batches and self.loss == "relativistic":
            raise ValueError("half_batches needs a loss without pairs of real and generated images: not relativistic")
        if self.gradient_penalty and self.penalty == "approximate" and self.d_dropout:
            raise ValueError("penalty approximate needs d_dropout 0: two passes of D must differ in the image alone")
        if self.snapshot_every > self.epochs:
            raise ValueError(f"snapshot_every {self.snapshot_every} is more than epochs {self.epochs}: lower it")
        if self.epochs > _MOST_SNAPSHOTS * self.snapshot_every:
            raise ValueError(
                f"{self.epochs} epochs with snapshot_every {self.snapshot_every} leave more than {_MOST_SNAPSHOTS} "
                f"snapshots, which all lie on disk: raise snapshot_every"
            )
        if self.lecam and self.lecam_start >= (steps := self.epochs * self.steps_per_epoch):
            raise ValueError(f"lecam counts from step lecam_start {self.lecam_start}, of {steps}: lower lecam_start")
        return self


class Conditional(_Candidate):
    kind: Literal["conditional"]
    depth: Literal[1, 2]
    label_power: Share
    ramp_share: Share


class Dcgan(_Candidate):
    kind: Literal["dcgan"]
    classes: Annotated[list[ClassName], Field(min_length=1)] | None
    batch_norm: bool
    warm_start_epochs: Annotated[int, Field(ge=0, le=100_000)]

    @model_validator(mode="after")
    def _images_apart(self) -> "Dcgan":
        if self.batch_norm and self.gradient_penalty:
            raise ValueError("gradient_penalty needs batch_norm false: each logit must depend on its own image alone")
        if twice := [name for name, count in Counter(self.classes or []).items() if count > 1]:
            raise ValueError(f"classes names {', '.join(twice)} more than once: name each class once")
        return self


Candidate = Annotated[Conditional | Dcgan, Field(discriminator="kind")]


class Detector(Section):
    threshold: float
    windows: Annotated[int, Field(ge=1, le=1000)]
    consequence: Literal["warn", "stop"]


class Detectors(Section):
    d_loss_zero: Detector
    d_loss_drop: Detector
    d_loss_unsteady: Detector
    d_wins: Detector
    gradient_norm: Detector
    collapse: Detector
    g_loss_falls_kid_rises: Detector


class TrainGan(Section):
    in_memory_mb: Annotated[float, Field(ge=0)]
    score_images: Annotated[int, Field(ge=10, le=100_000)]
    detectors: Detectors
    candidates: Annotated[dict[Name, Candidate], Field(min_length=1)]


class _Steps(Section):
    steps: Annotated[int, Field(ge=1)]
    batch: Annotated[int, Field(ge=2, le=4096)]
    learning_rate: Annotated[float, Field(gt=0, le=1)]


Width = Annotated[int, Field(ge=4, le=1024)]


class Training(_Steps):
    width: Width


class Guards(Section):
    min_diversity: Annotated[float, Field(ge=0)]
    min_coverage: Annotated[float, Field(ge=0)]
    max_kid: Annotated[float, Field(gt=0)]
    min_c_t: float
    min_authenticity: Share


class SelectGenerator(Section):
    seed: Seed
    per_image: Annotated[int, Field(ge=1, le=100)]
    pool_below: Annotated[int, Field(ge=0)]
    cas_snapshots: Annotated[int, Field(ge=1)]
    cas_seeds: Annotated[int, Field(ge=1, le=100)]
    classifier: Training
    guards: Guards


class Filter(Section):
    folds: Annotated[int, Field(ge=2, le=20)]
    min_probability_quantile: Share
    min_distance_quantile: Share
    max_distance_quantile: Share
    min_acceptance: Share
    max_generated: Annotated[float, Field(ge=1, le=1000)]
    classifier: Training

    @model_validator(mode="after")
    def _distances_left(self) -> "Filter":
        least, most = self.min_distance_quantile, self.max_distance_quantile
        if least >= most:
            raise ValueError(f"min_distance_quantile {least:g} must be below max_distance_quantile {most:g}")
        return self


class Synthesize(Section):
    seed: Seed
    min_images: Annotated[int, Field(ge=2)]
    max_per_real: Annotated[float, Field(gt=0, le=100)]
    filter: Filter


class Small(Section):
    kind: Literal["small"]
    width: Width


class Plain(Section):
    kind: Literal["plain"]


class Pretrained(Section):
    kind: Literal["pretrained"]
    base: Literal["VGG16", "ResNet50V2", "MobileNetV2", "EfficientNetV2B0"]
    weights: Annotated[str, Field(pattern=r"^(imagenet|none|.+\.h5)$")]
    weights_sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")] | None
    fine_tune: bool
    dense: Annotated[int, Field(ge=1, le=8192)]

    @model_validator(mode="after")
    def _weights_known(self) -> "Pretrained":
        if self.weights == "none" and self.weights_sha256:
            raise ValueError("weights none has no file: set weights_sha256 to null")
        if self.weights not in ("none", "imagenet") and not self.weights_sha256:
            raise ValueError(f"weights_sha256 is null: set it to what `sha256sum {self.weights}` prints")
        if (self.base, self.weights, self.weights_sha256) == ("MobileNetV2", "imagenet", None):
            raise ValueError("Keras has no checksum of MobileNetV2's ImageNet weights: set weights_sha256")
        return self


Network = Annotated[Small | Plain | Pretrained, Field(discriminator="kind")]
_LEAST_SIDE_PX = {"small": 8, "plain": 16, "pretrained": 32}


class Augmentation(Section):
    rotation_deg: Annotated[float, Field(ge=0, le=180)]
    shift_share: Annotated[float, Field(ge=0, le=0.5)]
    shear: Annotated[float, Field(ge=0, le=1)]
    zoom: Annotated[float, Field(ge=0, lt=1)]
    flip: bool
    brightness: Annotated[list[Annotated[float, Field(ge=0, le=10)]], Field(min_length=2, max_length=2)]
    fill: Literal["black", "edge"]

    @model_validator(mode="after")
    def _brightness_is_a_range(self) -> "Augmentation":
        low, high = self.brightness
        if low > high:
            raise ValueError(f"brightness is [{low:g}, {high:g}], expected the lower factor first")
        return self


class Mixup(Section):
    alpha: Annotated[float, Field(gt=0, le=10)]
    remix: bool


class Synthetic(Section):
    share: Annotated[float, Field(gt=0, le=1)]
    weight: Annotated[float, Field(gt=0, le=1)]
    filtered: bool
    twin: bool


class Arm(Section):
    rows: Literal["split", "synthetic"]
    withheld: bool
    oversample: bool
    loss: Literal["cross_entropy", "weighted", "logit_adjusted", "balanced_softmax"]
    augmentation: Name | None
    mixup: Mixup | None
    synthetic: Synthetic | None
    tail_share: Annotated[float, Field(ge=0, lt=1)]

    @model_validator(mode="after")
    def _terms_fit(self) -> "Arm":
        if (self.rows == "synthetic") != (self.synthetic is not None):
            raise ValueError("rows: synthetic needs a section synthetic, and rows: split needs synthetic: null")
        if self.oversample and self.loss != "cross_entropy":
            raise ValueError(f"oversample and loss {self.loss} correct the same thing twice: choose one")
        if self.tail_share and self.loss != "cross_entropy":
            raise ValueError(f"tail_share and loss {self.loss} correct the same thing twice: choose one")
        return self


class Train(_Steps):
    seeds: Annotated[int, Field(ge=2, le=100)]
    record_every: Annotated[int, Field(ge=1)]
    network: Network
    optimizer: Literal["adam", "rmsprop"]
    schedule: Literal["cosine", "constant"]
    size_px: Annotated[int, Field(ge=8, le=512)] | None
    in_memory_mb: Annotated[float, Field(ge=0)]
    augmentations: dict[Name, Augmentation]
    arms: Annotated[dict[Name, Arm], Field(min_length=2)]

    def augmentation_of(self, arm: Arm) -> Augmentation | None:
        return self.augmentations[arm.augmentation] if arm.augmentation else None

    @model_validator(mode="after")
    def _augmentations_known(self) -> "Train":
        for name, arm in self.arms.items():
            if arm.augmentation is not None and arm.augmentation not in self.augmentations:
                known = ", ".join(self.augmentations) or "none"
                raise ValueError(f"arms.{name} names augmentation {arm.augmentation}; train.augmentations has {known}")
        return self

    def side_px(self, images: Images) -> int:
        """Side of the images that classifiers see."""
        return self.size_px or images.size_px


class Evaluate(Section):
    baseline: Name
    oracle: Name | None
    seed: Seed
    resamples: Annotated[int, Field(ge=100, le=1_000_000)]
    confidence: Annotated[float, Field(gt=0.5, lt=1)]
    max_loss_of_others: Share
    max_calibration_loss: Share


def generative_arms(arms: Mapping[str, Arm]) -> list[str]:
    """Names of the arms with images of a generator, but for those with images that a user does not have."""
    return [name for name, arm in arms.items() if arm.synthetic and not arm.synthetic.twin and not arm.withheld]


def free_arms(arms: Mapping[str, Arm]) -> list[str]:
    """Names of the arms that cost nothing: real images only, no controls, and none that a user does not have."""
    return [name for name, arm in arms.items() if not arm.synthetic and not arm.withheld]


def twin_of(arms: Mapping[str, Arm], name: str) -> str | None:
    """Name of the arm that differs from a generative one in nothing but real images in place of synthetic ones.

    Whether images are filtered does not matter to it.
    """
    synthetic = arms[name].synthetic
    wanted = [
        arms[name].model_copy(update={"synthetic": synthetic.model_copy(update={"twin": True, "filtered": filtered})})
        for filtered in (True, False)
        if synthetic
    ]
    return next((other for other, arm in arms.items() if arm in wanted), None)


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))  # a model's own attribute would hide the section `validate`
class Params:
    compute: Compute
    images: Images
    ingest: Ingest
    validate: Validate
    cleanup: Cleanup
    split: Split
    train_gan: TrainGan
    select_generator: SelectGenerator
    synthesize: Synthesize
    train: Train
    evaluate: Evaluate

    @model_validator(mode="after")
    def _network_fits(self) -> "Params":
        kind, side_px = self.train.network.kind, self.train.side_px(self.images)
        if side_px < (least := _LEAST_SIDE_PX[kind]):
            raise ValueError(
                f"train.network {kind} needs images of at least {least} pixels a side and gets {side_px}: raise "
                f"train.size_px, or images.size_px where that is null"
            )
        if kind == "small" and side_px % 8:
            raise ValueError(f"train.network small needs a side that is a multiple of 8: train.size_px is {side_px}")
        return self

    @model_validator(mode="after")
    def _arms_fit(self) -> "Params":
        arms = self.train.arms
        if not generative_arms(arms) or not free_arms(arms):
            raise ValueError("train.arms needs an arm with rows: split and one with rows: synthetic, not withheld")
        if (made := len(generative_arms(arms))) > (free := len(free_arms(arms))):
            raise ValueError(
                f"train.arms has {made} arms with synthetic images to choose from on validation, and {free} without: "
                "more trials find a better one, so add arms without or remove some with"
            )
        for name in generative_arms(arms):
            if twin_of(arms, name) is None:
                raise ValueError(
                    f"train.arms.{name} has no twin: add an arm that differs in synthetic.twin: true alone"
                )
        oracle = self.train.arms.get(self.evaluate.oracle or "")
        if oracle is not None and not oracle.withheld:
            raise ValueError(f"evaluate.oracle names arm {self.evaluate.oracle}, which is none without withheld: true")
        for role in (self.evaluate.baseline, self.evaluate.oracle):
            if role is not None and role not in self.train.arms:
                raise ValueError(f"evaluate names arm {role}; expected one of {', '.join(self.train.arms)}")
        return self


def load(path: Path = FILE) -> Params:
    """The parameters in a YAML file.

    Raises:
        BadInput: the file is missing or no YAML, or keys are unknown, missing or out of range (all are named).
    """
    try:
        value = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise BadInput(f"cannot read {path}: {error.strerror}: run Equipoise in the project folder") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise BadInput(f"{path} is not valid YAML: {' '.join(str(error).split())}") from error
    try:
        return TypeAdapter(Params).validate_python(value)
    except ValidationError as error:
        raise BadInput("; ".join(_sentence(path, detail) for detail in error.errors())) from error


def _sentence(path: Path, detail: ErrorDetails) -> str:
    parts = [str(part) for part in detail["loc"]]
    if parts[:2] == ["train_gan", "candidates"]:
        del parts[3:4]  # the kind, which stands in no key
    if parts[:2] == ["train", "network"]:
        del parts[2:3]  # likewise
    key = ".".join(parts) or "the file"
    if detail["type"] in ("extra_forbidden", "unexpected_keyword_argument"):
        return f"{path}: unknown key {key}: remove it or correct its spelling"
    if detail["type"] == "missing":
        return f"{path}: key {key} is missing: add it"
    if detail["type"] == "value_error":  # of a rule between keys: it names them, and the input is a whole section
        return f"{path}: {f'{key}: ' if parts else ''}{detail['msg'].removeprefix('Value error, ')}"
    return f"{path}: {key} is {detail['input']!r}: {detail['msg'][0].lower()}{detail['msg'][1:]}"
