"""Sections on generators: their training, selection, and the filter of their images."""

from collections import Counter
from typing import Annotated, Literal

from pydantic import Field, model_validator

from tasks.core.params.classifiers import Training
from tasks.core.params.section import ClassName, Section, Seed, Share

_MOST_SNAPSHOTS = 1000  # of a training


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
    score_images: Annotated[int, Field(ge=10, le=100_000)]
    detectors: Detectors


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
