"""Floor 6: gradcheck, and the table of op specifications that the op tests run over."""

from .gradcheck import GradcheckError, gradcheck, gradgradcheck, numerical_grad
from .spec import OpSpec, S, Sample

__all__ = ["GradcheckError", "OpSpec", "S", "Sample", "gradcheck", "gradgradcheck", "numerical_grad"]
