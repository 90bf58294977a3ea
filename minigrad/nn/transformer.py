"""The transformer: encoder and decoder layers, stacks of them, and both together."""

import copy
from collections.abc import Callable
from math import inf
from typing import Any

import numpy as np

from ..autograd import Tensor
from ..backend import default_dtype
from ..errors import ShapeError
from ..ops.fused import check_probability
from ..ops.losses import given
from . import functional as F
from . import init
from .attention import MultiheadAttention
from .container import ModuleList
from .dropout import Dropout
from .linear import Linear
from .module import Module
from .normalization import LayerNorm
from .parameter import size

_ACTIVATIONS: dict[Any, Callable] = {"relu": F.relu, "gelu": F.gelu}


class _Layer(Module):
    """Some attentions and a net of two layers for each position; each part is added to its input, with a norm before or after."""

    def __init__(self, attentions: tuple[str, ...], settings: tuple):
        super().__init__()
        d_model, nhead, dim_feedforward, dropout, activation, eps, batch_first, norm_first, bias, device, dtype = settings
        who = type(self).__name__
        for name, value, least in (("d_model", d_model, 1), ("nhead", nhead, 1), ("dim_feedforward", dim_feedforward, 0)):
            size(who, name, value, least)
        check_probability(who, dropout, "dropout")
        if not callable(activation) and activation not in _ACTIVATIONS:
            raise ValueError(f"{who}: activation must be 'relu', 'gelu' or a function, got {activation!r}")
        self.activation = activation if callable(activation) else _ACTIVATIONS[activation]
        self.norm_first = norm_first
        for name in attentions:
            made = MultiheadAttention(d_model, nhead, dropout, bias, batch_first=batch_first, device=device, dtype=dtype)
            self.register_module(name, made)
        self.linear1 = Linear(d_model, dim_feedforward, bias, device, dtype)
        self.dropout = Dropout(dropout)
        self.linear2 = Linear(dim_feedforward, d_model, bias, device, dtype)
        parts = range(1, len(attentions) + 2)
        for i in parts:
            self.register_module(f"norm{i}", LayerNorm(d_model, eps, bias=bias, device=device, dtype=dtype))
        for i in parts:
            self.register_module(f"dropout{i}", Dropout(dropout))

    def _transform(self, x: Any) -> Any:
        return self.linear2(self.dropout(self.activation(self.linear1(x))))

    def _through(self, x: Any, *parts: Callable) -> Any:
        for i, part in enumerate(parts, 1):
            norm, drop = getattr(self, f"norm{i}"), getattr(self, f"dropout{i}")
            x = x + drop(part(norm(x))) if self.norm_first else norm(x + drop(part(x)))
        return x


class TransformerEncoderLayer(_Layer):
    """Self-attention, then a net of two layers for each position; each is added to its input, and a norm comes after (or before).

    Shapes: src (S, N, d_model), with ``batch_first`` (N, S, d_model), unbatched (S, d_model); y the same.

    Args:
        d_model: features of input and output.
        nhead: heads of the attention.
        dim_feedforward: hidden units of the net.
        dropout: the probability with which weights, hidden units and what is added are dropped while training.
        activation: "relu", "gelu" or a function.
        layer_norm_eps: the eps of the norms.
        batch_first: (N, S, d_model) instead of (S, N, d_model).
        norm_first: x + f(norm(x)) instead of norm(x + f(x)).
        bias: whether linear maps and norms have one.
        device, dtype: where the parameters are made, and of what.

    Raises:
        ValueError: d_model is not a multiple of nhead, dropout is outside [0, 1], or the activation is not known.

    Source:
        Vaswani et al., "Attention is all you need", 2017, section 3.1; norm first: Xiong et al., "On layer normalization in the
        transformer architecture", 2020, figure 1b.
    Example:
        >>> import minigrad as mg
        >>> from minigrad import nn
        >>> nn.TransformerEncoderLayer(8, nhead=2, dim_feedforward=16)(mg.zeros((5, 3, 8))).shape
        (5, 3, 8)
    """

    def __init__(
        self,
        d_model: int,
        nhead: int,
        dim_feedforward: int = 2048,
        dropout: float = 0.1,
        activation: str | Callable = F.relu,
        layer_norm_eps: float = 1e-5,
        batch_first: bool = False,
        norm_first: bool = False,
        bias: bool = True,
        device: Any = None,
        dtype: Any = None,
    ):
        settings = (d_model, nhead, dim_feedforward, dropout, activation, layer_norm_eps, batch_first, norm_first, bias, device, dtype)
        super().__init__(("self_attn",), settings)

    def forward(self, src: Any, src_mask: Any = None, src_key_padding_mask: Any = None, is_causal: bool = False) -> Any:
        """Masks as in ``MultiheadAttention.forward``."""

        def attend(x: Any) -> Any:
            return self.self_attn(x, x, x, src_key_padding_mask, False, src_mask, is_causal=is_causal)[0]

        return self._through(src, attend, self._transform)


