"""Convolution, beyond its rows in the table."""

import tracemalloc

import numpy as np
import pytest

import minigrad as mg
from minigrad.errors import DTypeError
from minigrad.ops import conv, correlation, windows

RNG = np.random.default_rng(0)


def leaf(*shape, dtype="float64"):
    return mg.Tensor(RNG.normal(size=shape).astype(dtype), requires_grad=True)


@pytest.mark.parametrize("block", [1, 50, 400])
@pytest.mark.parametrize("f", [conv.conv2d, conv.conv_transpose2d])
def test_blocks_of_any_size_give_the_same(monkeypatch, f, block):
    x, w = leaf(3, 2, 6, 5), leaf(2, 2, 3, 2)
    g = RNG.normal(size=f(x, w, stride=2, padding=1).shape)
    whole = [f(x, w, stride=2, padding=1), *mg.grad(f(x, w, stride=2, padding=1), [x, w], g)]
    for module in (correlation, windows):
        monkeypatch.setattr(module, "BLOCK", block)
    parts = [f(x, w, stride=2, padding=1), *mg.grad(f(x, w, stride=2, padding=1), [x, w], g)]
    for a, b in zip(whole, parts, strict=True):
        np.testing.assert_allclose(a.data, b.data, atol=1e-12)


@pytest.mark.parametrize("block", [100, 2000, 1 << 18])
@pytest.mark.parametrize(
    ("spatial", "kernel", "how"),
    [
        ((12, 13), (3, 3), ((1, 1), ((1, 1), (1, 1)), (1, 1), 1)),
        ((12, 13), (4, 4), ((2, 2), ((1, 1), (1, 1)), (1, 1), 2)),
        ((15, 16), (3, 2), ((3, 2), ((2, 0), (0, 1)), (1, 1), 1)),
        ((15, 16), (3, 3), ((2, 2), ((2, 2), (1, 3)), (2, 2), 1)),
        ((15, 16), (2, 3), ((3, 4), ((0, 0), (-1, -2)), (2, 3), 4)),
        ((15, 16), (1, 1), ((2, 2), ((0, 0), (0, 0)), (1, 1), 1)),
        ((20,), (3,), ((2,), ((1, 1),), (3,), 1)),
        ((6, 7, 8), (2, 3, 2), ((1, 2, 1), ((0, 1), (1, 1), (0, 0)), (1, 1, 1), 1)),
    ],
)
def test_long_rows_and_phases_give_the_same(monkeypatch, block, spatial, kernel, how):
    """Against short rows and scattered additions, which the definition of the transpose tests elsewhere."""
    for module in (correlation, windows):
        monkeypatch.setattr(module, "BLOCK", block)
    x, w, b = RNG.normal(size=(3, 8, *spatial)), RNG.normal(size=(12, 8 // how[3], *kernel)), RNG.normal(size=12)
    y = conv.convolution(x, w, b, *how)
    g = RNG.normal(size=y.shape)
    parts = [
        conv.convolution(x, w, b, *how),
        conv.input_gradient(g, w, b[:8], x.shape[2:], *how),
        conv.weight_gradient(x, g, w.shape[2:], *how),
    ]
    monkeypatch.setattr(correlation, "widths", lambda xp, channels, out, *rest: out[1:])
    want = [conv.convolution(x, w, b, *how), None, conv.weight_gradient(x, g, w.shape[2:], *how)]
    monkeypatch.setattr(correlation, "_by_phases", None)
    wider = np.concatenate([w, w * 0, w * 0], axis=0) if how[3] == 1 else None
    if wider is not None:  # three times as many outputs, of which g is zero, go the other way
        want[1] = conv.input_gradient(np.concatenate([g, g * 0, g * 0], axis=1), wider, b[:8], x.shape[2:], *how)
    for a, c in zip(parts, want, strict=True):
        assert c is None or np.allclose(a, c, atol=1e-12)
    np.testing.assert_allclose((x * (parts[1] - b[:8].reshape(-1, *[1] * len(spatial)))).sum(), (w * parts[2]).sum())


def test_what_is_not_finite_stays_in_its_windows():
    x, g = np.ones((1, 8, 16, 16)), np.ones((1, 2, 16, 16))
    x[0, 0, 3, 15] = np.inf
    slope = conv.weight_gradient(x, g, (3, 3), (1, 1), ((1, 1), (1, 1)), (1, 1), 1)
    assert np.isinf(slope[:, 0, :, 1:]).all()
    assert np.isfinite(slope[:, 0, :, 0]).all()  # which never meets the last column
    assert np.isfinite(slope[:, 1:]).all()


def test_the_three_primitives_are_one_trilinear_form():
    x, w = RNG.normal(size=(2, 4, 5, 6)), RNG.normal(size=(6, 2, 3, 2))
    how = ((2, 1), ((1, 1), (0, 2)), (1, 2), 2)
    y = conv.convolution(x, w, None, *how)
    g = RNG.normal(size=y.shape)
    dx = conv.input_gradient(g, w, None, x.shape[2:], *how)
    dw = conv.weight_gradient(x, g, w.shape[2:], *how)
    assert dx.shape == x.shape
    assert dw.shape == w.shape
    np.testing.assert_allclose([(x * dx).sum(), (w * dw).sum()], (y * g).sum())


def test_transposed_convolution_is_the_gradient_of_convolution():
    x, w = leaf(1, 3, 7, 7), leaf(4, 3, 3, 3)
    y = conv.conv2d(x, w, stride=2, padding=1)
    g = RNG.normal(size=y.shape)
    (dx,) = mg.grad(y, x, g)
    np.testing.assert_allclose(dx.data, conv.conv_transpose2d(g, w.data, stride=2, padding=1), atol=1e-12)


def test_third_order():
    x, w = leaf(1, 1, 4, 4), leaf(1, 1, 2, 2)
    y = conv.conv2d(x, w)
    (g1,) = mg.grad((y * y * y).sum(), w, create_graph=True)
    (g2,) = mg.grad((g1 * g1).sum(), x, create_graph=True)
    eps = 1e-5
    (g3,) = mg.grad(g2.sum(), w)

    def second(v):
        v = mg.Tensor(v, requires_grad=True)
        z = conv.conv2d(x, v)
        (a,) = mg.grad((z * z * z).sum(), v, create_graph=True)
        return mg.grad((a * a).sum(), x)[0].data.sum()

    step = np.zeros_like(w.data)
    step[0, 0, 1, 0] = eps
    numeric = (second(w.data + step) - second(w.data - step)) / (2 * eps)
    assert abs(numeric - g3.data[0, 0, 1, 0]) < 1e-5 * abs(numeric)


def test_half_is_summed_in_single():
    x, w = np.ones((1, 4096, 1, 1), "float16"), np.full((1, 4096, 1, 1), 0.5, "float16")
    x[0, 0] = 2048  # in float16, 2048 + 0.5 is 2048
    assert conv.conv2d(x, w).item() == pytest.approx(1024 + 4095 / 2, rel=1e-3)


@pytest.mark.parametrize("dtype", ["float16", "float32"])
def test_channels_last_memory_and_mixed_dtypes(dtype):
    x = RNG.normal(size=(2, 5, 4, 3)).astype(dtype).transpose(0, 3, 1, 2)
    w = RNG.normal(size=(2, 3, 2, 2))
    assert conv.conv2d(x, w).dtype == np.float64
    t = mg.Tensor(x, requires_grad=True)
    conv.conv2d(t, w).sum().backward()
    assert t.grad.dtype == dtype
    np.testing.assert_allclose(conv.conv2d(x, w), conv.conv2d(np.ascontiguousarray(x), w), atol=1e-12)


@pytest.mark.parametrize("f", [conv.conv2d, conv.conv_transpose2d])
def test_batch_of_none(f):
    x, w, b = leaf(0, 2, 4, 4), leaf(2, 2, 3, 3), leaf(2)
    y = f(x, w, b)
    assert y.shape[0] == 0
    y.sum().backward()
    assert x.grad.shape == x.shape
    assert not w.grad.data.any()
    assert not b.grad.data.any()


def test_only_what_is_wanted_is_computed(monkeypatch):
    x, w = mg.Tensor(np.ones((1, 1, 3, 3))), leaf(1, 1, 2, 2)
    y = conv.conv2d(x, w)
    monkeypatch.setattr(conv, "input_gradient", None)
    y.sum().backward()
    assert w.grad.shape == w.shape


def test_infinity_stays_in_its_windows():
    x = np.zeros((1, 1, 1, 6))
    x[..., 0] = np.inf
    y = conv.conv2d(x, np.ones((1, 1, 1, 2)))
    assert np.isinf(y).sum() == 1
    assert not np.isnan(y).any()


def test_a_training_step_needs_no_columns():
    """Beyond its result and its gradients, a convolution holds a few MiB: all columns at once would be 9 times x, 28 MiB."""
    x, w = leaf(16, 16, 56, 56, dtype="float32"), leaf(16, 16, 3, 3, dtype="float32")
    g = np.ones((16, 16, 56, 56), "float32")
    conv.conv2d(x, w, padding=1)
    tracemalloc.start()
    y = conv.conv2d(x, w, padding=1)
    forward = tracemalloc.get_traced_memory()[1]
    tracemalloc.reset_peak()
    y.backward(g)
    backward = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    mib = 2.0**20
    assert forward < y.nbytes + 6 * mib
    assert backward < y.nbytes + x.nbytes + 8 * mib


def test_lists_and_wrong_kinds():
    assert conv.conv1d([[[1.0, 2.0, 3.0]]], [[[1.0, 1.0]]]).tolist() == [[[3.0, 5.0]]]
    with pytest.raises(mg.errors.ShapeError, match="conv1d"):
        conv.conv1d(1.0, np.ones((1, 1, 1)))
    with pytest.raises(mg.errors.ShapeError, match="conv1d"):
        conv.conv1d(np.ones((1, 1, 1)), 2.0)


@pytest.mark.torch
@pytest.mark.parametrize("seed", range(60))
def test_as_pytorch(seed):
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(seed)
    pick = lambda *options: int(rng.choice(options))  # noqa: E731
    n, groups, transposed = pick(1, 2, 2, 3), pick(1, 1, 2), pick(0, 1)
    k, s, p, d = ([pick(*o) for _ in range(n)] for o in ((1, 2, 3), (1, 1, 2, 3), (0, 1, 2), (1, 1, 2)))
    size = [pick(4, 6, 7) + 2 * (a - 1) * (b - 1) for a, b in zip(k, d, strict=True)]
    x = rng.normal(size=(pick(1, 3), 2 * groups, *size))
    w = rng.normal(size=((2 * groups, 3, *k) if transposed else (3 * groups, 2, *k)))
    b = rng.normal(size=3 * groups)
    how = {"stride": s, "padding": p, "dilation": d, "groups": groups}
    if transposed:
        how["output_padding"] = [pick(*range(max(a, b_))) for a, b_ in zip(s, d, strict=True)]
    name = f"conv{'_transpose' * transposed}{n}d"
    ours, theirs = [mg.Tensor(a, requires_grad=True) for a in (x, w, b)], [torch.tensor(a, requires_grad=True) for a in (x, w, b)]
    try:
        want = getattr(torch.nn.functional, name)(*theirs, **how)
    except RuntimeError:
        with pytest.raises(mg.errors.ShapeError):
            getattr(conv, name)(*ours, **how)
        return
    got = getattr(conv, name)(*ours, **how)
    np.testing.assert_allclose(got.data, want.detach().numpy(), atol=1e-10)
    g = rng.normal(size=got.shape)
    for a, t in zip(mg.grad(got, ours, g), torch.autograd.grad(want, theirs, torch.tensor(g)), strict=True):
        np.testing.assert_allclose(a.data, t.numpy(), atol=1e-10)


@pytest.mark.parametrize("other", [True, 1.0, (True, True), (1, 1.0), np.float32(1)])
@pytest.mark.parametrize("what", ["stride", "padding", "dilation", "groups"])
def test_what_equals_an_integer_is_none_even_after_one(what, other):
    """What is found for shapes and settings is looked up after that; True and 1.0 would be found there too."""
    x, w = np.ones((1, 2, 4, 4), "float32"), np.ones((2, 2, 3, 3), "float32")
    for one in (1, (1,) if what == "groups" else (1, 1)):
        assert conv.conv2d(x, w, **{what: one}).shape[:2] == (1, 2)
    with pytest.raises(DTypeError, match=f"{what} must be an integer"):
        conv.conv2d(x, w, **{what: other})
