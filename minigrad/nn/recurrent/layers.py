"""Recurrent nets over whole sequences: plain, LSTM and GRU."""

from typing import Any

from ...ops.recurrent import GRU as gru
from ...ops.recurrent import LSTM as lstm
from ...ops.recurrent import RNN as rnn
from .network import Network


class RNN(Network):
    """The plain recurrent net: h_t = tanh(W_ih x_t + b_ih + W_hh h_(t-1) + b_hh), layer upon layer.

    ``y, h_n = net(x, hx=None, lengths=None)``: y is h of the last layer at every step, h_n that of every layer after the last step.

    Shapes: x (time, batch, input_size), with ``batch_first`` (batch, time, input_size), unbatched (time, input_size), or a
        PackedSequence; y alike, with hidden_size features, twice as many if bidirectional (forward first); hx and h_n
        (num_layers * directions, batch, hidden_size), without the batch for an unbatched x. ``weight_ih_l0`` (hidden_size, input_size),
        ``weight_hh_l0`` (hidden_size, hidden_size), biases (hidden_size,); ``_l1`` the second layer, ``_reverse`` the way back.

    Args:
        input_size, hidden_size: features of x and of h.
        num_layers: how many are stacked, each reading what the one below gives.
        nonlinearity: ``"tanh"`` or ``"relu"``.
        bias: whether b_ih and b_hh are there.
        batch_first: x and y are (batch, time, features); hx and h_n are not.
        dropout: the probability with which what a layer gives to the next is dropped, in training.
        bidirectional: a second net reads each layer's input from its end; outputs stand side by side.
        device, dtype: where the parameters are made, and of what.
        lengths (of forward): how long each sequence of a padded batch is, integers on the CPU in any order. Nothing is computed beyond
            a sequence's end: y is zero there, h_n is the state at the end, and the way back begins at it.

    Raises:
        ValueError: sizes below 1, a nonlinearity or a dropout that is none.
        ShapeError: x, hx or lengths that do not fit; no steps. A batch of 0 gives empty results.
        DTypeError: x that is not floating, lengths that are not integers.

    Gradient: backpropagation through time in one op per layer and direction, with one matrix product for each weight; it keeps y alone.
    Numerics: half precision is computed in float32.
    Source:
        Elman, "Finding structure in time", 1990. Initial values as in PyTorch: uniform within 1 / sqrt(hidden_size).

    Example:
        >>> import minigrad as mg
        >>> from minigrad import nn
        >>> y, h = nn.RNN(3, 4, num_layers=2)(mg.zeros((5, 2, 3)))
        >>> y.shape, h.shape
        ((5, 2, 4), (2, 2, 4))
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        nonlinearity: str = "tanh",
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        device: Any = None,
        dtype: Any = None,
    ):
        if nonlinearity not in ("tanh", "relu"):
            raise ValueError(f"RNN: nonlinearity must be 'tanh' or 'relu', got {nonlinearity!r}")
        self._build(input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional, 0, (dtype, device))
        self.nonlinearity = nonlinearity

    def _layer(self, x: Any, states: list, weights: tuple, sizes: tuple[int, ...], reverse: bool) -> tuple:
        return rnn(x, *states, *weights[:4], self.nonlinearity, sizes, reverse)


class LSTM(Network):
    """The long short-term memory: a state c that is kept by a gate f, written to by a gate i and read by a gate o, layer upon layer.

    (i, f, g, o) = (sigmoid, sigmoid, tanh, sigmoid)(W_ih x_t + b_ih + W_hh h_(t-1) + b_hh), c_t = f c_(t-1) + i g, h_t = o tanh(c_t);
    with ``proj_size`` h_t = W_hr (o tanh(c_t)). ``y, (h_n, c_n) = net(x, hx=None, lengths=None)`` with hx = (h_0, c_0).

    Shapes: as those of ``RNN``, with weights and biases of 4 * hidden_size rows; c of hidden_size features; h and y of proj_size where
        that is given, and ``weight_hr_l0`` (proj_size, hidden_size).

    Args:
        input_size, hidden_size: features of x and of c.
        num_layers: how many are stacked, each reading what the one below gives.
        bias: whether b_ih and b_hh are there.
        batch_first: x and y are (batch, time, features); states are not.
        dropout: the probability with which what a layer gives to the next is dropped, in training.
        bidirectional: a second net reads each layer's input from its end; outputs stand side by side.
        proj_size: the features of h where they are to be fewer; 0: as many as c has.
        device, dtype: where the parameters are made, and of what.
        lengths (of forward): as for ``RNN``.

    Raises:
        ValueError: sizes below 1, proj_size not below hidden_size, a dropout that is none.
        ShapeError: x, hx or lengths that do not fit; no steps. A batch of 0 gives empty results.
        DTypeError: x that is not floating, lengths that are not integers, hx that is no pair.

    Gradient: backpropagation through time in one op per layer and direction; it keeps the gates, c and h.
    Numerics: half precision is computed in float32; sigmoid(u) is tanh(u / 2) / 2 + 1/2, whose error is relative to 1.
    Source:
        Hochreiter and Schmidhuber, "Long short-term memory", 1997; the gate f: Gers, Schmidhuber and Cummins, "Learning to
        forget", 2000; proj_size: Sak, Senior and Beaufays, 2014. No peepholes.

    Example:
        >>> import minigrad as mg
        >>> from minigrad import nn
        >>> y, (h, c) = nn.LSTM(3, 4, batch_first=True, bidirectional=True)(mg.zeros((2, 5, 3)), lengths=[5, 2])
        >>> y.shape, h.shape, y[1, 2:].tolist() == mg.zeros((3, 8)).tolist()
        ((2, 5, 8), (2, 2, 4), True)
    """

    gates, states = 4, ("h_0", "c_0")

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        proj_size: int = 0,
        device: Any = None,
        dtype: Any = None,
    ):
        self._build(input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional, proj_size, (dtype, device))

    def _layer(self, x: Any, states: list, weights: tuple, sizes: tuple[int, ...], reverse: bool) -> tuple:
        return lstm(x, *states, *weights, sizes, reverse)


class GRU(Network):
    """The gated recurrent unit: h_t = (1 - z) n + z h_(t-1), layer upon layer.

    r = sigmoid(W_ir x_t + b_ir + W_hr h + b_hr), z = sigmoid(W_iz x_t + b_iz + W_hz h + b_hz), n = tanh(W_in x_t + b_in + r (W_hn h +
    b_hn)) with h = h_(t-1). ``y, h_n = net(x, hx=None, lengths=None)``.

    Shapes: as those of ``RNN``, with weights and biases of 3 * hidden_size rows, for r, z and n.

    Args:
        input_size, hidden_size: features of x and of h.
        num_layers: how many are stacked, each reading what the one below gives.
        bias: whether b_ih and b_hh are there.
        batch_first: x and y are (batch, time, features); states are not.
        dropout: the probability with which what a layer gives to the next is dropped, in training.
        bidirectional: a second net reads each layer's input from its end; outputs stand side by side.
        device, dtype: where the parameters are made, and of what.
        lengths (of forward): as for ``RNN``.

    Raises:
        ValueError: sizes below 1, a dropout that is none.
        ShapeError: x, hx or lengths that do not fit; no steps. A batch of 0 gives empty results.
        DTypeError: x that is not floating, lengths that are not integers.

    Gradient: backpropagation through time in one op per layer and direction; it keeps the gates, W_hn h + b_hn and h.
    Numerics: as for ``LSTM``.
    Source:
        Cho et al., "Learning phrase representations using RNN encoder-decoder", 2014; r stands outside of the product with W_hn, as in
        PyTorch and cuDNN, and z keeps the old state.

    Example:
        >>> import minigrad as mg
        >>> from minigrad import nn
        >>> y, h = nn.GRU(3, 4)(mg.zeros((5, 3)))
        >>> y.shape, h.shape
        ((5, 4), (1, 4))
    """

    gates = 3

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        device: Any = None,
        dtype: Any = None,
    ):
        self._build(input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional, 0, (dtype, device))

    def _layer(self, x: Any, states: list, weights: tuple, sizes: tuple[int, ...], reverse: bool) -> tuple:
        return gru(x, *states, *weights[:4], sizes, reverse)


__all__ = ["GRU", "LSTM", "RNN"]
