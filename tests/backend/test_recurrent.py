"""Recurrent nets in C: against double precision in NumPy, over whole sequences; ends of the range; refusals; threads."""

import numpy as np
import pytest

import minigrad as mg
from minigrad import nn
from minigrad.backend import compiled
from minigrad.backend.compiled import library
from minigrad.ops import recurrent
from minigrad.ops.recurrent import gru, lstm, rnn
from minigrad.ops.recurrent.steps import walk

INF, NAN = np.inf, np.nan
NETS = {
    "rnn": (recurrent.RNN, 1, ("tanh",)),
    "rnn relu": (recurrent.RNN, 1, ("relu",)),
    "lstm": (recurrent.LSTM, 4, ()),
    "lstm projected": (recurrent.LSTM, 4, ()),
    "gru": (recurrent.GRU, 3, ()),
}
SEQUENCES = [((4, 4, 4), 19), ((5, 3, 3, 1), 16), ((1,), 1), ((1, 1), 33), ((40, 40, 7), 64), ((3, 2), 128), ((60, 50), 17)]


@pytest.fixture(autouse=True)
def everywhere(in_c):
    with compiled.everywhere(), np.errstate(all="ignore"):
        yield


def arguments(name, sizes, n, plain=False, seed=0):
    """Inputs in float32 and what follows them; ``plain``: without states at the start and without biases."""
    rng = np.random.default_rng(seed)
    op, gates, tail = NETS[name]
    rows, width = sizes[0], max(1, n // 2) if name == "lstm projected" else n

    def drawn(*shape):
        return rng.normal(size=shape).astype("float32")

    states = [None if plain else drawn(rows, width)] + ([None if plain else drawn(rows, n)] if op is recurrent.LSTM else [])
    biases = [None, None] if plain else [drawn(gates * n), drawn(gates * n)]
    xs = [drawn(sum(sizes), 5), *states, drawn(gates * n, 5), drawn(gates * n, width) / np.float32(np.sqrt(n)), *biases]
    if op is recurrent.LSTM:
        xs.append(drawn(width, n) if name == "lstm projected" else None)
    return xs, tail


def run(name, xs, tail, sizes, reverse, dtype, used=slice(None), first=None):
    """Outputs and gradients; ``first``: what flows back to y."""
    ts = [None if x is None else mg.tensor(x.astype(dtype), requires_grad=True) for x in xs]
    ys = NETS[name][0](*ts, *tail, sizes, reverse)[used]
    seeds = [np.cos(np.arange(y.size)).reshape(y.shape).astype(dtype) for y in ys]
    seeds[:1] = seeds[:1] if first is None else [first]
    gs = mg.grad(list(ys), [t for t in ts if t is not None], seeds, allow_unused=True)
    return [y.detach().numpy() for y in ys] + [None if g is None else g.numpy() for g in gs]


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize(("sizes", "n"), SEQUENCES)
@pytest.mark.parametrize("name", NETS)
def test_sequences(name, sizes, n, reverse, in_c):
    """As near to double precision as NumPy's form is, also where only one of the outputs is used."""
    for plain in (False, True):
        xs, tail = arguments(name, sizes, n, plain)
        for used in (slice(None), slice(0, 1), slice(1, 2)):
            got = run(name, xs, tail, sizes, reverse, "float32", used)
            with compiled.disabled():
                usual = run(name, xs, tail, sizes, reverse, "float32", used)
                exact = run(name, xs, tail, sizes, reverse, "float64", used)
            for a, b, c in zip(got, usual, exact, strict=True):
                assert (a is None) == (c is None)
                if a is not None:
                    scale = abs(c).max()
                    assert a.dtype == np.float32
                    assert abs(a - c).max() <= 3 * abs(b - c).max() + 1e-6 * scale
    short = name.split()[0]
    assert {f"{short}_walk", f"{short}_walk_gradient", "weight_slopes"} <= set(in_c)
    assert in_c[f"{short}_walk"] == in_c[f"{short}_walk_gradient"] > 0


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize(("batch", "length", "n"), [(4, 5, 19), (1, 7, 16), (6, 1, 3), (13, 3, 65), (3, 4, 1)])
@pytest.mark.parametrize("name", NETS)
def test_sequence_after_sequence(name, batch, length, n, reverse, in_c):
    """A batch gives the same whether its steps or its sequences lie together in memory, in C and in NumPy."""
    xs, tail = arguments(name, (batch,) * length, n)
    x = xs[0].reshape(length, batch, 5)
    other = [np.ascontiguousarray(x.swapaxes(0, 1)), *xs[1:]]
    for dtype in ("float32", "float64"):
        want = run(name, xs, tail, (batch,) * length, reverse, dtype)
        seeds = np.cos(np.arange(want[0].size)).reshape(length, batch, -1).swapaxes(0, 1).astype(dtype)
        got = run(name, other, tail, (batch,) * length, reverse, dtype, first=seeds)
        outputs = 3 if NETS[name][0] is recurrent.LSTM else 2
        for k in (0, outputs):  # y and the gradient of x
            assert got[k].shape == (batch, length, want[k].shape[1])
            got[k] = got[k].swapaxes(0, 1).reshape(want[k].shape)
        for k, (a, b) in enumerate(zip(got, want, strict=True)):
            if k < outputs:
                assert np.array_equal(a, b)
            else:
                assert np.allclose(a, b, rtol=1e-5, atol=1e-5 * abs(b).max())
        if dtype == "float64":
            y, *_ = NETS[name][0].op.composed(
                *[x if x is None else mg.tensor(x.astype(dtype)) for x in other], *tail, (batch,) * length, reverse
            )
            assert np.allclose(y.numpy().swapaxes(0, 1).reshape(want[0].shape), want[0])
    assert in_c[f"{name.split()[0]}_walk"] == in_c["weight_slopes"] == 2


@pytest.mark.parametrize("net", [nn.RNN, nn.LSTM, nn.GRU])
def test_whole_nets(net, in_c):
    """Layers, directions, layouts and lengths: as near to double precision as NumPy's forms are."""
    mg.manual_seed(0)
    model = net(7, 18, num_layers=2, bidirectional=True, batch_first=True)
    rng = np.random.default_rng(0)
    x, g = rng.normal(size=(5, 9, 7)), rng.normal(size=(5, 9, 36))

    def found(dtype, lengths):
        model.to(dtype)
        t = mg.tensor(x.astype(dtype), requires_grad=True)
        model.zero_grad()
        y, _ = model(t, lengths=lengths)
        y.backward(mg.tensor(g.astype(dtype)))
        return [y.detach().numpy(), t.grad.numpy(), *[p.grad.numpy() for p in model.parameters()]]

    for lengths in (None, [9, 3, 5, 1, 8]):
        got = found("float32", lengths)
        with compiled.disabled():
            usual, exact = found("float32", lengths), found("float64", lengths)
        for a, b, c in zip(got, usual, exact, strict=True):
            assert abs(a - c).max() <= 3 * abs(b - c).max() + 1e-6 * abs(c).max()
    assert in_c["weight_slopes"] == 8


def test_one_product_per_moment_without_c(monkeypatch):
    """And a product each for the input's part, and the gradients of input and weights, of which one has the first states apart."""
    calls = []
    real = np.matmul
    xs, tail = arguments("lstm", (3,) * 10, 8, plain=True)
    with compiled.disabled(), monkeypatch.context() as m:
        m.setattr(np, "matmul", lambda *args, **kw: calls.append(1) or real(*args, **kw))
        y, kept = lstm.LSTM.op.kernels[np.ndarray](*xs, *tail, (3,) * 10, False)
        assert len(calls) == 1 + 10
        calls.clear()
        wanted = [x is not None for x in xs]
        lstm.LSTM.op.slopes[np.ndarray]((y[0], None, None), wanted, kept, *xs, *tail, (3,) * 10, False)
        assert len(calls) == 10 + 4


EDGES = np.array([NAN, INF, -INF, 0.0, -0.0, 1e-40, -1e-40, 1, -1, 20, -20, 90, -90, 1e30, -1e30], "float32")


def left(kernels, args):
    """What a walk returns, and what it leaves in its arrays."""
    args = [a.copy() if isinstance(a, np.ndarray) else a for a in args]
    made = kernels[np.ndarray](*args)
    return [a for a in [*(made if isinstance(made, tuple) else (made,)), *args] if isinstance(a, np.ndarray)]


def forward_walks():
    """One step, to which neither x nor the states before give anything, but the biases: weights are zero."""
    n, one = len(EDGES), walk((len(EDGES),), False, 1)
    zero, x = np.zeros((n, n), "float32"), np.ones((n, 2), "float32")
    state = np.clip(np.stack([np.roll(EDGES, k) for k in range(n)]), -9, 9)  # larger ones show how much nearer to 0 and 1 gates come in C
    for relu in (False, True):
        yield rnn.WALK, (x, zero[:, :2], EDGES, zero, zero, one, relu)
    for k in range(4):
        bias, w = (
            np.concatenate([np.full_like(EDGES, 0.5)] * k + [EDGES] + [np.full_like(EDGES, 0.5)] * (3 - k)),
            np.zeros((4 * n, n), "float32"),
        )
        yield lstm.WALK, (x, w[:, :2], bias, w, None, zero, state, one)
        if k < 3:
            w, bias = w[: 3 * n], bias[: 3 * n]
            yield gru.WALK, (x, w[:, :2], bias, w, np.ones(n, "float32"), np.nan_to_num(state), one)
            yield gru.WALK, (x, w[:, :2], bias, w, np.clip(EDGES, -9, 9), np.nan_to_num(state), one)


def test_ends_are_those_of_numpy(in_c):
    for kernels, args in forward_walks():
        got = left(kernels, args)
        with compiled.disabled():
            want = left(kernels, args)
        for a, b in zip(got, want, strict=True):
            assert np.array_equal(np.isnan(a), np.isnan(b)), kernels.name
            assert np.allclose(a, b, rtol=3e-6, atol=3e-7, equal_nan=True), kernels.name
    assert in_c == {"rnn_walk": 2, "lstm_walk": 4, "gru_walk": 6}


def test_slopes_let_nan_through_where_numpy_does(in_c):
    rng = np.random.default_rng(0)
    n, two = 5, walk((3, 3), False, 1)
    gates = rng.uniform(0.1, 0.9, (6, 4 * n)).astype("float32")
    full = list(rng.normal(size=(4, 6, n)).astype("float32"))
    small = list(rng.normal(size=(4, 3, n)).astype("float32"))
    w = rng.normal(size=(4 * n, n)).astype("float32")
    cases = {
        rnn.WALK_GRADIENT: [np.empty_like(full[0]), full[0], w[:n].copy(), full[1], small[0], two, True],
        lstm.WALK_GRADIENT: [np.empty_like(gates), gates, full[0], small[0], w, None, full[1], small[1], small[2], None, two],
        gru.WALK_GRADIENT: [np.empty_like(gates), gates[:, :15].copy(), *full[:2], small[0], w[:15].copy(), full[2], small[1], two],
    }
    for kernels, args in cases.items():
        for k, bad in [(k, bad) for k in range(1, len(args)) for bad in (NAN, INF) if isinstance(args[k], np.ndarray)]:
            hurt = [a.copy() if isinstance(a, np.ndarray) else a for a in args]
            hurt[k][1, 2] = bad
            got = left(kernels, hurt)
            with compiled.disabled():
                want = left(kernels, hurt)
            for a, b in zip(got, want, strict=True):
                assert np.array_equal(np.isnan(a), np.isnan(b)), (kernels.name, k, bad)
    assert all(v > 0 for v in in_c.values())
    assert len(in_c) == 3


@pytest.mark.parametrize("name", NETS)
@pytest.mark.parametrize("dtype", ["float64", "float16"])
def test_other_dtypes(name, dtype, in_c):
    """float64 is NumPy's, bit by bit; half precision is computed in float32, and so in C."""
    xs, tail = arguments(name, (3, 3, 2), 6)
    got = run(name, xs, tail, (3, 3, 2), False, dtype)
    assert bool(sum(in_c.values())) == (dtype == "float16")
    with compiled.disabled():
        want = run(name, xs, tail, (3, 3, 2), False, dtype)
    for a, b in zip(got, want, strict=True):
        assert a.dtype == dtype
        assert np.array_equal(a, b) if dtype == "float64" else np.allclose(a, b, rtol=5e-3, atol=5e-3)


def test_what_does_not_fit_is_refused_before_anything_is_written(in_c):
    x, w_x, bias, w = np.ones((6, 3), "float32"), np.ones((8, 3), "float32"), np.ones(8, "float32"), np.ones((8, 2), "float32")
    first, state, table = np.ones((3, 2), "float32"), np.ones((6, 2), "float32"), walk((3, 3), False, 1).table
    fine = [x, w_x, bias, w, w[:2].copy(), first, first.copy(), np.ones((6, 8), "float32"), state, state.copy(), table, 1]
    c = library.load("recurrent").mg_lstm_walk
    lstm.WALK[np.ndarray](*fine[:7], walk((3, 3), False, 1))
    assert in_c["lstm_walk"] == 1
    assert c(*fine) == 0
    tables = [table + np.array(v) for v in ([-1, 0, 0, 0], [1, 0, 0, 0], [4, 0, 0, 0], [0, 1, 0, 0], [0, 0, 4, 0], [0, 0, 0, -1])]
    for k, a in enumerate(fine[:11]):
        read_only = a.copy()
        read_only.flags.writeable = False
        strange = [a.astype("int32"), a.astype(">f4"), a[0], a[:0], a[..., :1], None, 3.0]
        strange += [np.asfortranarray(a)] * (k not in (0, 2))  # x may lie as it wants to
        strange += tables if k == 10 else [a[:1]]
        for other in strange + [read_only] * (k in (7, 8, 9)):
            before = [v.copy() for v in fine[:11]]
            assert c(*[other if i == k else v for i, v in enumerate(fine)]) == 1, (k, other)
            assert all(np.array_equal(a, b) for a, b in zip(before, fine, strict=False))
    for apart in (-1, 0, 2):
        assert c(*fine[:11], apart) == 1


@pytest.mark.parametrize("name", NETS)
def test_results_do_not_depend_on_threads(name, monkeypatch):
    sizes = (611, 611, 300)
    xs, tail = arguments(name, sizes, 70)
    results = []
    for n in (1, 2, 3, 7):
        monkeypatch.setenv("MINIGRAD_THREADS", str(n))
        library.attach(library.load("recurrent"))
        op = NETS[name][0].op
        y, kept = op.kernels[np.ndarray](*xs, *tail, sizes, False)
        g = (np.cos(y[0]), *[None] * (len(y) - 1))
        results.append([*y, *op.slopes[np.ndarray](g, [x is not None for x in xs], kept, *xs, *tail, sizes, False)])
    monkeypatch.undo()
    library.attach(library.load("recurrent"))
    for found in results[1:]:
        assert all(np.array_equal(a, b) for a, b in zip(found, results[0], strict=True) if b is not None)


@pytest.mark.parametrize("name", NETS)
def test_inputs_that_are_not_in_order(name, in_c):
    """x is read where it lies, and what nobody wants is not computed."""
    sizes = (20, 20)
    xs, tail = arguments(name, sizes, 9)
    other = [np.repeat(xs[0], 3, 1)[:, ::3], *xs[1:]]
    for x in (other[0], np.asfortranarray(xs[0])):
        got, want = (NETS[name][0].op.kernels[np.ndarray](v, *xs[1:], *tail, sizes, False) for v in (x, xs[0]))
        assert all(np.array_equal(a, b) for a, b in zip(got[0], want[0], strict=True))
        g = (np.cos(got[0][0]), *[None] * (len(got[0]) - 1))
        slopes = NETS[name][0].op.slopes[np.ndarray]
        full = slopes(g, [v is not None for v in xs], want[1], *xs, *tail, sizes, False)
        some = slopes(g, [v is not None for v in xs], got[1], x, *xs[1:], *tail, sizes, False)
        assert all(np.array_equal(a, b) for a, b in zip(some, full, strict=True) if b is not None)
        for k in [k for k, v in enumerate(xs) if v is not None]:
            alone = slopes(g, [i == k for i in range(len(xs))], want[1], *xs, *tail, sizes, False)
            assert [a is not None for a in alone] == [i == k for i in range(len(xs))]
            assert np.allclose(alone[k], full[k], rtol=1e-5, atol=1e-5 * abs(full[k]).max())
    assert in_c["weight_slopes"] > 0


def test_a_gradient_that_is_spread_out(in_c):
    """The gradient of a sum is one number, broadcast; steps still run in C."""
    xs, tail = arguments("gru", (4, 4), 8)
    x = mg.tensor(xs[0], requires_grad=True)
    recurrent.GRU(x, *xs[1:], *tail, (4, 4), False)[0].sum().backward()
    assert in_c["gru_walk_gradient"] == 1
