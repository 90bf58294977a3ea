"""Views: what rearranges without computing. Each rule is the inverse view."""

from typing import Any

from ..autograd.conform import broadcast_to
from ..autograd.op import general, apply, view
from ..errors import DTypeError

_reshape = view("reshape", "", lambda g, shape: _reshape(g, shape), lambda xp: lambda x, shape: x.reshape(shape))


def reshape(x: Any, shape: Any) -> Any:
    """x with another shape of the same size; one length may be -1."""
    return _reshape(x, shape)


def _stack(xp: Any, *arrays: Any) -> Any:
    return xp.stack(arrays)


def stack(arrays, axis=0):
    raise NotImplementedError

__all__ = ["broadcast_to", "reshape", "stack"]
