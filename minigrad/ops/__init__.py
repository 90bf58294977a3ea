"""Floor 2: the differentiable operations, one family a file."""

import sys as _sys

from . import fft, linalg, random, special
from .activation import *
from .arithmetic import *
from .axes import *
from .bins import *
from .bits import *
from .creation import *
from .diagonals import *
from .exponential import *
from .indexing import *
from .joining import *
from .listing import table
from .logic import *
from .nan import *
from .powers import *
from .products import *
from .rectifiers import *
from .reduce import *
from .resizing import *
from .rounding import *
from .scan import *
from .selection import *
from .sequences import *
from .shape import *
from .softmax import *
from .sort import *
from .stacking import *
from .statistics import *
from .trigonometric import *

from . import inplace  # these attach to Tensor: writes in place,  # isort: skip
from .methods import *  # operators and methods,  # isort: skip
from .protocols import *  # and what makes NumPy's functions take Tensors  # isort: skip

_families = """
    activation arithmetic axes bins bits creation diagonals exponential indexing joining logic methods nan powers products
    protocols rectifiers reduce resizing rounding scan selection sequences shape softmax sort stacking statistics trigonometric
    """
__all__ = sorted({name for family in _families.split() for name in _sys.modules[f"{__name__}.{family}"].__all__})
