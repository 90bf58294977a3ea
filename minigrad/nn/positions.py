"""Where in a sequence something stands: added to features, turned into queries and keys, or subtracted from scores.

Positions that are learned are an ``nn.Embedding`` of the numbers 0, 1, 2, ...
"""

from math import inf
from typing import Any

import numpy as np

from ..autograd import Tensor
from ..autograd.forms import apply, general
from ..autograd.tensor import raw, wrap
from ..backend import default_dtype, working_dtype
from ..backend.arrays import namespace
from ..errors import ShapeError
from ..ops.fused import check_probability, dropout
from ..ops.losses import given
from .functional.targets import check_positive
from .module import Module
from .parameter import Buffer, size


def _angles(length: int, dim: int, base: float) -> np.ndarray:
    """position / base^(2 i / dim) for each position and each i: (length, ceil(dim / 2))."""
    return np.arange(length)[:, None] / base ** (np.arange(0, dim, 2) / dim)


def _table(values: np.ndarray, device: Any, dtype: Any) -> Buffer:
    return Buffer(values.astype(default_dtype() if dtype is None else dtype), persistent=False, device=device)


def _span(who: str, offset: int, length: int, max_len: int) -> slice:
    if offset < 0 or offset + length > max_len:
        raise ShapeError(f"{who}: positions {offset} to {offset + length - 1}, there are {max_len}; make it with a larger max_len")
    return slice(offset, offset + length)


