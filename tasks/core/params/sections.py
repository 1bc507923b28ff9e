"""All sections together, and what they have to agree on."""

from typing import Annotated

from pydantic import ConfigDict, Field, model_validator
from pydantic.dataclasses import dataclass

from tasks.core.params.classifiers import (
    LEAST_SIDE_PX,
    Arm,
    Augmentation,
    Evaluate,
    Train,
    free_arms,
    generative_arms,
    side_px,
    twin_of,
)
from tasks.core.params.data import Cleanup, Compute, Images, Ingest, Machine, Split, Validate
from tasks.core.params.generators import Candidate, SelectGenerator, Synthesize, TrainGan
from tasks.core.params.section import Name


# No model, whose own attribute would hide the section `validate`.
@dataclass(frozen=True, config=ConfigDict(extra="forbid", use_attribute_docstrings=True))
class Params:
    compute: Compute
    """How numbers are computed. Each key decides the bits of all results."""
    machine: Machine
    """The limits of a machine. They bound memory and change no result."""
    images: Images
    """The images that all networks see."""
    ingest: Ingest
    """Where images come from, and how many of them are let in."""
    validate: Validate
    """Checks of each file and of each class before anything is computed from them."""
    cleanup: Cleanup
    """Which images count as look-alikes, and which data sets are refused."""
    split: Split
    """Which images train, validate and test, and the imbalance that is simulated."""
    train_gan: TrainGan
    """How the trainings of all candidates are scored and watched."""
    candidates: Annotated[dict[Name, Candidate], Field(min_length=1)]
    """The generators to try, one folder below `data/generators` for each. G is the generator network, D the
    discriminator. What two candidates have in common can be inherited by a YAML anchor, as in the arms of
    `params.yaml`."""
    select_generator: SelectGenerator
    """How one snapshot of one candidate is chosen as the generator, and which classes it may make."""
    synthesize: Synthesize
    """How many synthetic images a class gets, and which generated images are kept."""
    train: Train
    """How the classifiers of all arms are trained."""
    augmentations: dict[Name, Augmentation]
    """Random changes of training images, each drawn anew; `arms.<name>.augmentation` names one of them. Validation and
    test images are never changed. A comment in `params.yaml` has two for photographs to copy from."""
    arms: Annotated[dict[Name, Arm], Field(min_length=2)]
    """The ways to train that are compared. At least one has real images only and one synthetic images; there may not
    be more of the latter than of the former, and each of them needs a twin, an arm that differs in `twin` alone.
    `benchmarks/arms.yaml` has others to copy from."""
    evaluate: Evaluate
    """How arms are compared on test images, and what a yes needs."""

    @model_validator(mode="after")
    def _network_fits(self) -> "Params":
        kind, side = self.train.network.kind, side_px(self.train, self.images)
        if side < (least := LEAST_SIDE_PX[kind]):
            raise ValueError(
                f"train.network {kind} needs images of at least {least} pixels a side and gets {side}: raise "
                f"train.size_px, or images.size_px where that is null"
            )
        if kind == "small" and side % 8:
            raise ValueError(f"train.network small needs a side that is a multiple of 8: train.size_px is {side}")
        return self

    @model_validator(mode="after")
    def _augmentations_known(self) -> "Params":
        for name, arm in self.arms.items():
            if arm.augmentation is not None and arm.augmentation not in self.augmentations:
                known = ", ".join(self.augmentations) or "none"
                raise ValueError(f"arms.{name} names augmentation {arm.augmentation}; augmentations has {known}")
        return self

    @model_validator(mode="after")
    def _arms_fit(self) -> "Params":
        arms = self.arms
        if not generative_arms(arms) or not free_arms(arms):
            raise ValueError("arms needs an arm with rows: split and one with rows: synthetic, not withheld")
        if (made := len(generative_arms(arms))) > (free := len(free_arms(arms))):
            raise ValueError(
                f"arms has {made} arms with synthetic images to choose from on validation, and {free} without: "
                "more trials find a better one, so add arms without or remove some with"
            )
        for name in generative_arms(arms):
            if twin_of(arms, name) is None:
                raise ValueError(f"arms.{name} has no twin: add an arm that differs in twin: true alone")
        oracle = self.arms.get(self.evaluate.oracle or "")
        if oracle is not None and not oracle.withheld:
            raise ValueError(f"evaluate.oracle names arm {self.evaluate.oracle}, which is none without withheld: true")
        for role in (self.evaluate.baseline, self.evaluate.oracle):
            if role is not None and role not in self.arms:
                raise ValueError(f"evaluate names arm {role}; expected one of {', '.join(self.arms)}")
        return self
