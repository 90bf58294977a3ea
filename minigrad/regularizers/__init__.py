"""Floor 5: regularizers as objects, attached to parameters, modules or names. The stochastic ones are layers: see ``nn.Dropout``."""

from .activity import DeCov, GradientPenalty, JacobianPenalty
from .constraints import MaxNorm, NonNeg, UnitNorm
from .matrices import Orthogonal, Spectral
from .noise import GradientNoise
from .penalties import L1, L2, ElasticNet, GroupLasso
from .regularizer import Regularizer

__all__ = [
    "L1",
    "L2",
    "DeCov",
    "ElasticNet",
    "GradientNoise",
    "GradientPenalty",
    "GroupLasso",
    "JacobianPenalty",
    "MaxNorm",
    "NonNeg",
    "Orthogonal",
    "Regularizer",
    "Spectral",
    "UnitNorm",
]
