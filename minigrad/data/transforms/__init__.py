"""Changes to samples on their way into a batch: images as (C, H, W) or (N, C, H, W), channels before rows."""

from .erasing import Cutout, RandomErasing
from .geometry import CenterCrop, RandomCrop, RandomHorizontalFlip, RandomRotation, RandomVerticalFlip, Resize
from .mixing import CutMix, Mixup
from .transform import Compose, Lambda, Transform
from .values import GaussianNoise, Normalize, OneHot, ToTensor

__all__ = [
    "CenterCrop",
    "Compose",
    "CutMix",
    "Cutout",
    "GaussianNoise",
    "Lambda",
    "Mixup",
    "Normalize",
    "OneHot",
    "RandomCrop",
    "RandomErasing",
    "RandomHorizontalFlip",
    "RandomRotation",
    "RandomVerticalFlip",
    "Resize",
    "ToTensor",
    "Transform",
]
