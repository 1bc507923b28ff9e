"""All sections together, and what they have to agree on."""

from typing import Annotated

from pydantic import ConfigDict, Field, model_validator
from pydantic.dataclasses import dataclass

from tasks.core.params.classifiers import LEAST_SIDE_PX, Arm, Augmentation, Evaluate, Train
from tasks.core.params.data import Cleanup, Compute, Images, Ingest, Machine, Split, Validate
from tasks.core.params.generators import Candidate, SelectGenerator, Synthesize, TrainGan
from tasks.core.params.roles import free_arms, generative_arms, side_px, twin_of
from tasks.core.params.section import Name


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))  # a model's own attribute would hide the section `validate`
class Params:
    compute: Compute
    machine: Machine
    images: Images
    ingest: Ingest
    validate: Validate
    cleanup: Cleanup
    split: Split
    train_gan: TrainGan
    candidates: Annotated[dict[Name, Candidate], Field(min_length=1)]
    select_generator: SelectGenerator
    synthesize: Synthesize
    train: Train
    augmentations: dict[Name, Augmentation]
    arms: Annotated[dict[Name, Arm], Field(min_length=2)]
    evaluate: Evaluate

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