# -- added ------------------------------------------------------------------------------------------------------------
class SinusoidalPositionalEncoding(Module):
    """x plus sines and cosines of its positions: PE(t, 2i) = sin(t / base^(2i/d)), PE(t, 2i + 1) = cos(t / base^(2i/d)).

    Shapes: x (L, N, d_model), with ``batch_first`` (N, L, d_model), unbatched (L, d_model); y the same.

    Args:
        d_model: features of x.
        max_len: how long a sequence may be.
        dropout: the probability that an entry of the sum is dropped while training.
        batch_first: (N, L, d_model) instead of (L, N, d_model).
        base: the longest wave has base * 2 pi positions, nearly.
        device, dtype: where the table is made, and of what. It is not saved.

    Raises:
        ValueError: sizes that are not positive, or dropout outside [0, 1].
        ShapeError: x has not d_model features, or goes beyond max_len.

    Source:
        Vaswani et al., "Attention is all you need", 2017, section 3.5 (dropout: section 5.4).
    Example:
        >>> import minigrad as mg
        >>> from minigrad import nn
        >>> nn.SinusoidalPositionalEncoding(4)(mg.zeros((1, 1, 4))).tolist()
        [[[0.0, 1.0, 0.0, 1.0]]]
    """

    def __init__(
        self,
        d_model: int,
        max_len: int = 5000,
        dropout: float = 0.0,
        batch_first: bool = False,
        base: float = 10000.0,
        device: Any = None,
        dtype: Any = None,
    ):
        super().__init__()
        who = "SinusoidalPositionalEncoding"
        d_model, max_len = size(who, "d_model", d_model, 1), size(who, "max_len", max_len, 1)
        self.d_model, self.max_len, self.batch_first, self.base = d_model, max_len, batch_first, check_positive(who, base=base)
        self.dropout = check_probability(who, dropout, "dropout")
        angles, values = _angles(max_len, d_model, base), np.empty((max_len, d_model))
        values[:, 0::2], values[:, 1::2] = np.sin(angles), np.cos(angles[:, : d_model // 2])
        self.table = _table(values, device, dtype)

    def forward(self, x: Any, offset: int = 0) -> Any:
        """``offset``: the position of the first."""
        x = given(x)
        n = len(x.shape)
        if n not in (2, 3) or x.shape[-1] != self.d_model:
            raise ShapeError(f"SinusoidalPositionalEncoding: expected 2 or 3 axes and {self.d_model} features, got {tuple(x.shape)}")
        first = n == 3 and not self.batch_first
        rows = raw(self.table)[_span("SinusoidalPositionalEncoding", offset, x.shape[0 if first else -2], self.max_len)]
        rows = rows.astype(x.dtype, copy=False)
        return dropout(x + (rows[:, None] if first else rows), self.dropout, self.training)

    def extra_repr(self) -> str:
        return f"{self.d_model}, max_len={self.max_len}, dropout={self.dropout}, batch_first={self.batch_first}"


# -- turned -----------------------------------------------------------------------------------------------------------
def _turned(xp: Any, x: Any, cos: Any, sin: Any, interleaved: bool) -> Any:
    """Pairs of features turned by angles, (a cos - b sin, a sin + b cos)."""
    half = x.shape[-1] // 2
    first, second = (slice(0, None, 2), slice(1, None, 2)) if interleaved else (slice(0, half), slice(half, None))
    y = xp.empty(x.shape, x.dtype)
    a, b = [x[..., s].astype(working_dtype(x.dtype), copy=False) for s in (first, second)]
    y[..., first] = a * cos - b * sin
    y[..., second] = a * sin + b * cos
    return y


TURNED: Any = general(_turned, lambda g, cos, sin, interleaved: apply(TURNED, (g,), cos, -sin, interleaved), name="rotary_embedding")


class RotaryEmbedding(Module):
    """Queries and keys turned, pair of features by pair, by angles that grow with their positions; what is left in q k^T is the distance.

    Pair i at position t is turned by t / base^(2i/dim).

    Shapes: query (..., L, dim), key (..., S, dim); the same come out.

    Args:
        dim: features of a head; even.
        max_len: how long a sequence may be.
        base: the slowest pair has base * 2 pi positions to a turn, nearly.
        interleaved: a pair is features 2i and 2i + 1, as in the paper; False: i and i + dim / 2, as in GPT-NeoX and Llama. Weights
            that were trained with one do not fit the other.
        device, dtype: where the table is made, and of what. It is not saved.

    Raises:
        ValueError: dim is odd, or sizes are not positive.
        ShapeError: features that are not dim, or a sequence that goes beyond max_len.

    Gradient: g, turned back.
    Source:
        Su et al., "RoFormer: enhanced transformer with rotary position embedding", 2021, eq. 15 and 34.
    Example:
        >>> import minigrad as mg
        >>> from minigrad import nn
        >>> x = mg.tensor([[1.0, 0.0], [1.0, 0.0]])
        >>> q, k = nn.RotaryEmbedding(2)(x, x)
        >>> q.numpy().round(4).tolist()
        [[1.0, 0.0], [0.5403000116348267, 0.8414999842643738]]
    """

    def __init__(
        self, dim: int, max_len: int = 4096, base: float = 10000.0, interleaved: bool = True, device: Any = None, dtype: Any = None
    ):
        super().__init__()
        who = "RotaryEmbedding"
        dim, max_len, base = size(who, "dim", dim, 2), size(who, "max_len", max_len, 1), check_positive(who, base=base)
        if dim % 2:
            raise ValueError(f"{who}: dim must be even, got {dim}")
        self.dim, self.max_len, self.base, self.interleaved = dim, max_len, base, interleaved
        angles = _angles(max_len, dim, base)
        self.cos, self.sin = _table(np.cos(angles), device, dtype), _table(np.sin(angles), device, dtype)

    def rotate(self, x: Any, offset: int = 0) -> Any:
        """x (..., L, dim) turned; ``offset``: the position of the first."""
        x = given(x)
        if len(x.shape) < 2 or x.shape[-1] != self.dim:
            raise ShapeError(f"RotaryEmbedding: expected (..., length, {self.dim}), got {tuple(x.shape)}")
        span, work = _span("RotaryEmbedding", offset, x.shape[-2], self.max_len), working_dtype(x.dtype)
        cos, sin = [raw(t)[span].astype(work, copy=False) for t in (self.cos, self.sin)]
        return apply(TURNED, (x,), cos, sin, self.interleaved)

    def forward(self, query: Any, key: Any, offset: int = 0) -> tuple[Any, Any]:
        """Both turned; ``offset``: the position of the first of either, for sequences that go on from before."""
        return self.rotate(query, offset), self.rotate(key, offset)

    def extra_repr(self) -> str:
        return f"{self.dim}, max_len={self.max_len}, base={self.base}, interleaved={self.interleaved}"


# -- subtracted -------------------------------------------------------------------------------------------------------
def alibi_slopes(num_heads: int) -> list[float]:
    """The slope of each head: 2^(-8 h / n) for h = 1 to n, if n is a power of two.

    Otherwise those of the largest power of two below, then as many as are missing of every other slope of twice that power.
    """
    power = 1 << (num_heads.bit_length() - 1)
    slopes = [2 ** (-8 * h / power) for h in range(1, power + 1)]
    return slopes + [2 ** (-4 * h / power) for h in range(1, 2 * (num_heads - power), 2)]


class ALiBi(Module):
    """A mask to be added to the scores: minus the distance of query and key, times a slope for each head.

    Shapes: y (num_heads, L, S), for ``attn_mask`` of ``functional.scaled_dot_product_attention``.

    Args:
        num_heads: how many heads; any number.
        causal: keys that come after the query get -inf; False: their distance counts as well.
        device, dtype: where the slopes are made, and of what. They are not saved.

    Raises:
        ValueError: num_heads is not positive.

    Source:
        Press, Smith and Lewis, "Train short, test long: attention with linear biases enables input length extrapolation", 2022,
        section 3; numbers of heads that are no power of two: the authors' code.
    Example:
        >>> from minigrad import nn
        >>> nn.ALiBi(8)(3)[0].tolist()
        [[0.0, -inf, -inf], [-0.5, 0.0, -inf], [-1.0, -0.5, 0.0]]
    """

    def __init__(self, num_heads: int, causal: bool = True, device: Any = None, dtype: Any = None):
        super().__init__()
        self.num_heads, self.causal = size("ALiBi", "num_heads", num_heads, 1), causal
        self.slopes = _table(np.array(alibi_slopes(self.num_heads)), device, dtype)

    def forward(self, queries: int, keys: int | None = None) -> Tensor:
        """The mask for this many queries and keys (None: as many). Fewer queries than keys are the last of them."""
        keys = queries if keys is None else keys
        slopes = raw(self.slopes)
        xp = namespace(type(slopes))
        ahead = (xp.arange(keys) - xp.arange(keys - queries, keys)[:, None]).astype(slopes.dtype)
        y = slopes[:, None, None] * (0 - abs(ahead))
        return wrap(xp.where(ahead > 0, -inf, y) if self.causal else y, None)

    def extra_repr(self) -> str:
        return f"{self.num_heads}, causal={self.causal}"


__all__ = ["ALiBi", "RotaryEmbedding", "SinusoidalPositionalEncoding", "alibi_slopes"]
