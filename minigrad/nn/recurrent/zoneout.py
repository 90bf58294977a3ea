"""Zoneout: states that stay as they are, at random."""

from typing import Any

from ...ops.fused import check_probability, keep_mask
from ...ops.logic import where
from ..module import Module


class Zoneout(Module):
    """A recurrent cell whose states each keep, with probability p, their old value in place of the new one.

    In training h' = d h + (1 - d) cell(x, h) with d drawn anew for every entry and step, in evaluation with its mean,
    h' = p h + (1 - p) cell(x, h). Called as the cell is: ``h = zoned(x, h)``, ``h, c = zoned(x, (h, c))``.

    Shapes: as of the cell.

    Args:
        cell: an RNNCell, LSTMCell or GRUCell, or any module that is called so and returns a state or a tuple of states.
        p: the probability that an entry stays; for a cell with two states, that of the first, h.
        p_cell: that of the second state, the c of an LSTM; default: p.

    Raises:
        ValueError: a probability outside [0, 1] or NaN.

    Gradient: g to the old state where it stayed, and to the new one elsewhere, so that it is not scaled down on its way.
    Numerics: before the first step (no state given) the old state is zero.
    Source:
        Krueger et al., "Zoneout: regularizing RNNs by randomly preserving hidden activations", 2017, section 3. For an LSTM they
        recommend p = 0.05 and p_cell = 0.5.

    Example:
        >>> import minigrad as mg
        >>> from minigrad import nn
        >>> cell, state = nn.Zoneout(nn.LSTMCell(3, 4), p=0.05, p_cell=0.5), None
        >>> for x in mg.zeros((5, 2, 3)):
        ...     state = cell(x, state)
        >>> [s.shape for s in state]
        [(2, 4), (2, 4)]
    """

    def __init__(self, cell: Module, p: float = 0.1, p_cell: float | None = None):
        super().__init__()
        self.cell = cell
        self.p = check_probability("Zoneout", p)
        self.p_cell = self.p if p_cell is None else check_probability("Zoneout", p_cell, "p_cell")

    def forward(self, x: Any, hx: Any = None) -> Any:
        new = self.cell(x, hx)
        if not isinstance(new, (tuple, list)):
            return self._kept(hx, new, self.p)
        old = (None,) * len(new) if hx is None else hx
        return tuple([self._kept(o, n, self.p_cell if i else self.p) for i, (o, n) in enumerate(zip(old, new, strict=True))])

    def _kept(self, old: Any, new: Any, p: float) -> Any:
        old = 0.0 if old is None else old
        return where(keep_mask(new, p, new.shape), new, old) if self.training else p * old + (1 - p) * new

    def extra_repr(self) -> str:
        return f"p={self.p}" + ("" if self.p_cell == self.p else f", p_cell={self.p_cell}")


__all__ = ["Zoneout"]
