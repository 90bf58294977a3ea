"""Comparisons and tests: constants on every path, NaN, scalars, errors; and the gradient of where."""

import math

import numpy as np
import pytest

import minigrad as mg
from minigrad.testing.opdb.logic import SPECS

X = np.array([1.0, -2.0, math.nan])


def leaf(x):
    return mg.tensor(np.array(x, "float64"), requires_grad=True)


@pytest.mark.parametrize("spec", [s for s in SPECS if not s.order], ids=lambda s: s.name)
def test_results_are_constants(spec):
    for sample in spec.draw():
        inputs = [leaf(x) if isinstance(x, np.ndarray) and x.dtype.kind == "f" else x for x in sample.inputs]
        y = spec.function()(*inputs, **sample.kwargs)
        if any(isinstance(x, mg.Tensor) for x in inputs):
            assert isinstance(y, mg.Tensor)
            assert not y.requires_grad


def test_booleans_come_out():
    assert mg.less(leaf(X), 0).dtype == bool
    assert mg.less(X, 0).dtype == bool
    assert mg.less(0, leaf(1.0)).shape == ()
    assert bool(mg.less(1, 2))
    assert bool(mg.equal([1, 2], [1, 3])[0])


def test_shape_and_type_errors_name_the_op():
    with pytest.raises(mg.errors.ShapeError, match="less"):
        mg.less(leaf([1.0, 2.0]), leaf([1.0, 2.0, 3.0]))
    with pytest.raises(mg.errors.DTypeError, match="bitwise_and"):
        mg.bitwise_and(leaf([1.0]), 1)
    with pytest.raises(mg.errors.DTypeError):
        mg.equal(leaf([1.0]), "a")


def test_comparisons_of_wholes():
    assert bool(mg.array_equal(X, X, equal_nan=True))
    assert not mg.array_equal(X, X)
    assert not mg.array_equal(leaf([1.0, 1.0]), leaf([1.0]))
    assert not mg.array_equiv(leaf([1.0, 1.0]), leaf([1.0, 1.0, 1.0]))
    assert bool(mg.array_equal([1, 2], (1, 2)))
    assert bool(mg.array_equal(1, 1))
    assert bool(mg.allclose([1.0], [1.0 + 1e-9]))
    assert bool(mg.allclose(leaf([math.inf]), math.inf))
    assert isinstance(mg.array_equal(leaf([1.0]), [1.0]), mg.Tensor)


def test_where_gradients():
    a, b = leaf([1.0, 2.0]), leaf(3.0)
    y = mg.where(np.array([True, False]), a, b)
    da, db = mg.grad(y, [a, b], np.array([5.0, 7.0]))
    assert np.array_equal(da.numpy(), [5, 0])
    assert np.array_equal(db.numpy(), 7)


def test_where_lets_no_infinite_gradient_pass_the_mask():
    a = leaf([1.0, 2.0])
    y = mg.where(np.array([True, False]), a, 0.0)
    assert np.array_equal(mg.grad(y, a, np.array([1.0, np.inf]))[0].numpy(), [1, 0])


def test_where_trap_and_its_remedy():
    """0 * inf: the slope of the branch not taken is infinite where it meets the zero that where sends back."""
    x = leaf([0.0, 4.0])
    trapped = mg.where(x == 0, 0.0, mg.sqrt(x))
    assert np.isnan(mg.grad(trapped.sum(), x)[0].numpy()[0])
    remedy = mg.where(x == 0, 0.0, mg.sqrt(mg.where(x == 0, 1.0, x)))
    assert np.array_equal(mg.grad(remedy.sum(), x)[0].numpy(), [0, 0.25])


def test_where_keeps_dtypes():
    for d in ("float16", "float32"):
        x = np.ones(2, d)
        assert mg.where(np.array([True, False]), x, 0.0).dtype == d
        assert mg.where(np.array([True, False]), 1, mg.tensor(x)).dtype == d
    assert mg.where(leaf([1.0, 0.0]), 1, 2).tolist() == [1, 2]


def test_aliases():
    assert mg.bitwise_not is mg.invert is mg.bitwise_invert
    assert mg.left_shift is mg.bitwise_left_shift
    assert mg.right_shift is mg.bitwise_right_shift


def test_neighbours_are_those_of_the_dtype():
    assert mg.nextafter(np.array([1], "float32"), 2.0)[0] == np.float32(1 + 2**-23)
    assert mg.spacing(np.array([1], "float32"))[0] == np.float32(2**-23)
