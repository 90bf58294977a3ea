"""Writes in place: values, gradients to second order, views, and every way in which a stale array or view must be noticed."""

import gc
import weakref

import numpy as np
import pytest

import minigrad as mg
from minigrad.errors import GraphError
from minigrad.testing import gradcheck, gradgradcheck


def leaf(*shape, seed=0):
    return mg.tensor(np.random.default_rng(seed).normal(size=shape), requires_grad=True)


def ramp(*shape):
    return np.arange(1.0, 1.0 + np.prod(shape)).reshape(shape)


# -- programs: each is checked against finite differences to second order, and against its out-of-place form ----------
def write_row(x, w):
    y = x * 2
    y[0] = w[0] * w[1]
    return y


def add_to_element(x, w):
    y = x * 2
    y[0, 1] += w[0, 0]
    return y * y


def add_number(x, w):
    y = x * w
    y += 1
    y -= 2.0
    y *= 3
    y /= w
    return y


def multiply_by_itself(x, w):
    y = x * 1
    y *= y
    return y * w


def power_of_itself(x, w):
    y = x * x + 1
    y **= 2
    y **= w
    return y


def write_through_view(x, w):
    y = x * 2
    v = y[1:]
    v.mul_(w[1:])
    return y * y


def view_used_before_and_after(x, w):
    y = x * w
    v = y[1:]
    s = mg.tanh(v)  # keeps its output, not v
    v.exp_()
    return s.sum() + (v * v).sum() + y.sum()


def view_of_view(x, w):
    y = x * w
    v = y[1:]
    u = v[:, 1:]
    u *= w[1:, 1:]
    v[0, 0] += u[0, 0]
    return y * v[:, 1:].sum() + v.sum()


def transposed_view(x, w):
    y = x * 2
    t = y.T
    t[0] = w[:, 1]
    t *= 3
    return y * w


def reshaped_view(x, w):
    y = x * 2
    r = y.reshape(-1)
    r[1:4] *= w.reshape(-1)[:3]
    return y * y


def reshaped_view_of_fortran_order(x, w):
    y = mg.permute_dims(mg.permute_dims(x, (1, 0)) * 2, (1, 0))  # lies column by column in memory
    r = mg.permute_dims(y, (1, 0)).reshape(-1)
    r[1:4] *= w.reshape(-1)[:3]
    return y * w


def overlapping_regions(x, w):
    y = x * 1
    y[1:] = mg.tanh(y[:-1]) * w[1:]
    y[:-1] = y[1:]
    return y * w


def shifted(x, w):
    y = x * w
    y[1:] = y[:-1]
    return y * y


def shifted_product(x, w):
    y = x * w
    y[1:] *= y[:-1]
    return y * y


def constant_written_into(x, w):
    y = mg.zeros(x.shape, dtype=x.dtype)
    y[0] = x[0]
    y[1:, 0] = w[1:, 0] * 2
    y[-1, -1] = x.sum()
    return y * w


def constant_view_then_written(x, w):
    y = mg.zeros(x.shape, dtype=x.dtype)
    first = y[0]
    corner = first[1:]
    y += x
    return (first * first).sum() + (corner * w[0, 1:]).sum() + y.sum()


def constant_written_through_view(x, w):
    y = mg.zeros(x.shape, dtype=x.dtype)
    rows = mg.unstack(y)
    rows[0].copy_(x[0] * w[0])
    return y * w


def split_pieces_written(x, w):
    y = x * 2
    a, _b = mg.split(y, [1])
    a *= w[:1]
    return y * y


def advanced_write(x, w):
    y = x * 2
    y[[0, 2], [1, 0]] = w[0, :2]
    return y * y


def advanced_write_twice_the_same(x, w):
    y = x * 2
    y[[0, 0, 2]] = w
    return y * y


def advanced_add(x, w):
    y = x * 2
    y[[0, 2]] += w[:2]
    return y * y


def masked_write(x, w):
    y = x * 2
    y[mg.tensor(ramp(3, 3) % 2 == 0)] = w.reshape(-1)[:4]
    return y * y


def masked_write_of_one(x, w):
    y = x * 2
    y[ramp(3, 3) > 4] = w[1, 1]
    return y * y


def advanced_write_through_view(x, w):
    y = x * 2
    v = y[1:]
    v[[0, 1], [0, 2]] = w[0, :2]
    return y * y


def broadcast_write(x, w):
    y = x * 2
    y[:, 1:] = w[0, :1]
    y[...] *= w[0]
    return y


def zeroed_and_filled(x, w):
    y = x * w
    z = y * 2
    y.zero_()
    y[0] = 1
    y += w
    u = x * w
    u[1:].fill_(2.0)
    return z + y * x + u


