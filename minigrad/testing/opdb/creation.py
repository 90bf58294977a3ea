"""Rows of ops/creation.py. Nothing here has a gradient; float32 is the default dtype."""

import numpy as np

from ...autograd.tensor import raw
from ...errors import DTypeError, ShapeError
from ...ops import creation as ops
from ..spec import OpSpec, S


def _spec(name, reference, samples, **more):
    return OpSpec(name, reference, samples, order=0, creates=True, dtypes=("float32",), single=1e-6, **more)


def _shape_errors(name, *rest):
    return [
        (((2, -1), *rest), {}, ShapeError, (name, "negative", "(2, -1)")),
        ((2.5, *rest), {}, DTypeError, (name, "2.5")),
        ((2, *rest), {"dtype": "cake"}, DTypeError, (name, "cake")),
    ]


SPECS = [
    _spec("zeros", np.zeros, [S(shape=(2, 3)), S(shape=2), S(shape=(), dtype="int32"), S(shape=(0, 2))], errors=_shape_errors("zeros")),
    _spec("ones", np.ones, [S(shape=(2, 3)), S(shape=2, dtype="bool"), S(shape=[1, 2])], errors=_shape_errors("ones")),
    _spec("empty", lambda shape: np.zeros(shape), [S(shape=(2, 0)), S(shape=0)], errors=_shape_errors("empty")),
    _spec(
        "full",
        np.full,
        [S(shape=(2, 3), fill_value=0.5), S(shape=2, fill_value=3), S(shape=(2, 2), fill_value=[1.0, 2.0])],
        errors=_shape_errors("full", 1.0),
    ),
    _spec("zeros_like", np.zeros_like, [S((2, 3)), S(np.arange(3))]),
    _spec("ones_like", np.ones_like, [S((2, 3)), S(np.arange(3), dtype="float64")]),
    _spec("empty_like", np.zeros_like, [S((2, 0))]),
    _spec("full_like", np.full_like, [S((2, 3), fill_value=2.0), S(np.arange(3), fill_value=2)]),
    _spec(
        "arange",
        np.arange,
        [S(3), S(1, 7, 2), S(0.0, 1.0, 0.1), S(5, 2, -1), S(3, dtype="float32"), S(2, 2)],
        errors=[
            ((0, 1, 0), {}, ShapeError, ("arange", "step")),
            ((float("inf"),), {}, ShapeError, ("arange", "inf")),
        ],
    ),
    _spec(
        "linspace",
        np.linspace,
        [S(0, 1, 5), S(-1.0, 2.0, num=4, endpoint=False), S(1, 1, 0)],
        errors=[((0, 1, -1), {}, ShapeError, ("linspace", "-1")), ((0, 1, 2.5), {}, DTypeError, ("linspace", "2.5"))],
    ),
    _spec("logspace", np.logspace, [S(0, 2, 5), S(-1, 1, num=3, base=2.0)], errors=[((0, 1, -1), {}, ShapeError, ("logspace", "-1"))]),
    _spec("geomspace", np.geomspace, [S(1, 8, 4), S(-1.0, -100.0, num=3)], errors=[((0, 1), {}, ShapeError, ("geomspace", "0"))]),
    _spec(
        "eye",
        np.eye,
        [S(3), S(2, 4), S(3, k=-1, dtype="int64")],
        errors=[((-1,), {}, ShapeError, ("eye", "-1")), ((2.0,), {}, DTypeError, ("eye", "2.0"))],
    ),
    _spec("identity", np.identity, [S(3)], errors=[((-1,), {}, ShapeError, "-1")]),
    _spec("tri", np.tri, [S(3), S(2, 4, k=1)], errors=[((-1,), {}, ShapeError, ("tri", "-1"))]),
    _spec(
        "asarray",
        np.asarray,
        [S((2, 3)), S([1.0, 2.0])],
        errors=[
            (([1.0], None, None, False), {}, ValueError, ("asarray", "copy")),
            ((["a"],), {}, DTypeError, ("asarray",)),
            (([[1.0], [1.0, 2.0]],), {}, DTypeError, ("ragged",)),
        ],
    ),
    _spec(
        "from_numpy",
        lambda x: x,
        [S(np.arange(3)), S(np.ones((2, 2)))],
        op=lambda x: ops.from_numpy(raw(x)),
        errors=[
            (([1.0],), {}, DTypeError, ("from_numpy", "list", "tensor()")),
            ((np.ones(2, ">f8"),), {}, DTypeError, ("from_numpy", "tensor()")),
        ],
    ),
]
