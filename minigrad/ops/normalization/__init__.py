"""Normalisation: over a batch, a sample, groups of its channels, or neighbours."""

from .batch import batch_norm, instance_norm
from .layer import group_norm, layer_norm, rms_norm
from .local import local_response_norm, normalize

__all__ = ["batch_norm", "group_norm", "instance_norm", "layer_norm", "local_response_norm", "normalize", "rms_norm"]
