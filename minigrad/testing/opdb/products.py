"""Rows of ops/products.py and ops/contraction.py."""

from functools import reduce
from itertools import product
from typing import Any

import numpy as np

from ...errors import ShapeError
from ..spec import OpSpec, S


def _ones(*shapes: tuple) -> tuple:
    return tuple([np.ones(s) for s in shapes])


def _matmul(a: Any, b: Any) -> Any:
    """By an explicit sum over the inner axis."""
    lifted_a, lifted_b = a.reshape(1, -1) if a.ndim == 1 else a, b.reshape(-1, 1) if b.ndim == 1 else b
    y = (lifted_a[..., :, :, None] * lifted_b[..., None, :, :]).sum(-2)
    y = y[..., 0] if b.ndim == 1 else y
    return y[..., 0, :] if a.ndim == 1 and b.ndim > 1 else y[..., 0] if a.ndim == 1 else y


def _kron(a: Any, b: Any) -> Any:
    """Element by element."""
    n = max(a.ndim, b.ndim)
    a, b = a.reshape((1,) * (n - a.ndim) + a.shape), b.reshape((1,) * (n - b.ndim) + b.shape)
    y = np.zeros([p * q for p, q in zip(a.shape, b.shape, strict=True)], np.result_type(a, b))
    for i, j in product(np.ndindex(a.shape), np.ndindex(b.shape)):
        y[tuple([p * q + r for p, q, r in zip(i, b.shape, j, strict=True)])] = a[i] * b[j]
    return y


def _cross(a: Any, b: Any, axis: int = -1) -> Any:
    a, b = np.moveaxis(a, axis, 0), np.moveaxis(b, axis, 0)
    y = [a[i] * b[j] - a[j] * b[i] for i, j in ((1, 2), (2, 0), (0, 1))]
    return np.moveaxis(np.array(y), 0, axis)


def _multi_dot(*arrays: Any) -> Any:
    from ...ops.products import multi_dot

    return multi_dot(list(arrays))


