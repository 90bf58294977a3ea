"""Dropout in C: bit for bit what NumPy computes, whatever the size, the layout or the number of threads."""

import numpy as np
import pytest

import minigrad as mg
from minigrad.autograd.node import arrays_in
from minigrad.backend import compiled
from minigrad.backend.compiled import library
from minigrad.backend.philox import kept
from minigrad.nn import functional as F
from minigrad.ops.fused import KEEP, keep_mask
from minigrad.testing import checks
from minigrad.testing.opdb import all_specs

NAN, INF = np.nan, np.inf
SIZES = [1, 2, 3, 4, 5, 63, 64, 65, 1023, 1024, 1025, 4099, 50_001]
ROWS = [s for s in all_specs() if "drop" in s.name]


@pytest.fixture(autouse=True)
def everywhere(in_c):
    with compiled.everywhere(), np.errstate(all="ignore"):
        yield


def both(x, p=0.5, seed=3):
    """Output and gradient in C and in NumPy."""
    results = []
    for mode in (compiled.everywhere, compiled.disabled):
        with mode():
            mg.manual_seed(seed)
            t = mg.tensor(x, requires_grad=True)
            t.data = x
            y = F.dropout(t, p)
            y.backward(mg.tensor(np.cos(np.arange(x.size)).reshape(x.shape).astype(x.dtype)))
            results.append((y.detach().numpy(), t.grad.numpy()))
    return results


@pytest.mark.parametrize("row", ROWS, ids=lambda s: s.name)
@pytest.mark.parametrize("check", [*checks.ALWAYS, *checks.DIFFERENTIABLE], ids=lambda c: c.__name__)
def test_the_table_in_c(check, row):
    if check is not checks.bad or row.errors:
        check(row)


@pytest.mark.parametrize("dtype", ["float32", "float64", "float16"])
@pytest.mark.parametrize("p", [1e-3, 0.3, 0.5, 0.999, 1.0])
def test_every_size(dtype, p, in_c):
    for n in SIZES:
        x = np.random.default_rng(n).normal(size=n).astype(dtype)
        (y, g), (want_y, want_g) = both(x, p, n)
        np.testing.assert_array_equal(y, want_y)
        np.testing.assert_array_equal(g, want_g)
        assert y.dtype == g.dtype == dtype
    assert in_c["keep" if dtype == "float16" and p < 1 else "dropout"] >= (len(SIZES) if dtype != "float16" else p < 1)


def test_masks(in_c):
    for n in SIZES:
        for key in (0, 1, 2**63, 2**64 - 1):
            with compiled.everywhere():
                mask = KEEP.kernels[np.ndarray](key, 2**31 + 12345, (n,))
            assert mask.dtype == bool
            np.testing.assert_array_equal(mask, kept(np, key, 2**31 + 12345, (n,)))
    assert in_c["keep"] == 4 * len(SIZES)
    assert not keep_mask(mg.ones((3, 4)), 1.0, (3, 4)).any()


def test_infinities_nan_and_zeros():
    x = np.resize(np.array([NAN, INF, -INF, 0.0, -0.0, 1e-45, 3e38, -3e38], "float32"), 400)
    for p in (0.5, 1.0):
        (y, _), (want, _) = both(x, p)
        np.testing.assert_array_equal(y, want)
        np.testing.assert_array_equal(np.signbit(y), np.signbit(want))


def test_layouts(in_c):
    """The mask follows the order of the entries, and not of the memory."""
    x = np.random.default_rng(0).normal(size=(6, 20, 8)).astype("float32")
    mg.manual_seed(1)
    mask = F.dropout(mg.ones(x.shape), 0.5).numpy()
    for a in (
        x,
        np.asfortranarray(x),
        x.transpose(2, 0, 1),
        x[:, ::2],
        x[..., ::-1],
        x[:0],
        x[0, 0, 0],
        np.broadcast_to(x[:, :1], x.shape),
    ):
        a = np.asarray(a)
        (y, g), (want_y, want_g) = both(a, 0.5, 1)
        np.testing.assert_array_equal(y, want_y)
        np.testing.assert_array_equal(g, want_g)
        if a.shape == x.shape:
            np.testing.assert_array_equal(y, a * mask)
    frozen = x.copy()
    frozen.flags.writeable = False
    np.testing.assert_array_equal(*[r[0] for r in both(frozen)])
    assert in_c["keep"] >= 5


def test_channels(in_c):
    x = np.random.default_rng(0).normal(size=(8, 30, 5, 5)).astype("float32")
    results = []
    for mode in (compiled.everywhere, compiled.disabled):
        with mode():
            mg.manual_seed(0)
            t = mg.tensor(x, requires_grad=True)
            y = F.dropout2d(t, 0.4)
            (y * y).sum().backward()
            results.append((y.detach().numpy(), t.grad.numpy()))
    for a, b in zip(*results, strict=True):
        np.testing.assert_array_equal(a, b)
    assert in_c["keep"]


def test_threads_do_not_show(monkeypatch):
    x = np.ones(300_007, "float32")
    results = []
    for n in (1, 2, 3, 7):
        monkeypatch.setenv("MINIGRAD_THREADS", str(n))
        library.attach(library.load("dropout"))
        results.append(both(x)[0][0])
    monkeypatch.undo()
    library.attach(library.load("dropout"))
    assert all(np.array_equal(r, results[0]) for r in results)


def test_nothing_is_kept():
    x = mg.tensor(np.ones((64, 64), "float32"), requires_grad=True)
    assert not list(arrays_in(F.dropout(x, 0.5).node.saved))
    assert not list(arrays_in(F.dropout1d(x, 0.5).node.saved))


def test_a_checkpoint_draws_the_same_again():
    x = mg.random.normal(size=(50, 50)).requires_grad_()
    grads = []
    for f in (lambda t: mg.autograd.checkpoint(lambda u: F.dropout(u.exp(), 0.5).exp(), t), lambda t: F.dropout(t.exp(), 0.5).exp()):
        mg.manual_seed(5)
        grads.append(mg.grad(f(x).sum(), [x])[0].numpy())
    np.testing.assert_array_equal(*grads)
