"""What a call of a layer costs, in multiply-adds: products of two numbers that are added up."""

from functools import singledispatch
from math import prod
from typing import Any

from ..autograd.tensor import as_data
from .attention import MultiheadAttention
from .bilinear import Bilinear
from .conv import Convolution, TransposedConvolution
from .linear import Linear
from .module import Module
from .recurrent import GRU, LSTM, RNN, GRUCell, LSTMCell, RNNCell


@singledispatch
def multiply_adds(module: Module, args: tuple, kwargs: dict, y: Any) -> int:
    """The multiply-adds of one call of a layer, those of modules inside it not included; 0 for layers without products of matrices.

    Linear, bilinear, convolution, recurrent and attention layers are known; for a layer with products of its own, register a function:
    ``@multiply_adds.register(MyLayer)``.

    Args:
        module: the layer.
        args, kwargs: what it was called with.
        y: what it returned.

    Example:
        >>> import minigrad as mg
        >>> from minigrad import nn
        >>> from minigrad.nn.counting import multiply_adds
        >>> layer, x = nn.Conv2d(4, 8, 3, groups=2), mg.ones((1, 4, 10, 10))
        >>> multiply_adds(layer, (x,), {}, layer(x)) == (8 * 8 * 8) * (2 * 3 * 3)
        True
    """
    return 0


@multiply_adds.register(Linear)
def _linear(module: Any, args: tuple, kwargs: dict, y: Any) -> int:
    return y.size * module.in_features


@multiply_adds.register(Bilinear)
def _bilinear(module: Any, args: tuple, kwargs: dict, y: Any) -> int:
    return y.size * (module.in1_features + 1) * module.in2_features


@multiply_adds.register(Convolution)
def _convolution(module: Any, args: tuple, kwargs: dict, y: Any) -> int:
    return y.size * (module.in_channels // module.groups) * prod(module.kernel_size)


@multiply_adds.register(TransposedConvolution)
def _transposed(module: Any, args: tuple, kwargs: dict, y: Any) -> int:
    return _first(args, kwargs).size * (module.out_channels // module.groups) * prod(module.kernel_size)


@multiply_adds.register(RNN)
@multiply_adds.register(LSTM)
@multiply_adds.register(GRU)
@multiply_adds.register(RNNCell)
@multiply_adds.register(LSTMCell)
@multiply_adds.register(GRUCell)
def _recurrent(module: Any, args: tuple, kwargs: dict, y: Any) -> int:
    """Each row of each step goes through every matrix once."""
    x, lengths = _first(args, kwargs), kwargs.get("lengths")
    x = getattr(x, "data", x)  # of a PackedSequence too
    rows = prod(x.shape[:-1]) if lengths is None else int(as_data(lengths).sum())
    return rows * sum(p.size for p in module.parameters() if p.ndim == 2)


@multiply_adds.register(MultiheadAttention)
def _attention(module: Any, args: tuple, kwargs: dict, y: Any) -> int:
    """The projections into the heads, the scores, and the weighted sums of the values; ``out_proj`` counts itself."""
    names = ("query", "key", "value")
    query, key, value = [args[i] if i < len(args) else kwargs[name] for i, name in enumerate(names)]
    width = module.embed_dim
    inside = width * (query.size + key.size + value.size)
    at = 0 if module.batch_first else 1
    batch = query.shape[at] if query.ndim == 3 else 1
    keys = prod(key.shape[:-1]) // max(batch, 1) + (module.bias_k is not None) + module.add_zero_attn
    return inside + 2 * prod(query.shape[:-1]) * keys * width


def _first(args: tuple, kwargs: dict) -> Any:
    return args[0] if args else next(iter(kwargs.values()))


__all__ = ["multiply_adds"]
