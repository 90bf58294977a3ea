"""Tables of vectors, looked up by id one by one or in bags."""

from typing import Any

from ..autograd.tensor import raw
from ..errors import ShapeError
from ..ops.bags import check_mode, embedding_bag
from ..ops.fused import check_table, embedding
from ..ops.losses import given
from . import init
from .module import Module
from .parameter import Parameter, blank, size


class _Table(Module):
    """The weight and the settings that both kinds of table have."""

    def __init__(
        self,
        num_embeddings: int,
        embedding_dim: int,
        padding_idx: int | None,
        max_norm: float | None,
        norm_type: float,
        scale_grad_by_freq: bool,
        sparse: bool,
        weight: Any,
        freeze: bool,
        device: Any,
        dtype: Any,
    ):
        super().__init__()
        who = type(self).__name__
        check_table(who, max_norm, norm_type, sparse)
        num_embeddings, embedding_dim = size(who, "num_embeddings", num_embeddings), size(who, "embedding_dim", embedding_dim)
        padding_idx = None if padding_idx is None else size(who, "padding_idx", padding_idx, None)
        if padding_idx is not None and not -num_embeddings <= padding_idx < num_embeddings:
            raise ValueError(f"{who}: padding_idx must be within the {num_embeddings} rows, got {padding_idx}")
        self.num_embeddings, self.embedding_dim = num_embeddings, embedding_dim
        self.padding_idx = None if padding_idx is None else padding_idx % num_embeddings
        self.max_norm, self.norm_type, self.scale_grad_by_freq, self.sparse = max_norm, norm_type, scale_grad_by_freq, sparse
        if weight is None:
            self.weight = blank((num_embeddings, embedding_dim), dtype, device).requires_grad_(not freeze)
            self.reset_parameters()
            return
        if (shape := tuple(given(weight).shape)) != (num_embeddings, embedding_dim):
            raise ShapeError(f"{who}: _weight has shape {shape}, expected {(num_embeddings, embedding_dim)}")
        self.weight = Parameter(raw(weight), not freeze, dtype, device)

    def reset_parameters(self) -> None:
        """Draw new initial values: standard normal, with zeros in the padding's row."""
        init.normal_(self.weight)
        if self.padding_idx is not None:
            self.weight.data[self.padding_idx] = 0

    def _settings(self) -> str:
        """The settings that differ from their defaults, as PyTorch shows them."""
        shown = "" if self.max_norm is None else f", max_norm={self.max_norm}"
        shown += "" if self.norm_type == 2 else f", norm_type={self.norm_type}"
        return shown + (", scale_grad_by_freq=True" if self.scale_grad_by_freq else "")

    def _padding(self) -> str:
        return "" if self.padding_idx is None else f", padding_idx={self.padding_idx}"


def _sizes(who: str, embeddings: Any) -> tuple[int, int]:
    shape = tuple(given(embeddings).shape)
    if len(shape) != 2:
        raise ShapeError(f"{who}: embeddings must be (rows, length), got shape {shape}")
    return shape


class Embedding(_Table):
    """A row of a table for each id.

    Shapes: input (...), integers; y (..., embedding_dim); weight (num_embeddings, embedding_dim).

    Args:
        num_embeddings: how many rows.
        embedding_dim: how long they are.
        padding_idx: an id whose row starts at zero and gets no gradient.
        max_norm: rows that are looked up and longer than this are first shortened to it, in the weight itself.
        norm_type: the p of the norm that max_norm means.
        scale_grad_by_freq: divide the gradient of a row by how often it was looked up.
        sparse: for PyTorch's sake; only False.
        _weight: the table, copied, instead of initial values.
        _freeze: the table does not require grad.
        device, dtype: where the table is made, and of what.

    Raises:
        ValueError: padding_idx is outside the table, sparse is True, or max_norm or norm_type is not positive.
        ShapeError: _weight is not (num_embeddings, embedding_dim).

    Source:
        Initial values standard normal, as in PyTorch.
    Example:
        >>> import minigrad as mg
        >>> from minigrad import nn
        >>> nn.Embedding(10, 3)(mg.tensor([[1, 2], [4, 5]])).shape
        (2, 2, 3)
    """

    def __init__(
        self,
        num_embeddings: int,
        embedding_dim: int,
        padding_idx: int | None = None,
        max_norm: float | None = None,
        norm_type: float = 2.0,
        scale_grad_by_freq: bool = False,
        sparse: bool = False,
        _weight: Any = None,
        _freeze: bool = False,
        device: Any = None,
        dtype: Any = None,
    ):
        super().__init__(
            num_embeddings,
            embedding_dim,
            padding_idx,
            max_norm,
            norm_type,
            scale_grad_by_freq,
            sparse,
            _weight,
            _freeze,
            device,
            dtype,
        )

    @classmethod
    def from_pretrained(
        cls,
        embeddings: Any,
        freeze: bool = True,
        padding_idx: int | None = None,
        max_norm: float | None = None,
        norm_type: float = 2.0,
        scale_grad_by_freq: bool = False,
        sparse: bool = False,
    ) -> "Embedding":
        """A table of given rows (rows, length), copied; ``freeze=False`` lets them be trained. The others: as the constructor's.

        Example:
            >>> from minigrad import nn
            >>> nn.Embedding.from_pretrained([[1.0, 2.0], [3.0, 4.0]])([1]).tolist()
            [[3.0, 4.0]]
        """
        rows, length = _sizes("Embedding.from_pretrained", embeddings)
        return cls(rows, length, padding_idx, max_norm, norm_type, scale_grad_by_freq, sparse, embeddings, freeze)

    def forward(self, input: Any) -> Any:
        return embedding(input, self.weight, self.padding_idx, self.max_norm, self.norm_type, self.scale_grad_by_freq)

    def extra_repr(self) -> str:
        return f"{self.num_embeddings}, {self.embedding_dim}{self._padding()}{self._settings()}"


