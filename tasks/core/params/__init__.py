"""Typed parameters: the only reader of params.yaml.

One frozen, strict section per stage, named as the stage. There are no defaults: every value stands in params.yaml,
and an unknown, missing or out-of-range key is an error that names it.
"""

from pathlib import Path

import yaml
from pydantic import ConfigDict, TypeAdapter, ValidationError, model_validator
from pydantic.dataclasses import dataclass
from pydantic_core import ErrorDetails

from tasks.core.params.classifiers import (
    LEAST_SIDE_PX,
    Arm,
    Augmentation,
    Evaluate,
    Mixup,
    Network,
    Plain,
    Pretrained,
    Small,
    Synthetic,
    Train,
    Training,
)
from tasks.core.params.data import (
    UNREADABLE,
    Cleanup,
    Compute,
    Defect,
    Digits,
    Files,
    Images,
    Ingest,
    Labels,
    Limits,
    Quality,
    Shares,
    Split,
    Validate,
)
from tasks.core.params.generators import (
    Candidate,
    Conditional,
    Dcgan,
    Detector,
    Detectors,
    Filter,
    Guards,
    SelectGenerator,
    Synthesize,
    TrainGan,
)
from tasks.core.params.roles import free_arms, generative_arms, side_px, twin_of
from tasks.support.errors import BadInput

__all__ = [
    "FILE",
    "UNREADABLE",
    "Arm",
    "Augmentation",
    "Candidate",
    "Cleanup",
    "Compute",
    "Conditional",
    "Dcgan",
    "Defect",
    "Detector",
    "Detectors",
    "Digits",
    "Evaluate",
    "Files",
    "Filter",
    "Guards",
    "Images",
    "Ingest",
    "Labels",
    "Limits",
    "Mixup",
    "Network",
    "Params",
    "Plain",
    "Pretrained",
    "Quality",
    "SelectGenerator",
    "Shares",
    "Small",
    "Split",
    "Synthesize",
    "Synthetic",
    "Train",
    "TrainGan",
    "Training",
    "Validate",
    "load",
]

FILE = Path("params.yaml")


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
    if detail["type"] == "union_tag_not_found":  # a section of several kinds does not say which
        return f"{path}: key {key}.kind is missing: add it"
    if detail["type"] == "missing":
        return f"{path}: key {key} is missing: add it"
    if detail["type"] == "value_error":  # of a rule between keys: it names them, and the input is a whole section
        return f"{path}: {f'{key}: ' if parts else ''}{detail['msg'].removeprefix('Value error, ')}"
    return f"{path}: {key} is {detail['input']!r}: {detail['msg'][0].lower()}{detail['msg'][1:]}"
