"""The recurrent ops against loops over single sequences in plain NumPy, by the checks of the op table; and what a step keeps."""

from dataclasses import replace

import numpy as np
import pytest

import minigrad as mg
from minigrad.errors import GraphError
from minigrad.ops import recurrent
from minigrad.testing import checks
from minigrad.testing.spec import OpSpec, S


def sigmoid(u):
    return 1 / (1 + np.exp(-u))


def rnn_cell(x, h, w_ih, w_hh, b, c, nonlinearity):
    u = w_ih @ x + b + w_hh @ h + c
    return (np.tanh(u) if nonlinearity == "tanh" else np.maximum(u, 0),)


def lstm_cell(x, h, c, w_ih, w_hh, b, d, w_hr):
    i, f, g, o = np.split(w_ih @ x + b + w_hh @ h + d, 4)
    c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
    h = sigmoid(o) * np.tanh(c)
    return h if w_hr is None else w_hr @ h, c


def gru_cell(x, h, w_ih, w_hh, b, c):
    (r, z, n), (rh, zh, nh) = np.split(w_ih @ x + b, 3), np.split(w_hh @ h + c, 3)
    r, z = sigmoid(r + rh), sigmoid(z + zh)
    return ((1 - z) * np.tanh(n + r * nh) + z * h,)


