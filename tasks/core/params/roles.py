"""What the sections of params.yaml mean together: the roles of arms, and what an arm and a classifier are given."""

from collections.abc import Mapping

from tasks.core.params.classifiers import Arm, Augmentation, Train
from tasks.core.params.data import Images


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
