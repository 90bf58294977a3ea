"""The oracle: the same module in PyTorch, with the same weights, inputs and seed gradients."""

import inspect

import numpy as np
import pytest

import minigrad as mg
from minigrad import nn

UNIVERSAL = {"device", "dtype", "inplace", "self", "size_average", "reduce", "min_value", "max_value"}


def leaves(y):
    """The tensors of an output, whatever tuples it is made of, without what is no tensor."""
    if isinstance(y, (tuple, list)):
        return [t for part in y for t in leaves(part)]
    return [] if y is None or not hasattr(y, "shape") else [y]


def far(mine, theirs):
    """The largest difference, relative to the largest value."""
    theirs = np.asarray(theirs)
    assert tuple(mine.shape) == theirs.shape, (mine.shape, theirs.shape)
    if not theirs.size:
        return 0.0
    a, b = np.asarray(mine, "float64"), theirs.astype("float64")
    finite = np.isfinite(b)
    np.testing.assert_array_equal(a[~finite], b[~finite])
    return float(abs(a - b)[finite].max(initial=0) / max(abs(b[finite]).max(initial=0), 1e-3))


def same_signature(mine, theirs):
    """Every argument of PyTorch's constructor is here, in its order and with its default (but for those that only PyTorch needs)."""
    ours, others = (
        {
            n: p
            for n, p in inspect.signature(c.__init__).parameters.items()
            if n not in UNIVERSAL and p.kind not in (p.VAR_KEYWORD, p.VAR_POSITIONAL)
        }
        for c in (mine, theirs)
    )
    names = list(others)
    assert [n for n in ours if n in others] == names, f"arguments {list(ours)}, PyTorch has {names}"
    for n in names:
        assert ours[n].default == others[n].default, f"{n}={ours[n].default!r}, PyTorch has {others[n].default!r}"


@pytest.fixture
def agrees():
    """``agrees(name, args, kwargs, *inputs, ...)``: one configuration of a module does what PyTorch's does, in train and eval mode."""
    torch = pytest.importorskip("torch")

    def check(name, args, kwargs, *inputs, call=None, tolerance=1e-5, signature=True, modes=(True, False), spread=1.0):
        """Inputs: a shape (tuple of ints) is drawn, an array is given (integers without gradient), None stays; ``call``: its keywords."""
        rng = np.random.default_rng(7)
        ours, their_class = getattr(nn, name), getattr(torch.nn, name)
        if signature and ours.__init__ is not nn.Module.__init__:
            same_signature(ours, their_class)
        torch.manual_seed(0)
        theirs = their_class(*args, **to_torch(kwargs))
        mine = ours(*args, **kwargs)
        assert list(mine.state_dict()) == list(theirs.state_dict())
        assert [tuple(v.shape) for v in mine.state_dict().values()] == [tuple(v.shape) for v in theirs.state_dict().values()]
        assert repr(mine).split("(")[0] == repr(theirs).split("(")[0]
        mine.load_state_dict({k: v.detach().numpy() for k, v in theirs.state_dict().items()})
        arrays = [(rng.normal(size=x) * spread).astype("float32") if isinstance(x, tuple) else x for x in inputs]
        for train in modes:
            mine.train(train), theirs.train(train)
            mine.zero_grad(), theirs.zero_grad()
            xs = [None if a is None else mg.tensor(a, requires_grad=a.dtype.kind == "f") for a in arrays]
            us = [None if a is None else torch.tensor(a, requires_grad=a.dtype.kind == "f") for a in arrays]
            ys, zs = leaves(mine(*xs, **(call or {}))), leaves(theirs(*us, **to_torch(call or {})))
            assert len(ys) == len(zs)
            total, other = 0, 0
            for i, (y, z) in enumerate(zip(ys, zs, strict=True)):
                assert far(y.detach().numpy(), z.detach().numpy()) < tolerance, f"output {i}"
                if z.requires_grad:
                    w = rng.normal(size=y.shape).astype("float32")
                    total, other = total + (y * w).sum(), other + (z * torch.tensor(w)).sum()
            if isinstance(total, int):
                continue
            total.backward(), other.backward()
            for i, (x, u) in enumerate(zip(xs, us, strict=True)):
                if u is not None and u.grad is not None:
                    assert far(x.grad.numpy(), u.grad.numpy()) < tolerance, f"gradient of input {i}"
            for (key, p), q in zip(mine.named_parameters(), theirs.parameters(), strict=True):
                if q.grad is not None:
                    assert far(p.grad.numpy(), q.grad.numpy()) < tolerance, f"gradient of {key}"
            for (key, b), c in zip(mine.named_buffers(), theirs.buffers(), strict=True):
                assert far(b.numpy(), c.numpy()) < tolerance, f"buffer {key}"

    def to_torch(kwargs):
        return {k: torch.tensor(v) if isinstance(v, np.ndarray) else v for k, v in kwargs.items()}

    return check
