"""Attention with several heads, as a layer."""

from math import inf, sqrt
from typing import Any

from ..autograd.tensor import raw
from ..backend.arrays import namespace
from ..errors import DTypeError, ShapeError
from ..ops.attention import attention_weights, scaled_dot_product_attention
from ..ops.axes import permute_dims
from ..ops.fused import check_probability, dropout, linear
from ..ops.joining import concat, split
from ..ops.losses import given
from ..ops.products import matmul
from ..ops.reduce import mean
from ..ops.shape import broadcast_to, expand_dims, reshape, squeeze
from . import init
from .linear import Linear
from .module import Module
from .parameter import Parameter, blank, size


class MultiheadAttention(Module):
    """Attention in several subspaces at once: head h attends with q W_h^q, k W_h^k, v W_h^v; the heads, joined, go through out_proj.

    Shapes: query (L, N, embed_dim), key (S, N, kdim), value (S, N, vdim), with ``batch_first`` the first two axes swapped, unbatched
        without N; y as query. key_padding_mask (N, S) or (S,); attn_mask (L, S) or (N num_heads, L, S). Weights (N, L, S), of each
        head (N, num_heads, L, S).

    Args:
        embed_dim: features of query and output.
        num_heads: how many heads; each has embed_dim / num_heads features.
        dropout: the probability that a weight is dropped while training.
        bias: whether the projections have one.
        add_bias_kv: one more key and value that is learned, at the end of the sequence.
        add_zero_attn: one more key and value of zeros, at the end.
        kdim, vdim: features of key and value; None: embed_dim.
        batch_first: (N, L, features) instead of (L, N, features).
        device, dtype: where the parameters are made, and of what.

    Raises:
        ValueError: embed_dim is not a multiple of num_heads, or dropout is outside [0, 1].
        ShapeError, DTypeError: inputs or masks that do not fit.

    Numerics: without weights (``need_weights=False``) memory grows with L + S, with them with L S. A query that may look at nothing
        gets out_proj's bias and weights of zero; PyTorch gives NaN if weights are asked for.
    Source:
        Vaswani et al., "Attention is all you need", 2017, section 3.2.2. Initial values as in PyTorch: Glorot uniform, biases 0.
    Example:
        >>> import minigrad as mg
        >>> from minigrad import nn
        >>> x = mg.zeros((5, 2, 8))
        >>> y, weights = nn.MultiheadAttention(8, num_heads=2)(x, x, x)
        >>> y.shape, weights.shape
        ((5, 2, 8), (2, 5, 5))
    """

    in_proj_weight: Parameter | None
    q_proj_weight: Parameter | None
    k_proj_weight: Parameter | None
    v_proj_weight: Parameter | None
    in_proj_bias: Parameter | None
    bias_k: Parameter | None
    bias_v: Parameter | None

    def __init__(
        self,
        embed_dim: int,
        num_heads: int,
        dropout: float = 0.0,
        bias: bool = True,
        add_bias_kv: bool = False,
        add_zero_attn: bool = False,
        kdim: int | None = None,
        vdim: int | None = None,
        batch_first: bool = False,
        device: Any = None,
        dtype: Any = None,
    ):
        super().__init__()
        who = "MultiheadAttention"
        embed_dim, num_heads = size(who, "embed_dim", embed_dim, 1), size(who, "num_heads", num_heads, 1)
        kdim, vdim = [None if n is None else size(who, name, n, 1) for name, n in (("kdim", kdim), ("vdim", vdim))]
        if embed_dim % num_heads:
            raise ValueError(f"{who}: embed_dim must be a multiple of num_heads, got {embed_dim} and {num_heads}")
        self.embed_dim, self.num_heads, self.head_dim = embed_dim, num_heads, embed_dim // num_heads
        self.kdim, self.vdim = embed_dim if kdim is None else kdim, embed_dim if vdim is None else vdim
        self.dropout = check_probability(who, dropout, "dropout")
        self.batch_first, self.add_zero_attn = batch_first, add_zero_attn
        packed = self.kdim == embed_dim == self.vdim
        shapes: dict[str, Any] = {"in_proj_weight": (3 * embed_dim, embed_dim) if packed else None}
        for name, features in (("q", embed_dim), ("k", self.kdim), ("v", self.vdim)):
            shapes[f"{name}_proj_weight"] = None if packed else (embed_dim, features)
        shapes["in_proj_bias"] = (3 * embed_dim,) if bias else None
        shapes["bias_k"] = shapes["bias_v"] = (1, 1, embed_dim) if add_bias_kv else None
        for name, shape in shapes.items():
            self.register_parameter(name, None if shape is None else blank(shape, dtype, device))
        self.out_proj = Linear(embed_dim, embed_dim, bias, device, dtype)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw new initial values, but for the weight of out_proj."""
        for w in (self.in_proj_weight, self.q_proj_weight, self.k_proj_weight, self.v_proj_weight):
            if w is not None:
                init.xavier_uniform_(w)
        for b in (self.in_proj_bias, self.out_proj.bias):
            if b is not None:
                init.zeros_(b)
        for extra in (self.bias_k, self.bias_v):
            if extra is not None:
                init.xavier_normal_(extra)

    def forward(
        self,
        query: Any,
        key: Any,
        value: Any,
        key_padding_mask: Any = None,
        need_weights: bool = True,
        attn_mask: Any = None,
        average_attn_weights: bool = True,
        is_causal: bool = False,
    ) -> tuple[Any, Any]:
        """The output, and the weights or None.

        Args:
            query, key, value: sequences of features; the same object for self-attention.
            key_padding_mask: True where a key is not to be looked at (the opposite of ``scaled_dot_product_attention``), or numbers
                that are added to its scores.
            need_weights: whether the weights are returned; it is faster not to.
            attn_mask: True where a query must not look at a key, or numbers that are added to the scores.
            average_attn_weights: the mean of the heads' weights, else those of each.
            is_causal: without attn_mask: query i looks at keys 0 to i only. With it, a hint that needs no heeding: the mask is used.
        """
        query, key, value, padding, attn, batched = self._checked(query, key, value, key_padding_mask, attn_mask)
        q, k, v = self._projected(query, key, value)
        k, v, extra = self._extended(k, v)
        is_causal = is_causal and attn is None
        blocked = self._blocked(q, k.shape[2] - extra, padding, attn, is_causal and (extra > 0 or padding is not None))
        mask = None
        if blocked is not None:
            if extra:
                more = namespace(type(raw(blocked))).zeros((*blocked.shape[:-1], extra), blocked.dtype)
                blocked = concat([blocked, more], -1)
            mask, is_causal = ~blocked if blocked.dtype.kind == "b" else blocked, False
        p = self.dropout if self.training else 0.0
        weights = None
        if need_weights:
            weights = dropout(attention_weights(q, k, mask, is_causal, 1 / sqrt(self.head_dim)), p)
            y = matmul(weights, v)
            weights = mean(weights, 1) if average_attn_weights else weights
        else:
            y = scaled_dot_product_attention(q, k, v, mask, p, is_causal)
        y = permute_dims(y, (0, 2, 1, 3) if self.batch_first else (2, 0, 1, 3))
        y = self.out_proj(reshape(y, (*y.shape[:2], self.embed_dim)))
        if batched:
            return y, weights
        return squeeze(y, 0 if self.batch_first else 1), weights if weights is None else squeeze(weights, 0)

    def _checked(self, query: Any, key: Any, value: Any, padding: Any, attn: Any) -> tuple:
        """The arguments with an axis for the batch, and whether they had one; what is one object stays one."""
        same, shared = query is key, key is value
        query, key, value = given(query), given(key), given(value)
        shapes = tuple(query.shape), tuple(key.shape), tuple(value.shape)
        came = f"query {shapes[0]}, key {shapes[1]}, value {shapes[2]}"
        n = len(shapes[0])
        if n not in (2, 3) or any(len(shape) != n for shape in shapes):
            raise ShapeError(f"MultiheadAttention: query, key and value must all have three axes, or two if unbatched; got {came}")
        expected = (self.embed_dim, self.kdim, self.vdim)
        if tuple([shape[-1] for shape in shapes]) != expected:
            raise ShapeError(f"MultiheadAttention: expected {expected} features of query, key and value; got {came}")
        if n == 2:
            at = 0 if self.batch_first else 1
            query = expand_dims(query, at)
            key = query if same else expand_dims(key, at)
            value = key if shared else expand_dims(value, at)
        else:
            key = query if same else key
            value = key if shared else value
        if tuple(key.shape[:2]) != tuple(value.shape[:2]):
            raise ShapeError(f"MultiheadAttention: key and value must be as many ({came})")
        at = 0 if self.batch_first else 1
        batch, length, keys = query.shape[at], query.shape[1 - at], key.shape[1 - at]
        if key.shape[at] != batch:
            raise ShapeError(f"MultiheadAttention: query and key must have the same batch ({came}, batch_first={self.batch_first})")
        if padding is not None:
            padding = self._mask(
                "key_padding_mask", padding, {(batch, keys): (batch, 1, 1, keys)} | ({(keys,): (1, 1, 1, keys)} if n == 2 else {})
            )
        if attn is not None:
            many = (batch * self.num_heads, length, keys)
            attn = self._mask("attn_mask", attn, {(length, keys): (1, 1, length, keys), many: (batch, self.num_heads, length, keys)})
        return query, key, value, padding, attn, n == 3

    @staticmethod
    def _mask(name: str, mask: Any, shapes: dict) -> Any:
        """A mask in the shape that broadcasts to the scores of all heads; ``shapes``: what it may be, and what it becomes."""
        mask = given(mask)
        if mask.dtype.kind not in "bf":
            raise DTypeError(f"MultiheadAttention: {name} must be boolean (True: do not look) or floating, got {mask.dtype}")
        if tuple(mask.shape) not in shapes:
            allowed = " or ".join([str(shape) for shape in shapes])
            raise ShapeError(f"MultiheadAttention: {name} has shape {tuple(mask.shape)}, expected {allowed}")
        return reshape(mask, shapes[tuple(mask.shape)])

    def _projected(self, query: Any, key: Any, value: Any) -> tuple:
        """Queries, keys and values by head, (N, num_heads, length, head_dim), by as few products of matrices as there are inputs."""
        weight, bias = self.in_proj_weight, self.in_proj_bias
        if weight is not None and query is key and key is value:
            parts = split(linear(query, weight, bias), 3, -1)
        elif weight is not None and key is value:
            (w, rest), (b, other) = split(weight, [self.embed_dim]), (None, None) if bias is None else split(bias, [self.embed_dim])
            parts = (linear(query, w, b), *split(linear(key, rest, other), 2, -1))
        else:
            ws = (self.q_proj_weight, self.k_proj_weight, self.v_proj_weight) if weight is None else split(weight, 3)
            bs = (None, None, None) if bias is None else split(bias, 3)
            parts = tuple([linear(x, w, b) for x, w, b in zip((query, key, value), ws, bs, strict=True)])
        order = (0, 2, 1, 3) if self.batch_first else (1, 2, 0, 3)
        return tuple([permute_dims(reshape(x, (*x.shape[:2], self.num_heads, self.head_dim)), order) for x in parts])

    def _extended(self, k: Any, v: Any) -> tuple[Any, Any, int]:
        """Keys and values with those of bias_k and bias_v, and of zeros, behind them; and how many these are."""
        ks, vs, shape = [k], [v], (k.shape[0], self.num_heads, 1, self.head_dim)
        if self.bias_k is not None:
            for xs, extra in ((ks, self.bias_k), (vs, self.bias_v)):
                xs.append(broadcast_to(reshape(extra, (1, *shape[1:])), shape))
        if self.add_zero_attn:
            zeros = namespace(type(raw(k))).zeros(shape, k.dtype)
            ks, vs = [*ks, zeros], [*vs, zeros]
        return (k, v, 0) if len(ks) == 1 else (concat(ks, 2), concat(vs, 2), len(ks) - 1)

    @staticmethod
    def _blocked(q: Any, keys: int, padding: Any, attn: Any, causal: bool) -> Any:
        """All masks as one, or None: booleans, True where not to look; or numbers to be added, if one of them is of numbers."""
        masks = [raw(m) if m.dtype.kind == "b" else m for m in (attn, padding) if m is not None]
        xp = namespace(type(raw(q)))
        if causal:
            masks.append(xp.arange(keys) > xp.arange(q.shape[2])[:, None])
        if any(m.dtype.kind != "b" for m in masks):
            zero = xp.zeros((), q.dtype)
            masks = [xp.where(m, -inf, zero) if m.dtype.kind == "b" else m for m in masks]
        both = masks[0] if masks else None
        for m in masks[1:]:
            both = both | m if m.dtype.kind == "b" else both + m
        return both


__all__ = ["MultiheadAttention"]
