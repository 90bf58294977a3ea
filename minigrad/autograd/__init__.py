"""Floor 1: the engine. Tensor, Node, Op; recording; the chain rule; custom functions; derivatives as functions."""

from .anomaly import detect_anomaly, set_detect_anomaly
from .backward import backward, backward_steps, grad
from .checkpoint import checkpoint
from .function import Context, Function, defvjp, once_differentiable, primitive
from .mode import enable_grad, inference_mode, is_grad_enabled, no_grad, set_grad_enabled
from .node import Node
from .tensor import Tensor
from .transforms import ggn_vp, hessian, hvp, jacobian, jvp, vhp, vjp

__all__ = [
    "Context",
    "Function",
    "Node",
    "Tensor",
    "backward",
    "backward_steps",
    "checkpoint",
    "defvjp",
    "detect_anomaly",
    "enable_grad",
    "ggn_vp",
    "grad",
    "hessian",
    "hvp",
    "inference_mode",
    "is_grad_enabled",
    "jacobian",
    "jvp",
    "no_grad",
    "once_differentiable",
    "primitive",
    "set_detect_anomaly",
    "set_grad_enabled",
    "vhp",
    "vjp",
]
