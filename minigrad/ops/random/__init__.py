"""Random tensors. All draw from one seeded stream, or from the ``generator`` they are given.

``uniform``, ``normal`` and their like are reparametrised: the random numbers are drawn for standard parameters, then scaled and
shifted by ops, so gradients flow to parameters that require them. What is drawn depends on the seed, the call, the shape and the
dtype, not on the device. Keywords of all: ``dtype`` (default: that of the parameters if they are arrays or Tensors, else the
default dtype), ``device`` (default: that of the parameters, else the CPU), ``generator`` (default: the thread's stream).
"""

from collections.abc import Callable
from typing import Any

from ...autograd import node as graph
from ...autograd.inplace import check_writable, overwrite
from ...autograd.tensor import Tensor
from ...backend import Generator, manual_seed
from .continuous import exponential, gumbel, laplace, normal, rand, randn, standard_normal, uniform
from .discrete import bernoulli, categorical, choice, dropout_mask, multinomial, permutation, randint, shuffle


# -- in place -----------------------------------------------------------------------------------------------------------
def _fill(x: Tensor, name: str, draw: Callable, *parameters: Any, generator: Any) -> Tensor:
    check_writable(x, name)
    since = graph.birth()
    return overwrite(x, draw(*parameters, size=x.shape, dtype=x.dtype, device=x.device, generator=generator), name, since)


def uniform_(self: Tensor, low: Any = 0.0, high: Any = 1.0, *, generator: Any = None) -> Tensor:
    """Fill this tensor with numbers from the uniform distribution on [low, high). Returns itself.

    Example:
        >>> import minigrad as mg
        >>> x = mg.zeros(100).uniform_(2, 3)
        >>> bool(((x >= 2) & (x < 3)).all())
        True
    """
    return _fill(self, "uniform_", uniform, low, high, generator=generator)


def normal_(self: Tensor, mean: Any = 0.0, std: Any = 1.0, *, generator: Any = None) -> Tensor:
    """Fill this tensor with numbers from the normal distribution. Returns itself."""
    return _fill(self, "normal_", normal, mean, std, generator=generator)


def exponential_(self: Tensor, scale: Any = 1.0, *, generator: Any = None) -> Tensor:
    """Fill this tensor with numbers from the exponential distribution of mean ``scale``. Returns itself."""
    return _fill(self, "exponential_", exponential, scale, generator=generator)


def bernoulli_(self: Tensor, p: Any = 0.5, *, generator: Any = None) -> Tensor:
    """Fill this tensor with ones with probability p, zeros otherwise. Returns itself."""
    return _fill(self, "bernoulli_", bernoulli, p, generator=generator)


for _method in (uniform_, normal_, exponential_, bernoulli_):
    setattr(Tensor, _method.__name__, _method)


__all__ = [
    "Generator",
    "bernoulli",
    "categorical",
    "choice",
    "dropout_mask",
    "exponential",
    "gumbel",
    "laplace",
    "manual_seed",
    "multinomial",
    "normal",
    "permutation",
    "rand",
    "randint",
    "randn",
    "shuffle",
    "standard_normal",
    "uniform",
]