def copied(x, w):
    y = x * 1
    y.copy_(w)
    y[0].copy_(x[0])
    y *= x
    return y


def methods_in_a_row(x, w):
    y = (x * x + 1).sqrt_().log_().add_(w).mul_(x).sub_(1).div_(w * w + 1).neg_()
    y.tanh_().sigmoid_().exp_()
    return y.pow_(2)


def clipped(x, w):
    y = x * w
    y.clip_(-0.5, 0.4)
    z = w * 1
    z[0].relu_()
    return y + z


def scattered(x, w):
    y = x * 2
    y.scatter_add_([[0, 0, 2], [1, 1, 1], [2, 0, 0]], w, axis=1)
    y.index_add_([0, 0], w[:2])
    y.masked_fill_(ramp(3, 3) == 5, w[0, 0])
    return y * y


def matrix_product(x, w):
    y = x * 1
    y @= w
    return y * y


def in_a_loop(x, w):
    y = mg.zeros(x.shape, dtype=x.dtype)
    h = x[0]
    for i in range(3):
        h = mg.tanh(h * w[i])
        y[i] = h
    return y * w


def saved_elsewhere(x, w):
    y = x * 1
    z = y + w  # keeps neither
    s = y * 2.0  # the rule for y asks for 2.0, not for y
    y *= w
    return z + s + y


PROGRAMS = [
    f for f in list(globals().values()) if callable(f) and getattr(f, "__code__", None) and f.__code__.co_varnames[:2] == ("x", "w")
]


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda f: f.__name__)
def test_program(program):
    x, w = leaf(3, 3, seed=1), leaf(3, 3, seed=2)
    assert gradcheck(program, (x, w))
    assert gradgradcheck(program, (x, w), atol=1e-4)


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda f: f.__name__)
def test_program_repeats_to_the_bit(program):
    runs = []
    for _ in range(2):
        x, w = leaf(3, 3, seed=1), leaf(3, 3, seed=2)
        y = program(x, w)
        y.sum().backward()
        runs.append((y.tolist(), x.grad.tolist(), w.grad.tolist()))
    assert runs[0] == runs[1]


# -- what may not be written ------------------------------------------------------------------------------------------
def test_leaves():
    x = leaf(3)
    for write in (
        lambda: x.add_(1),
        lambda: x[1:].mul_(2),
        lambda: x.__setitem__(0, 1.0),
        lambda: x.__setitem__([0], 1.0),
        lambda: x.reshape(3, 1).zero_(),
    ):
        with pytest.raises(GraphError, match=r"leaf.*no_grad"):
            write()
    with pytest.raises(GraphError, match="__iadd__"):
        x += 1
    before = x.tolist()
    with mg.no_grad():
        x += 1
        x[0] = 0
        x[1:].mul_(2)
    assert x.tolist() == [0, *[(v + 1) * 2 for v in before[1:]]]
    assert x.is_leaf
    assert x.requires_grad
    (x * x).sum().backward()
    np.testing.assert_allclose(x.grad.numpy(), 2 * x.numpy())


def test_read_only_memory():
    for t in (mg.tensor([1.0]).broadcast_to((3,)), mg.diagonal(mg.eye(2)), mg.meshgrid(mg.arange(2), mg.arange(2))[0]):
        for write in (lambda t=t: t.add_(1), lambda t=t: t.zero_(), lambda t=t: t.__setitem__(0, 1)):
            with pytest.raises(GraphError, match=r"read-only.*clone\(\)"):
                write()
    a = np.ones(2)
    a.flags.writeable = False
    with pytest.raises(GraphError, match="read-only"):
        mg.from_numpy(a).add_(1)


def test_view_taken_under_no_grad():
    y = leaf(3) * 2
    with mg.no_grad():
        v = y[1:]
    with pytest.raises(GraphError, match="no_grad"):
        v *= 2
    with mg.no_grad():
        v *= 2
    assert not v.requires_grad
    assert y.requires_grad


def test_detach_in_place():
    x = leaf(2)
    y = x * 2
    assert y.detach_() is y
    assert not y.requires_grad
    with pytest.raises(GraphError, match="view"):
        (x * 2)[0].detach_()


# -- what must be noticed ---------------------------------------------------------------------------------------------
def test_overwritten_output_names_both_ops():
    x = leaf(3)
    y = x.exp()
    y += 1
    with pytest.raises(GraphError) as caught:
        y.sum().backward()
    assert "exp" in str(caught.value)
    assert "__iadd__" in str(caught.value)
    assert "clone()" in str(caught.value)
    y = x.exp()
    y.add_(1)
    with pytest.raises(GraphError, match=r"exp.*add_"):
        y.sum().backward()
    assert x.grad is None


