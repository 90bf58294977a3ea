"""Recurrent cells: one step of a net, for loops of one's own."""

from math import sqrt
from typing import Any

from ...errors import DTypeError
from ...ops.recurrent import GRU, LSTM, RNN
from .. import init
from ..module import Module
from ..parameter import blank, size
from .network import checked_input, checked_state


class _Cell(Module):
    """What all have in common; a subclass says how many gates there are, what its states are called, and how a step is computed."""

    gates = 1
    states: tuple[str, ...] = ("hx",)

    def _build(self, input_size: int, hidden_size: int, bias: bool, place: tuple) -> None:
        Module.__init__(self)
        who = type(self).__name__
        self.input_size, self.hidden_size = size(who, "input_size", input_size, 1), size(who, "hidden_size", hidden_size, 1)
        self.bias, wide = bias, self.gates * hidden_size
        self.weight_ih, self.weight_hh = blank((wide, input_size), *place), blank((wide, hidden_size), *place)
        self.register_parameter("bias_ih", blank((wide,), *place) if bias else None)
        self.register_parameter("bias_hh", blank((wide,), *place) if bias else None)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw new initial values."""
        bound = 1 / sqrt(self.hidden_size)
        for p in self.parameters():
            init.uniform_(p, -bound, bound)

    def _step(self, x: Any, states: list, weights: tuple, sizes: tuple[int, ...]) -> tuple:
        """The outputs and the states of one step."""
        raise NotImplementedError

    def forward(self, x: Any, hx: Any = None) -> Any:
        who = type(self).__name__
        x = checked_input(who, x, self.input_size, (1, 2), f"(batch, {self.input_size}) or ({self.input_size},)")
        single = len(x.shape) == 1
        batch = 1 if single else x.shape[0]
        given = (hx,) if len(self.states) == 1 or hx is None else hx
        if not isinstance(given, (tuple, list)) or (hx is not None and len(given) != len(self.states)):
            raise DTypeError(f"{who}: hx must be a tuple ({', '.join(self.states)}) or None, got {type(hx).__name__}")
        starts = [None] * len(self.states)
        if hx is not None:
            shape = (self.hidden_size,) if single else (batch, self.hidden_size)
            starts = [
                checked_state(who, what, s, shape).reshape((batch, self.hidden_size)) for what, s in zip(self.states, given, strict=True)
            ]
        weights = (self.weight_ih, self.weight_hh, self.bias_ih, self.bias_hh)
        _, *last = self._step(x.reshape((batch, self.input_size)), starts, weights, (batch,))
        found = tuple([s[0] for s in last] if single else last)
        return found if len(found) > 1 else found[0]

    def extra_repr(self) -> str:
        text = f"{self.input_size}, {self.hidden_size}" + ("" if self.bias else ", bias=False")
        return text if getattr(self, "nonlinearity", "tanh") == "tanh" else f"{text}, nonlinearity={self.nonlinearity}"


class RNNCell(_Cell):
    """One step of a plain recurrent net: h' = tanh(W_ih x + b_ih + W_hh h + b_hh).

    Shapes: x (batch, input_size) or (input_size,); hx and h' (batch, hidden_size) or (hidden_size,); ``weight_ih`` (hidden_size,
        input_size), ``weight_hh`` (hidden_size, hidden_size), ``bias_ih`` and ``bias_hh`` (hidden_size,).

    Args:
        input_size, hidden_size: features of x and of h.
        bias: whether b_ih and b_hh are there.
        nonlinearity: ``"tanh"`` or ``"relu"``.
        device, dtype: where the parameters are made, and of what.
        hx (of forward): the state before; None: zeros.

    Raises:
        ValueError: sizes below 1, another nonlinearity.
        ShapeError: x or hx that do not fit.

    Source:
        Elman, "Finding structure in time", 1990.

    Example:
        >>> import minigrad as mg
        >>> from minigrad import nn
        >>> cell, h = nn.RNNCell(3, 4), None
        >>> for x in mg.zeros((5, 2, 3)):
        ...     h = cell(x, h)
        >>> h.shape
        (2, 4)
    """

    def __init__(
        self, input_size: int, hidden_size: int, bias: bool = True, nonlinearity: str = "tanh", device: Any = None, dtype: Any = None
    ):
        if nonlinearity not in ("tanh", "relu"):
            raise ValueError(f"RNNCell: nonlinearity must be 'tanh' or 'relu', got {nonlinearity!r}")
        self._build(input_size, hidden_size, bias, (dtype, device))
        self.nonlinearity = nonlinearity

    def _step(self, x: Any, states: list, weights: tuple, sizes: tuple[int, ...]) -> tuple:
        return RNN(x, *states, *weights, self.nonlinearity, sizes, False)


class LSTMCell(_Cell):
    """One step of an LSTM: (i, f, g, o) of W_ih x + b_ih + W_hh h + b_hh; c' = f c + i g, h' = o tanh(c'). Returns (h', c').

    Shapes: x (batch, input_size) or (input_size,); hx = (h, c), each (batch, hidden_size) or (hidden_size,), as are h' and c'; weights
        and biases as those of ``RNNCell``, with 4 * hidden_size rows.

    Args:
        input_size, hidden_size: features of x, and of h and c.
        bias: whether b_ih and b_hh are there.
        device, dtype: where the parameters are made, and of what.
        hx (of forward): the states before; None: zeros.

    Raises:
        ValueError: sizes below 1.
        ShapeError: x or hx that do not fit.
        DTypeError: hx that is no pair.

    Source:
        As for ``LSTM``.

    Example:
        >>> import minigrad as mg
        >>> from minigrad import nn
        >>> h, c = nn.LSTMCell(3, 4)(mg.zeros((2, 3)))
        >>> h.shape, c.shape
        ((2, 4), (2, 4))
    """

    gates, states = 4, ("h_0", "c_0")

    def __init__(self, input_size: int, hidden_size: int, bias: bool = True, device: Any = None, dtype: Any = None):
        self._build(input_size, hidden_size, bias, (dtype, device))

    def _step(self, x: Any, states: list, weights: tuple, sizes: tuple[int, ...]) -> tuple:
        return LSTM(x, *states, *weights, None, sizes, False)


class GRUCell(_Cell):
    """One step of a GRU: h' = (1 - z) n + z h, with r, z and n as in ``GRU``.

    Shapes: x (batch, input_size) or (input_size,); hx and h' (batch, hidden_size) or (hidden_size,); weights and biases as those of
        ``RNNCell``, with 3 * hidden_size rows.

    Args:
        input_size, hidden_size: features of x and of h.
        bias: whether b_ih and b_hh are there.
        device, dtype: where the parameters are made, and of what.
        hx (of forward): the state before; None: zeros.

    Raises:
        ValueError: sizes below 1.
        ShapeError: x or hx that do not fit.

    Source:
        As for ``GRU``.

    Example:
        >>> import minigrad as mg
        >>> from minigrad import nn
        >>> nn.GRUCell(3, 4)(mg.zeros(3), mg.ones(4)).shape
        (4,)
    """

    gates = 3

    def __init__(self, input_size: int, hidden_size: int, bias: bool = True, device: Any = None, dtype: Any = None):
        self._build(input_size, hidden_size, bias, (dtype, device))

    def _step(self, x: Any, states: list, weights: tuple, sizes: tuple[int, ...]) -> tuple:
        return GRU(x, *states, *weights, sizes, False)


__all__ = ["GRUCell", "LSTMCell", "RNNCell"]
