"""Typed parameters: the only reader of params.yaml and tuning.yaml.

One frozen, strict section per stage, named as the stage, and sections of their own for what several stages share. There
are no defaults: every value stands in one of the two files, and an unknown, missing, doubled or out-of-range key is an
error that names it.
"""

from tasks.core.params.classifiers import (
    Arm,
    Augmentation,
    Evaluate,
    Network,
    Plain,
    Pretrained,
    Small,
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
    LabelsFile,
    Limits,
    Machine,
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
from tasks.core.params.loading import FILES, load, read
from tasks.core.params.sections import Params

__all__ = [
    "FILES",
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
    "LabelsFile",
    "Limits",
    "Machine",
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
    "Train",
    "TrainGan",
    "Training",
    "Validate",
    "load",
    "read",
]