class TransformerDecoderLayer(_Layer):
    """An encoder layer with a second attention in between, which looks at the encoder's output, the memory.

    Shapes: tgt (T, N, d_model), memory (S, N, d_model), with ``batch_first`` the first two axes swapped, unbatched without N; y as tgt.

    Args: as of ``TransformerEncoderLayer``.
    Raises: as ``TransformerEncoderLayer``.
    Source:
        Vaswani et al., "Attention is all you need", 2017, section 3.1.
    Example:
        >>> import minigrad as mg
        >>> from minigrad import nn
        >>> layer = nn.TransformerDecoderLayer(8, nhead=2, dim_feedforward=16)
        >>> layer(mg.zeros((4, 3, 8)), mg.zeros((5, 3, 8))).shape
        (4, 3, 8)
    """

    def __init__(
        self,
        d_model: int,
        nhead: int,
        dim_feedforward: int = 2048,
        dropout: float = 0.1,
        activation: str | Callable = F.relu,
        layer_norm_eps: float = 1e-5,
        batch_first: bool = False,
        norm_first: bool = False,
        bias: bool = True,
        device: Any = None,
        dtype: Any = None,
    ):
        settings = (d_model, nhead, dim_feedforward, dropout, activation, layer_norm_eps, batch_first, norm_first, bias, device, dtype)
        super().__init__(("self_attn", "multihead_attn"), settings)

    def forward(
        self,
        tgt: Any,
        memory: Any,
        tgt_mask: Any = None,
        memory_mask: Any = None,
        tgt_key_padding_mask: Any = None,
        memory_key_padding_mask: Any = None,
        tgt_is_causal: bool = False,
        memory_is_causal: bool = False,
    ) -> Any:
        """Masks as in ``MultiheadAttention.forward``: those of tgt for the first attention, those of memory for the second."""

        def attend(x: Any) -> Any:
            return self.self_attn(x, x, x, tgt_key_padding_mask, False, tgt_mask, is_causal=tgt_is_causal)[0]

        def look_up(x: Any) -> Any:
            return self.multihead_attn(x, memory, memory, memory_key_padding_mask, False, memory_mask, is_causal=memory_is_causal)[0]

        return self._through(tgt, attend, look_up, self._transform)


class _Stack(Module):
    """Copies of a layer, one after the other, and a norm."""

    def __init__(self, layer: Module, num_layers: int, norm: Module | None):
        super().__init__()
        num_layers = size(type(self).__name__, "num_layers", num_layers, 1)
        self.layers = ModuleList([copy.deepcopy(layer) for _ in range(num_layers)])
        self.num_layers = num_layers
        self.register_module("norm", norm)

    def _normed(self, x: Any) -> Any:
        return x if self.norm is None else self.norm(x)


