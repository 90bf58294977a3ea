"""Fused ops: what is set aside, their second order by what they are composed of, what they keep."""

import numpy as np

import minigrad as mg
from minigrad.autograd.fused import fused


def _kernel(xp, x, factor):
    return (x * x * factor, x.max()), (x,)


def _slopes(xp, g, wanted, kept, x, factor):
    assert kept[0] is x
    return (2 * g * x * factor,)


SCALED_SQUARE = fused(_kernel, _slopes, lambda x, factor: x * x * factor, inputs=1, name="scaled_square", aside=True)


def test_outputs_set_aside_are_arrays_without_gradient():
    x = mg.tensor([1.0, -3.0, 2.0], requires_grad=True, dtype="float64")
    y, largest = SCALED_SQUARE(x, 2.0)
    assert not isinstance(largest, mg.Tensor)
    assert largest == 2
    assert y.grad_fn.name == "scaled_square"
    assert y.grad_fn.parents == (x.node,)  # and no node between for one output of several
    y.sum().backward()
    assert x.grad.tolist() == [4.0, -12.0, 8.0]


def test_second_order_by_composition():
    x = mg.tensor([1.0, -3.0], requires_grad=True, dtype="float64")
    (g,) = mg.grad(SCALED_SQUARE(x, 2.0)[0].sum(), x, create_graph=True)
    assert g.tolist() == [4.0, -12.0]
    assert mg.grad(g.sum(), x)[0].tolist() == [4.0, 4.0]


def test_without_a_graph():
    y, largest = SCALED_SQUARE(np.array([1.0, 4.0]), 1.0)
    assert (y.tolist(), largest) == ([1.0, 16.0], 4.0)
    with mg.no_grad():
        y, largest = SCALED_SQUARE(mg.tensor([1.0, 4.0], requires_grad=True), 1.0)
    assert not y.requires_grad
    assert largest == 4
