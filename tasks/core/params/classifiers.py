"""Sections on classifiers: networks, arms, and how arms are compared."""

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import Field, model_validator

from tasks.core.params.data import Images
from tasks.core.params.section import Name, Section, Seed, Share

_SHA256 = "64 digits, 0 to 9 and a to f"


class Steps(Section):
    steps: Annotated[int, Field(ge=1)]
    """Steps of a training. Time grows with them. In `train` they are the same for every arm."""
    batch: Annotated[int, Field(ge=2, le=4096)]
    """Images in a step. Time and memory grow with it."""
    learning_rate: Annotated[float, Field(gt=0, le=1)]
    """Learning rate of the first step."""


Width = Annotated[int, Field(ge=4, le=1024)]


class Training(Steps):
    width: Width
    """Channels of the first block of a network of kind small. Time grows with its square."""


class Small(Section):
    kind: Literal["small"]
    """VGG-like (Simonyan & Zisserman 2015): blocks of two 3x3 convolutions with max pooling between them. For sides
    that are a multiple of 8."""
    width: Width
    """Channels of the first block; later ones have 2, 4, 4, ... times as many. Time grows with its square."""


class Plain(Section):
    kind: Literal["plain"]
    """Four 3x3 convolutions of 32, 64, 64 and 128 channels, each with max pooling, and a dense layer of 512. From 16
    pixels a side."""


class Pretrained(Section):
    kind: Literal["pretrained"]
    """A base of Keras and a dense layer. From 32 pixels a side. On 2 cores a step of a frozen VGG16 takes 1 s for 5
    images of 150 pixels."""
    base: Literal["VGG16", "ResNet50V2", "MobileNetV2", "EfficientNetV2B0"]
    """Network of keras.applications."""
    weights: Annotated[
        str,
        Field(
            pattern=r"^(imagenet|none|.+\.h5)$",
            json_schema_extra={"format": "`imagenet`, `none` or a path that ends in .h5"},
        ),
    ]
    """Where the base starts: imagenet, from Keras's cache or the network; none, from the seed, which needs `fine_tune`;
    or the path of an .h5 file that save_weights of the base wrote, which needs `weights_sha256`."""
    weights_sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$", json_schema_extra={"format": _SHA256})] | None
    """SHA-256 of the file with the weights. null: the checksum that Keras has, which it lacks for
    MobileNetV2."""
    fine_tune: bool
    """Whether the base is trained as well and kept: of VGG16 59 MB on disk for each seed of each arm. false leaves it
    frozen."""
    dense: Annotated[int, Field(ge=1, le=8192)]
    """Units of the dense layer after the base."""

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
    """Degrees by which an image is turned at most, either way."""
    shift_share: Annotated[float, Field(ge=0, le=0.5)]
    """Share of the side by which an image is shifted at most, in whole pixels."""
    shear: Annotated[float, Field(ge=0, le=1)]
    """Columns by which each row is pushed beyond the one above it at most, either way."""
    zoom: Annotated[float, Field(ge=0, lt=1)]
    """An image is shown 1 - zoom to 1 + zoom times as large; height and width are drawn apart."""
    flip: bool
    """Whether half of the images are flipped left to right."""
    brightness: Annotated[list[Annotated[float, Field(ge=0, le=10)]], Field(min_length=2, max_length=2)]
    """Least and largest factor of pixel values in [0, 255]; the lower one comes first."""
    fill: Literal["black", "edge"]
    """What comes in from outside: black, or the edge going on."""

    @model_validator(mode="after")
    def _brightness_is_a_range(self) -> "Augmentation":
        low, high = self.brightness
        if low > high:
            raise ValueError(f"brightness is [{low:g}, {high:g}], expected the lower factor first")
        return self


