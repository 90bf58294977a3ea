"""What is done to parameters and gradients from outside the layers; PyTorch's name for the place."""

from . import parametrizations, parametrize, prune
from .clip_grad import NonFiniteGradientError, adaptive_clip_grad_, clip_grad_norm_, clip_grad_value_, get_total_norm
from .parametrizations import spectral_norm, weight_norm
from .vectors import parameters_to_vector, vector_to_parameters

__all__ = [
    "NonFiniteGradientError",
    "adaptive_clip_grad_",
    "clip_grad_norm_",
    "clip_grad_value_",
    "get_total_norm",
    "parameters_to_vector",
    "parametrizations",
    "parametrize",
    "prune",
    "spectral_norm",
    "vector_to_parameters",
    "weight_norm",
]
