"""Attention beyond the table: pieces, memory, dropout, PyTorch as the judge; and the draws of gumbel_softmax."""

import tracemalloc

import numpy as np
import pytest

import minigrad as mg
from minigrad.nn import functional as F
from minigrad.ops import attention

RNG = np.random.default_rng(5)


def drawn(*shape, dtype="float32"):
    return RNG.normal(size=shape).astype(dtype)


def run(shapes, mask=None, **kwargs):
    """Output and gradients of query, key, value and, if it is of numbers, the mask."""
    rng = np.random.default_rng(1)
    xs = [mg.tensor(rng.normal(size=s), requires_grad=True) for s in shapes]
    m = None if mask is None else mg.tensor(mask, requires_grad=mask.dtype.kind == "f")
    y = F.scaled_dot_product_attention(*xs, m, **kwargs)
    (y * np.cos(np.arange(y.size)).reshape(y.shape)).sum().backward()
    return [y.detach().numpy(), *[x.grad.numpy() for x in (*xs, m) if x is not None and x.requires_grad]]


SHAPES = ((2, 3, 9, 4), (2, 3, 7, 4), (2, 3, 7, 5))
ALLOWED = RNG.random((2, 3, 9, 7)) < 0.4
ALLOWED[0, 1, 2] = False
CASES = {
    "plain": (SHAPES, None, {}),
    "causal": (SHAPES, None, {"is_causal": True}),
    "causal, more keys": (((2, 3, 5, 4), (2, 3, 9, 4), (2, 3, 9, 5)), None, {"is_causal": True}),
    "booleans": (SHAPES, ALLOWED, {"scale": 0.3}),
    "booleans for all": (SHAPES, ALLOWED[0, 1], {}),
    "numbers": (SHAPES, drawn(2, 3, 9, 7, dtype="float64"), {}),
    "numbers for all": (SHAPES, drawn(3, 1, 7, dtype="float64"), {}),
    "groups": (((2, 6, 9, 4), (2, 2, 7, 4), (2, 2, 7, 5)), drawn(6, 9, 7, dtype="float64"), {"enable_gqa": True}),
    "no batch": (((9, 4), (7, 4), (7, 5)), None, {}),
}


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("piece", [1, 7, 21, 100])
def test_pieces_make_no_difference(name, piece, monkeypatch):
    shapes, mask, kwargs = CASES[name]
    whole = run(shapes, mask, **kwargs)
    monkeypatch.setattr(attention, "_PIECE", piece)
    for a, b in zip(run(shapes, mask, **kwargs), whole, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-10, atol=1e-12)


@pytest.mark.torch
@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_agrees_with_pytorch(name, dtype):
    torch = pytest.importorskip("torch")
    shapes, mask, kwargs = CASES[name]
    arrays = [drawn(*s, dtype=dtype) for s in shapes]
    if mask is not None:
        arrays.append(mask if mask.dtype.kind == "b" else mask.astype(dtype))
    xs = [mg.tensor(a, requires_grad=a.dtype.kind == "f") for a in arrays]
    us = [torch.tensor(a, requires_grad=a.dtype.kind == "f") for a in arrays]
    y, z = F.scaled_dot_product_attention(*xs, **kwargs), torch.nn.functional.scaled_dot_product_attention(*us, **kwargs)
    tolerance = 1e-5 if dtype == "float32" else 1e-12
    w = drawn(*y.shape, dtype=dtype)
    (y * w).sum().backward()
    (z * torch.tensor(w)).sum().backward()
    pairs = [(y.detach(), z.detach()), *[(x.grad, u.grad) for x, u in zip(xs, us, strict=True) if u.requires_grad]]
    for a, b in pairs:
        assert a.shape == tuple(b.shape)
        assert abs(a.numpy() - b.numpy()).max() <= tolerance * abs(b.numpy()).max()