SPECS = [
    OpSpec(
        "matmul",
        _matmul,
        [
            *(S((2, 2, 3), (2, 3, 4)), S((2, 3), (3, 4)), S((3,), (3,)), S((3,), (3, 2)), S((2, 3), (3,))),
            *(S((2, 2, 3), (3, 2)), S((2, 2, 3), (3,)), S((3,), (2, 3, 2)), S((2, 3), (4, 3, 2))),
            *(S((2, 1, 2, 3), (3, 3, 2)), S((1, 2, 3), (2, 3, 1)), S((2, 0), (0, 3)), S((3, 1), (1, 3))),
        ],
        complex=True,
        errors=[
            (_ones((2, 3), (2, 3)), {}, ShapeError, "matmul: a has 3 columns, b has 2 rows (a (2, 3), b (2, 3))"),
            (_ones((3,), (2,)), {}, ShapeError, "matmul: a has 3 columns, b has 2 rows (a (3,), b (2,))"),
            (_ones((2, 2, 3), (3, 3, 4)), {}, ShapeError, ("matmul", "leading axes", "(2, 2, 3)")),
            (_ones((), (3,)), {}, ShapeError, ("matmul", "at least one dimension", "*")),
        ],
    ),
    OpSpec(
        "dot",
        np.dot,
        [S((3,), (3,)), S((2, 3), (3, 4)), S((2, 3), (3,)), S((), (2, 3)), S((2, 3), (2, 3, 4)), S((2, 2, 3), (3, 2)), S((3,), (2, 3, 2))],
        complex=True,
        errors=[
            (_ones((2, 3), (2, 3)), {}, ShapeError, ("a has 3 columns", "b has 2 rows")),
            (_ones((2, 3), (2, 2, 3)), {}, ShapeError, ("dot", "length 3", "2")),
        ],
    ),
    OpSpec(
        "inner",
        lambda a, b: np.tensordot(a, b, (-1, -1)) if a.ndim and b.ndim else a * b,
        [S((2, 3), (2, 3)), S((3,), (3,)), S((2, 3), (4, 2, 3)), S((), (2, 3)), S((2, 3), ())],
        complex=True,
        errors=[(_ones((2, 3), (3, 2)), {}, ShapeError, ("inner", "length 3", "2"))],
    ),
    OpSpec("outer", lambda a, b: a.reshape(-1)[:, None] * b.reshape(-1), [S((3,), (4,)), S((2, 2), (3,)), S((), (3,))], complex=True),
    OpSpec(
        "vdot",
        lambda a, b: np.sum(a.conj().reshape(-1) * b.reshape(-1)),
        [S((2, 3), (2, 3)), S((6,), (2, 3)), S((), ())],
        complex=True,
        errors=[(_ones((2, 3), (4,)), {}, ShapeError, ("vdot", "6 and 4"))],
    ),
    OpSpec(
        "vecdot",
        lambda a, b, axis=-1: (a.conj() * b).sum(axis),
        [S((2, 3), (2, 3)), S((3,), (2, 3)), S((2, 1, 3), (4, 3)), S((3, 2), (3, 2), axis=0)],
        complex=True,
        errors=[(_ones((2, 3), (2, 1)), {}, ShapeError, ("vecdot", "length 3", "1")), (_ones((), (3,)), {}, ShapeError, "vecdot")],
    ),
    OpSpec(
        "matvec",
        lambda a, b: (a * b[..., None, :]).sum(-1),
        [S((2, 3, 4), (2, 4)), S((3, 4), (4,)), S((3, 4), (2, 4)), S((2, 3, 4), (4,))],
        complex=True,
        errors=[(_ones((2, 3), (2,)), {}, ShapeError, ("matvec", "length 3")), (_ones((3,), (3,)), {}, ShapeError, ("matvec", "matrix"))],
    ),
    OpSpec(
        "vecmat",
        lambda a, b: (a.conj()[..., :, None] * b).sum(-2),
        [S((2, 3), (2, 3, 4)), S((3,), (3, 4)), S((2, 3), (3, 4)), S((3,), (2, 3, 4))],
        complex=True,
        errors=[(_ones((2,), (3, 2)), {}, ShapeError, ("vecmat", "length 2")), (_ones((3,), (3,)), {}, ShapeError, ("vecmat", "matrix"))],
    ),
    OpSpec("kron", _kron, [S((2, 3), (2, 2)), S((3,), (2,)), S((2,), (2, 2)), S((2, 1, 2), (2,)), S((), (2,))], complex=True),
    OpSpec(
        "tensordot",
        np.tensordot,
        [
            *(S((2, 3), (2, 3)), S((2, 3), (3, 4), axes=1), S((2,), (3,), axes=0), S((2, 3, 4), (4, 2), axes=((0, 2), (1, 0)))),
            *(S((2, 3), (4, 3), axes=(-1, 1)), S((2, 3), (3, 2), axes=([0, 1], [1, 0])), S((), (2,), axes=0)),
        ],
        complex=True,
        errors=[
            (_ones((2, 3), (2, 3)), {"axes": 1}, ShapeError, ("tensordot", "[3]", "[2]")),
            (_ones((2, 3), (2, 3)), {"axes": 3}, ShapeError, ("tensordot", "axes=3")),
            (_ones((2, 3), (2, 3)), {"axes": ((0,), (0, 1))}, ShapeError, "tensordot"),
            (_ones((2, 3), (2, 3)), {"axes": (2, 0)}, ShapeError, ("tensordot", "axis 2")),
        ],
    ),
    OpSpec(
        "einsum",
        lambda *args: np.einsum(*args),
        [
            *(S("bij,bjk->bik", (2, 2, 3), (2, 3, 2)), S("ij,jk", (2, 3), (3, 4)), S("ba", (2, 3)), S("ii", (3, 3)), S("ii->i", (3, 3))),
            *(S("...ij,...jk->...ik", (2, 1, 2, 3), (3, 3, 2)), S("ij,jk,kl->il", (2, 3), (3, 2), (2, 2)), S("i,j->", (2,), (3,))),
            *(S("ij,ij->i", (2, 3), (2, 3)), S("iij,jk->k", (2, 2, 3), (3, 2)), S("ij,k->k", (2, 3), (2,)), S("ij,jk->ik", (2, 1), (3, 2))),
            *(S("i,i,i->i", (3,), (3,), (3,)), S("i,i,i->", (3,), (3,), (3,)), S("...,...->...", (3, 1), (2,)), S("iiji->j", (2, 2, 3, 2))),
            *(S(",i->i", (), (3,)), S("...i,...i", (2, 3), (3,)), S("a...b->b...a", (2, 3, 4)), S("i->", (3,)), S("ij->ij", (2, 3))),
            *(S("b i d, b j d -> b i j", (2, 2, 3), (2, 2, 3)), S("ij,ij->ji", (2, 3), (2, 3)), S("ij,ij", (2, 3), (2, 3))),
        ],
        complex=True,
        errors=[
            (("ij,jk", *_ones((2, 3), (2, 3))), {}, ShapeError, ("einsum 'ij,jk'", "'j'", "3 and 2")),
            (("ij,jk", *_ones((2, 3))), {}, ShapeError, ("einsum 'ij,jk'", "2 terms", "1 operands")),
            (("ijk", *_ones((2, 3))), {}, ShapeError, ("einsum 'ijk'", "term 0 names 3 axes", "(2, 3)")),
            (("ij->k", *_ones((2, 3))), {}, ShapeError, ("einsum 'ij->k'", "'k'", "no operand")),
            (("ij->ii", *_ones((2, 3))), {}, ShapeError, ("einsum 'ij->ii'", "'i'", "twice")),
            (("i1", *_ones((2, 3))), {}, ShapeError, ("einsum 'i1'", "'1'")),
            (("ii", *_ones((2, 3))), {}, ShapeError, ("einsum 'ii'", "'i'", "2 and 3")),
            (("...i->i", *_ones((2, 3))), {}, ShapeError, ("einsum '...i->i'", "'...'")),
        ],
    ),
    OpSpec(
        "cross",
        _cross,
        [S((2, 3), (2, 3)), S((3,), (2, 3)), S((3, 2), (3, 2), axis=0)],
        complex=True,
        errors=[(_ones((2,), (2,)), {}, ShapeError, ("cross", "length 2", "expected 3"))],
    ),
    OpSpec(
        "linalg.multi_dot",
        lambda *arrays: reduce(np.matmul, arrays),
        [S((2, 3), (3, 4), (4, 1)), S((3,), (3, 2), (2, 3), (3,)), S((2, 3), (3, 2)), S((2, 2), (2, 2), (2, 2), (2, 2))],
        op=_multi_dot,
        complex=True,
        empty="skip",
        errors=[(_ones((2, 3), (2, 3)), {}, ShapeError, ("multi_dot", "3 columns", "2 rows"))],
    ),
]
