"""Every op on the strict double of a GPU: the values and gradients of NumPy, without the host reading or sending anything."""

import numpy as np
import pytest

from minigrad.autograd import Tensor, grad
from minigrad.autograd.tensor import wrap
from minigrad.testing.checks import close, outputs
from minigrad.testing.double import DoubleArray, no_sync
from minigrad.testing.double_namespace import put, register
from minigrad.testing.opdb import all_specs

register()

SYNCS: dict[str, str] = {}
"""Ops that wait for the device by their nature, with the reason."""

CPU_ONLY: dict[str, str] = {}
"""Ops that do not run on the double, with the reason."""


def moved(x):
    """An argument with its arrays on the double."""
    if isinstance(x, (tuple, list)):
        return type(x)([moved(v) for v in x])
    return put(x) if isinstance(x, np.ndarray) else x


def leaves(x, kinds="fc"):
    """The Tensors of floating numbers among the inputs, in lists too."""
    if isinstance(x, Tensor):
        return [x] if x.dtype.kind in kinds else []
    return [t for v in x for t in leaves(v)] if isinstance(x, (list, tuple)) else []


def tensors(x):
    if isinstance(x, (np.ndarray, DoubleArray)):
        t = wrap(x, None)
        return t.requires_grad_() if x.dtype.kind in "fc" else t
    return type(x)([tensors(v) for v in x]) if isinstance(x, list) and x and isinstance(x[0], (np.ndarray, DoubleArray)) else x


def run(f, inputs, kwargs, place):
    """Outputs and first-order gradients, as arrays of their device."""
    xs = [tensors(x) for x in inputs]
    ys = outputs(f(*xs, **kwargs))
    out = [y for y in ys if isinstance(y, Tensor) and y.requires_grad]
    gs = []
    if out and leaves(xs):
        seeds = [place(np.cos(np.arange(y.size)).reshape(y.shape).astype(y.dtype)) for y in out]
        gs = grad(out, leaves(xs), seeds, allow_unused=True)
    return [y.data if isinstance(y, Tensor) else y for y in ys], [g if g is None else g.data for g in gs]


def fetched(values):
    return [v.get() if isinstance(v, DoubleArray) else np.asarray(v) for v in values if v is not None]


@pytest.mark.parametrize("spec", all_specs(), ids=lambda s: s.name)
def test_op_on_the_double(spec):
    f = spec.function()
    for sample in spec.draw()[:3]:
        for dtype in {"float32", "float64"} & set(spec.dtypes):
            s = sample.cast(dtype)
            want_y, want_g = run(f, s.inputs, s.kwargs, lambda a: a)
            inputs, kwargs = moved(s.inputs), {k: moved(v) for k, v in s.kwargs.items()}
            if spec.name in SYNCS:
                got_y, got_g = run(f, inputs, kwargs, put)
            else:
                with no_sync():
                    got_y, got_g = run(f, inputs, kwargs, put)
            for a, b in zip([*got_y, *got_g], [*want_y, *want_g], strict=True):
                if isinstance(b, np.ndarray):
                    assert isinstance(a, DoubleArray), f"{spec.name}: {type(a)} came out"
                    assert a.dtype == b.dtype, f"{spec.name}: {a.dtype}, NumPy gives {b.dtype}"
            tolerance = 1e-5 if dtype == "float32" else 1e-12
            close(fetched(got_y), fetched(want_y), tolerance, f"{spec.name} on the double")
            close(fetched(got_g), fetched(want_g), tolerance, f"{spec.name} gradient on the double")
