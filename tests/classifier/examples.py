"""Arms with the least of everything, to be changed by tests."""

from typing import Any

from tasks.core.params import Arm, Augmentation, Small

PLAIN: dict[str, Any] = {
    "rows": "split",
    "withheld": False,
    "oversample": False,
    "loss": "cross_entropy",
    "augmentation": None,
    "mixup_alpha": None,
    "remix": False,
    "synthetic_share": None,
    "synthetic_weight": 1.0,
    "filtered": True,
    "twin": False,
    "tail_share": 0.0,
}
SHIFTS = Augmentation(rotation_deg=0, shift_share=0.125, shear=0, zoom=0, flip=False, brightness=[1, 1], fill="black")


def arm(**settings: Any) -> Arm:
    return Arm(**PLAIN | settings)


def small(width: int) -> Small:
    return Small(kind="small", width=width)


def mixed(alpha: float, remix: bool = False) -> dict[str, Any]:
    return {"mixup_alpha": alpha, "remix": remix}


def made(share: float = 0.5, weight: float = 1.0, filtered: bool = True, twin: bool = False) -> dict[str, Any]:
    """Settings of an arm with synthetic images."""
    origin = {"rows": "synthetic", "filtered": filtered, "twin": twin}
    return {**origin, "synthetic_share": share, "synthetic_weight": weight}
