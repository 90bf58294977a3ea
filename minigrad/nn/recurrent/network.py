"""What recurrent nets have in common: layers, directions, layouts, states, lengths."""

import warnings
from itertools import pairwise
from math import sqrt
from typing import Any

from ...autograd.tensor import raw
from ...backend import device_of, is_complex, is_inexact, to_device
from ...errors import DTypeError, ShapeError
from ...ops.fused import check_probability, dropout
from ...ops.joining import concat, stack
from ...ops.losses import given
from ...ops.recurrent import take_rows
from .. import init
from ..module import Module
from ..parameter import blank, size
from ..utils.rnn import PackedSequence, checked_lengths, host, pack_padded_sequence, pad_packed_sequence

WEIGHTS = ("weight_ih", "weight_hh", "bias_ih", "bias_hh", "weight_hr")
"""What the names of parameters begin with."""


def checked_input(who: str, x: Any, features: int, axes: tuple[int, ...], expected: str) -> Any:
    """A floating x with so many axes, the last of ``features``; DTypeError or ShapeError otherwise."""
    x = given(x)
    if not is_inexact(x.dtype) or is_complex(x.dtype):
        raise DTypeError(f"{who}: x must be floating, got {x.dtype}; use astype('float32')")
    if len(x.shape) not in axes:
        raise ShapeError(f"{who}: expected x of shape {expected}, got {tuple(x.shape)}")
    if x.shape[-1] != features:
        raise ShapeError(f"{who}: x has {x.shape[-1]} features, input_size is {features} (x {tuple(x.shape)})")
    return x


def checked_state(who: str, what: str, state: Any, shape: tuple[int, ...]) -> Any:
    """A state of this shape; ShapeError otherwise."""
    state = given(state)
    if tuple(state.shape) != shape:
        raise ShapeError(f"{who}: {what} has shape {tuple(state.shape)}, expected {shape}")
    return state


