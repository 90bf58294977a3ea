"""Arrays on different devices: every op that is given some of each says which are where, and how to move them."""

import contextlib

import numpy as np
import pytest

import minigrad as mg
from minigrad.autograd.tensor import wrap
from minigrad.errors import DeviceError
from minigrad.nn import functional as F
from minigrad.testing.double import put, register
from minigrad.testing.opdb import all_specs

register()

SAYS = r" on (cpu, .* on double|double, .* on cpu).*; move with .to\(device='double'\)$"

INDICES = {
    *("compress", "embedding", "embedding_bag", "extract", "focal_loss", "grid_sample", "index_add", "masked_select", "nll_loss"),
    *("put_along_axis", "scatter_add", "take", "take_along_axis", "ctc_loss"),
}
"""Ops whose indices, masks or lengths may be on the CPU: they are sent to where the values are."""
APART = {"array_equal", "broadcast_arrays", "meshgrid", "scaled_dot_product_attention"}
"""Ops that need not bring all that they are given together: of different shapes, one by one, of no rows."""


def mixtures(spec):
    """Each sample with one of its arrays on the double."""
    for sample in spec.draw():
        s = sample.cast("float32")
        places = [i for i, x in enumerate(s.inputs) if isinstance(x, np.ndarray)]
        for k in places if len(places) > 1 else ():
            yield [wrap(put(x) if i == k else x, None) if i in places else x for i, x in enumerate(s.inputs)], s.kwargs


@pytest.mark.parametrize("spec", [s for s in all_specs() if any(True for _ in mixtures(s))], ids=lambda s: s.name)
def test_every_op(spec):
    name = spec.name.rpartition(".")[2]
    for inputs, kwargs in mixtures(spec):
        with contextlib.suppress(DeviceError) if name in INDICES | APART else pytest.raises(DeviceError, match=SAYS):
            spec.function()(*inputs, **kwargs)


def test_the_message():
    a, b = mg.ones((2, 3)), mg.ones(3).to(device="double")
    for mixed in (lambda: a + b, lambda: b.requires_grad_() + a):
        with pytest.raises(DeviceError, match="add: operands are on different devices, cpu and double"):
            mixed()
    with pytest.raises(DeviceError, match=r"double: float32\[2, 3\] on cpu, float32\[3\] on double; move with"):
        a + b


def test_labels_left_on_the_cpu():
    logits = mg.ones((4, 3)).to(device="double").requires_grad_()
    with pytest.raises(DeviceError, match=r"cross_entropy: .*float32\[4, 3\] on double, int64\[4\] on cpu; move"):
        F.cross_entropy(logits, mg.tensor([0, 1, 2, 0]))


def test_a_model_left_on_the_cpu():
    with pytest.raises(DeviceError, match=r"linear: .*float32\[2, 3\] on double, float32\[4, 3\] on cpu"):
        mg.nn.Linear(3, 4)(mg.ones((2, 3)).to(device="double"))


def test_a_gradient_from_elsewhere():
    x = mg.ones(3, requires_grad=True).to(device="double")
    with pytest.raises(DeviceError, match="backward: operands are on different devices, cpu and double"):
        (x * x).backward(mg.ones(3))


def test_ids_given_as_plain_arrays_are_sent():
    table = mg.nn.Embedding(5, 3)
    want = [table(np.array([1, 4])), F.embedding_bag(np.array([1, 4, 2]), table.weight, [0, 2])]
    sum(y.sum() for y in want).backward()
    gradient = table.weight.grad.numpy()
    table.to(device="double").zero_grad()
    got = [table(np.array([1, 4])), F.embedding_bag(np.array([1, 4, 2]), table.weight, [0, 2])]
    sum(y.sum() for y in got).backward()
    assert all(np.array_equal(a.detach().numpy(), b.detach().numpy()) for a, b in zip(got, want, strict=True))
    assert np.array_equal(table.weight.grad.numpy(), gradient)
    for lost in (lambda i: table(i), lambda i: F.embedding_bag(mg.tensor([1, 4]).to(device="double"), table.weight, i)):
        with pytest.raises(DeviceError, match=r"embedding.*int64"):
            lost(mg.tensor([0, 1]))
