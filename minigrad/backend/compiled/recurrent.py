"""Recurrent nets, all steps at once: each thread takes its share of the sequences from the first step to the last."""

from collections.abc import Callable
from typing import Any

import numpy as np

from .forms import Family, Form

FAMILY = Family("recurrent")
LEAST = 64
empty, ordered, float32 = np.empty, np.ascontiguousarray, np.dtype("float32")


@FAMILY.form("rows_apart", "", LEAST)
def _rows_apart(c: Form, plain: Callable) -> Callable:
    """No C at all: what it would compute with, it leaves where it is."""
    return lambda x: x.shape[1] if x.size >= c.least and x.dtype == float32 else plain(x)


@FAMILY.form("rnn_walk", "oooooooll", LEAST)
def _rnn_walk(c: Form, plain: Callable) -> Callable:
    def kernel(x: Any, w_x: Any, bias: Any, w: Any, h0: Any, walk: Any, relu: bool) -> Any:
        n, width = x.shape[0], h0.shape[1]
        if n * width >= c.least and x.dtype == float32:
            y = empty((n, width), float32)
            if not c.call(x, ordered(w_x), x if bias is None else bias, ordered(w), ordered(h0), y, walk.table, walk.apart, relu):
                return y
        return plain(x, w_x, bias, w, h0, walk, relu)

    return kernel


@FAMILY.form("rnn_walk_gradient", "ooooooll", LEAST)
def _rnn_walk_gradient(c: Form, plain: Callable) -> Callable:
    def kernel(slopes: Any, y: Any, w: Any, g: Any, back: Any, walk: Any, relu: bool) -> None:
        if y.size < c.least or c.call(slopes, y, ordered(w), y if g is None else g, back, walk.table, walk.apart, relu):
            plain(slopes, y, w, g, back, walk, relu)

    return kernel


@FAMILY.form("lstm_walk", "oooooooooool", LEAST)
def _lstm_walk(c: Form, plain: Callable) -> Callable:
    def kernel(x: Any, w_x: Any, bias: Any, w: Any, v: Any, h0: Any, c0: Any, walk: Any) -> Any:
        n, units = x.shape[0], c0.shape[1]
        if n * units >= c.least and x.dtype == float32:
            weight = ordered(w)
            made = empty((n, 4 * units), float32), empty((n, h0.shape[1]), float32), empty((n, units), float32)
            shift, projection = x if bias is None else bias, weight if v is None else ordered(v)
            if not c.call(x, ordered(w_x), shift, weight, projection, ordered(h0), ordered(c0), *made, walk.table, walk.apart):
                return made
        return plain(x, w_x, bias, w, v, h0, c0, walk)

    return kernel


@FAMILY.form("lstm_walk_gradient", "ooooooooooo" + "l", LEAST)
def _lstm_walk_gradient(c: Form, plain: Callable) -> Callable:
    def kernel(
        slopes: Any,
        gates: Any,
        states: Any,
        c0: Any,
        w: Any,
        v: Any,
        g: Any,
        back: Any,
        back_c: Any,
        projected: Any,
        walk: Any,
    ) -> None:
        if states.size >= c.least:
            weight = ordered(w)
            projection, through = (weight, slopes) if v is None else (ordered(v), projected)
            above = gates if g is None else g
            if not c.call(slopes, gates, states, ordered(c0), weight, projection, above, back, back_c, through, walk.table, walk.apart):
                return
        plain(slopes, gates, states, c0, w, v, g, back, back_c, projected, walk)

    return kernel


@FAMILY.form("gru_walk", "ooooooooool", LEAST)
def _gru_walk(c: Form, plain: Callable) -> Callable:
    def kernel(x: Any, w_x: Any, shift: Any, w: Any, bias: Any, h0: Any, walk: Any) -> Any:
        n, units = x.shape[0], h0.shape[1]
        if n * units >= c.least and x.dtype == float32:
            made = empty((n, 3 * units), float32), empty((n, units), float32), empty((n, units), float32)
            given = (x, ordered(w_x), x if shift is None else shift, ordered(w), ordered(bias), ordered(h0))
            if not c.call(*given, *made, walk.table, walk.apart):
                return made
        return plain(x, w_x, shift, w, bias, h0, walk)

    return kernel


@FAMILY.form("gru_walk_gradient", "ooooooooo" + "l", LEAST)
def _gru_walk_gradient(c: Form, plain: Callable) -> Callable:
    def kernel(slopes: Any, gates: Any, inner: Any, y: Any, h0: Any, w: Any, g: Any, back: Any, walk: Any) -> None:
        above = y if g is None else g
        if y.size < c.least or c.call(slopes, gates, inner, y, ordered(h0), ordered(w), above, back, walk.table, walk.apart):
            plain(slopes, gates, inner, y, h0, w, g, back, walk)

    return kernel


@FAMILY.form("weight_slopes", "oooooooo" + "ll", LEAST)
def _weight_slopes(c: Form, plain: Callable) -> Callable:
    def kernel(slopes: Any, column: int, x: Any, states: Any, first: Any, walk: Any) -> Any:
        if slopes.size >= c.least and slopes.dtype == float32:
            lead = slopes.shape[1]
            of_h: Any = empty((lead - column, states.shape[1]), float32)
            of_x, sums = (None, None) if x is None else (empty((lead - column, x.shape[1]), float32), empty(lead, float32))
            if not c.call(slopes, slopes if x is None else x, states, ordered(first), of_x, of_h, sums, walk.table, walk.apart, column):
                return of_x, of_h, sums
        return plain(slopes, column, x, states, first, walk)

    return kernel