def test_overwritten_input():
    x, w = leaf(3), leaf(3, seed=5)
    y = x * 1
    z = y * w
    y[0] = 0
    with pytest.raises(GraphError, match=r"multiply.*setitem"):
        z.sum().backward()
    # through a view, through a detached tensor, and under no_grad
    for write in (lambda y: y[1:].zero_(), lambda y: y.detach().zero_(), lambda y: y.reshape(-1, 1)[0].fill_(3.0)):
        y = x * 1
        z = y * w
        write(y)
        with pytest.raises(GraphError, match="multiply"):
            z.sum().backward()
    y = x * 1
    z = y * w
    with mg.no_grad():
        y += 1
    with pytest.raises(GraphError, match=r"multiply.*__iadd__"):
        z.sum().backward()


def test_overwritten_leaf_under_no_grad():
    x, w = leaf(3), leaf(3, seed=5)
    z = x * w
    with mg.no_grad():
        x *= 2
    with pytest.raises(GraphError, match=r"multiply.*__imul__"):
        z.sum().backward()


def test_overwritten_index():
    x = leaf(3)
    i = mg.tensor([0, 1])
    y = x[i]
    i += 1
    with pytest.raises(GraphError, match=r"getitem.*__iadd__"):
        y.sum().backward()


def test_overwritten_input_of_one_rule_for_all():
    x, w = leaf(3), leaf(3, seed=5)

    class Product(mg.autograd.Function):
        @staticmethod
        def forward(ctx, a, b):
            ctx.save_for_backward(a, b)
            return a * b

        @staticmethod
        def backward(ctx, g):
            a, b = ctx.saved_tensors
            return g * b, g * a

    y = x * 1
    z = Product.apply(y, w)
    y += 1
    with pytest.raises(GraphError, match=r"Product.*__iadd__"):
        z.sum().backward()


def test_what_no_rule_asks_for_may_be_overwritten():
    x, c = leaf(3), mg.tensor(ramp(3))
    y = x * 1
    z = y * c  # keeps both, but as c is a constant, only c is asked for
    y += 5
    z.sum().backward()
    assert x.grad.tolist() == [1, 2, 3]
    z = (x * 1) * c
    c += 1
    with pytest.raises(GraphError, match="multiply"):
        z.sum().backward()


def test_stale_views():
    x = leaf(4)
    y = x * 2
    a, b = y[:2], y[1:]
    used = (b * 1).sum()
    a *= 3
    used.backward(retain_graph=True)  # b was used before the write: nothing is wrong
    assert x.grad.tolist() == [0, 2, 2, 2]
    for late in (lambda: (b * 1).sum().backward(), lambda: b.sum().backward(), lambda: b.backward(np.ones(3))):
        with pytest.raises(GraphError, match="view"):
            late()
    x.grad = None
    y.sum().backward()
    assert x.grad.tolist() == [6, 6, 2, 2]
    y = x * 2
    first, second = mg.unstack(mg.reshape(y, (2, 2)))
    y += 1
    with pytest.raises(GraphError, match="view"):
        (second * 2).sum().backward()
    with pytest.raises(GraphError, match="view"):
        mg.grad(first.sum(), x)


def test_views_on_the_way_are_taken_again():
    x = leaf(2, 3)
    y = x * 2
    v = y[1]
    u = v[1:]
    u *= 5
    for t, want in ((y, [[2, 2, 2], [2, 10, 10]]), (v, [[0, 0, 0], [2, 10, 10]]), (u, [[0, 0, 0], [0, 10, 10]])):
        assert mg.grad(t.sum(), x, retain_graph=True)[0].tolist() == want


def test_views_of_a_constant_follow_it_into_the_graph():
    x = leaf(3)
    y = mg.zeros(3, dtype="float64")
    v = y[1:]
    u = v[:1]
    w = mg.split(y, 3)[2]
    dead = weakref.ref(y[0])
    assert dead() is None
    y *= x
    assert v.requires_grad
    assert u.requires_grad
    assert w.requires_grad
    y += x
    y2 = mg.zeros(3, dtype="float64")
    v2 = y2[1:]
    y2 += x
    v2.sum().backward()
    assert x.grad.tolist() == [0, 1, 1]
    many = mg.zeros(3)
    for _ in range(1000):
        many[0]
    assert len(many.link.views) < 20, "views that are gone are forgotten"


def test_freed_and_retained_graphs():
    x = leaf(3)
    y = x * 2
    y *= y
    y.sum().backward(retain_graph=True)
    y.sum().backward()
    np.testing.assert_allclose(x.grad.numpy(), 2 * 8 * x.numpy())
    with pytest.raises(GraphError, match="freed"):
        y.sum().backward()