class TransformerEncoder(_Stack):
    """Encoder layers, one after the other, and a norm if there is one.

    Shapes: as of the layer.

    Args:
        encoder_layer: the layer; all start as copies of it, with its values.
        num_layers: how many.
        norm: what comes after the last.
        enable_nested_tensor, mask_check: for PyTorch's sake; there are no nested tensors here, so padded positions have values (in
            PyTorch's evaluation they may be zeros).

    Raises:
        ValueError: num_layers is not positive.

    Source:
        Vaswani et al., "Attention is all you need", 2017, section 3.1.

    Example:
        >>> import minigrad as mg
        >>> from minigrad import nn
        >>> encoder = nn.TransformerEncoder(nn.TransformerEncoderLayer(8, nhead=2, dim_feedforward=16), num_layers=2)
        >>> encoder(mg.zeros((5, 3, 8)), is_causal=True).shape
        (5, 3, 8)
    """

    def __init__(
        self, encoder_layer: Module, num_layers: int, norm: Module | None = None, enable_nested_tensor: bool = True, mask_check: bool = True
    ):
        super().__init__(encoder_layer, num_layers, norm)
        self.enable_nested_tensor, self.mask_check = enable_nested_tensor, mask_check

    def forward(self, src: Any, mask: Any = None, src_key_padding_mask: Any = None, is_causal: bool | None = None) -> Any:
        """Masks as in ``MultiheadAttention.forward``; ``is_causal=None`` is False."""
        for layer in self.layers:
            src = layer(src, src_mask=mask, src_key_padding_mask=src_key_padding_mask, is_causal=bool(is_causal))
        return self._normed(src)


class TransformerDecoder(_Stack):
    """Decoder layers, one after the other, and a norm if there is one.

    Shapes: as of the layer.

    Args:
        decoder_layer: the layer; all start as copies of it, with its values.
        num_layers: how many.
        norm: what comes after the last.

    Raises:
        ValueError: num_layers is not positive.

    Source:
        Vaswani et al., "Attention is all you need", 2017, section 3.1.

    Example:
        >>> import minigrad as mg
        >>> from minigrad import nn
        >>> decoder = nn.TransformerDecoder(nn.TransformerDecoderLayer(8, nhead=2, dim_feedforward=16), num_layers=2)
        >>> decoder(mg.zeros((4, 3, 8)), mg.zeros((5, 3, 8))).shape
        (4, 3, 8)
    """

    def __init__(self, decoder_layer: Module, num_layers: int, norm: Module | None = None):
        super().__init__(decoder_layer, num_layers, norm)

    def forward(
        self,
        tgt: Any,
        memory: Any,
        tgt_mask: Any = None,
        memory_mask: Any = None,
        tgt_key_padding_mask: Any = None,
        memory_key_padding_mask: Any = None,
        tgt_is_causal: bool | None = None,
        memory_is_causal: bool = False,
    ) -> Any:
        """Masks as in ``TransformerDecoderLayer.forward``; ``tgt_is_causal=None`` is False."""
        for layer in self.layers:
            tgt = layer(
                tgt,
                memory,
                tgt_mask=tgt_mask,
                memory_mask=memory_mask,
                tgt_key_padding_mask=tgt_key_padding_mask,
                memory_key_padding_mask=memory_key_padding_mask,
                tgt_is_causal=bool(tgt_is_causal),
                memory_is_causal=memory_is_causal,
            )
        return self._normed(tgt)


