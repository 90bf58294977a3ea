"""Recurrent nets, all steps at once: each thread takes its share of the sequences from the first step to the last."""

from collections.abc import Callable
from typing import Any

import numpy as np

from .forms import Family, Form

FAMILY = Family("recurrent")
LEAST = 64
ordered, float32 = np.ascontiguousarray, np.dtype("float32")


@FAMILY.form("rows_apart", "", LEAST)
def _rows_apart(c: Form, plain: Callable) -> Callable:
    """No C at all: what it would compute with, it leaves where it is."""
    return lambda x: x.shape[1] if x.size >= c.least and x.dtype == float32 else plain(x)


@FAMILY.form("rnn_walk", "ooooll", LEAST)
def _rnn_walk(c: Form, plain: Callable) -> Callable:
    def kernel(y: Any, w: Any, h0: Any, walk: Any, relu: bool) -> None:
        if y.size < c.least or c.call(y, ordered(w), ordered(h0), walk.table, walk.apart, relu):
            plain(y, w, h0, walk, relu)

    return kernel


@FAMILY.form("rnn_walk_gradient", "ooooooll", LEAST)
def _rnn_walk_gradient(c: Form, plain: Callable) -> Callable:
    def kernel(slopes: Any, y: Any, w: Any, g: Any, back: Any, walk: Any, relu: bool) -> None:
        if y.size < c.least or c.call(slopes, y, ordered(w), y if g is None else g, back, walk.table, walk.apart, relu):
            plain(slopes, y, w, g, back, walk, relu)

    return kernel


@FAMILY.form("lstm_walk", "ooooooool", LEAST)
def _lstm_walk(c: Form, plain: Callable) -> Callable:
    def kernel(gates: Any, w: Any, v: Any, h0: Any, c0: Any, y: Any, states: Any, walk: Any) -> None:
        weight = ordered(w)
        projection = weight if v is None else ordered(v)
        if y.size < c.least or c.call(gates, weight, projection, ordered(h0), ordered(c0), y, states, walk.table, walk.apart):
            plain(gates, w, v, h0, c0, y, states, walk)

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


@FAMILY.form("gru_walk", "ooooooo" + "l", LEAST)
def _gru_walk(c: Form, plain: Callable) -> Callable:
    def kernel(gates: Any, w: Any, bias: Any, h0: Any, inner: Any, y: Any, walk: Any) -> None:
        if y.size < c.least or c.call(gates, ordered(w), ordered(bias), ordered(h0), inner, y, walk.table, walk.apart):
            plain(gates, w, bias, h0, inner, y, walk)

    return kernel


@FAMILY.form("gru_walk_gradient", "ooooooooo" + "l", LEAST)
def _gru_walk_gradient(c: Form, plain: Callable) -> Callable:
    def kernel(slopes: Any, gates: Any, inner: Any, y: Any, h0: Any, w: Any, g: Any, back: Any, walk: Any) -> None:
        above = y if g is None else g
        if y.size < c.least or c.call(slopes, gates, inner, y, ordered(h0), ordered(w), above, back, walk.table, walk.apart):
            plain(slopes, gates, inner, y, h0, w, g, back, walk)

    return kernel


@FAMILY.form("weight_slope", "ooooo" + "ll", LEAST)
def _weight_slope(c: Form, plain: Callable) -> Callable:
    def kernel(slopes: Any, columns: tuple[int, int], states: Any, first: Any, walk: Any) -> Any:
        if slopes.size >= c.least:
            y = np.empty((columns[1] - columns[0], states.shape[1]), np.float32)
            if not c.call(slopes, states, ordered(first), y, walk.table, walk.apart, columns[0]):
                return y
        return plain(slopes, columns, states, first, walk)

    return kernel
