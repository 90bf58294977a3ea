"""Attention in C, of whole heads and between NumPy's products: against double precision, with all kinds of masks; refusals; threads."""

import numpy as np
import pytest

import minigrad as mg
from minigrad.backend import compiled
from minigrad.backend.compiled import library
from minigrad.nn import functional as F
from minigrad.ops import attention, joining
from minigrad.testing import checks
from minigrad.testing.opdb import all_specs

INF, NAN = np.inf, np.nan
RNG = np.random.default_rng(3)
NAMES = {"scaled_dot_product_attention", "scaled_dot_product_attention_gradient"}
ROWS = {"attention_weights", "attention_weights_gradient"}


@pytest.fixture(autouse=True)
def everywhere(in_c):
    with compiled.everywhere(), np.errstate(all="ignore"):
        yield


@pytest.fixture
def in_pieces(in_c, monkeypatch):
    """NumPy's form of attention, with C between its products."""
    for kernels in (attention.ATTENTION.op.kernels, attention.ATTENTION.op.slopes):
        monkeypatch.setattr(kernels, "family", None)


def drawn(*shape):
    return RNG.normal(size=shape).astype("float32")


def run(q, k, v, mask, dtype, **kwargs):
    """Output and gradients."""
    xs = [mg.tensor(x.astype(dtype), requires_grad=True) for x in (q, k, v)]
    if mask is not None and mask.dtype.kind == "f":
        mask = mg.tensor(mask.astype(dtype), requires_grad=True)
        xs.append(mask)
    mg.manual_seed(1)
    y = F.scaled_dot_product_attention(*xs[:3], mask, **kwargs)
    g = np.cos(np.arange(y.size)).reshape(y.shape).astype(dtype)
    return [y.detach().numpy(), *[t.numpy() for t in mg.grad(y, xs, g)]]


@pytest.mark.parametrize("row", [s for s in all_specs() if "attention" in s.name], ids=lambda s: s.name)
@pytest.mark.parametrize("check", [*checks.ALWAYS, *checks.DIFFERENTIABLE], ids=lambda c: c.__name__)
def test_the_table_in_c(check, row):
    if check is not checks.bad or row.errors:
        check(row)


@pytest.mark.parametrize("kwargs", [{}, {"is_causal": True}, {"scale": 0.3}, {"dropout_p": 0.3}, {"dropout_p": 0.3, "is_causal": True}])
@pytest.mark.parametrize(("rows", "keys"), [(1, 1), (3, 7), (17, 17), (64, 64), (5, 2100), (40, 33), (70, 16)])
def test_without_masks(rows, keys, kwargs, in_c):
    near_to_exact((drawn(2, 3, rows, 8), drawn(2, 3, keys, 8), drawn(2, 3, keys, 5)), None, kwargs)
    assert set(in_c) >= NAMES


@pytest.mark.parametrize("shape", [(2, 3, 9, 21), (3, 9, 21), (9, 21), (2, 1, 9, 21), (1, 3, 1, 21), (21,)])
@pytest.mark.parametrize("kind", ["booleans", "numbers"])
def test_masks(shape, kind, in_c):
    mask = RNG.random(shape) < 0.6 if kind == "booleans" else drawn(*shape)
    near_to_exact((drawn(2, 3, 9, 8), drawn(2, 3, 21, 8), drawn(2, 3, 21, 5)), mask, {"dropout_p": 0.2})
    assert set(in_c) >= (NAMES if kind == "booleans" else {"scaled_dot_product_attention", "attention_weights_gradient"})


@pytest.mark.parametrize(("rows", "keys"), [(1, 1), (3, 7), (64, 64), (5, 2100), (40, 33)])
def test_between_products(rows, keys, in_pieces, in_c):
    for kwargs in ({}, {"is_causal": True}, {"dropout_p": 0.3, "is_causal": True}):
        near_to_exact((drawn(2, 3, rows, 8), drawn(2, 3, keys, 8), drawn(2, 3, keys, 5)), None, kwargs)
    near_to_exact((drawn(2, 3, rows, 8), drawn(2, 3, keys, 8), drawn(2, 3, keys, 5)), RNG.random((3, 1, keys)) < 0.7, {})
    assert set(in_c) >= ROWS
    assert not set(in_c) & NAMES