# -- the graph --------------------------------------------------------------------------------------------------------
def test_overwritten_by_a_leaf_it_does_not_become_it():
    x, w = leaf(3), leaf(3, seed=4)
    y = x * 1
    y.copy_(w)
    assert not y.is_leaf
    y += 1
    (y * y).sum().backward()
    np.testing.assert_allclose(w.grad.numpy(), 2 * (w.numpy() + 1))
    assert x.grad is None or not x.grad.numpy().any()


def test_overwritten_by_constants_it_stays_in_the_graph():
    x = leaf(3)
    y = x * 2
    y.zero_()
    y.sum().backward()
    assert x.grad.tolist() == [0, 0, 0]
    y = x * 2
    y.fill_(1.0)
    y.copy_(np.ones(3))
    assert y.requires_grad


def test_constants_stay_constants():
    y = mg.zeros(3)
    y += 1
    y[0] = 5
    y[[1]] = 2
    y.exp_().copy_(mg.ones(3)).zero_()
    assert not y.requires_grad
    assert y.is_leaf
    with mg.no_grad():
        y += leaf(3)
    assert not y.requires_grad
    y += leaf(3)
    assert y.requires_grad
    assert not y.is_leaf


def test_hooks_and_retained_gradients_belong_to_the_value_they_were_put_on():
    x = leaf(3)
    y = x * 2
    seen = []
    y.register_hook(lambda g: seen.append(g.tolist()))
    y *= 5
    y.sum().backward()
    assert seen == [[5, 5, 5]]


def test_no_cycles():
    gc.collect()
    gc.disable()
    try:
        x = leaf(100)
        y = x * 2
        v = y[1:]
        v *= v
        v[3] += 1
        y[[0]] = x[:1]
        node = weakref.ref(y.node)
        data = weakref.ref(y.data)
        del y, v
        assert node() is None
        assert data() is None
        c = mg.zeros(3)
        d = c[1:]
        d += x[:2]
        data = weakref.ref(c.data)
        del c, d
        assert data() is None
    finally:
        gc.enable()


def test_ten_thousand_writes():
    x = leaf(3)
    y = x * 1
    for _ in range(10_000):
        y += 1
        y[0] += 1
    y.sum().backward()
    assert x.grad.tolist() == [1, 1, 1]


def test_in_checkpoint_and_anomaly():
    x = leaf(3)

    def f(t):
        y = t * 2
        y[0] *= y[1]
        y.exp_()
        return y

    f(x).sum().backward()
    plain, x.grad = x.grad.tolist(), None
    mg.autograd.checkpoint(f, x).sum().backward()
    assert x.grad.tolist() == plain
    with mg.autograd.detect_anomaly():
        y = x.exp()
        y += 1
        with pytest.raises(GraphError, match=r"test_inplace\.py:\d+.*test_inplace\.py:\d+"):
            y.sum().backward()


def test_complex_region():
    z = mg.tensor(np.array([1 + 2j, 3 - 1j]), requires_grad=True)
    w = mg.tensor(np.array([2j, 1 + 1j]), requires_grad=True)

    def f(z, w):
        y = z * z
        y[0] *= w[1]
        y += w
        return y

    assert gradcheck(f, (z, w))


@pytest.mark.torch
def test_like_torch():
    torch = pytest.importorskip("torch")

    def run(x, w, tanh):
        y = x * 2
        v = y[1:]
        v.mul_(w[1:])
        u = v[:, 0]
        u += w[0]
        y[0] = w[2]
        y[[0, 1]] *= 2
        v = y[1:]
        v[y[1:] > 0] = 0.5
        return tanh(y) * y

    a, b = np.random.default_rng(0).normal(size=(2, 3, 2))
    ours = [mg.tensor(a, requires_grad=True), mg.tensor(b, requires_grad=True)]
    theirs = [torch.tensor(a, requires_grad=True), torch.tensor(b, requires_grad=True)]
    y, z = run(*ours, mg.tanh), run(*theirs, torch.tanh)
    np.testing.assert_allclose(y.numpy(), z.detach().numpy())
    y.sum().backward()
    z.sum().backward()
    for o, t in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(o.grad.numpy(), t.grad.numpy())


def test_a_shallow_copy_of_a_computed_tensor_is_a_view():
    import copy

    x, w = (mg.tensor([1.0, 2.0], requires_grad=True, dtype="float64") for _ in range(2))
    a = x * 3.0
    b = copy.copy(a)
    b *= w  # reaches a
    (a * 1.0).sum().backward()
    assert w.grad.tolist() == [3.0, 6.0]
    assert x.grad.tolist() == [3.0, 6.0]
