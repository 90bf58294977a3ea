"""All parameters as one vector, and back."""

from collections.abc import Iterable
from typing import Any

from ...autograd import Tensor
from ...autograd.node import stamp
from ...backend import device_of, to_device
from ...errors import DTypeError, ShapeError
from ...ops.joining import concat


def parameters_to_vector(parameters: Iterable[Tensor]) -> Tensor:
    """The entries of all parameters, one after the other.

    Shapes: the result (total size,).

    Raises:
        ValueError: there are no parameters.

    Gradient: each parameter gets its part.
    Example:
        >>> from minigrad import nn
        >>> nn.utils.parameters_to_vector(nn.Linear(3, 2).parameters()).shape
        (8,)
    """
    parts: list[Any] = [p.reshape(-1) for p in parameters]
    if not parts:
        raise ValueError("parameters_to_vector: got no parameters; was the generator used before?")
    return concat(parts)


def vector_to_parameters(vec: Tensor, parameters: Iterable[Tensor]) -> None:
    """Write the entries of a vector into the parameters, in their order: the inverse of ``parameters_to_vector``.

    The values alone are copied. For a vector to be differentiated through, give its parts to ``nn.functional_call``.

    Raises:
        DTypeError: ``vec`` is no Tensor.
        ShapeError: it is no vector, or has not as many entries as the parameters; nothing is written then.

    Example:
        >>> import minigrad as mg
        >>> from minigrad import nn
        >>> layer = nn.Linear(2, 1)
        >>> nn.utils.vector_to_parameters(mg.tensor([1.0, 2.0, 3.0]), layer.parameters())
        >>> layer.weight.tolist(), layer.bias.tolist()
        ([[1.0, 2.0]], [3.0])
    """
    if not isinstance(vec, Tensor):
        raise DTypeError(f"vector_to_parameters: expected a Tensor, got {type(vec).__name__}")
    many = list(parameters)
    total = sum(p.size for p in many)
    if vec.shape != (total,):
        raise ShapeError(f"vector_to_parameters: vec has shape {vec.shape}, the parameters have {total} entries")
    start = 0
    for p in many:
        p.data[...] = to_device(vec.data[start : start + p.size], device_of(p.data)).reshape(p.shape)
        stamp(p.data, "vector_to_parameters")
        start += p.size


__all__ = ["parameters_to_vector", "vector_to_parameters"]
