"""Sections on classifiers: networks, arms, and how arms are compared."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from tasks.core.params.section import Name, Section, Seed, Share


class Steps(Section):
    steps: Annotated[int, Field(ge=1)]
    batch: Annotated[int, Field(ge=2, le=4096)]
    learning_rate: Annotated[float, Field(gt=0, le=1)]


Width = Annotated[int, Field(ge=4, le=1024)]


class Training(Steps):
    width: Width


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
        if self.weights == "none" and not self.fine_tune:
            raise ValueError("weights none and fine_tune false leave features random: give weights, or set fine_tune")
        if self.weights == "none" and self.weights_sha256:
            raise ValueError("weights none has no file: set weights_sha256 to null")
        if self.weights not in ("none", "imagenet") and not self.weights_sha256:
            raise ValueError(f"weights_sha256 is null: set it to what `sha256sum {self.weights}` prints")
        if (self.base, self.weights, self.weights_sha256) == ("MobileNetV2", "imagenet", None):
            raise ValueError("Keras has no checksum of MobileNetV2's ImageNet weights: set weights_sha256")
        return self


Network = Annotated[Small | Plain | Pretrained, Field(discriminator="kind")]
LEAST_SIDE_PX = {"small": 8, "plain": 16, "pretrained": 32}


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


class Arm(Section):
    rows: Literal["split", "synthetic"]
    withheld: bool
    oversample: bool
    loss: Literal["cross_entropy", "weighted", "logit_adjusted", "balanced_softmax"]
    augmentation: Name | None
    mixup_alpha: Annotated[float, Field(gt=0, le=10)] | None
    remix: bool
    synthetic_share: Annotated[float, Field(gt=0, le=1)] | None
    synthetic_weight: Annotated[float, Field(gt=0, le=1)]
    filtered: bool
    twin: bool
    tail_share: Annotated[float, Field(ge=0, lt=1)]

    @model_validator(mode="after")
    def _terms_fit(self) -> "Arm":
        if (self.rows == "synthetic") != (self.synthetic_share is not None):
            raise ValueError("rows: synthetic needs a synthetic_share, and rows: split needs synthetic_share: null")
        if self.twin and self.synthetic_share is None:
            raise ValueError("twin: true needs rows: synthetic and a synthetic_share, whose images it replaces")
        if self.remix and self.mixup_alpha is None:
            raise ValueError("remix: true needs a mixup_alpha: it changes the labels of mixed images")
        if self.oversample and self.loss != "cross_entropy":
            raise ValueError(f"oversample and loss {self.loss} correct the same thing twice: choose one")
        if self.tail_share and self.loss != "cross_entropy":
            raise ValueError(f"tail_share and loss {self.loss} correct the same thing twice: choose one")
        return self


class Train(Steps):
    seeds: Annotated[int, Field(ge=2, le=100)]
    record_every: Annotated[int, Field(ge=1)]
    network: Network
    optimizer: Literal["adam", "rmsprop"]
    schedule: Literal["cosine", "constant"]
    size_px: Annotated[int, Field(ge=8, le=512)] | None


class Evaluate(Section):
    baseline: Name
    oracle: Name | None
    seed: Seed
    resamples: Annotated[int, Field(ge=100, le=1_000_000)]
    confidence: Annotated[float, Field(gt=0.5, lt=1)]
    min_seeds: Annotated[int, Field(ge=2, le=100)]
    max_loss_of_others: Share
    max_calibration_loss: Share
