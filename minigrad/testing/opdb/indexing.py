"""Rows of ops/indexing.py."""

import numpy as np

from ... import ops
from ...errors import DTypeError, IndexRangeError, ShapeError
from ..spec import OpSpec, S

X = np.ones((2, 3))
I = np.array([[0, 2, 2], [1, 0, 1]])  # noqa: E741
MASK = np.array([[True, False, True], [False, False, True]])
BASIC = [
    (slice(None), 0),
    1,
    -1,
    (1, 2),
    slice(None, None, -2),
    (..., None, 1),
    None,
    (slice(2, 0, -1), ..., slice(0, 2)),
    (),
    ...,
    slice(5, 9),
]
ADVANCED = [
    [0, 2, 0],
    np.array([[0, -1], [1, 1]]),
    (np.array([0, 0, 1]), np.array([2, 2, 0])),
    (slice(None), [1, 1]),
    ([1, 0], slice(0, 2)),
    (np.array([[2], [0]]), np.array([1, 1, 0])),
    (None, [0, 0], 1),
    np.array([True, False, True]),
    (slice(None), np.array([True, False, True, True])),
    np.arange(12).reshape(3, 4) % 5 == 0,
    (np.array([True, True, False]), [0, 3]),
    [],
]


def _written(f):
    """A NumPy function that writes into a copy of its first argument."""

    def g(x, indices, values, axis=-1):
        y = x.copy()
        f(y, indices, values, axis)
        return y

    return g


def _scatter_add(y, indices, values, axis):
    places: list = list(np.indices(np.broadcast_shapes(indices.shape, np.shape(values)), sparse=True))
    places[axis] = indices
    np.add.at(y, tuple(places), values)


def _index_add(y, indices, values, axis):
    values = np.broadcast_to(values, [len(indices) if i == axis % y.ndim else n for i, n in enumerate(y.shape)])
    for k, i in enumerate(indices):
        np.moveaxis(y, axis, 0)[i] += np.moveaxis(values, axis, 0)[k]


