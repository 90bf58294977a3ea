"""Rows of ops/joining.py, ops/stacking.py and ops/resizing.py."""

import numpy as np

from ... import ops
from ...errors import DTypeError, IndexRangeError, ShapeError
from ..spec import OpSpec, S

X = np.ones((2, 3))


def _two(name):
    """The function of a list, called with its arrays one by one."""
    f = getattr(ops, name)
    return lambda *xs, **kwargs: f(list(xs), **kwargs)


def _listed(f):
    return lambda *xs, **kwargs: f(list(xs), **kwargs)


SPECS = [
    OpSpec(
        "concat",
        _listed(np.concatenate),
        [S((2, 3), (4, 3)), S((2, 3), (2, 1), (2, 2), axis=-1), S((2, 3), (2,), axis=None), S((3,))],
        op=_two("concat"),
        complex=True,
        errors=[
            ((X, np.ones((2, 4))), {}, ShapeError, ("concat", "(2, 3)", "(2, 4)")),
            ((), {}, ShapeError, ("concat", "at least one")),
            ((X,), {"axis": 2}, ShapeError, ("concat", "axis 2")),
        ],
    ),
    OpSpec(
        "stack",
        _listed(np.stack),
        [S((2, 3), (2, 3)), S((2, 3), (2, 3), (2, 3), axis=-1), S((2,), axis=1), S((), ())],
        op=_two("stack"),
        complex=True,
        errors=[((X, np.ones(3)), {}, ShapeError, ("stack", "(2, 3)", "(3,)")), ((), {}, ShapeError, ("stack", "at least one"))],
    ),
    OpSpec("hstack", _listed(np.hstack), [S((2, 3), (2, 1)), S((2,), (3,)), S((), (2,))], op=_two("hstack")),
    OpSpec("vstack", _listed(np.vstack), [S((2, 3), (1, 3)), S((2,), (2,)), S((), ())], op=_two("vstack")),
    OpSpec("dstack", _listed(np.dstack), [S((2, 3), (2, 3)), S((2,), (2,)), S((2, 3, 1), (2, 3, 2))], op=_two("dstack")),
    OpSpec("column_stack", _listed(np.column_stack), [S((2,), (2,)), S((2,), (2, 3))], op=_two("column_stack")),
    OpSpec(
        "block",
        lambda a, b, c: np.block([[a, b], [c]]),
        [S((2, 2), (2, 1), (1, 3)), S((1, 1), (), (2,))],
        op=lambda a, b, c: ops.block([[a, b], [c]]),
        empty="skip",
        errors=[(([[X], X], X, X), {}, ShapeError, ("block", "depth"))],
    ),
    OpSpec("append", np.append, [S((2, 3), (1, 3), axis=0), S((2, 3), (2,))]),
    OpSpec(
        "split",
        np.split,
        [S((4, 3), indices_or_sections=2), S((2, 6), indices_or_sections=3, axis=1), S((5,), indices_or_sections=[1, 4])],
        complex=True,
        errors=[
            ((X, 2), {"axis": 1}, ShapeError, ("split", "axis 1", "(2, 3)", "2 equal", "array_split")),
            ((X, 0), {}, ShapeError, ("split", "positive")),
            ((X, 1.5), {}, DTypeError, ("split", "1.5")),
        ],
    ),
    OpSpec(
        "array_split",
        np.array_split,
        [
            S((7, 2), indices_or_sections=3),
            S((3,), indices_or_sections=5),
            S((5,), indices_or_sections=[-1]),
            S((5,), indices_or_sections=[3, 1, 9]),
        ],
        empty="skip",
        errors=[((X, -1), {}, ShapeError, ("array_split", "positive"))],
    ),
    OpSpec(
        "chunk",
        lambda x, chunks, axis=0: np.array_split(x, range(-(-x.shape[axis] // chunks), x.shape[axis], -(-x.shape[axis] // chunks)), axis),
        [S((7, 2), chunks=3), S((2, 6), chunks=4, axis=1), S((3,), chunks=5)],
    ),
    OpSpec(
        "unstack",
        lambda x, axis=0: list(np.moveaxis(x, axis, 0)),
        [S((2, 3)), S((2, 3), axis=-1), S((3,))],
        complex=True,
        errors=[((np.float64(1.0),), {}, ShapeError, ("unstack", "axis 0"))],
    ),
    OpSpec(
        "hsplit",
        np.hsplit,
        [S((2, 4), indices_or_sections=2), S((4,), indices_or_sections=[1])],
        errors=[((np.float64(1.0), 1), {}, ShapeError, "hsplit")],
    ),
    OpSpec("vsplit", np.vsplit, [S((4, 2), indices_or_sections=2)], errors=[((np.ones(3), 1), {}, ShapeError, ("vsplit", "(3,)"))]),
    OpSpec("dsplit", np.dsplit, [S((2, 1, 4), indices_or_sections=2)], errors=[((X, 1), {}, ShapeError, ("dsplit", "(2, 3)"))]),
    OpSpec(
        "delete",
        np.delete,
        [S((4, 3), 1, 0), S((4, 3), [0, -1], 1), S((2, 2), slice(0, 3))],
        empty="skip",
        errors=[((X, 5, 0), {}, IndexRangeError, ("delete", "5"))],
    ),
    OpSpec(
        "insert",
        np.insert,
        [S((3, 2), 1, (2,), 0), S((3, 2), [0, 3], (2, 2), 0), S((2, 2), 4, (), None), S((2, 3), [1, 1], (2, 2), 1)],
        empty="skip",
        errors=[((X, 5, 0.0, 0), {}, IndexRangeError, ("insert", "5"))],
    ),
    OpSpec(
        "meshgrid",
        np.meshgrid,
        [S((3,), (2,)), S((3,), (2,), (2,), indexing="ij"), S((2,))],
        errors=[((X,), {}, ShapeError, ("meshgrid", "(2, 3)")), ((np.ones(2),), {"indexing": "yx"}, ShapeError, ("meshgrid", "yx"))],
    ),
    OpSpec(
        "repeat",
        np.repeat,
        [S((2, 3), repeats=2), S((2, 3), repeats=3, axis=1), S((2, 3), repeats=np.array([2, 0]), axis=0), S((), repeats=2)],
        errors=[
            ((X, -1), {}, ShapeError, ("repeat", "-1")),
            ((X, [1, 2]), {"axis": 1}, ShapeError, ("repeat", "2 repeats", "length 3")),
            ((X, 1.5), {}, DTypeError, "repeat"),
        ],
    ),
    OpSpec(
        "tile",
        np.tile,
        [S((2, 3), reps=2), S((2, 3), reps=(2, 1, 3)), S((2,), reps=(2, 2)), S((), reps=3)],
        errors=[((X, -1), {}, ShapeError, ("tile", "-1"))],
    ),
    OpSpec(
        "pad",
        np.pad,
        [
            S((2, 3), pad_width=1),
            S((2, 3), pad_width=((0, 2), (1, 0)), constant_values=1.5),
            S((2, 3), pad_width=(1, 2), constant_values=((1, 2), (3, 4))),
            S((3, 4), pad_width=((1, 2), (2, 3)), mode="reflect"),
            S((3, 4), pad_width=((1, 2), (0, 1)), mode="symmetric"),
            S((3, 2), pad_width=((4, 2), (0, 1)), mode="wrap"),
            S((3, 2), pad_width=((1, 2), (0, 1)), mode="edge"),
        ],
        complex=True,
        errors=[
            ((X, -1), {}, ShapeError, ("pad", "negative")),
            ((X, ((1, 2),) * 3), {}, ShapeError, ("pad", "2 axes")),
            ((X, 1, "mirror"), {}, ShapeError, ("pad", "mirror", "reflect")),
            ((X, 1.5), {}, DTypeError, ("pad", "1.5")),
            ((np.ones((2, 0)), 1, "edge"), {}, ShapeError, ("pad", "empty")),
        ],
    ),
]
