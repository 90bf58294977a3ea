"""Rows of ops/shape.py."""

import numpy as np

from ... import ops
from ...errors import DTypeError, ShapeError
from ...ops.creation import zeros
from ..spec import OpSpec, S

X = np.ones((2, 3))


def _unflatten(x, axis, shape):
    axis %= x.ndim
    return x.reshape(x.shape[:axis] + tuple(shape) + x.shape[axis + 1 :])


def _expand(x, shape):
    lead = len(shape) - x.ndim
    return np.broadcast_to(x, [x.shape[i - lead] if n == -1 else n for i, n in enumerate(shape)])


def _flatten(x, start=0, end=-1):
    x = np.atleast_1d(x)
    first, last = start % x.ndim, end % x.ndim + 1
    return x.reshape(*x.shape[:first], int(np.prod(x.shape[first:last])), *x.shape[last:])


SPECS = [
    OpSpec(
        "reshape",
        lambda x, shape: np.reshape(x, shape),
        [S((2, 3), shape=(-1, 3)), S((2, 3), shape=6), S((2, 3), shape=(3, 1, 2)), S((), shape=(1, 1)), S((1,), shape=())],
        complex=True,
        errors=[
            ((X, (4, 2)), {}, ShapeError, ("reshape", "[2, 3]", "(4, 2)")),
            ((X, (-1, -1)), {}, ShapeError, ("reshape", "-1")),
            ((X, -2), {}, ShapeError, ("reshape", "-2")),
            ((X, (2.0, 3)), {}, DTypeError, "reshape"),
        ],
    ),
    OpSpec("ravel", np.ravel, [S((2, 3)), S(()), S((2, 1, 2))]),
    OpSpec(
        "flatten",
        _flatten,
        [S((2, 3, 2)), S((2, 3, 2), start=1), S((2, 3, 2), start=0, end=1), S(())],
        errors=[((X, 1, 0), {}, ShapeError, ("flatten", "start 1", "end 0")), ((X, 2), {}, ShapeError, ("flatten", "axis 2"))],
    ),
    OpSpec(
        "unflatten",
        _unflatten,
        [S((6, 2), axis=0, shape=(2, -1)), S((2, 6), axis=-1, shape=(3, 2))],
        empty="skip",
        errors=[
            ((X, 1, (2, -1)), {}, ShapeError, ("unflatten", "length 3", "(2, -1)")),
            ((X, 1, (2, 2)), {}, ShapeError, ("unflatten", "(2, 2)")),
        ],
    ),
    OpSpec(
        "squeeze",
        np.squeeze,
        [S((2, 1, 3)), S((2, 1, 3, 1), axis=1), S((1, 2, 1), axis=(0, -1)), S((1,), axis=0)],
        errors=[((X, 0), {}, ShapeError, ("squeeze", "axis 0", "(2, 3)"))],
    ),
    OpSpec(
        "expand_dims",
        np.expand_dims,
        [S((2, 3), axis=0), S((2, 3), axis=-1), S((2, 3), axis=(0, 2)), S((), axis=0)],
        errors=[((X, 4), {}, ShapeError, ("expand_dims", "axis 4")), ((X, (0, 0)), {}, ShapeError, ("expand_dims", "twice"))],
    ),
    OpSpec("atleast_1d", np.atleast_1d, [S((2, 3)), S(()), S((2,))]),
    OpSpec("atleast_2d", np.atleast_2d, [S((2, 3)), S(()), S((2,))]),
    OpSpec("atleast_3d", np.atleast_3d, [S((2, 3)), S(()), S((2,)), S((2, 1, 1, 2))]),
    OpSpec(
        "permute_dims",
        np.transpose,
        [S((2, 3, 4), axes=(1, 2, 0)), S((2, 3), axes=(-1, 0)), S((), axes=())],
        complex=True,
        errors=[
            ((X, (0, 0)), {}, ShapeError, ("permute_dims", "twice")),
            ((X, (0,)), {}, ShapeError, ("permute_dims", "2 axes")),
            ((X, (0, 2)), {}, ShapeError, ("permute_dims", "axis 2")),
        ],
    ),
    OpSpec("transpose", np.transpose, [S((2, 3)), S((2, 3, 2)), S((2, 3, 2), axes=(2, 0, 1)), S((3,)), S(())]),
    OpSpec(
        "swapaxes",
        np.swapaxes,
        [S((2, 3, 2), axis1=0, axis2=-1), S((2, 3), axis1=1, axis2=1)],
        errors=[((X, 0, 2), {}, ShapeError, ("swapaxes", "axis 2"))],
    ),
    OpSpec(
        "matrix_transpose",
        np.matrix_transpose,
        [S((2, 3)), S((2, 3, 4))],
        errors=[((np.ones(3),), {}, ShapeError, ("matrix_transpose", "(3,)"))],
    ),
    OpSpec(
        "moveaxis",
        np.moveaxis,
        [S((2, 3, 4), source=0, destination=-1), S((2, 3, 2), source=(0, 1), destination=(-1, 0)), S((2, 3), source=1, destination=1)],
        errors=[((X, (0, 1), 0), {}, ShapeError, ("moveaxis", "2 axes"))],
    ),
    OpSpec("flip", np.flip, [S((2, 3)), S((2, 3), axis=1), S((2, 3, 2), axis=(0, -1)), S(())]),
    OpSpec("flipud", np.flipud, [S((3, 2)), S((3,))], errors=[((np.float64(1.0),), {}, ShapeError, ("flip", "axis 0"))]),
    OpSpec("fliplr", np.fliplr, [S((2, 3))], errors=[((np.ones(3),), {}, ShapeError, ("flip", "axis 1"))]),
    OpSpec(
        "rot90",
        np.rot90,
        [S((2, 3)), S((2, 3), k=2), S((2, 3), k=-1), S((2, 3, 2), k=1, axes=(2, 1)), S((2, 3), k=4)],
        errors=[((X, 1, (0, 0)), {}, ShapeError, ("rot90", "axis"))],
    ),
    OpSpec(
        "roll",
        np.roll,
        [S((2, 3), shift=2), S((2, 3), shift=-1, axis=1), S((2, 3), shift=(1, 2), axis=(0, 1)), S((2, 3), shift=1, axis=(0, 1))],
        errors=[((X, (1, 2, 3), (0, 1)), {}, ShapeError, ("roll", "3 shifts", "2 axes"))],
    ),
    OpSpec(
        "broadcast_to",
        np.broadcast_to,
        [S((2, 1), shape=(3, 2, 4)), S((), shape=3), S((2, 3), shape=(2, 3))],
        empty="skip",
        errors=[((X, (2, 4)), {}, ShapeError, ("broadcast_to", "[2, 3]", "(2, 4)"))],
    ),
    OpSpec(
        "expand",
        _expand,
        [S((2, 1), shape=(3, -1, 4)), S((3,), shape=(2, 3))],
        op=lambda x, shape: ops.expand(x, shape),
        empty="skip",
        errors=[((X, (-1, 2, 3)), {}, ShapeError, ("expand", "(2, 3)"))],
    ),
    OpSpec(
        "broadcast_arrays",
        np.broadcast_arrays,
        [S((2, 1), (3,)), S((), (2, 2)), S((2,))],
        errors=[((X, np.ones(2)), {}, ShapeError, ("broadcast_arrays", "(2, 3)", "(2,)"))],
    ),
    OpSpec(
        "broadcast_shapes",
        lambda shapes: np.zeros((4, 2, 3)),
        [S(shapes=[(2, 1), (4, 1, 3), ()])],
        op=lambda *bad, shapes=(): zeros(ops.broadcast_shapes(*(bad or shapes))),
        order=0,
        creates=True,
        errors=[(((2,), (3,)), {}, ShapeError, ("broadcast_shapes", "(2,)", "(3,)"))],
    ),
    OpSpec(
        "diagonal",
        np.diagonal,
        [
            S((3, 3)),
            S((2, 4), offset=1),
            S((3, 2), offset=-1),
            S((2, 3, 3), offset=0, axis1=-1, axis2=1),
            S((3, 2, 4), offset=2, axis1=2, axis2=0),
        ],
        complex=True,
        errors=[((np.ones(3),), {}, ShapeError, ("diagonal", "axis 1")), ((X, 0, 1, 1), {}, ShapeError, ("diagonal", "twice"))],
    ),
    OpSpec(
        "diag",
        np.diag,
        [S((3,)), S((3,), k=-1), S((2, 3)), S((3, 3), k=1)],
        errors=[((np.ones((2, 2, 2)),), {}, ShapeError, ("diag", "(2, 2, 2)"))],
    ),
    OpSpec("diagflat", np.diagflat, [S((2, 2)), S((2,), k=1)]),
    OpSpec("trace", np.trace, [S((3, 3)), S((2, 4), offset=1), S((3, 2, 3), offset=0, axis1=0, axis2=2)]),
    OpSpec("tril", np.tril, [S((3, 3)), S((2, 4), k=1), S((2, 3, 2), k=-1)], errors=[((np.ones(3),), {}, ShapeError, ("tril", "(3,)"))]),
    OpSpec("triu", np.triu, [S((3, 3)), S((2, 4), k=1), S((2, 3, 2), k=-1)], errors=[((np.ones(3),), {}, ShapeError, ("triu", "(3,)"))]),
    OpSpec(
        "sliding_window_view",
        np.lib.stride_tricks.sliding_window_view,
        [S((5,), window_shape=3), S((3, 4), window_shape=(2, 2)), S((3, 4), window_shape=2, axis=1)],
        empty="raises",
        errors=[
            ((X, 4, 1), {}, ShapeError, ("sliding_window_view", "(4,)", "(2, 3)")),
            ((X, 2), {}, ShapeError, ("sliding_window_view", "1 dimensions", "2 axes")),
        ],
    ),
    OpSpec("clone", np.copy, [S((2, 3)), S(())], elementwise=True, complex=True),
    OpSpec("contiguous", lambda x: np.swapaxes(x, -1, -2), [S((2, 3)), S((2, 1, 2))], op=lambda x: ops.contiguous(ops.matrix_transpose(x))),
    OpSpec(
        "astype",
        lambda x, dtype: x.astype(dtype),
        [S((2, 3), dtype="float64")],
        dtype=lambda d: np.dtype("float64"),
        errors=[
            ((X, "cake"), {}, DTypeError, ("astype", "cake")),
            ((X + 1j, "float32"), {}, DTypeError, ("astype", "imaginary")),
        ],
    ),
]