def test_a_query_that_may_look_at_nothing():
    """Zeros, and no gradient anywhere, for either kind of mask; also where the gradient is differentiated again."""
    for nothing in (np.zeros((1, 3), bool), np.full((1, 3), -np.inf, "float32")):
        q, k, v = [mg.tensor(drawn(*s), requires_grad=True) for s in ((1, 2), (3, 2), (3, 2))]
        y = F.scaled_dot_product_attention(q, k, v, nothing)
        assert y.tolist() == [[0.0, 0.0]]
        for g in mg.grad(y.sum(), (q, k, v), create_graph=True):
            assert not g.detach().numpy().any()


def test_heads_lie_so_that_joining_them_copies_nothing():
    q = mg.tensor(drawn(2, 5, 3, 4)).transpose(0, 2, 1, 3)
    y = F.scaled_dot_product_attention(q, q, q)
    assert y.transpose(0, 2, 1, 3).numpy().flags.c_contiguous


def test_memory_does_not_grow_with_the_scores():
    """1024 queries and keys of 8 heads have 32 MiB of scores; a training step takes a small part of that."""
    x = [mg.tensor(drawn(1, 8, 1024, 16), requires_grad=True) for _ in range(3)]
    tracemalloc.start()
    F.scaled_dot_product_attention(*x, is_causal=True).sum().backward()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 10 * 2**20


def test_half_precision_is_computed_in_single():
    q, k, v = [drawn(2, 40, 8, dtype="float16") for _ in range(3)]
    want = F.scaled_dot_product_attention(*[x.astype("float32") for x in (q, k, v)])
    y = F.scaled_dot_product_attention(q, k, v)
    assert y.dtype == np.float16
    np.testing.assert_array_equal(y, want.astype("float16"))


@pytest.mark.parametrize("kwargs", [{}, {"is_causal": True}, {"attn_mask": ALLOWED[0, 0, :5]}])
def test_dropout(kwargs):
    """The weights that stay are 1 / (1 - p) times as large; gradients of either order are those of the same draw."""
    q, k, v = drawn(2, 5, 4, dtype="float64"), drawn(2, 7, 4, dtype="float64"), np.eye(7)

    def f(q, k, v):
        mg.manual_seed(2)
        return F.scaled_dot_product_attention(q, k, v, dropout_p=0.25, **kwargs)

    weights, dropped = F.scaled_dot_product_attention(q, k, v, **kwargs), f(q, k, v)
    kept = dropped != 0
    np.testing.assert_allclose(dropped[kept], weights[kept] / 0.75, rtol=1e-12)
    assert 0.5 < kept.sum() / (weights != 0).sum() < 0.95
    xs = [mg.tensor(x, requires_grad=True) for x in (q, k, v)]
    assert mg.testing.gradcheck(f, xs)
    assert mg.testing.gradgradcheck(f, xs, atol=1e-4)


def test_dropout_of_everything():
    q = mg.tensor(drawn(3, 4), requires_grad=True)
    y = F.scaled_dot_product_attention(q, q, q, dropout_p=1.0)
    assert not y.detach().numpy().any()
    y.sum().backward()
    assert not q.grad.numpy().any()


# -- draws ------------------------------------------------------------------------------------------------------------
def test_gumbel_softmax_draws_from_the_softmax():
    mg.manual_seed(0)
    p = np.array([0.5, 0.3, 0.2])
    y = F.gumbel_softmax(mg.tensor(np.tile(np.log(p), (20_000, 1))), hard=True).numpy()
    assert set(np.unique(y)) == {0.0, 1.0}
    assert (y.sum(1) == 1).all()
    np.testing.assert_allclose(y.mean(0), p, atol=0.015)


def test_the_hard_form_has_the_gradient_of_the_soft():
    grads = []
    for hard in (False, True):
        x = mg.tensor(drawn(4, 5) * 0 + np.arange(5, dtype="float32"), requires_grad=True)
        mg.manual_seed(3)
        y = F.gumbel_softmax(x, tau=0.7, hard=hard, axis=0)
        (y * np.arange(20, dtype="float32").reshape(4, 5)).sum().backward()
        grads.append(x.grad.numpy())
    np.testing.assert_array_equal(*grads)
    assert grads[0].any()