def near_to_exact(arrays, mask, kwargs):
    """No further from double precision than NumPy's form, give or take."""
    got = run(*arrays, mask, "float32", **kwargs)
    with compiled.disabled():
        usual = run(*arrays, mask, "float32", **kwargs)
        exact = run(*arrays, mask, "float64", **kwargs)
    for a, b, c in zip(got, usual, exact, strict=True):
        assert a.dtype == np.float32
        assert abs(a - c).max() <= 2 * abs(b - c).max() + 1e-6 * abs(c).max()


@pytest.mark.parametrize("piece", [1, 40, 200])
def test_pieces(piece, monkeypatch, in_pieces, in_c):
    monkeypatch.setattr(attention, "_PIECE", piece)
    for kwargs in ({"is_causal": True}, {"dropout_p": 0.4}):
        near_to_exact((drawn(2, 3, 9, 4), drawn(2, 3, 11, 4), drawn(2, 3, 11, 5)), None, kwargs)
    near_to_exact((drawn(2, 3, 9, 4), drawn(2, 3, 11, 4), drawn(2, 3, 11, 5)), drawn(3, 9, 1) + drawn(1, 1, 11), {})
    assert set(in_c) >= ROWS


@pytest.mark.parametrize("mask", [np.array([[False] * 5, [True] * 5]), np.array([[-INF] * 5, [0] * 5], "float32")])
def test_a_query_that_may_look_at_nothing(mask):
    y, *slopes = run(drawn(2, 4), drawn(5, 4), drawn(5, 3), mask, "float32")
    assert not y[0].any()
    assert y[1].any()
    assert not slopes[0][0].any()
    assert all(np.isfinite(s).all() for s in slopes[:3])


def weights(s, mask=None, keep=None, scale=1.0, gain=1.0, first=-1):
    s, z = s.copy(), np.empty((*s.shape[:-1], 1), "float32")
    attention.WEIGHTS.kernels[np.ndarray](s, mask, keep, z, scale, gain, first)
    return s, z


def test_ends_are_those_of_numpy():
    s = drawn(12, 40)
    s[0, 3], s[1, 4], s[2, 5], s[3, :], s[4, 1:], s[5, 7:9], s[6] = NAN, INF, -INF, -INF, -INF, INF, NAN
    s[7], s[8, 0], s[9, 39] = 3e38, 1e30, NAN
    number = drawn(12, 40)
    number[10, 4], number[11, 2] = NAN, INF
    for mask in (None, s < 1, number):
        for first in (-1, 0, 30):
            got = weights(s, mask, first=first)
            with compiled.disabled():
                want = weights(s, mask, first=first)
            for a, b in zip(got, want, strict=True):
                assert np.array_equal(np.isnan(a), np.isnan(b))
                assert np.allclose(a, b, rtol=1e-5, atol=1e-7, equal_nan=True)


def test_what_lies_ahead_does_no_harm():
    """A key that is not a number spoils those who see it, and nobody else; in C and in NumPy."""
    q, k, v = drawn(20, 4), drawn(20, 4), drawn(20, 4)
    k[15] = NAN
    hidden = np.tri(20, dtype=bool)
    for kwargs in ({"is_causal": True}, {"attn_mask": hidden}):
        y = F.scaled_dot_product_attention(q, k, v, **kwargs)
        with compiled.disabled():
            want = F.scaled_dot_product_attention(q, k, v, **kwargs)
        for found in (y, want):
            assert np.isfinite(found[:15]).all()
            assert np.isnan(found[15:]).all()


def test_other_dtypes(in_c):
    arrays = drawn(2, 9, 4), drawn(2, 9, 4), drawn(2, 9, 4)
    got = run(*arrays, None, "float64", is_causal=True)
    assert not sum(in_c.values())
    with compiled.disabled():
        assert all(np.array_equal(a, b) for a, b in zip(run(*arrays, None, "float64", is_causal=True), got, strict=True))
    half = run(*arrays, None, "float16")
    assert set(in_c) >= ROWS
    assert all(a.dtype == np.float16 for a in half)


