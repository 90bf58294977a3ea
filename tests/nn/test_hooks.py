"""Hooks of modules: before and after forward, and on the way back; PyTorch as the judge."""

import sys

import numpy as np
import pytest

import minigrad as mg
from minigrad import nn
from minigrad.errors import DTypeError, ShapeError


def test_hooks():
    layer, seen = nn.Linear(2, 2), []
    pre = layer.register_forward_pre_hook(lambda m, args: (args[0] * 0,))
    post = layer.register_forward_hook(lambda m, args, y: seen.append(args[0].numpy().copy()))
    x = mg.tensor([[1.0, 2.0]])
    assert np.allclose(layer(x).numpy(), layer.bias.numpy())
    assert (seen[0] == 0).all()
    pre.remove()
    change = layer.register_forward_hook(lambda m, args, y: y * 0)
    assert (layer(x).numpy() == 0).all()
    change.remove()
    post.remove()
    layer(x)
    assert len(seen) == 2


def test_hooks_with_keywords_and_order():
    calls = []

    class Scaled(nn.Module):
        def forward(self, x, factor=1):
            if factor is None:
                raise ShapeError("no factor")
            return x * factor

    layer = Scaled()
    layer.register_forward_pre_hook(lambda m, args, kwargs: (args, kwargs | {"factor": 3}), with_kwargs=True)
    layer.register_forward_hook(lambda m, args, kwargs, y: calls.append(kwargs["factor"]), with_kwargs=True)
    first = layer.register_forward_hook(lambda m, args, y: calls.append("first"), prepend=True)
    assert layer(mg.tensor([2.0]), factor=1).item() == 6
    assert calls == ["first", 3]
    first.remove()
    first.remove()
    layer.register_forward_pre_hook(lambda m, args: 4)
    with pytest.raises(DTypeError, match="hook"):
        layer.register_forward_hook(3)
    bad = layer.register_forward_pre_hook(lambda m, args, kwargs: args, with_kwargs=True)
    with pytest.raises(mg.errors.GraphError, match=r"\(args, kwargs\)"):
        layer(mg.tensor([1.0]))
    bad.remove()
    del calls[:]
    layer.register_forward_hook(lambda m, args, y: calls.append(y), always_call=True)
    layer.register_forward_pre_hook(lambda m, args, kwargs: (args, {"factor": None}), with_kwargs=True)
    with pytest.raises(ShapeError, match="no factor"):
        layer(mg.tensor([1.0]))
    assert calls == [None]


def test_a_call_without_hooks_runs_two_functions():
    """The module's __call__ and its forward, nothing else."""

    class Bare(nn.Module):
        def forward(self, x):
            return x

    bare, names = Bare(), []
    sys.setprofile(lambda frame, event, arg: names.append(frame.f_code.co_name) if event == "call" else None)
    try:
        bare(1)
    finally:
        sys.setprofile(None)
    assert names[:2] == ["__call__", "forward"]
    assert len(names) == 2


def test_backward_hooks_see_and_change_gradients():
    layer, seen = nn.Linear(2, 3), []
    layer.register_full_backward_hook(lambda m, gi, go: seen.append((gi, go)))
    x = mg.tensor([[1.0, 2.0]], requires_grad=True)
    y = layer(x)
    (y * mg.tensor([1.0, 2.0, 3.0])).sum().backward(retain_graph=True)
    ((gi,), (go,)) = seen[0]
    assert go.tolist() == [[1, 2, 3]]
    np.testing.assert_allclose(gi.numpy(), [[1, 2, 3]] @ layer.weight.numpy(), rtol=1e-6)
    np.testing.assert_array_equal(gi.numpy(), x.grad.numpy())
    y.sum().backward()
    assert seen[1][1][0].tolist() == [[1, 1, 1]]
    double = layer.register_full_backward_hook(lambda m, gi, go: (gi[0] * 2,))
    x.grad = None
    layer(x).sum().backward()
    np.testing.assert_allclose(x.grad.numpy(), 2 * np.ones((1, 3)) @ layer.weight.numpy(), rtol=1e-6)
    double.remove()
    x.grad, layer.weight.grad = None, None
    zero = layer.register_full_backward_pre_hook(lambda m, go: (go[0] * 0,))
    layer(x).sum().backward()
    assert (x.grad.numpy() == 0).all()
    assert (layer.weight.grad.numpy() == 0).all()
    zero.remove()
    layer.register_full_backward_hook(lambda m, gi, go: (gi[0], gi[0]))
    with pytest.raises(mg.errors.GraphError, match="1 gradients, got 2"):
        layer(x).sum().backward()