def sequence_by_sequence(cell, count):
    """The op as one loop per sequence: ``count`` states, biases of zero where there are none."""

    def reference(x, *args, sizes, reverse=False, nonlinearity=None):
        starts, (w_ih, w_hh, b, c, *more) = args[:count], args[count:]
        b, c = (np.zeros(len(w_ih)) if v is None else v for v in (b, c))
        widths = (w_hh.shape[1], len(w_hh) // 4)
        more += [nonlinearity] if nonlinearity else []
        first = np.cumsum(sizes) - sizes
        y, last = np.zeros((len(x), w_hh.shape[1])), [[] for _ in starts]
        for i in range(sizes[0]):
            states = [np.zeros(w) if s is None else s[i] for s, w in zip(starts, widths, strict=False)]
            rows = [first[t] + i for t in range(len(sizes)) if sizes[t] > i]
            for k in rows[::-1] if reverse else rows:
                states = cell(x[k], *states, w_ih, w_hh, b, c, *more)
                y[k] = states[0]
            for found, s in zip(last, states, strict=True):
                found.append(s)
        return y, *[np.stack(found) for found in last]

    return reference


def called(op):
    def f(*args, sizes, reverse=False, nonlinearity=None):
        return op(*args, *([nonlinearity] if nonlinearity else []), sizes, reverse)

    return f


def samples(gates, count, sequences, projected=(), **kw):
    """Calls with every combination that matters: lengths, both ways, states and biases given or not."""
    found, h, i = [], 3, 2
    for k, (sizes, reverse) in enumerate(sequences):
        n, r = sizes[0], 2 if k in projected else h
        states = [(n, r), (n, h)][:count] if k != 1 else [None] * count
        biases = [(gates * h,)] * 2 if k != 2 else [None] * 2
        tail = ([(r, h)] if k in projected else [None]) if count == 2 else []
        found.append(S((sum(sizes), i), *states, (gates * h, i), (gates * h, r), *biases, *tail, sizes=sizes, reverse=reverse, **kw))
    return found


SEQUENCES = [((2, 2), False), ((2, 2, 2), True), ((3, 2, 2, 1), False), ((3, 1, 1), True), ((1,), False), ((2, 1), True)]
SPECS = [
    OpSpec("rnn", sequence_by_sequence(rnn_cell, 1), samples(1, 1, SEQUENCES, nonlinearity="tanh"), op=called(recurrent.RNN)),
    OpSpec("rnn relu", sequence_by_sequence(rnn_cell, 1), samples(1, 1, SEQUENCES[1:4], nonlinearity="relu"), op=called(recurrent.RNN)),
    OpSpec("lstm", sequence_by_sequence(lstm_cell, 2), samples(4, 2, SEQUENCES, projected=(0, 3)), op=called(recurrent.LSTM)),
    OpSpec("gru", sequence_by_sequence(gru_cell, 1), samples(3, 1, SEQUENCES), op=called(recurrent.GRU)),
]


@pytest.mark.parametrize("spec", SPECS, ids=lambda s: s.name)
@pytest.mark.parametrize("check", [checks.forward, checks.gradients, checks.layouts, checks.dtypes, checks.repeatable])
def test_op(check, spec):
    check(spec)


@pytest.mark.parametrize("spec", SPECS, ids=lambda s: s.name)
def test_second_order(spec):
    small = [s for s in spec.samples if s.kwargs["sizes"] in ((2, 2), (2, 1), (3, 1, 1))][:2]
    for s in small:
        assert sum(np.prod(x) for x in s.inputs if x is not None) <= 200  # else it would be passed over
    checks.second(replace(spec, samples=small))


@pytest.mark.parametrize("spec", SPECS, ids=lambda s: s.name)
def test_the_kernel_is_the_composition(spec):
    """Values and gradients, also where only some of the outputs are used."""
    op = {"rnn relu": recurrent.RNN}.get(spec.name) or getattr(recurrent, spec.name.upper())
    for sample in spec.draw():
        xs = checks.tensors(sample)
        leaves = [x for x in xs if x is not None]
        ys, zs = spec.op(*xs, **sample.kwargs), called(op.op.composed)(*xs, **sample.kwargs)
        seeds = [np.cos(np.arange(y.size)).reshape(y.shape) for y in ys]
        for used in ([*range(len(ys))], [0], [len(ys) - 1]):
            found = [
                mg.grad([out[i] for i in used], leaves, [seeds[i] for i in used], retain_graph=True, allow_unused=True) for out in (ys, zs)
            ]
            for a, b in zip(*found, strict=True):
                np.testing.assert_allclose(a.numpy(), 0 * a.numpy() if b is None else b.numpy(), rtol=1e-9, atol=1e-12)


def lstm_inputs(n, width, steps, grad=True):
    rng = np.random.default_rng(0)
    shapes = [(n * steps, width), (n, width), (n, width), (4 * width, width), (4 * width, width), (4 * width,), (4 * width,)]
    return [mg.tensor(rng.normal(size=s).astype("float32") / width, requires_grad=grad) for s in shapes]


def test_saturated_gates():
    """Large inputs: no overflow, no NaN, in value and gradient."""
    for op, gates in ((recurrent.LSTM, 4), (recurrent.GRU, 3)):
        x = mg.tensor(np.array([[1e4], [-1e4]], "float32"), requires_grad=True)
        w, v = (mg.tensor(np.ones((gates, 1), "float32"), requires_grad=True) for _ in range(2))
        states, tail = ([None, None], [None]) if gates == 4 else ([None], [])
        y = op(x, *states, w, v, None, None, *tail, (1, 1), False)[0]
        y.sum().backward()
        assert np.isfinite(y.detach().numpy()).all()
        assert np.isfinite(w.grad.numpy()).all()


def test_an_overwritten_output_is_noticed():
    args = lstm_inputs(2, 3, 2)
    y = recurrent.LSTM(*args, None, (2, 2), False)[0]
    with mg.no_grad():
        y += 1
    with pytest.raises(GraphError, match="lstm"):
        y.sum().backward()


def test_last_states_have_memory_of_their_own():
    args = lstm_inputs(2, 3, 2, grad=False)
    y, h, c = recurrent.LSTM(*args, None, (2, 2), False)
    before = y.numpy().copy()
    h += 1
    c += 1
    np.testing.assert_array_equal(y.numpy(), before)


def test_what_is_kept():
    """Gates and states: 4 + 1 + 1 numbers per unit and step for an LSTM, 3 + 1 + 1 for a GRU, 1 for a plain net."""
    n, width, steps = 2, 8, 50
    x, h, c, w, v, b, d = lstm_inputs(n, width, steps, grad=False)
    sizes = (n,) * steps
    for op, args, gates, units in (
        (recurrent.LSTM, (x, h, c, w, v, b, d, None), 4, 6),
        (recurrent.GRU, (x, h, w[: 3 * width], v[: 3 * width], b[: 3 * width], d[: 3 * width]), 3, 5),
        (recurrent.RNN, (x, h, w[:width], v[:width], b[:width], d[:width], "tanh"), 1, 1),
    ):
        arrays = [a.data if isinstance(a, mg.Tensor) else a for a in args]
        _, kept = op.op.kernels[np.ndarray](*arrays, sizes, False)
        assert sum(a.size for a in kept if isinstance(a, np.ndarray)) == units * n * width * steps, gates


def test_rows_taken_and_laid():
    index = np.array([3, 0, 2])
    x = mg.tensor(np.arange(8.0).reshape(4, 2), requires_grad=True)
    y = recurrent.take_rows(x, index)
    np.testing.assert_array_equal(y.detach().numpy(), x.detach().numpy()[index])
    z = recurrent.lay_rows(y, index, 4, -1.0)
    assert z.tolist() == [[0.0, 1.0], [-1.0, -1.0], [4.0, 5.0], [6.0, 7.0]]
    (z * z).sum().backward()
    np.testing.assert_array_equal(x.grad.numpy(), 2 * np.where(np.arange(4)[:, None] == 1, 0, x.detach().numpy()))
    mg.testing.gradgradcheck(lambda t: recurrent.lay_rows(recurrent.take_rows(t, index) ** 3, index, 5), [x])