class Arm(Section):
    rows: Literal["split", "synthetic"]
    """Which images it trains on: split for real ones, synthetic for real and synthetic ones."""
    withheld: bool
    """Whether it also trains on the images that `split.keep` took away: an oracle."""
    oversample: bool
    """Whether classes are drawn equally often. Only with `loss` cross_entropy."""
    loss: Literal["cross_entropy", "weighted", "logit_adjusted", "balanced_softmax"]
    """Loss: cross_entropy; weighted by class, n / (K n_c); logit_adjusted, cross-entropy in training and logits less
    the log prior afterwards (Menon et al. 2021); or balanced_softmax (Ren et al. 2020)."""
    augmentation: Name | None
    """The entry of `augmentations` that changes its training images. null: none."""
    mixup_alpha: Annotated[float, Field(gt=0, le=10)] | None
    """Alpha of mixup (Zhang et al. 2018): images are mixed in proportions from Beta(alpha, alpha). null: no mixup."""
    remix: bool
    """Whether labels of mixed images lean to the rarer class (Remix, Chou et al. 2020). Needs `mixup_alpha`."""
    synthetic_share: Annotated[float, Field(gt=0, le=1)] | None
    """Share of a class's draws that are synthetic, at most the share of synthetic images in the class. null for `rows`
    split, and needed for `rows` synthetic."""
    synthetic_weight: Annotated[float, Field(gt=0, le=1)]
    """Weight of a synthetic image in the loss, where a real one has 1."""
    filtered: bool
    """Whether synthetic images are those that the filter accepted; false takes them as the generator made them."""
    twin: bool
    """Whether real images, drawn again, take the place of synthetic ones: the control that each arm with synthetic
    images needs. Only with `rows` synthetic."""
    tail_share: Annotated[float, Field(ge=0, lt=1)]
    """Share of the steps, the last ones, that train on real images alone, unmixed and weighted by class (deferred
    re-weighting, Cao et al. 2019). Above 0 only with `loss` cross_entropy."""

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
    """Trainings of each arm, paired across arms; use 10 for a claim. Time grows with it."""
    record_every: Annotated[int, Field(ge=1)]
    """Steps between two points of the curves."""
    network: Network
    """The network of the classifiers."""
    optimizer: Literal["adam", "rmsprop"]
    """Optimizer of Keras."""
    schedule: Literal["cosine", "constant"]
    """cosine: the learning rate falls to 0 along a cosine. constant: it stays."""
    size_px: Annotated[int, Field(ge=8, le=512)] | None
    """Side in pixels to which classifiers see images. null: `images.size_px`. It may be smaller than that. A larger one
    is fair between arms without synthetic images only: these are enlarged, and their blur may tell the class."""


class Evaluate(Section):
    baseline: Name
    """The arm where the gap to the oracle begins, of which the report says what share each arm closes."""
    oracle: Name | None
    """The arm where the gap ends; it must have `withheld`. null where nothing is withheld."""
    seed: Seed
    """Seed of the bootstrap."""
    resamples: Annotated[int, Field(ge=100, le=1_000_000)]
    """Resamples of the two-level bootstrap over seeds and test images; 10,000 take some seconds."""
    confidence: Annotated[float, Field(gt=0.5, lt=1)]
    """Confidence of the intervals that decide."""
    min_seeds: Annotated[int, Field(ge=2, le=100)]
    """Trainings of each arm that a yes needs."""
    max_loss_of_others: Share
    """Mean recall that classes which are not rare may lose, by the bound of its interval."""
    max_calibration_loss: Share
    """By how much the expected calibration error may be worse, after temperature scaling."""


def generative_arms(arms: Mapping[str, Arm]) -> list[str]:
    """Names of the arms with images of a generator, but for those with images that a user does not have."""
    return [name for name, arm in arms.items() if arm.synthetic_share and not arm.twin and not arm.withheld]


def free_arms(arms: Mapping[str, Arm]) -> list[str]:
    """Names of the arms that cost nothing: real images only, no controls, and none that a user does not have."""
    return [name for name, arm in arms.items() if not arm.synthetic_share and not arm.withheld]


def twin_of(arms: Mapping[str, Arm], name: str) -> str | None:
    """Name of the arm that differs from a generative one in nothing but real images in place of synthetic ones.

    Whether images are filtered does not matter to it.
    """
    wanted = [arms[name].model_copy(update={"twin": True, "filtered": filtered}) for filtered in (True, False)]
    return next((other for other, arm in arms.items() if arm in wanted), None)


def augmentation_of(augmentations: Mapping[str, Augmentation], arm: Arm) -> Augmentation | None:
    """How an arm's training images are changed at random; None leaves them as they are."""
    return augmentations[arm.augmentation] if arm.augmentation else None


def side_px(train: Train, images: Images) -> int:
    """Side of the images that classifiers see."""
    return train.size_px or images.size_px
