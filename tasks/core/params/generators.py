"""Sections on generators: their training, selection, and the filter of their images."""

from collections import Counter
from typing import Annotated, Literal

from pydantic import Field, model_validator

from tasks.core.params.classifiers import Training
from tasks.core.params.section import ClassName, Section, Seed, Share

_MOST_SNAPSHOTS = 1000  # of a training


class _Candidate(Section):
    seeds: Annotated[int, Field(ge=1, le=100)]
    """Trainings that differ in weights, batches, latents and augmentation. Time grows with it."""
    loss: Literal["non_saturating", "hinge", "relativistic"]
    """Loss: non_saturating (Goodfellow et al. 2014), hinge (Lim & Ye 2017) or relativistic, which compares each
    generated image with a real one (Jolicoeur-Martineau 2019)."""
    latent: Annotated[int, Field(ge=2, le=1024)]
    """Numbers from which an image is made."""
    width: Annotated[int, Field(ge=16, le=1024, multiple_of=16)]
    """Channels. In kind conditional those of the lowest resolution; in kind dcgan those of G's convolutions, of which D
    has an eighth. Time grows with its square."""
    batch: Annotated[int, Field(ge=2, le=4096, multiple_of=2)]
    """Images of an update: generated ones and, unless `half_batches`, as many real ones."""
    epochs: Annotated[int, Field(ge=1, le=100_000)]
    """Epochs of a training; scores are taken after each. Time grows with it."""
    steps_per_epoch: Annotated[int, Field(ge=1, le=100_000)]
    """Steps of an epoch; a step updates G once."""
    snapshot_every: Annotated[int, Field(ge=1, le=100_000)]
    """Epochs between two snapshots, which can be gone back to. A kill loses at most so many epochs. At most `epochs`,
    and at least a thousandth of them, as all snapshots lie on disk."""
    d_learning_rate: Annotated[float, Field(gt=0, le=1)]
    """Learning rate of Adam for D."""
    g_learning_rate: Annotated[float, Field(gt=0, le=1)]
    """Learning rate of Adam for G. For dcgan the original has a tenth of what is shipped, for 320 epochs of thousands
    of images."""
    beta_1: Annotated[float, Field(ge=0, lt=1)]
    """Adam's decay of the mean gradient; 0.5 as in DCGAN (Radford et al. 2016)."""
    beta_2: Annotated[float, Field(ge=0, lt=1)]
    """Adam's decay of the mean squared gradient."""
    ema: Annotated[float, Field(ge=0, lt=1)]
    """Decay per step of the averaged weights of G, which are the ones to use; 0.999 past 5,000 steps, 0 for none."""
    d_steps: Annotated[int, Field(ge=1, le=20)]
    """Updates of D for one of G. Time grows with it."""
    half_batches: bool
    """Whether D sees batch/2 real and batch/2 generated images instead of `batch` of both. Not with `loss`
    relativistic."""
    separate_updates: bool
    """Whether D learns from real and from generated images in two updates. Not with `loss` relativistic."""
    shared_pass: bool
    """Whether G makes images once a step, for D's last update and for its own: faster."""
    d_dropout: Annotated[float, Field(ge=0, lt=1)]
    """Share of D's features that are dropped before the logit. 0 with `gradient_penalty` and `penalty` approximate."""
    g_dropout: Annotated[float, Field(ge=0, lt=1)]
    """Share of G's features that are dropped after each block, in training."""
    gradient_penalty: Annotated[float, Field(ge=0, le=1000)]
    """Weight of the gradient penalties R1 + R2 (R3GAN, Huang et al. 2024, with `loss` relativistic). Above 0 a step
    takes longer."""
    penalty: Literal["exact", "approximate"]
    """How gradient penalties are computed: exact, or approximate, from the difference to an image with a little noise
    (Lin et al. 2025), which is cheaper."""
    lecam: Annotated[float, Field(ge=0, le=100)]
    """Weight of LeCam's term, which keeps D near its own past: for few images (Tseng et al. 2021, who use 0.3)."""
    lecam_start: Annotated[int, Field(ge=0)]
    """Steps before LeCam's term counts; fewer than the training has."""
    translation_share: Annotated[float, Field(ge=0, le=0.5)]
    """Share of the side by which D's images are shifted at most (DiffAugment, Zhao et al. 2020). Above 0 it is at least
    a pixel."""
    cutout_share: Annotated[float, Field(ge=0, lt=1)]
    """Share of the side of the square that is cut out of D's images (DiffAugment)."""
    colour: bool
    """Whether brightness, saturation and contrast of D's images change (DiffAugment): where colour tells no class."""

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
    """One GAN for all classes, which share its lowest resolution. About 90 s for 3,000 steps at 8x8 pixels on one
    core."""
    depth: Literal[1, 2]
    """Convolutions at each resolution: 2 for 8 pixels; 1 is several times as fast above."""
    label_power: Share
    """Classes are drawn in proportion to n_class^label_power: 1 is natural, 0 draws all alike."""
    ramp_share: Share
    """Share of the steps over which labels gain their weight in D."""


