"""Floor 7: what explains a graph and its gradients: where they come from, where they stop, what they cost."""

from .absence import why_no_grad
from .depth import depth_profile
from .diagnosis import diagnose
from .explanation import explain_grad
from .linter import lint
from .memory import memory_report
from .nan import detect_nan
from .profiling import profile

__all__ = ["depth_profile", "detect_nan", "diagnose", "explain_grad", "lint", "memory_report", "profile", "why_no_grad"]
