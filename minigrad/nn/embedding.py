"""Tables of vectors."""

from typing import Any

from ..ops.fused import embedding
from . import init
from .module import Module
from .parameter import blank


class Embedding(Module):
    """A row of a table for each id.

    Shapes: ids (...), integers; y (..., embedding_dim); weight (num_embeddings, embedding_dim).

    Args:
        num_embeddings: how many rows.
        embedding_dim: how long they are.
        padding_idx: an id whose row starts at zero and gets no gradient.
        device, dtype: where the table is made, and of what.
    """

    def __init__(self, num_embeddings: int, embedding_dim: int, padding_idx: int | None = None, device: Any = None, dtype: Any = None):
        super().__init__()
        self.num_embeddings, self.embedding_dim = num_embeddings, embedding_dim
        if padding_idx is not None and not -num_embeddings <= padding_idx < num_embeddings:
            raise ValueError(f"Embedding: padding_idx must be within the {num_embeddings} rows, got {padding_idx}")
        self.padding_idx = None if padding_idx is None else padding_idx % num_embeddings
        self.weight = blank((num_embeddings, embedding_dim), dtype, device)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw new initial values."""
        init.normal_(self.weight)
        if self.padding_idx is not None:
            self.weight.data[self.padding_idx] = 0

    def forward(self, ids: Any) -> Any:
        return embedding(ids, self.weight, self.padding_idx)

    def extra_repr(self) -> str:
        padding = "" if self.padding_idx is None else f", padding_idx={self.padding_idx}"
        return f"{self.num_embeddings}, {self.embedding_dim}{padding}"


__all__ = ["Embedding"]