class Dcgan(_Candidate):
    kind: Literal["dcgan"]
    """The network of Radford et al. 2016 as practitioners copy it for one rare class: one GAN for each class."""
    classes: Annotated[list[ClassName], Field(min_length=1)] | None
    """Classes for which one is trained. Time grows with their number. null: every class but the largest."""
    batch_norm: bool
    """Whether there is batch norm in G but for its output, and in D but for its input. Not with `gradient_penalty`."""
    warm_start_epochs: Annotated[int, Field(ge=0, le=100_000)]
    """Epochs on all classes together, with whose weights each class starts. 0: each starts afresh."""

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
    """The value that an epoch of this sign is beyond, above or below as the sign says."""
    windows: Annotated[int, Field(ge=1, le=1000)]
    """Epochs in a row in which it shows before the consequence follows."""
    consequence: Literal["warn", "stop"]
    """warn: the report says it. stop: this GAN ends here and keeps the snapshots it has."""


class Detectors(Section):
    d_loss_zero: Detector
    """The loss of D is below the threshold: D has won."""
    d_loss_drop: Detector
    """The loss of D is below this share of its median in the ten epochs before."""
    d_loss_unsteady: Detector
    """The spread of D's loss within an epoch is above so many times that of the first ten; in health it is small and
    falls."""
    d_wins: Detector
    """The accuracy of D on real and on generated images is above the threshold."""
    gradient_norm: Detector
    """The norm of the gradient of G or of D is above the threshold."""
    collapse: Detector
    """The diversity within the least varied class is below the threshold; real images have 1."""
    g_loss_falls_kid_rises: Detector
    """G's loss fell and KID rose, both by this share over the windows: G pleases D with garbage."""


class TrainGan(Section):
    score_images: Annotated[int, Field(ge=10, le=100_000)]
    """Training images, in equal parts of all classes, and as many generated ones that scores in training are taken of.
    Time grows with the square."""
    detectors: Detectors
    """What watches a training, once an epoch. A loss that is no finite number always stops it."""


class Guards(Section):
    min_diversity: Annotated[float, Field(ge=0)]
    """Mean distance between generated images, as a share of that between real ones; below, the generator has
    collapsed."""
    min_coverage: Annotated[float, Field(ge=0)]
    """Coverage of validation images (Naeem et al. 2020), as a share of what as many training images cover; below,
    generated images miss much of the class."""
    max_kid: Annotated[float, Field(gt=0)]
    """KID (Bińkowski et al. 2018) as a share of the KID of noise images; above, generated images do not show the
    class."""
    min_c_t: float
    """C_T (Meehan et al. 2020) in standard errors; below, generated images are nearer to training images than real ones
    are. They are copies if authenticity is too low as well."""
    min_authenticity: Share
    """Authenticity (Alaa et al. 2022): the share of generated images that are farther from their nearest training image
    than that is from its neighbour; below, they are copies if C_T is too low as well."""


class SelectGenerator(Section):
    seed: Seed
    """Seed of latents, of random networks and of classifiers."""
    per_image: Annotated[int, Field(ge=1, le=100)]
    """Generated images for each validation image. Time grows with it."""
    pool_below: Annotated[int, Field(ge=0)]
    """Validation images of a class; classes with fewer are taken together for coverage and density."""
    cas_snapshots: Annotated[int, Field(ge=1)]
    """Snapshots of each training, those with the lowest KID, whose images a classifier learns from. Time grows with
    it."""
    cas_seeds: Annotated[int, Field(ge=1, le=100)]
    """Classifiers whose accuracies are averaged. Time grows with it."""
    classifier: Training
    """How the classifiers that learn from generated images (CAS, Ravuri & Vinyals 2019) are trained, and the one whose
    features guards look at. They are of kind small."""
    guards: Guards
    """Bounds of the scores of each class. A class whose images fail one, by the classifier's features and by most
    random ones, is not synthesised."""


class Filter(Section):
    folds: Annotated[int, Field(ge=2, le=20)]
    """Folds of the real training images, and classifiers, each of which has not seen one fold. A class needs as many
    differing images. Time grows with it."""
    min_probability_quantile: Share
    """Quantile of the probability that real images get for their class; a generated image with less is unlikely."""
    min_distance_quantile: Share
    """Quantile of the distance of real images to their nearest one; a generated image that is nearer is a copy. It must
    be below `max_distance_quantile`."""
    max_distance_quantile: Share
    """Quantile of the same distance; a generated image that is farther does not show the class."""
    min_acceptance: Share
    """Share of generated images that are accepted; a class with less is not synthesised."""
    max_generated: Annotated[float, Field(ge=1, le=1000)]
    """Images made for each one wanted, at most."""
    classifier: Training
    """How these classifiers, of kind small, are trained."""

    @model_validator(mode="after")
    def _distances_left(self) -> "Filter":
        least, most = self.min_distance_quantile, self.max_distance_quantile
        if least >= most:
            raise ValueError(f"min_distance_quantile {least:g} must be below max_distance_quantile {most:g}")
        return self


class Synthesize(Section):
    seed: Seed
    """Seed of latents, folds and filter classifiers."""
    min_images: Annotated[int, Field(ge=2)]
    """Real training images that a class needs. By design 50: below, generators more often harm than help. The shipped
    digits have 12 to 18 in each rare class, and 10 lets the demo show the whole way; raise it for your data."""
    max_per_real: Annotated[float, Field(gt=0, le=100)]
    """Synthetic images for each real one, at most."""
    filter: Filter
    """Which generated images are kept, decided by classifiers of real training images."""
