"""Pooling, beyond its rows in the table."""

import numpy as np
import pytest

import minigrad as mg
from minigrad.ops import pooling, windows

RNG = np.random.default_rng(0)


def slope(f, x, g=None):
    x = mg.Tensor(np.asarray(x, float), requires_grad=True)
    y = f(x)
    return mg.grad(y, x, np.ones(y.shape) if g is None else g)[0].data.tolist()


def test_ties_go_to_the_first():
    assert slope(lambda x: pooling.max_pool1d(x, 2), [[3.0, 3.0, 1.0, 1.0]]) == [[1, 0, 1, 0]]
    assert slope(lambda x: pooling.max_pool2d(x, 2), [[[0.0, 1.0], [1.0, 1.0]]]) == [[[0, 1], [0, 0]]]
    assert slope(lambda x: pooling.adaptive_max_pool1d(x, 2), [[2.0, 2.0, 2.0]]) == [[1, 1, 0]]


def test_overlapping_windows_add_up():
    assert slope(lambda x: pooling.max_pool1d(x, 2, stride=1), [[1.0, 5.0, 2.0]]) == [[0, 2, 0]]
    assert slope(lambda x: pooling.avg_pool1d(x, 2, stride=1), [[1.0, 5.0, 2.0]]) == [[0.5, 1, 0.5]]


def test_nan_is_the_largest_and_gets_the_gradient():
    x = [[1.0, np.nan, 2.0, 0.0]]
    y = pooling.max_pool1d(np.array(x), 2)
    assert np.isnan(y[0, 0])
    assert y[0, 1] == 2
    assert slope(lambda x: pooling.max_pool1d(x, 2), x) == [[0, 1, 1, 0]]


def test_padding_never_wins():
    x = np.full((1, 4), -np.inf)
    y, index = pooling.max_pool1d(x, 3, stride=2, padding=1, return_indices=True)
    assert np.isneginf(y).all()
    assert index.tolist() == [[0, 1]]
    assert slope(lambda x: pooling.max_pool1d(x, 3, stride=2, padding=1), x) == [[1, 1, 0, 0]]
    ints = pooling.max_pool1d(np.array([[-5, -3, -7]]), 2, stride=1, padding=1)
    assert ints.tolist() == [[-5, -3, -3, -7]]


def test_infinite_gradients_do_not_spread():
    g = np.array([[np.inf, 1.0]])
    assert slope(lambda x: pooling.max_pool1d(x, 2), [[1.0, 2.0, 4.0, 3.0]], g) == [[0, np.inf, 1, 0]]
    assert slope(lambda x: pooling.max_pool1d(x, 2, stride=1), [[1.0, 3.0, 2.0]], g) == [[0, np.inf, 0]]


def test_windows_of_more_than_256_elements():
    x = np.arange(400.0)[None]
    assert slope(lambda x: pooling.max_pool1d(x, 300), x)[0][299] == 1
    x = np.arange(2 * 20 * 20.0).reshape(2, 20, 20)
    y, index = pooling.max_pool2d(x, 20, return_indices=True)
    assert index.reshape(-1).tolist() == [399, 399]
    assert y.reshape(-1).tolist() == [399, 799]


def test_max_pool_keeps_one_byte_per_result():
    x = mg.Tensor(RNG.normal(size=(2, 3, 8, 8)), requires_grad=True)
    y = pooling.max_pool2d(x, 2)
    kept = [a for a in y.node.saved if hasattr(a, "nbytes")]
    assert [a.dtype.name for a in kept] == ["uint8"]
    assert sum(a.nbytes for a in kept) == y.size
    with mg.no_grad():
        assert not pooling.max_pool2d(x, 2).requires_grad


@pytest.mark.parametrize("f", [pooling.max_pool2d, pooling.avg_pool2d])
def test_batch_of_none(f):
    x = mg.Tensor(np.zeros((0, 2, 4, 4)), requires_grad=True)
    y = f(x, 2)
    assert y.shape == (0, 2, 2, 2)
    y.sum().backward()
    assert x.grad.shape == x.shape


def test_blocks_of_any_size_give_the_same(monkeypatch):
    x = RNG.normal(size=(5, 2, 6, 6))
    f = lambda x: pooling.max_pool2d(x, 3, stride=2, padding=1)  # noqa: E731
    y, s = f(x), slope(f, x)
    monkeypatch.setattr(windows, "BLOCK", 1)
    assert np.array_equal(f(x), y)
    assert slope(f, x) == s


def test_norm_of_nothing_has_gradient_zero():
    np.testing.assert_allclose(slope(lambda x: pooling.lp_pool1d(x, 2, 2), [[0.0, 0.0, 3.0, 4.0]]), [[0, 0, 0.6, 0.8]])


def test_half_is_summed_in_single():
    x = np.full((1, 1, 64, 64), 1000, "float16")  # the sum overflows float16
    assert pooling.avg_pool2d(x, 64).tolist() == [[[[1000]]]]
    assert pooling.adaptive_avg_pool2d(x, 1).tolist() == [[[[1000]]]]


def test_infinity_stays_in_its_window():
    x = np.array([[np.inf, 1.0, 1.0, 1.0, 1.0]])
    assert pooling.adaptive_avg_pool1d(x, 2)[0].tolist() == [np.inf, 1]
    assert pooling.avg_pool1d(x, 2)[0].tolist() == [np.inf, 1]


def test_adaptive_can_enlarge():
    assert pooling.adaptive_avg_pool1d(np.array([[1.0, 2.0]]), 4).tolist() == [[1, 1, 2, 2]]
    assert slope(lambda x: pooling.adaptive_max_pool1d(x, 4), [[1.0, 2.0]]) == [[2, 2]]


@pytest.mark.torch
@pytest.mark.parametrize("seed", range(60))
def test_as_pytorch(seed):
    torch = pytest.importorskip("torch")
    F = torch.nn.functional
    rng = np.random.default_rng(seed)
    pick = lambda *options: int(rng.choice(options))  # noqa: E731
    n = pick(1, 2, 2, 3)
    x = np.round(rng.normal(size=(2, 2, *[pick(4, 5, 7) for _ in range(n)])), pick(0, 3))
    k = [pick(2, 3) for _ in range(n)]
    how = {"stride": [pick(1, 2, 3) for _ in range(n)], "padding": [pick(0, 1) for _ in range(n)], "ceil_mode": bool(pick(0, 1))}
    out = [pick(1, 2, 3) for _ in range(n)]
    calls = [
        ("max_pool", (k,), how),
        ("avg_pool", (k,), {**how, "count_include_pad": bool(pick(0, 1))}),
        ("adaptive_avg_pool", (out,), {}),
        ("adaptive_max_pool", (out,), {}),
    ]
    for name, args, kwargs in calls:
        ours, theirs = mg.Tensor(x, requires_grad=True), torch.tensor(x, requires_grad=True)
        got, want = getattr(pooling, f"{name}{n}d")(ours, *args, **kwargs), getattr(F, f"{name}{n}d")(theirs, *args, **kwargs)
        np.testing.assert_allclose(got.data, want.detach().numpy(), atol=1e-12)
        g = rng.normal(size=got.shape)
        np.testing.assert_allclose(mg.grad(got, ours, g)[0].data, torch.autograd.grad(want, theirs, torch.tensor(g))[0].numpy(), atol=1e-12)