def test_backward_hooks_of_other_signatures():
    class Mixed(nn.Module):
        def forward(self, a, n, b):
            return (a * b, n, a + b) if n == "tuple" else [a * n, b]

    m, seen = Mixed(), []
    m.register_full_backward_hook(lambda m, gi, go: seen.append([None if g is None else g.tolist() for g in (*gi, *go)]))
    a, b = mg.tensor([2.0], requires_grad=True), mg.tensor([3.0])
    y = m(a, "tuple", b)
    assert isinstance(y, tuple)
    y[0].sum().backward()
    assert seen.pop() == [[3], None, None, [1], None, None]
    first, _ = m(a, 5, b)
    first.backward()
    assert seen.pop() == [[5], None, None, [1], None]
    frozen = nn.Linear(2, 2)
    frozen.register_full_backward_hook(lambda m, gi, go: seen.append((gi, go[0].shape)))
    frozen(mg.ones((3, 2))).sum().backward()
    assert seen == [((None,), (3, 2))]
    frozen.register_full_backward_hook(lambda m, gi, go: go)
    with pytest.raises(mg.errors.GraphError, match="no input of the module requires grad"):
        frozen(mg.ones((3, 2))).sum().backward()


def test_second_order_through_backward_hooks():
    layer = nn.Tanh()
    layer.register_full_backward_hook(lambda m, gi, go: (gi[0] * 3,))
    x = mg.tensor(0.5, requires_grad=True)
    (g,) = mg.grad(layer(x), [x], create_graph=True)
    (h,) = mg.grad(g, [x])
    t = np.tanh(0.5)
    assert g.item() == pytest.approx(3 * (1 - t * t), rel=1e-6)
    # the second order passes the gate again, since g depends on the output of the layer
    assert np.isfinite(h.item())


@pytest.mark.torch
def test_hooks_as_in_pytorch():
    torch = pytest.importorskip("torch")
    theirs, mine = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.Tanh(), torch.nn.Linear(4, 2)), None
    mine = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2))
    mine.load_state_dict({k: v.detach().numpy() for k, v in theirs.state_dict().items()})
    x = np.random.default_rng(0).normal(size=(5, 3)).astype("float32")
    logs = []
    for net, t in ((mine, mg.tensor(x, requires_grad=True)), (theirs, torch.tensor(x, requires_grad=True))):
        log = []
        for i, m in enumerate(net):
            m.register_full_backward_hook(lambda m, gi, go, i=i, log=log: log.append((f"b{i}", *gi, *go)))
            m.register_full_backward_pre_hook(lambda m, go, i=i, log=log: log.append((f"p{i}", *go)))
        net[1].register_full_backward_hook(lambda m, gi, go: (gi[0] * 2,))
        net(t).sum().backward()
        log.append(("x", t.grad, net[0].weight.grad))
        logs.append(log)
    assert [e[0] for e in logs[0]] == [e[0] for e in logs[1]]
    for a, b in zip(*logs, strict=True):
        for u, v in zip(a[1:], b[1:], strict=True):
            np.testing.assert_allclose(u.numpy(), v.numpy(), rtol=1e-5, atol=1e-6)