def test_masks_of_other_layouts_and_dtypes(in_c):
    s, mask = drawn(2, 6, 9), drawn(2, 6, 9)
    want = weights(s, mask)[0]
    taken = np.repeat(mask, 2, axis=1)[:, ::2]  # rows may lie anywhere
    assert np.array_equal(weights(s, taken)[0], want)
    assert in_c["attention_weights"] == 2
    for other in (np.asfortranarray(mask), mask.astype("float64"), mask.astype(">f4"), mask[..., ::-1].copy()[..., ::-1]):
        assert np.allclose(weights(s, other)[0], want, rtol=1e-6)
    assert np.allclose(weights(s, mask[..., :1])[0], weights(s)[0], rtol=1e-5)  # adds the same to a whole row
    assert in_c["attention_weights"] == 3


@pytest.mark.parametrize(("width", "deep"), [(1, 1), (16, 16), (32, 48), (33, 70), (130, 5)])
@pytest.mark.parametrize(("rows", "keys"), [(1, 5), (12, 12), (200, 190), (401, 130), (13, 1100)])
def test_widths_and_lengths(width, deep, rows, keys, in_c):
    """Blocks of queries, panels of keys and of features, and what is left of each."""
    for kwargs in ({}, {"is_causal": True}):
        near_to_exact((drawn(2, rows, width), drawn(2, keys, width), drawn(2, keys, deep)), None, kwargs)
    assert set(in_c) >= NAMES


def test_arrays_are_read_where_they_lie(in_c):
    """As they come from one product of all heads, backwards, transposed, and broadcast along heads."""
    joint = drawn(2, 20, 3, 4, 8)
    q, k, v = (joint[:, :, i].swapaxes(1, 2) for i in range(3))
    few = drawn(2, 1, 1, 20, 8)
    want = F.scaled_dot_product_attention(q.copy(), k.copy(), v.copy(), is_causal=True)
    for change in (lambda x: x, np.asfortranarray, lambda x: x[::-1].copy()[::-1], lambda x: x[..., ::-1].copy()[..., ::-1]):
        assert np.array_equal(F.scaled_dot_product_attention(change(q), change(k), change(v), is_causal=True), want)
    for x in (q, np.asfortranarray(q)):
        near_to_exact((x, k, v), None, {"is_causal": True})
    near_to_exact((drawn(2, 3, 2, 20, 8), few, few + 1), None, {})
    near_to_exact((drawn(20, 8), few, few + 1), None, {})
    assert set(in_c) >= NAMES


@pytest.mark.parametrize("shape", [(2, 20, 96), (1, 20, 96), (20, 96)])
def test_thirds_of_a_projection_get_thirds_of_a_gradient(shape, monkeypatch):
    """Then joining them copies nothing, and gives what it gives otherwise."""

    def gradient():
        t = mg.tensor(x, requires_grad=True)
        cut = mg.split(t * 2, 3, axis=-1)
        q, k, v = (p if len(shape) == 2 else p.reshape((*shape[:2], 4, 8)).swapaxes(1, 2) for p in cut)
        y = F.scaled_dot_product_attention(q, k, v)
        (y * y).sum().backward()
        return t.grad.numpy()

    x, found = drawn(*shape), []
    in_place = joining._in_place
    monkeypatch.setattr(joining, "_in_place", lambda g, axis: found.append(in_place(g, axis)) or found[-1])
    got = gradient()
    assert [a.flags.c_contiguous for a in found] == [True]
    monkeypatch.setattr(joining, "_in_place", lambda g, axis: None)
    assert np.array_equal(gradient(), got)


