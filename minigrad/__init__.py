"""minigrad: automatic differentiation that you can read."""

from . import autograd, errors, ops, testing
from .autograd import *
from .autograd import Tensor
from .ops import *

__version__ = "0.1.0"
tensor = Tensor
