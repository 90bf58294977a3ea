"""What the kernels of the special functions share: their precision, polynomials, and the reflection at the negative axis.

Where no author is named beside a table of coefficients, it is a rational interpolant at Chebyshev nodes of the function that the
comment names, computed with 60 digits and good to 3e-17 relative on that interval (float32: 1e-8). Nearly all coefficients of
the quotients are positive, so that nothing cancels.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

LOG_ROOT_TWO_PI = math.log(2 * math.pi) / 2

# fmt: off
# (u - log(1 + u))/u**2 on [-0.3, 0.4]
EXCESS_P = (
    0.5, 1.6266160197620907, 2.062451657193984, 1.2828161773739675, 0.4028729712125869, 0.058353665078779225, 0.0028655988263063138,
    1.0696007719309392e-06,
)
EXCESS_Q = (
    1.0, 3.919898706190848, 6.2381691185152, 5.164462413995977, 2.3642624749745638, 0.5850001375326955, 0.06996637019217802,
    0.002945415423683149,
)
# fmt: on


def computed(kernel: Callable, single: bool = False) -> Callable:
    """A kernel factory for ``kernel(xp, *arrays)``: all arrays in one floating dtype, the result in that of the operands.

    Narrower numbers are computed in float64, or in float32 where ``single`` says that it has its own coefficients.
    Nothing warns: as in SciPy, poles and limits are values of these functions and not accidents.
    """

    def make(xp: Any) -> Callable:
        def run(*operands: Any) -> Any:
            dtype = xp.result_type(*operands)
            if dtype.kind == "c":
                raise TypeError("expected real numbers")
            if dtype.kind in "biu":
                dtype = np.dtype("float64")
            wide = dtype if dtype.name == "float64" else np.dtype("float32" if single else "float64")
            with np.errstate(all="ignore"):
                # a number is filled in rather than converted, which on a GPU would be a copy from the host
                y = kernel(xp, *[xp.asarray(x, dtype=wide) if hasattr(x, "dtype") else xp.full((), x, wide) for x in operands])
                return y if y.dtype == dtype else y.astype(dtype)

        return run

    return make


def horner(x: Any, c: Sequence[float]) -> Any:
    """``c[0] + c[1] x + c[2] x**2 + ...``, in place after the first product."""
    y = x * c[-1]
    y += c[-2]
    for k in c[-3::-1]:
        y *= x
        y += k
    return y


def from_integer(xp: Any, x: Any) -> Any:
    """x minus the nearest integer, exact: sin, tan(pi x) have the same zeros and poles, whatever the size of x."""
    return x - xp.rint(x)


def log_excess(xp: Any, u: Any) -> Any:
    """u - log(1 + u), exact near its double zero u = 0."""
    v = xp.clip(u, -0.3, 0.4)
    return xp.where(v == u, v * v * (horner(v, EXCESS_P) / horner(v, EXCESS_Q)), u - xp.log1p(u))