class Transformer(Module):
    """An encoder of one sequence and a decoder of another that looks at it.

    Shapes: src (S, N, d_model), tgt (T, N, d_model), with ``batch_first`` the first two axes swapped, unbatched without N; y as tgt.

    Args:
        num_encoder_layers, num_decoder_layers: how many layers each has.
        custom_encoder, custom_decoder: modules to be used instead, called as ``TransformerEncoder`` and ``TransformerDecoder``.
        d_model, nhead, dim_feedforward, dropout, activation, layer_norm_eps, batch_first, norm_first, bias, device, dtype: as of
            ``TransformerEncoderLayer``.

    Raises:
        ValueError: as the layers.
        ShapeError: src and tgt have not d_model features, or not the same batch.

    Source:
        Vaswani et al., "Attention is all you need", 2017; as in PyTorch there is a norm after either stack, there are no embeddings and
        no positions, and initial matrices are Glorot uniform.
    Example:
        >>> import minigrad as mg
        >>> from minigrad import nn
        >>> model = nn.Transformer(8, nhead=2, num_encoder_layers=1, num_decoder_layers=1, dim_feedforward=16)
        >>> model(mg.zeros((5, 3, 8)), mg.zeros((4, 3, 8)), tgt_is_causal=True).shape
        (4, 3, 8)
    """

    def __init__(
        self,
        d_model: int = 512,
        nhead: int = 8,
        num_encoder_layers: int = 6,
        num_decoder_layers: int = 6,
        dim_feedforward: int = 2048,
        dropout: float = 0.1,
        activation: str | Callable = F.relu,
        custom_encoder: Any = None,
        custom_decoder: Any = None,
        layer_norm_eps: float = 1e-5,
        batch_first: bool = False,
        norm_first: bool = False,
        bias: bool = True,
        device: Any = None,
        dtype: Any = None,
    ):
        super().__init__()
        settings = (d_model, nhead, dim_feedforward, dropout, activation, layer_norm_eps, batch_first, norm_first, bias, device, dtype)

        def norm() -> LayerNorm:
            return LayerNorm(d_model, layer_norm_eps, bias=bias, device=device, dtype=dtype)

        if custom_encoder is None:
            custom_encoder = TransformerEncoder(TransformerEncoderLayer(*settings), num_encoder_layers, norm())
        if custom_decoder is None:
            custom_decoder = TransformerDecoder(TransformerDecoderLayer(*settings), num_decoder_layers, norm())
        self.encoder, self.decoder = custom_encoder, custom_decoder
        self.d_model, self.nhead, self.batch_first = d_model, nhead, batch_first
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw new initial values of all matrices, so that the layers differ."""
        for p in self.parameters():
            if len(p.shape) > 1:
                init.xavier_uniform_(p)

    def forward(
        self,
        src: Any,
        tgt: Any,
        src_mask: Any = None,
        tgt_mask: Any = None,
        memory_mask: Any = None,
        src_key_padding_mask: Any = None,
        tgt_key_padding_mask: Any = None,
        memory_key_padding_mask: Any = None,
        src_is_causal: bool | None = None,
        tgt_is_causal: bool | None = None,
        memory_is_causal: bool = False,
    ) -> Any:
        """Masks as in ``MultiheadAttention.forward``: of src in the encoder, of tgt and of memory in the decoder."""
        src, tgt = given(src), given(tgt)
        shapes = tuple(src.shape), tuple(tgt.shape)
        if any(len(shape) not in (2, 3) or shape[-1] != self.d_model for shape in shapes) or len(shapes[0]) != len(shapes[1]):
            raise ShapeError(f"Transformer: expected src and tgt of {self.d_model} features, both batched or neither; got {shapes}")
        if len(shapes[0]) == 3 and shapes[0][not self.batch_first] != shapes[1][not self.batch_first]:
            raise ShapeError(f"Transformer: src and tgt must have the same batch, got {shapes} (batch_first={self.batch_first})")
        memory = self.encoder(src, mask=src_mask, src_key_padding_mask=src_key_padding_mask, is_causal=src_is_causal)
        return self.decoder(
            tgt,
            memory,
            tgt_mask=tgt_mask,
            memory_mask=memory_mask,
            tgt_key_padding_mask=tgt_key_padding_mask,
            memory_key_padding_mask=memory_key_padding_mask,
            tgt_is_causal=tgt_is_causal,
            memory_is_causal=memory_is_causal,
        )

    @staticmethod
    def generate_square_subsequent_mask(sz: int, device: Any = None, dtype: Any = None) -> Tensor:
        """A mask (sz, sz) to be added: -inf above the diagonal, 0 elsewhere.

        Example:
            >>> from minigrad import nn
            >>> nn.Transformer.generate_square_subsequent_mask(2).tolist()
            [[0.0, -inf], [0.0, 0.0]]
        """
        return Tensor(np.triu(np.full((sz, sz), -inf, default_dtype() if dtype is None else dtype), 1), device=device)


__all__ = ["Transformer", "TransformerDecoder", "TransformerDecoderLayer", "TransformerEncoder", "TransformerEncoderLayer"]
