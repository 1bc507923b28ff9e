"""Sections on images: how they are computed with, where they come from, how they are checked and split."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from tasks.core.params.section import ClassName, Section, Seed, Share

_LEAST_TEST_SHARE = 0.001  # less is what rounding leaves


class Compute(Section):
    intra_op_threads: Annotated[int, Field(ge=1, le=64)]
    """Threads inside one operation. The bits of all results depend on it, hence it is a number and not "all cores"."""
    xla: bool
    """Whether GAN training is compiled with XLA: faster on a GPU, slower on a CPU."""
    mixed_precision: bool
    """Whether layers of the GAN compute in bfloat16, with weights in float32: faster on a GPU that has it, slower on a
    CPU."""


class Machine(Section):
    in_memory_mb: Annotated[float, Field(ge=0)]
    """Megabytes (10^6) of one array of images; where it needs more, it is read from a file on disk. A process holds two
    arrays (training and validation; in evaluate validation and test), and the flow two for each arm side by side."""


class Images(Section):
    size_px: Annotated[int, Field(ge=8, le=128, multiple_of=8)]
    """Side in pixels to which images are resized for the networks. Time grows with its square."""
    channels: Literal[1, 3]
    """1 for grey, 3 for colour."""


class Digits(Section):
    kind: Literal["digits"]
    """scikit-learn's 1,797 handwritten digits of 8x8 pixels, ten classes. They come with the package."""


class LabelsFile(Section):
    path: Annotated[str, Field(min_length=1)]
    """The CSV file: comma-separated, UTF-8, with a header."""
    name_column: str
    """Column with the names of images."""
    label_column: str
    """Column with their labels."""
    suffix: str
    """What is appended to a name to give the file's name, such as .jpeg; "" for nothing."""
    names: dict[str, ClassName] | None
    """Class of each label; a label that is not named here is unknown. null: labels are the classes."""
    on_mismatch: Literal["stop", "report"]
    """What happens where a row has no image or no known label: stop ends the run, report goes on without these rows."""


class Files(Section):
    kind: Literal["files"]
    """Image files of your own."""
    path: Annotated[str, Field(min_length=1)]
    """A folder, a zip, tar, tar.gz or tar.zst archive, or s3://bucket/prefix. Without `classes` and `labels` an image
    lies at `<path>/<class>/<image>`."""
    classes: Annotated[dict[ClassName, str | list[str]], Field(min_length=1)] | None = None
    """Globs of each class's files below `path`: `*` matches within a folder, `**` over folders. A class needs a file,
    and a file may have one class. Not together with `labels`."""
    labels: LabelsFile | None = None
    """A CSV file that says the class of each image. Not together with `classes`."""
    splits: Annotated[dict[Literal["train", "validation", "test"], str | list[str]], Field(min_length=1)] | None = None
    """Globs of the files that the source itself gives to a split, which is kept. Without one of validation, that of
    train is shared out between the two. Files that match none are split as `split` says."""

    @model_validator(mode="after")
    def _one_way_to_classes(self) -> "Files":
        if self.classes and self.labels:
            raise ValueError("classes and labels both say what class a file has: remove one of them")
        return self


class Limits(Section):
    max_files: Annotated[int, Field(ge=1)]
    """Images, or members of an archive."""
    max_file_mb: Annotated[float, Field(gt=0)]
    """Megabytes (10^6) of one image."""
    max_total_gb: Annotated[float, Field(gt=0)]
    """Gigabytes (10^9) of all images, unpacked."""
    max_ratio: Annotated[float, Field(ge=1)]
    """Unpacked size of an archive as a multiple of its packed size; photographs have about 1."""


class Ingest(Section):
    sources: Annotated[list[Annotated[Digits | Files, Field(discriminator="kind")]], Field(min_length=1)]
    """The sources, which together are the data set. `make refresh` or the flow notices what is new in them."""
    limits: Limits
    """Limits of each source, folder or archive. More is refused before it is unpacked."""


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
    """Defects that send a file to the quarantine; all others only warn. zero_byte, not_an_image, too_large, truncated
    and unsupported_mode cannot be left out, as such files have no pixels to train on. Of an animated file the first
    frame is used."""
    max_pixels: Annotated[int, Field(ge=1, le=89_478_485)]  # above, Pillow itself refuses
    """Width times height in pixels; a file with more is too_large and not even decoded. Above the bound Pillow itself
    refuses."""
    min_side_px: Annotated[int, Field(ge=1)]
    """Pixels of the shorter side; below is too_small. Enlarging adds nothing, so set it to `images.size_px`."""
    max_aspect: Annotated[float, Field(ge=1)]
    """Longer side as a multiple of the shorter one; above is odd_aspect."""
    min_brightness: Share
    """Mean of the grey picture, 0 black to 1 white; below is dark."""
    max_brightness: Share
    """Mean of the grey picture, 0 black to 1 white; above is bright."""
    min_contrast: Annotated[float, Field(ge=0, le=0.5)]
    """Standard deviation of the grey picture, with white at 1; below is low_information."""

    @model_validator(mode="after")
    def _unreadable_leave(self) -> "Quality":
        if missing := [name for name in UNREADABLE if name not in self.quarantine]:
            raise ValueError(f"quarantine lacks {', '.join(missing)}: such files have no pixels to train on, add them")
        return self


class Validate(Section):
    classes: list[str] | None
    """The classes that the data must have and no others; a further or a missing one stops the run. null: whatever the
    sources have."""
    quality: Quality
    """Bounds of a single file."""
    max_defect_share: Share
    """Share of a class's files in quarantine; more stops the run."""
    max_zero_byte_share: Share
    """Share of all files without a byte, which a broken copy leaves; more stops the run."""


class Cleanup(Section):
    near_duplicate_bits: Annotated[int, Field(ge=0, le=8)] | None
    """Bits of 64 in which the perceptual hashes of look-alikes differ at most. Look-alikes stay in one split, and those
    with different labels go to the quarantine. Use 4 for photographs (3 s for a million of them; 8 takes ten times as
    long) and 0 for digits of 8x8 pixels, which come within 4 without being copies. null: equal files only."""
    max_quarantined: Annotated[int, Field(ge=0)]
    """Files in quarantine; more stops the run."""
    min_per_class: Annotated[int, Field(ge=1)]
    """Good images of a class; a smaller class stops the run."""
    max_imbalance: Annotated[float, Field(ge=1)]
    """Good images of the largest class as a multiple of those of the smallest; more stops the run."""


class Shares(Section):
    train: Annotated[float, Field(gt=0, lt=1)]
    """Share of all images for training. Approximate, as a hash of each image's content decides."""
    validation: Annotated[float, Field(gt=0, lt=1)]
    """Share of all images for validation, likewise. The two must leave some for test."""

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
    """Seed of the hash that decides the split of an image. 1 is the first that leaves the rare digits at least 10
    training and 5 validation images."""
    shares: Shares
    """Shares of the splits; what they leave is for test."""
    keep: dict[str, Share]
    """Share of a class that stays in train and validation; classes not named stay whole. It simulates an imbalance, so
    that what was lost is known; the images that train lost are seen by arms with `withheld` alone. {} for data that is
    imbalanced by itself."""
    min_per_class: Annotated[int, Field(ge=2)]
    """Images of each class in each split; fewer stop the run."""
    share_tolerance: Share
    """Difference of a split's share of all images from its aim; more is reported."""