SPECS = [
    OpSpec(
        "getitem",
        lambda x, index: x[index],
        [S((3, 4), index=i) for i in (*BASIC, *ADVANCED)]
        + [S((), index=()), S((), index=...), S((2, 3, 2, 2), index=([0, 1, 1], slice(None), [1, 0, 1])), S((4,), index=2)],
        op=ops.getitem,
        complex=True,
        kinks="an element taken twice collects both gradients",
        empty="skip",
        errors=[
            ((X, 2), {}, IndexRangeError, ("getitem", "index 2", "size 2")),
            ((X, (0, -4)), {}, IndexRangeError, ("getitem", "index -4", "size 3")),
            ((X, (0, 0, 0)), {}, IndexRangeError, ("getitem", "too many")),
            ((X, [0, 5]), {}, IndexRangeError, ("getitem", "index 5", "size 2")),
            ((X, np.array([True, False, True])), {}, IndexRangeError, ("getitem", "boolean", "size of axis is 2")),
            ((X, 1.0), {}, DTypeError, ("getitem", "1.0")),
            ((X, [0.5]), {}, DTypeError, ("getitem", "float", "astype")),
            ((X, "a"), {}, DTypeError, ("getitem", "'a'")),
        ],
    ),
    OpSpec(
        "take",
        np.take,
        [
            S((3, 4), [0, 2, 2], axis=0),
            S((3, 4), I, axis=1),
            S((3, 4), [5, 5, -1]),
            S((3, 4), 1, axis=-1),
            S((4,), np.array([], int), axis=0),
        ],
        empty="skip",
        kinks="an element taken twice collects both gradients",
        errors=[
            ((X, [3], 1), {}, IndexRangeError, ("take", "index 3", "size 3")),
            ((X, [0], 2), {}, ShapeError, ("take", "axis 2")),
            ((X, [0.0], 1), {}, DTypeError, ("take", "integers")),
        ],
    ),
    OpSpec(
        "take_along_axis",
        np.take_along_axis,
        [S((2, 3), I, axis=1), S((2, 3), I % 2, axis=0), S((2, 4), np.array([[1]]), axis=1), S((2, 3), np.array([5, 0, 5]), axis=None)],
        complex=True,
        empty="skip",
        errors=[
            ((X, I + 2, 1), {}, IndexRangeError, ("take_along_axis", "index 4", "size 3")),
            ((X, I[0], 1), {}, ShapeError, ("take_along_axis", "1 and 2")),
            ((X, X, 1), {}, DTypeError, ("take_along_axis", "integers")),
            ((X, np.zeros((5, 2), int), 1), {}, ShapeError, ("take_along_axis", "dimension 0")),
        ],
    ),
    OpSpec(
        "put_along_axis",
        _written(np.put_along_axis),
        [
            S((2, 3), np.array([[0, 2], [1, 0]]), (2, 2), axis=1),
            S((2, 3), np.array([[1, 0, 1]]), (1, 3), axis=0),
            S((2, 3), I[:, :1], (), axis=1),
        ],
        complex=True,
        empty="skip",
        errors=[
            ((X, I + 2, 1.0, 1), {}, IndexRangeError, ("put_along_axis", "index 4", "size 3")),
            ((np.ones(2, int), [0], 0.5, 0), {}, DTypeError, ("put_along_axis", "float64", "int64")),
        ],
    ),
    OpSpec(
        "scatter_add",
        _written(_scatter_add),
        [
            S((2, 3), I, (2, 3), axis=1),
            S((2, 3), I % 2, (2, 3), axis=0),
            S((2, 40), I[:, :1], (), axis=1),
            S((3,), np.zeros(9, int), (9,), axis=0),
        ],
        complex=True,
        empty="skip",
        errors=[
            ((X, I + 2, X, 1), {}, IndexRangeError, ("scatter_add", "index 4", "size 3")),
            ((np.ones(2, int), [0], 0.5, 0), {}, DTypeError, ("scatter_add", "float64", "int64")),
        ],
    ),
    OpSpec(
        "index_add",
        _written(_index_add),
        [S((3, 2), np.array([2, 0, 2]), (3, 2), axis=0), S((2, 3), np.array([1, 1]), (2, 2), axis=1), S((3, 2), np.array([1]), (), axis=0)],
        empty="skip",
        errors=[
            ((X, [2], X[:1]), {}, IndexRangeError, ("index_add", "index 2", "size 2")),
            ((X, [0], np.ones(5)), {}, ShapeError, ("index_add", "(5,)")),
            ((X, [[0]], X), {}, ShapeError, ("index_add", "(1, 1)")),
        ],
    ),
    OpSpec(
        "masked_fill",
        lambda x, mask, value: np.where(mask, value, x),
        [S((2, 3), MASK, ()), S((2, 3), MASK[1], 2.5), S((2, 3), MASK[:, :1], -1)],
        errors=[
            ((X, np.ones(2, bool), 0.0), {}, ShapeError, ("masked_fill", "(2,)", "(2, 3)")),
            ((X, MASK, np.ones(3)), {}, ShapeError, ("masked_fill", "one number", "(3,)")),
            ((np.ones(3, int), MASK[0], 0.5), {}, DTypeError, ("masked_fill", "int64")),
        ],
        empty="skip",
    ),
    OpSpec(
        "masked_select",
        lambda x, mask: np.broadcast_to(x, np.broadcast_shapes(x.shape, mask.shape))[
            np.broadcast_to(mask, np.broadcast_shapes(x.shape, mask.shape))
        ],
        [S((2, 3), MASK), S((2, 3), MASK[0]), S((3,), MASK)],
        empty="skip",
        errors=[
            ((X, np.ones(2, bool)), {}, ShapeError, ("(2, 3)", "(2,)")),
            ((X, I), {}, DTypeError, ("masked_select", "boolean", "int64")),
        ],
    ),
    OpSpec(
        "extract",
        np.extract,
        [S(MASK, (2, 3)), S(I, (3, 2))],
        empty="skip",
        errors=[((MASK, np.ones(4)), {}, ShapeError, ("extract", "(2, 3)", "(4,)"))],
    ),
    OpSpec(
        "compress",
        np.compress,
        [S([True, False, True], (3, 2), axis=0), S(MASK[0], (2, 4), axis=1), S([0, 1, 1], (2, 2))],
        empty="skip",
        errors=[
            ((MASK, X), {}, ShapeError, ("compress", "(2, 3)")),
            (([0, 0, 1], X, 0), {}, IndexRangeError, ("take", "index 2", "size 2")),
        ],
    ),
    OpSpec(
        "select",
        lambda m, n, a, b: np.select([m, n], [a, b], 1.5),
        [S(MASK, I == 0, (2, 3), (3,))],
        op=lambda m, n, *choices: ops.select([m, n], choices, 1.5),
        empty="skip",
        errors=[((MASK, I == 0, X), {}, ShapeError, ("select", "2 and 1"))],
    ),
    OpSpec(
        "choose",
        lambda i, a, b: np.choose(i, [a, b]),
        [S(I % 2, (2, 3), (3,)), S(I % 2, (2, 3), (2, 3))],
        op=lambda i, a, b: ops.choose(i, [a, b]),
        empty="skip",
        errors=[((I, X, X), {}, IndexRangeError, ("choose", "index 2", "(0, 1)"))],
    ),
    OpSpec("nonzero", np.nonzero, [S(MASK), S(I)], order=0, errors=[((np.float64(1),), {}, ShapeError, "nonzero")]),
    OpSpec("argwhere", np.argwhere, [S(MASK), S(I)], order=0),
    OpSpec("flatnonzero", np.flatnonzero, [S(MASK), S(I)], order=0),
    OpSpec(
        "one_hot",
        lambda i, n: np.eye(n)[i],
        [S(I, 4), S(np.array(1), 2), S(np.zeros((0, 2), int), 3)],
        order=0,
        errors=[
            (([0, 3], 3), {}, IndexRangeError, ("one_hot", "index 3", "(1,)")),
            (([-1], 3), {}, IndexRangeError, ("one_hot", "index -1")),
            (([0.5], 3), {}, DTypeError, ("one_hot", "integers")),
            (([0], 2.5), {}, DTypeError, ("one_hot", "2.5")),
        ],
    ),
]