class EmbeddingBag(_Table):
    """The sum, mean or maximum of the rows whose ids are in a bag; see ``functional.embedding_bag``.

    Shapes: input (bags, size), or (n,) with offsets (bags,); y (bags, embedding_dim); weight (num_embeddings, embedding_dim).

    Args:
        num_embeddings, embedding_dim, max_norm, norm_type, scale_grad_by_freq, sparse, _weight, device, dtype: as of Embedding.
        mode: "sum", "mean" or "max".
        include_last_offset: offsets have one entry more, the number of ids.
        padding_idx: an id that does not count; its row starts at zero and gets no gradient.

    Raises:
        ValueError: settings that make no sense, alone or together.
        ShapeError: _weight is not (num_embeddings, embedding_dim).

    Source:
        Joulin et al., "Bag of tricks for efficient text classification", 2016, section 2, for the mean.

    Example:
        >>> import minigrad as mg
        >>> from minigrad import nn
        >>> nn.EmbeddingBag(10, 3)(mg.tensor([1, 2, 4, 5]), mg.tensor([0, 3])).shape
        (2, 3)
    """

    def __init__(
        self,
        num_embeddings: int,
        embedding_dim: int,
        max_norm: float | None = None,
        norm_type: float = 2.0,
        scale_grad_by_freq: bool = False,
        mode: str = "mean",
        sparse: bool = False,
        _weight: Any = None,
        include_last_offset: bool = False,
        padding_idx: int | None = None,
        device: Any = None,
        dtype: Any = None,
    ):
        check_mode("EmbeddingBag", mode, scale_grad_by_freq)
        super().__init__(
            num_embeddings,
            embedding_dim,
            padding_idx,
            max_norm,
            norm_type,
            scale_grad_by_freq,
            sparse,
            _weight,
            False,
            device,
            dtype,
        )
        self.mode, self.include_last_offset = mode, include_last_offset

    @classmethod
    def from_pretrained(
        cls,
        embeddings: Any,
        freeze: bool = True,
        max_norm: float | None = None,
        norm_type: float = 2.0,
        scale_grad_by_freq: bool = False,
        mode: str = "mean",
        sparse: bool = False,
        include_last_offset: bool = False,
        padding_idx: int | None = None,
    ) -> "EmbeddingBag":
        """A table of given rows (rows, length), copied; ``freeze=False`` lets them be trained. The others: as the constructor's.

        Example:
            >>> from minigrad import nn
            >>> nn.EmbeddingBag.from_pretrained([[1.0, 2.0], [3.0, 4.0]])([[0, 1]]).tolist()
            [[2.0, 3.0]]
        """
        rows, length = _sizes("EmbeddingBag.from_pretrained", embeddings)
        bag = cls(rows, length, max_norm, norm_type, scale_grad_by_freq, mode, sparse, embeddings, include_last_offset, padding_idx)
        bag.weight.requires_grad_(not freeze)
        return bag

    def forward(self, input: Any, offsets: Any = None, per_sample_weights: Any = None) -> Any:
        return embedding_bag(
            input,
            self.weight,
            offsets,
            self.max_norm,
            self.norm_type,
            self.scale_grad_by_freq,
            self.mode,
            per_sample_weights=per_sample_weights,
            include_last_offset=self.include_last_offset,
            padding_idx=self.padding_idx,
        )

    def extra_repr(self) -> str:
        return f"{self.num_embeddings}, {self.embedding_dim}{self._settings()}, mode={self.mode!r}{self._padding()}"


__all__ = ["Embedding", "EmbeddingBag"]