class Network(Module):
    """What all have in common; a subclass says how many gates there are, what its states are called, and how a layer is computed."""

    gates = 1
    states: tuple[str, ...] = ("hx",)

    def _build(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int,
        bias: bool,
        batch_first: bool,
        dropout: float,
        bidirectional: bool,
        proj_size: int,
        place: tuple,
    ) -> None:
        Module.__init__(self)
        who = type(self).__name__
        self.input_size, self.hidden_size = size(who, "input_size", input_size, 1), size(who, "hidden_size", hidden_size, 1)
        self.num_layers = size(who, "num_layers", num_layers, 1)
        self.proj_size = size(who, "proj_size", proj_size) if proj_size else 0
        if self.proj_size >= self.hidden_size:
            raise ValueError(f"{who}: proj_size must be smaller than hidden_size={hidden_size}, got {proj_size}")
        self.bias, self.batch_first, self.bidirectional = bias, batch_first, bidirectional
        self.dropout = check_probability(who, dropout, "dropout")
        if dropout and num_layers == 1:
            warnings.warn(f"{who}: dropout={dropout} acts between layers, and num_layers=1 has no place for it", UserWarning, stacklevel=3)
        width, wide = self.proj_size or self.hidden_size, self.gates * self.hidden_size
        self._ways = [f"l{k}{end}" for k in range(num_layers) for end in ("", "_reverse")[: 1 + bidirectional]]
        for i, way in enumerate(self._ways):
            inside = self.input_size if i < self._directions else width * self._directions
            shapes: dict[str, tuple[int, ...]] = {"weight_ih": (wide, inside), "weight_hh": (wide, width)}
            if bias:
                shapes |= {"bias_ih": (wide,), "bias_hh": (wide,)}
            if self.proj_size:
                shapes["weight_hr"] = (width, self.hidden_size)
            for name, shape in shapes.items():
                self.register_parameter(f"{name}_{way}", blank(shape, *place))
        self.reset_parameters()

    @property
    def _directions(self) -> int:
        return 1 + self.bidirectional

    @property
    def all_weights(self) -> list[list[Any]]:
        """The parameters of each layer and direction, a list of lists, in the order in which they were made."""
        own = self._parameters
        return [[getattr(self, name) for name in own if name.endswith(f"_{way}")] for way in self._ways]

    def reset_parameters(self) -> None:
        """Draw new initial values."""
        bound = 1 / sqrt(self.hidden_size)
        for p in self.parameters():
            init.uniform_(p, -bound, bound)

    def flatten_parameters(self) -> None:
        """Does nothing; there for programs written for PyTorch, whose GPU kernels want the weights in one piece."""

    def _layer(self, x: Any, states: list, weights: tuple, sizes: tuple[int, ...], reverse: bool) -> tuple:
        """The outputs of one direction of one layer and its last states, from packed rows."""
        raise NotImplementedError

    def forward(self, x: Any, hx: Any = None, *, lengths: Any = None) -> Any:
        if isinstance(x, PackedSequence):
            if lengths is not None:
                raise ValueError(f"{type(self).__name__}: a PackedSequence knows its lengths; leave lengths out")
            return self._packed(x, hx)
        who = type(self).__name__
        expected = f"({'batch, time' if self.batch_first else 'time, batch'}, {self.input_size}) or, unbatched, (time, {self.input_size})"
        x = checked_input(who, x, self.input_size, (2, 3), expected)
        single = len(x.shape) == 2
        front = single or not self.batch_first
        steps, batch = (x.shape[0], 1) if single else x.shape[:2] if front else x.shape[1::-1]
        if not steps:
            raise ShapeError(f"{who}: x {tuple(x.shape)} has no steps; expected at least one")
        if lengths is not None:
            if single:
                raise ShapeError(f"{who}: lengths go with a batch, x {tuple(x.shape)} is unbatched; cut it off instead")
            ends = checked_lengths(who, lengths, batch, steps)
            if batch and ends.min() < steps:
                y, last = self._packed(pack_padded_sequence(x, ends, self.batch_first, enforce_sorted=False), hx)
                return pad_packed_sequence(y, self.batch_first, total_length=steps)[0], last
        rows = x if single or not front else x.reshape((steps * batch, self.input_size))  # where the batch is first, it stays there
        y, last = self._run(rows, (batch,) * steps, self._initial(hx, batch, single))
        return y if single or not front else y.reshape((steps, batch, y.shape[1])), self._final(last, single)

    def _packed(self, x: PackedSequence, hx: Any) -> Any:
        """Forward of packed sequences: packed too."""
        data = checked_input(type(self).__name__, x.data, self.input_size, (2,), f"(sum of lengths, {self.input_size})")
        sizes, orders = tuple(host(x.batch_sizes).tolist()), (x.sorted_indices, x.unsorted_indices)
        if sum(sizes) != data.shape[0] or not sizes or any(a < b for a, b in pairwise(sizes)):
            raise ShapeError(f"{type(self).__name__}: batch_sizes must never grow and add up to {data.shape[0]} rows, got {sizes}")
        there, back = [None if o is None else to_device(host(o), device_of(raw(data))) for o in orders]
        start = self._initial(hx, sizes[0], False)
        if there is not None:
            start = [[s if s is None else take_rows(s, there) for s in kind] for kind in start]
        y, last = self._run(data, sizes, start)
        if back is not None:
            last = [[take_rows(s, back) for s in kind] for kind in last]
        return PackedSequence(y, x.batch_sizes, *orders), self._final(last, False)

    def _initial(self, hx: Any, batch: int, single: bool) -> list[list]:
        """The given states, kind by kind, layer by layer: each (batch, width), or None."""
        who, count = type(self).__name__, len(self._ways)
        if hx is None:
            return [[None] * count for _ in self.states]
        if len(self.states) == 1:
            hx = (hx,)
        elif not isinstance(hx, (tuple, list)) or len(hx) != len(self.states):
            raise DTypeError(f"{who}: hx must be a tuple ({', '.join(self.states)}) or None, got {type(hx).__name__}")
        found = []
        for what, state, width in zip(self.states, hx, (self.proj_size or self.hidden_size, self.hidden_size), strict=False):
            s = checked_state(who, what, state, (count, width) if single else (count, batch, width))
            found.append([s[k : k + 1] if single else s[k] for k in range(count)])
        return found

    def _final(self, last: list[list], single: bool) -> Any:
        """The last states as they are returned: (layers * directions, batch, width) each."""
        if len(self._ways) == 1:
            found = tuple([kind[0] if single else kind[0].reshape((1, *kind[0].shape)) for kind in last])
        else:
            found = tuple([concat(kind) if single else stack(kind) for kind in last])
        return found if len(found) > 1 else found[0]

    def _run(self, x: Any, sizes: tuple[int, ...], start: list[list]) -> tuple[Any, list[list]]:
        """All layers, on packed rows or sequence after sequence: see ops/recurrent/steps.py."""
        last: list[list] = [[] for _ in self.states]
        for k in range(self.num_layers):
            ys = []
            for j in range(self._directions):
                i = k * self._directions + j
                weights = tuple([getattr(self, f"{name}_{self._ways[i]}", None) for name in WEIGHTS])
                y, *states = self._layer(x, [kind[i] for kind in start], weights, sizes, j == 1)
                ys.append(y)
                for kind, s in zip(last, states, strict=True):
                    kind.append(s)
            x = ys[0] if len(ys) == 1 else concat(ys, axis=-1)
            if self.dropout and k < self.num_layers - 1:
                x = dropout(x, self.dropout, self.training)
        return x, last

    def extra_repr(self) -> str:
        text = f"{self.input_size}, {self.hidden_size}"
        usual = {
            "nonlinearity": "tanh",
            "proj_size": 0,
            "num_layers": 1,
            "bias": True,
            "batch_first": False,
            "dropout": 0.0,
            "bidirectional": False,
        }
        return text + "".join([f", {n}={v}" for n, u in usual.items() if (v := getattr(self, n, u)) != u])


__all__ = ["Network"]
