"""What a GPU computes with besides CuPy's functions: kernels of our own, products by cuBLASLt, several GPUs.

Nothing here is needed: every kernel has a form in CuPy's functions, which takes over where a dtype or a layout is not one of those
it was written for, and with MINIGRAD_CUDA_KERNELS=0. CuPy is imported inside functions alone, when there are arrays of it already.
"""

from .forms import Family, Form, disabled, replaced, report
from .launch import Kernel, launch

__all__ = ["Family", "Form", "Kernel", "disabled", "launch", "replaced", "report"]
