"""Products of matrices and vectors."""
from typing import Any
from ..autograd.op import binary, view
swapaxes = view("swapaxes", "", lambda g, how: swapaxes(g, how), lambda xp: lambda x, how: x.swapaxes(*how))
_matmul = binary("matmul", "", lambda g, b: g @ swapaxes(b, (-1, -2)), lambda g, a: swapaxes(a, (-1, -2)) @ g)


def matmul(a: Any, b: Any) -> Any:
    return _matmul(a, b)

__all__ = ["matmul"]
