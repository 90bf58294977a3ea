"""Kernels in C, compiled by the system's compiler when they are first needed, and called through ctypes.

Nothing here is needed: every kernel has a form in NumPy, which takes over where there is no compiler, where it fails, for arrays
that are small or not laid out as C wants them, and with MINIGRAD_CC=0.
"""

from .forms import Family, Form, disabled, everywhere, replaced
from .report import report

__all__ = ["Family", "Form", "disabled", "everywhere", "replaced", "report"]
