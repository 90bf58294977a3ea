"""Steps of recurrent nets in C: against double precision in NumPy, over whole sequences; ends of the range; refusals; threads."""

import numpy as np
import pytest

import minigrad as mg
from minigrad.backend import compiled
from minigrad.backend.compiled import library
from minigrad.ops import recurrent
from minigrad.ops.recurrent import gru, lstm, rnn

INF, NAN = np.inf, np.nan
NETS = {
    "rnn": (recurrent.RNN, 1, ("tanh",)),
    "rnn relu": (recurrent.RNN, 1, ("relu",)),
    "lstm": (recurrent.LSTM, 4, ()),
    "lstm projected": (recurrent.LSTM, 4, ()),
    "gru": (recurrent.GRU, 3, ()),
}
SEQUENCES = [((4, 4, 4), 19), ((5, 3, 3, 1), 16), ((1,), 1), ((1, 1), 33), ((40, 40, 7), 64), ((3, 2), 128)]


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


def run(name, xs, tail, sizes, reverse, dtype, used=slice(None)):
    """Outputs and gradients."""
    ts = [None if x is None else mg.tensor(x.astype(dtype), requires_grad=True) for x in xs]
    ys = NETS[name][0](*ts, *tail, sizes, reverse)[used]
    seeds = [np.cos(np.arange(y.size)).reshape(y.shape).astype(dtype) for y in ys]
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
    assert set(in_c) == {f"{short}_step", f"{short}_step_gradient"}
    assert in_c[f"{short}_step"] == in_c[f"{short}_step_gradient"] > 0


def test_one_product_and_one_step_per_moment(monkeypatch):
    """And a product each for the input's part, and the gradients of input and weights."""
    calls = []
    real = np.matmul
    xs, tail = arguments("lstm", (3,) * 10, 8, plain=True)
    with monkeypatch.context() as m:
        m.setattr(np, "matmul", lambda *args, **kw: calls.append(1) or real(*args, **kw))
        y, kept = lstm.LSTM.op.kernels[np.ndarray](*xs, *tail, (3,) * 10, False)
        assert len(calls) == 1 + 10
        calls.clear()
        wanted = [x is not None for x in xs]
        lstm.LSTM.op.slopes[np.ndarray]((y[0], None, None), wanted, kept, *xs, *tail, (3,) * 10, False)
        assert len(calls) == 10 + 3


EDGES = np.array([NAN, INF, -INF, 0.0, -0.0, 1e-40, -1e-40, 1, -1, 20, -20, 90, -90, 1e30, -1e30], "float32")


def step(kernels, *args):
    """What a step leaves in its arrays."""
    args = [a.copy() if isinstance(a, np.ndarray) else a for a in args]
    kernels[np.ndarray](*args)
    return [a for a in args if isinstance(a, np.ndarray)]


def forward_steps():
    u = np.stack([np.roll(EDGES, k) for k in range(len(EDGES))])
    zero, state = np.zeros_like(u), np.clip(np.roll(u, 3, 0), -9, 9)  # larger ones show how much nearer to 0 and 1 gates come in C
    for relu in (False, True):
        yield rnn.STEP, (u, zero, relu)
    for k in range(4):
        gates = np.concatenate([np.full_like(u, 0.5)] * k + [u] + [np.full_like(u, 0.5)] * (3 - k), 1)
        yield lstm.STEP, (gates, np.zeros_like(gates), state, zero, zero)
        if k < 3:
            yield gru.STEP, (gates[:, : 3 * len(EDGES)], np.zeros_like(gates[:, : 3 * len(EDGES)]), EDGES * 0 + 1, state, zero, zero)


def test_ends_are_those_of_numpy():
    for kernels, args in forward_steps():
        got = step(kernels, *args)
        with compiled.disabled():
            want = step(kernels, *args)
        for a, b in zip(got, want, strict=True):
            assert np.array_equal(np.isnan(a), np.isnan(b)), kernels.name
            assert np.allclose(a, b, rtol=3e-6, atol=3e-7, equal_nan=True), kernels.name


def test_slopes_let_nan_through_where_numpy_does():
    rng = np.random.default_rng(0)
    n = 5
    u, v = rng.uniform(0.1, 0.9, (2, 3, 4 * n)).astype("float32")
    small = list(rng.normal(size=(6, 3, n)).astype("float32"))
    cases = {
        rnn.STEP_GRADIENT: [np.empty_like(small[0]), *small[:3], True],
        lstm.STEP_GRADIENT: [np.empty_like(u), u, *small[:5]],
        gru.STEP_GRADIENT: [np.empty_like(u), v[:, : 3 * n].copy(), *small[:5]],
    }
    for kernels, args in cases.items():
        for k, bad in [(k, bad) for k in range(1, len(args)) for bad in (NAN, INF) if isinstance(args[k], np.ndarray)]:
            hurt = [a.copy() if isinstance(a, np.ndarray) else a for a in args]
            hurt[k][1, 2] = bad
            got = step(kernels, *hurt)
            with compiled.disabled():
                want = step(kernels, *hurt)
            written = (0, 6) if kernels is lstm.STEP_GRADIENT else (0, 4) if kernels is gru.STEP_GRADIENT else (0,)
            for i in written:  # the rest is NumPy's to overwrite
                assert np.array_equal(np.isnan(got[i]), np.isnan(want[i])), (kernels.name, k, bad)


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
    u, more, state = np.ones((3, 8), "float32"), np.ones((3, 8), "float32"), np.ones((3, 2), "float32")
    fine = [u, more, state, state.copy(), state.copy()]
    kernel = lstm.STEP[np.ndarray]
    kernel(*fine)
    assert in_c["lstm_step"] == 1
    c = library.load("recurrent").mg_lstm_step
    for k, a in enumerate(fine):
        read_only = a.copy()
        read_only.flags.writeable = False
        strange = [a.astype("float64"), np.asfortranarray(a), a[:2], a[:, :1], a.astype(">f4"), a[0], a[:0], None, 3.0]
        for other in strange + [read_only] * (k in (0, 3, 4)):
            before = [v.copy() for v in fine]
            assert c(*[other if i == k else v for i, v in enumerate(fine)]) == 1
            assert all(np.array_equal(a, b) for a, b in zip(before, fine, strict=True))


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


def test_a_gradient_that_is_spread_out(in_c):
    """The gradient of a sum is one number, broadcast; steps still run in C."""
    xs, tail = arguments("gru", (4, 4), 8)
    x = mg.tensor(xs[0], requires_grad=True)
    recurrent.GRU(x, *xs[1:], *tail, (4, 4), False)[0].sum().backward()
    assert in_c["gru_step_gradient"] == 2