def test_heads_that_do_not_fit_are_refused():
    q, k, v, g = drawn(2, 9, 4), drawn(2, 7, 4), drawn(2, 7, 5), drawn(2, 9, 5)
    F.scaled_dot_product_attention(q, k, v)
    library.load("attention")
    forward, backward = (getattr(library.load("attention"), f"mg_{name}") for name in sorted(NAMES))
    y, z = np.zeros((2, 9, 5), "float32"), np.zeros((2, 9, 1), "float32")
    dq, dk, dv = (np.zeros_like(x) for x in (q, k, v))
    frozen = y.copy()
    frozen.flags.writeable = False
    right = [q, k, v, q, q, y, z]
    wrong = {0: (q[:, :, :3], q[:1], q[0], q.astype("float64"), None, 3), 1: (k[..., :3], k[:1], k[0], k.astype(">f4"), None)}
    wrong |= {2: (v[:, :6], v[:1], v.astype("float16"), None), 3: (v, np.ones((2, 9, 6), bool), np.ones((9, 7), bool), None, 3)}
    wrong |= {4: (np.ones((2, 9, 7), "float32"), None), 5: (y[:1], y[..., :4], y.astype("float64"), frozen, y[..., ::-1], None)}
    wrong |= {6: (z[:1], z.astype("float64"), np.zeros((2, 9, 2), "float32")[..., :1], None)}
    for i, others in wrong.items():
        for other in others:
            assert forward(*right[:i], other, *right[i + 1 :], 1.0, 1.0, 0) == 1
    assert not y.any()
    assert not z.any()
    right, result = [g, q, k, v, q, q, z], [dq, dk, dv]
    for i in range(3):
        for other in (result[i][:1], result[i][..., ::-1], result[i].astype("float64"), None):
            assert backward(*right, *result[:i], other, *result[i + 1 :], 1.0, 1.0, 0) == 1
    for other in (g[:1], g.astype("float64"), None):
        assert backward(other, *right[1:], *result, 1.0, 1.0, 0) == 1
    assert not any(d.any() for d in result)


def test_what_does_not_fit_is_refused_before_anything_is_written():
    s, z = drawn(3, 5), np.zeros((3, 1), "float32")
    mask = np.ones((3, 5), bool)
    weights(s)
    c = library.load("attention").mg_attention_weights
    before = s.copy()
    frozen = s.copy()
    frozen.flags.writeable = False
    calls = [(x, x, x, z) for x in (s.astype("float64"), np.asfortranarray(s), s[:, ::2], s[0], s[:0], frozen, None)]
    calls += [(s, s, s, other) for other in (z[:2], z.astype("float64"), np.zeros((3, 2), "float32")[:, :1], None)]
    calls += [(s, other, s, z) for other in (mask[:2], mask[0], mask.astype("uint8"), mask[None], None, 3)]
    calls += [(s, s, other, z) for other in (mask[:, :4], s.copy(), None)]
    for args in calls:
        assert c(*args, 1.0, 1.0, -1) == 1
    assert np.array_equal(s, before)
    assert not z.any()


@pytest.mark.parametrize("kwargs", [{}, {"is_causal": True}, {"dropout_p": 0.3}])
def test_results_do_not_depend_on_threads(kwargs, monkeypatch):
    arrays = drawn(2, 3, 450, 8), drawn(2, 3, 130, 8), drawn(2, 3, 130, 8)
    results = []
    for n in (1, 2, 3, 7):
        monkeypatch.setenv("MINIGRAD_THREADS", str(n))
        library.attach(library.load("attention"))
        results.append(run(*arrays, None, "float32", **kwargs))
    monkeypatch.undo()
    library.attach(library.load("attention"))
    for found in results[1:]:
        assert all(np.array_equal(a, b) for a, b in zip(found, results[0], strict=True))


def test_a_sum_over_many_keys():
    """20,000 weights that are nearly equal: the sum's error does not grow with their number."""
    s = drawn(2, 20_000) * np.float32(1e-3) + 5
    p, z = weights(s)
    exact = np.exp(s.astype("float64") - 5)
    assert abs(p / (exact / exact.sum(-1, keepdims=True)) - 1).max() < 1e-6
    assert abs(z - (np.log(exact.sum(-1, keepdims=True)) + 5)).max() < 2e-6
