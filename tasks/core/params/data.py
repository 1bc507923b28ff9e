"""Sections on images: how they are computed with, where they come from, how they are checked and split."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from tasks.core.params.section import ClassName, Section, Seed, Share

_LEAST_TEST_SHARE = 0.001  # less is what rounding leaves


class Compute(Section):
    intra_op_threads: Annotated[int, Field(ge=1, le=64)]
    xla: bool
    mixed_precision: bool


class Machine(Section):
    in_memory_mb: Annotated[float, Field(ge=0)]


class Images(Section):
    size_px: Annotated[int, Field(ge=8, le=128, multiple_of=8)]
    channels: Literal[1, 3]


class Digits(Section):
    kind: Literal["digits"]


class LabelsFile(Section):
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
    labels: LabelsFile | None = None
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


class Shares(Section):
    train: Annotated[float, Field(gt=0, lt=1)]
    validation: Annotated[float, Field(gt=0, lt=1)]

    @property
    def test(self) -> float:
        """What train and validation leave."""
        return 1 - self.train - self.validation

    @model_validator(mode="after")
    def _test_is_left(self) -> "Shares":
        if self.test < _LEAST_TEST_SHARE:
            total = self.train + self.validation
            raise ValueError(f"train + validation is {total:g}, which leaves no image for test: lower one of them")
        return self


class Split(Section):
    seed: Seed
    shares: Shares
    keep: dict[str, Share]
    min_per_class: Annotated[int, Field(ge=2)]
    share_tolerance: Share
