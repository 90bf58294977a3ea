"""Recurrent nets, cells and zoneout: against PyTorch, against loops in plain NumPy, on the double of a GPU; errors."""

import inspect
import warnings

import numpy as np
import pytest

import minigrad as mg
from minigrad import nn
from minigrad.errors import DeviceError, DTypeError, ShapeError
from minigrad.nn.utils import rnn as packing
from minigrad.testing.double import DoubleArray, no_sync, register

pytestmark = pytest.mark.filterwarnings("ignore:LSTM with projections is not supported with oneDNN")  # PyTorch of itself
NETS, CELLS = ["RNN", "LSTM", "GRU"], ["RNNCell", "LSTMCell", "GRUCell"]
LENGTHS = [3, 5, 1, 5]
CONFIGURATIONS = [
    ((3, 4), {}, (5, 2, 3)),
    ((3, 4), {"num_layers": 2}, (5, 2, 3)),
    ((3, 4), {"bidirectional": True}, (5, 2, 3)),
    ((3, 4), {"num_layers": 2, "bidirectional": True, "batch_first": True}, (2, 5, 3)),
    ((3, 4, 2), {"bias": False}, (5, 2, 3)),
    ((3, 4), {"num_layers": 3, "bidirectional": True, "dropout": 1.0}, (4, 2, 3)),
    ((3, 4), {"bidirectional": True, "batch_first": True}, (5, 3)),
    ((1, 1), {}, (1, 1, 1)),
    ((7, 33), {"num_layers": 2}, (12, 9, 7)),
]
OF_ONE = [
    ("RNN", (3, 4), {"nonlinearity": "relu"}, (5, 2, 3)),
    ("RNN", (3, 4, 2, "relu"), {"bidirectional": True, "bias": False}, (5, 2, 3)),
    ("LSTM", (3, 4), {"proj_size": 2}, (5, 2, 3)),
    ("LSTM", (3, 4), {"proj_size": 2, "num_layers": 2, "bidirectional": True, "batch_first": True}, (2, 5, 3)),
    ("LSTM", (3, 4), {"proj_size": 3, "bias": False}, (5, 3)),
]


def draw(*shape, seed=0):
    return np.random.default_rng([seed, *shape]).normal(size=shape).astype("float32")


def flat(y):
    return [t for part in y for t in flat(part)] if isinstance(y, (tuple, list)) else [] if y is None else [y]


def assert_near(mine, theirs, tolerance=1e-5, what=""):
    a, b = np.asarray(mine, "float64"), np.asarray(theirs, "float64")
    assert a.shape == b.shape, what
    assert abs(a - b).max(initial=0) <= tolerance * max(abs(b).max(initial=0), 1e-3), what


# -- against PyTorch --------------------------------------------------------------------------------------------------
@pytest.mark.torch
@pytest.mark.parametrize("name", NETS)
@pytest.mark.parametrize("case", CONFIGURATIONS, ids=str)
def test_nets_agree(agrees, name, case):
    agrees(name, *case)


@pytest.mark.torch
@pytest.mark.parametrize("case", OF_ONE, ids=str)
def test_options_of_one_net_agree(agrees, case):
    agrees(*case)


@pytest.mark.torch
@pytest.mark.parametrize("name", CELLS)
@pytest.mark.parametrize("case", [((3, 4), {}, (2, 3)), ((3, 4, False), {}, (2, 3)), ((3, 4), {}, (3,)), ((6, 20), {}, (9, 6))], ids=str)
def test_cells_agree(agrees, name, case):
    agrees(name, *case)


@pytest.mark.torch
@pytest.mark.parametrize(("name", "kw"), [("RNNCell", {}), ("RNNCell", {"nonlinearity": "relu"}), ("GRUCell", {})])
@pytest.mark.parametrize("shape", [(2,), ()])
def test_cells_agree_on_a_given_state(agrees, name, kw, shape):
    agrees(name, (3, 4), kw, (*shape, 3), (*shape, 4))


@pytest.mark.torch
@pytest.mark.parametrize("name", NETS)
def test_signatures(name):
    """PyTorch's own take ``*args``; this is what its documentation says."""
    torch = pytest.importorskip("torch")
    usual = {"num_layers": 1, "bias": True, "batch_first": False, "dropout": 0.0, "bidirectional": False}
    if name == "RNN":
        usual = {"num_layers": 1, "nonlinearity": "tanh", **{k: v for k, v in usual.items() if k != "num_layers"}}
    if name == "LSTM":
        usual["proj_size"] = 0
    ours = inspect.signature(getattr(nn, name).__init__).parameters
    assert list(ours) == ["self", "input_size", "hidden_size", *usual, "device", "dtype"]
    assert {n: ours[n].default for n in usual} == usual
    theirs = getattr(torch.nn, name)(3, 4)
    assert all(getattr(theirs, n) == v for n, v in usual.items())


def compared(name, args, kwargs, x, hx=None, lengths=None, how=""):
    """A net here and in PyTorch with the same weights: outputs, gradients of x, hx and parameters, compared in both modes."""
    torch = pytest.importorskip("torch")
    torch.manual_seed(0)
    theirs = getattr(torch.nn, name)(*args, **kwargs)
    mine = getattr(nn, name)(*args, **kwargs)
    mine.load_state_dict({k: v.detach().numpy() for k, v in theirs.state_dict().items()})
    first = kwargs.get("batch_first", False)
    pack = torch.nn.utils.rnn.pack_padded_sequence
    for train in (True, False):
        mine.train(train), theirs.train(train)
        mine.zero_grad(), theirs.zero_grad()
        t, u = mg.tensor(x, requires_grad=True), torch.tensor(x, requires_grad=True)
        hs = None if hx is None else [mg.tensor(h, requires_grad=True) for h in hx]
        ks = None if hx is None else [torch.tensor(h, requires_grad=True) for h in hx]
        state, other = [s and (tuple(s) if len(s) > 1 else s[0]) for s in (hs, ks)]
        if how == "packed":
            y, last = mine(packing.pack_padded_sequence(t, lengths, first, enforce_sorted=False), state)
            assert isinstance(y, packing.PackedSequence)
            z, final = theirs(pack(u, torch.tensor(lengths), first, enforce_sorted=False), other)
            for a, b in zip(y[1:], z[1:], strict=True):
                assert a.tolist() == b.tolist()
            y, z = y.data, z.data
        elif lengths is not None:
            y, last = mine(t, state, lengths=lengths)
            z, final = theirs(pack(u, torch.tensor(lengths), first, enforce_sorted=False), other)
            z = torch.nn.utils.rnn.pad_packed_sequence(z, first, total_length=x.shape[1 if first else 0])[0]
        else:
            (y, last), (z, final) = mine(t, state), theirs(u, other)
        total = rest = 0
        for i, (a, b) in enumerate(zip(flat([y, last]), flat([z, final]), strict=True)):
            assert_near(a.detach().numpy(), b.detach().numpy(), what=f"output {i}")
            w = draw(*a.shape, seed=i)
            total, rest = total + (a * w).sum(), rest + (b * torch.tensor(w)).sum()
        total.backward(), rest.backward()
        for i, (a, b) in enumerate(zip([t, *(hs or [])], [u, *(ks or [])], strict=True)):
            assert_near(a.grad.numpy(), b.grad.numpy(), what=f"gradient of input {i}")
        for (key, p), q in zip(mine.named_parameters(), theirs.parameters(), strict=True):
            assert_near(p.grad.numpy(), q.grad.numpy(), what=f"gradient of {key}")


STATED = [
    ("RNN", (3, 4), {}, (5, 4, 3)),
    ("RNN", (3, 4, 2, "relu"), {"bidirectional": True, "batch_first": True}, (4, 5, 3)),
    ("LSTM", (3, 4), {"num_layers": 2, "bidirectional": True}, (5, 4, 3)),
    ("LSTM", (3, 4), {"num_layers": 2, "proj_size": 2, "batch_first": True, "bidirectional": True}, (4, 5, 3)),
    ("LSTM", (3, 4), {"bias": False}, (5, 4, 3)),
    ("GRU", (3, 4), {"bias": False}, (5, 4, 3)),
    ("GRU", (3, 4), {"num_layers": 2, "bidirectional": True, "batch_first": True}, (4, 5, 3)),
]


def states_for(name, args, kwargs, batch):
    count = ([*args, 1][2] if len(args) > 2 else kwargs.get("num_layers", 1)) * (1 + kwargs.get("bidirectional", False))
    widths = [kwargs.get("proj_size") or args[1], args[1]][: 1 + (name == "LSTM")]
    return [draw(count, *batch, w, seed=k + 5) for k, w in enumerate(widths)]


@pytest.mark.torch
@pytest.mark.parametrize("case", STATED, ids=lambda c: f"{c[0]}{c[1:3]}")
@pytest.mark.parametrize("how", ["given hx", "unbatched", "packed", "packed without hx", "lengths", "lengths without hx"])
def test_states_and_lengths_agree(case, how):
    name, args, kwargs, shape = case
    x, hx, lengths = draw(*shape), states_for(name, args, kwargs, (4,)), None
    if how == "unbatched":
        x, hx = draw(5, 3), states_for(name, args, kwargs, ())
    if how.endswith("without hx"):
        hx, how = None, how.split()[0]
    if how in ("packed", "lengths"):
        lengths = LENGTHS if how == "packed" else [3, 4, 1, 4]  # shorter than the batch is long
    compared(name, args, kwargs, x, hx, lengths, how)


@pytest.mark.torch
@pytest.mark.parametrize("shape", [(2,), ()])
def test_lstm_cell_agrees_on_a_given_state(shape):
    torch = pytest.importorskip("torch")
    theirs = torch.nn.LSTMCell(3, 4)
    mine = nn.LSTMCell(3, 4)
    mine.load_state_dict({k: v.detach().numpy() for k, v in theirs.state_dict().items()})
    arrays = [draw(*shape, 3), draw(*shape, 4), draw(*shape, 4, seed=1)]
    xs = [mg.tensor(a, requires_grad=True) for a in arrays]
    us = [torch.tensor(a, requires_grad=True) for a in arrays]
    (h, c), (k, d) = mine(xs[0], (xs[1], xs[2])), theirs(us[0], (us[1], us[2]))
    assert_near(h.detach().numpy(), k.detach().numpy())
    assert_near(c.detach().numpy(), d.detach().numpy())
    (h * h + 2 * c).sum().backward(), (k * k + 2 * d).sum().backward()
    for a, b in zip([*xs, *mine.parameters()], [*us, *theirs.parameters()], strict=True):
        assert_near(a.grad.numpy(), b.grad.numpy())


@pytest.mark.torch
@pytest.mark.parametrize("first", [False, True])
@pytest.mark.parametrize("trailing", [(), (2,), (2, 3)])
def test_packing_agrees(first, trailing):
    torch = pytest.importorskip("torch")
    theirs = torch.nn.utils.rnn
    parts = [draw(n, *trailing, seed=n) for n in LENGTHS]
    mine, others = [mg.tensor(p) for p in parts], [torch.tensor(p) for p in parts]
    for side in ("right", "left"):
        x, u = packing.pad_sequence(mine, first, -1.5, side), theirs.pad_sequence(others, first, -1.5, side)
        np.testing.assert_array_equal(x.numpy(), u.numpy())
    x, u = packing.pad_sequence(mine, first), theirs.pad_sequence(others, first)
    pairs = [
        (packing.pack_sequence(mine, False), theirs.pack_sequence(others, False)),
        (packing.pack_padded_sequence(x, LENGTHS, first, False), theirs.pack_padded_sequence(u, torch.tensor(LENGTHS), first, False)),
    ]
    for p, q in pairs:
        for a, b in zip(p, q, strict=True):
            np.testing.assert_array_equal(a.numpy(), b.numpy())
        for kw in ({}, {"padding_value": 2.5}, {"total_length": 7}):
            for a, b in zip(packing.pad_packed_sequence(p, first, **kw), theirs.pad_packed_sequence(q, first, **kw), strict=True):
                np.testing.assert_array_equal(a.numpy(), b.numpy())
        for a, b in zip(packing.unpack_sequence(p), theirs.unpack_sequence(q), strict=True):
            np.testing.assert_array_equal(a.numpy(), b.numpy())
    for a, b in zip(packing.unpad_sequence(x, LENGTHS, first), theirs.unpad_sequence(u, torch.tensor(LENGTHS), first), strict=True):
        np.testing.assert_array_equal(a.numpy(), b.numpy())
    for n in packing.__all__:
        ours = [p for p in inspect.signature(getattr(packing, n)).parameters if p != "x"]
        assert ours == [p for p in inspect.signature(getattr(theirs, n)).parameters if p != "input"]


@pytest.mark.torch
@pytest.mark.parametrize("name", NETS)
def test_reprs(name):
    torch = pytest.importorskip("torch")
    kw = {"num_layers": 2, "bias": False, "batch_first": True, "dropout": 0.2, "bidirectional": True}
    assert repr(getattr(nn, name)(3, 4, **kw)) == repr(getattr(torch.nn, name)(3, 4, **kw))


# -- against plain loops ----------------------------------------------------------------------------------------------
def values(net):
    return {k: v.numpy().astype("float64") for k, v in net.state_dict().items()}


def sigmoid(u):
    return 1 / (1 + np.exp(-u))


def step(name, p, x, h, c, end):
    w, v, b, d = (p[f"{part}_{end}"] for part in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"))
    a, e = w @ x + b, v @ h + d
    n = len(h)
    if name == "RNN":
        return np.tanh(a + e), c
    if name == "LSTM":
        i, f, g, o = np.split(a + e, 4)
        c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
        return sigmoid(o) * np.tanh(c), c
    r, z = np.split(sigmoid(a + e)[: 2 * n], 2)
    return (1 - z) * np.tanh(a[2 * n :] + r * e[2 * n :]) + z * h, c


def walked(name, p, x, end, backwards):
    """One direction of one layer over one sequence: the outputs in order of time, and the last states."""
    n = p[f"weight_hh_{end}"].shape[1]
    h, c, out = np.zeros(n), np.zeros(n), np.zeros((len(x), n))
    for t in reversed(range(len(x))) if backwards else range(len(x)):
        h, c = step(name, p, x[t], h, c, end)
        out[t] = h
    return out, h, c


@pytest.mark.parametrize("name", NETS)
def test_two_layers_both_ways_with_lengths(name):
    """Sequence by sequence and layer by layer, each cut off at its own end."""
    mg.manual_seed(0)
    net = getattr(nn, name)(3, 4, 2, bidirectional=True, batch_first=True, dtype="float64")
    x, lengths, p = draw(4, 6, 3).astype("float64"), [3, 6, 1, 5], values(net)
    y, last = net(mg.tensor(x), lengths=np.array(lengths))
    h_n, c_n = last if name == "LSTM" else (last, None)
    for i, n in enumerate(lengths):
        inside = x[i, :n]
        for layer in range(2):
            ways = [walked(name, p, inside, f"l{layer}{end}", bool(end)) for end in ("", "_reverse")]
            for j, (_, h, c) in enumerate(ways):
                np.testing.assert_allclose(h_n[2 * layer + j, i].detach().numpy(), h, atol=1e-12)
                if c_n is not None:
                    np.testing.assert_allclose(c_n[2 * layer + j, i].detach().numpy(), c, atol=1e-12)
            inside = np.concatenate([out for out, _, _ in ways], 1)
        np.testing.assert_allclose(y[i, :n].detach().numpy(), inside, atol=1e-12)
        assert not y[i, n:].detach().numpy().any()


@pytest.mark.parametrize("name", NETS)
def test_padding_is_not_looked_at(name):
    """NaN beyond a sequence's end reaches neither outputs nor gradients."""
    net = getattr(nn, name)(3, 4, bidirectional=True)
    x = draw(5, 2, 3)
    x[2:, 1] = np.nan
    t = mg.tensor(x, requires_grad=True)
    y, last = net(t, lengths=[5, 2])
    (y.sum() + sum(s.sum() for s in flat([last]))).backward()
    assert np.isfinite(y.detach().numpy()).all()
    assert not t.grad.numpy()[2:, 1].any()
    assert all(np.isfinite(p.grad.numpy()).all() for p in net.parameters())


@pytest.mark.parametrize("name", NETS)
def test_a_net_is_its_cell_in_a_loop(name):
    mg.manual_seed(0)
    net, cell = getattr(nn, name)(3, 4), getattr(nn, name + "Cell")(3, 4)
    cell.load_state_dict({k.removesuffix("_l0"): v for k, v in net.state_dict().items()})
    x, state, ys = mg.tensor(draw(5, 2, 3)), None, []
    for row in x:
        state = cell(row, state)
        ys.append(state[0] if name == "LSTM" else state)
    y, last = net(x)
    np.testing.assert_allclose(y.detach().numpy(), mg.stack(ys).detach().numpy(), atol=1e-6)
    for a, b in zip(flat([last]), flat([state]), strict=True):
        np.testing.assert_allclose(a[0].detach().numpy(), b.detach().numpy(), atol=1e-6)


@pytest.mark.parametrize("name", NETS)
def test_second_order(name):
    net = getattr(nn, name)(2, 2, num_layers=2, bidirectional=True, dtype="float64")
    mg.testing.gradgradcheck(lambda t: net(t, lengths=[1, 3])[0], [mg.tensor(draw(3, 2, 2).astype("float64"), requires_grad=True)])


@pytest.mark.parametrize("name", NETS)
@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_dtypes(name, dtype):
    """Outputs and gradients have the parameters' dtype; half precision is computed in float32 and rounded once per layer."""
    mg.manual_seed(0)
    exact = getattr(nn, name)(3, 4, bidirectional=True, dtype="float64")
    net = getattr(nn, name)(3, 4, bidirectional=True, dtype=dtype)
    net.load_state_dict(exact.state_dict())
    x = draw(5, 2, 3).astype("float16")
    t, u = mg.tensor(x.astype(dtype), requires_grad=True), mg.tensor(x.astype("float64"), requires_grad=True)
    (y, last), (z, _) = net(t), exact(u)
    (y * y).sum().backward(), (z * z).sum().backward()
    tolerance = {"float16": 4e-3, "float32": 1e-5, "float64": 1e-12}[dtype]
    assert {v.dtype.name for v in flat([y, last, t.grad, *[p.grad for p in net.parameters()]])} == {dtype}
    for a, b in zip([y, t.grad, *[p.grad for p in net.parameters()]], [z, u.grad, *[p.grad for p in exact.parameters()]], strict=True):
        assert_near(a.detach().numpy(), b.detach().numpy(), tolerance)


@pytest.mark.parametrize("name", NETS)
def test_an_empty_batch(name):
    net = getattr(nn, name)(3, 4, bidirectional=True)
    y, last = net(mg.zeros((5, 0, 3), requires_grad=True), lengths=[])
    assert y.shape == (5, 0, 8)
    assert all(s.shape == (2, 0, 4) for s in flat([last]))
    y.sum().backward()
    assert not any(p.grad.numpy().any() for p in net.parameters())


def test_dropout_between_layers():
    mg.manual_seed(0)
    net, x = nn.GRU(3, 50, 2, dropout=0.5), mg.tensor(draw(4, 2, 3))
    a, b = (net(x)[0].detach().numpy() for _ in range(2))
    assert abs(a - b).max() > 1e-3
    net.eval()
    a, b = (net(x)[0].detach().numpy() for _ in range(2))
    np.testing.assert_array_equal(a, b)
    with pytest.warns(UserWarning, match="num_layers=1"):
        nn.LSTM(3, 4, dropout=0.5)


def test_initial_values():
    mg.manual_seed(0)
    net = nn.LSTM(20, 100, 2, bidirectional=True)
    for p in net.parameters():
        assert 0.08 < abs(p.numpy()).max() <= 0.1
        assert abs(p.numpy().mean()) < 0.02
    assert [len(w) for w in net.all_weights] == [4] * 4
    assert net.all_weights[1][0] is net.weight_ih_l0_reverse


@pytest.mark.parametrize("name", NETS)
def test_training_learns_to_remember(name):
    """The sign of the first entry, asked for at the end of sequences of several lengths."""
    mg.manual_seed(0)
    net, head = getattr(nn, name)(1, 8, batch_first=True), nn.Linear(8, 2)
    rng = np.random.default_rng(0)
    x, lengths = rng.normal(size=(64, 8, 1)).astype("float32") * 0.3, rng.integers(3, 9, 64)
    x[:, 0] = np.sign(x[:, 0])
    labels = mg.tensor((x[:, 0, 0] > 0).astype("int64"))
    opt = mg.optim.Adam([*net.parameters(), *head.parameters()], lr=0.02)
    for _ in range(60):
        opt.zero_grad()
        last = net(mg.tensor(x), lengths=lengths)[1]
        loss = nn.functional.cross_entropy(head((last[0] if name == "LSTM" else last)[0]), labels)
        loss.backward()
        opt.step()
    assert loss.item() < 0.1


# -- on the double of a GPU -------------------------------------------------------------------------------------------
@pytest.mark.parametrize("name", [*NETS, *CELLS, "Zoneout"])
@pytest.mark.parametrize("lengths", [None, [2, 4, 1]])
def test_on_the_double(name, lengths):
    """The values and gradients of NumPy; nothing is read back, and only the rows of a packed batch are sent."""
    register()
    if lengths and name not in NETS:
        return
    mg.manual_seed(0)
    kw = {"num_layers": 2, "bidirectional": True} if name in NETS else {}
    make = (lambda: nn.Zoneout(nn.LSTMCell(3, 4)).eval()) if name == "Zoneout" else lambda: getattr(nn, name)(3, 4, **kw)
    here, there = make(), make()
    there.load_state_dict(here.state_dict())
    there.to(device="double")
    x = mg.tensor(draw(4, 3, 3) if name in NETS else draw(4, 3), requires_grad=True)
    twin = mg.tensor(x.detach().numpy()).to(device="double").requires_grad_()
    call = {"lengths": lengths} if lengths else {}
    outs = flat(here(x, **call))
    sum((y * y).sum() for y in outs).backward()
    with no_sync(sending=lengths is not None):
        others = flat(there(twin, **call))
        sum((y * y).sum() for y in others).backward()
    for y, z in zip(outs, others, strict=True):
        assert isinstance(z.data, DoubleArray)
        assert_near(z.detach().numpy(), y.detach().numpy())
    assert_near(twin.grad.numpy(), x.grad.numpy())
    for (key, p), q in zip(here.named_parameters(), there.parameters(), strict=True):
        assert_near(q.grad.numpy(), p.grad.numpy(), what=key)
    if lengths:
        with pytest.raises(DeviceError, match="on the CPU"):
            there(twin, lengths=mg.tensor(lengths).to(device="double"))


# -- zoneout ----------------------------------------------------------------------------------------------------------
def test_zoneout():
    mg.manual_seed(0)
    cell = nn.LSTMCell(3, 400)
    zoned = nn.Zoneout(cell, p=0.05, p_cell=0.5)
    assert "p=0.05, p_cell=0.5" in repr(zoned)
    x, old = mg.tensor(draw(2, 3)), (mg.tensor(draw(2, 400)), mg.tensor(draw(2, 400, seed=1)))
    new, kept = cell(x, old), zoned(x, old)
    for n, o, k, p in zip(new, old, kept, (0.05, 0.5), strict=True):
        n, o, k = n.detach().numpy(), o.numpy(), k.detach().numpy()
        stays = k == o
        np.testing.assert_array_equal(k, np.where(stays, o, n))
        assert abs(stays.mean() - p) < 0.06
    zoned.eval()
    for n, o, k, p in zip(new, old, zoned(x, old), (0.05, 0.5), strict=True):
        np.testing.assert_allclose(k.detach().numpy(), p * o.numpy() + (1 - p) * n.detach().numpy(), atol=1e-6)
    np.testing.assert_allclose(zoned(x)[1].detach().numpy(), 0.5 * cell(x)[1].detach().numpy(), atol=1e-6)


def test_zoneout_of_one_state():
    mg.manual_seed(0)
    cell, x, h = nn.GRUCell(3, 5), mg.tensor(draw(2, 3)), mg.tensor(draw(2, 5), requires_grad=True)
    y = nn.Zoneout(cell, 1.0)(x, h)
    np.testing.assert_array_equal(y.detach().numpy(), h.detach().numpy())
    np.testing.assert_array_equal(nn.Zoneout(cell, 0.0)(x, h).detach().numpy(), cell(x, h).detach().numpy())
    y.sum().backward()
    np.testing.assert_array_equal(h.grad.numpy(), np.ones((2, 5), "float32"))
    for p in (-0.1, float("nan")):
        with pytest.raises(ValueError, match="Zoneout"):
            nn.Zoneout(cell, p)


# -- errors -----------------------------------------------------------------------------------------------------------
def z(*shape, dtype="float32"):
    return mg.zeros(shape, dtype=dtype)


BAD = [
    (lambda: nn.LSTM(3, 0), ValueError, "hidden_size"),
    (lambda: nn.LSTM(3, 4, 0), ValueError, "num_layers"),
    (lambda: nn.LSTM(3, 4.0), DTypeError, "hidden_size must be an integer"),
    (lambda: nn.LSTM(3, 4, proj_size=4), ValueError, "proj_size"),
    (lambda: nn.GRU(3, 4, 2, dropout=1.5), ValueError, "1.5"),
    (lambda: nn.RNN(3, 4, nonlinearity="sin"), ValueError, "'sin'"),
    (lambda: nn.RNNCell(3, 4, nonlinearity="sin"), ValueError, "'sin'"),
    (lambda: nn.LSTM(3, 4)(z(5, 2, 4)), ShapeError, "x has 4 features, input_size is 3"),
    (lambda: nn.LSTM(3, 4)(z(3)), ShapeError, "unbatched"),
    (lambda: nn.LSTM(3, 4)(z(0, 2, 3)), ShapeError, "no steps"),
    (lambda: nn.LSTM(3, 4)(z(5, 2, 3, dtype="int64")), DTypeError, "floating"),
    (lambda: nn.LSTM(3, 4)(z(5, 2, 3), z(1, 2, 4)), DTypeError, "h_0, c_0"),
    (lambda: nn.LSTM(3, 4)(z(5, 2, 3), (z(1, 2, 4), z(1, 3, 4))), ShapeError, "c_0 has shape"),
    (lambda: nn.GRU(3, 4, 2)(z(5, 2, 3), z(1, 2, 4)), ShapeError, r"expected \(2, 2, 4\)"),
    (lambda: nn.GRU(3, 4)(z(5, 3), z(1, 1, 4)), ShapeError, r"expected \(1, 4\)"),
    (lambda: nn.GRU(3, 4)(z(5, 2, 3), lengths=[5, 6]), ShapeError, "length 6 at position 1; expected 1 to 5"),
    (lambda: nn.GRU(3, 4)(z(5, 2, 3), lengths=[0, 5]), ShapeError, "length 0 at position 0"),
    (lambda: nn.GRU(3, 4)(z(5, 2, 3), lengths=[5]), ShapeError, "each of the 2 sequences"),
    (lambda: nn.GRU(3, 4)(z(5, 2, 3), lengths=[5.0, 2.0]), DTypeError, "integers"),
    (lambda: nn.GRU(3, 4)(z(5, 3), lengths=[5]), ShapeError, "unbatched"),
    (lambda: nn.GRU(3, 4)(packing.pack_sequence([z(2, 3)]), lengths=[2]), ValueError, "PackedSequence"),
    (lambda: nn.GRU(3, 4)(packing.pack_sequence([z(2, 5)])), ShapeError, "5 features"),
    (lambda: nn.GRU(3, 4)(packing.PackedSequence(z(3, 3), [1, 2])), ShapeError, "never grow"),
    (lambda: nn.LSTMCell(3, 4)(z(2, 3), z(2, 4)), DTypeError, "h_0, c_0"),
    (lambda: nn.LSTMCell(3, 4)(z(2, 3), (z(2, 4), z(2, 5))), ShapeError, "c_0"),
    (lambda: nn.GRUCell(3, 4)(z(2, 3), z(3, 4)), ShapeError, r"expected \(2, 4\)"),
    (lambda: nn.GRUCell(3, 4)(z(5, 2, 3)), ShapeError, "batch"),
    (lambda: packing.pack_padded_sequence(z(5, 2), [3, 4]), ShapeError, "enforce_sorted=False"),
    (lambda: packing.pack_padded_sequence(z(5), [3]), ShapeError, "time, batch"),
    (lambda: packing.pack_padded_sequence(z(5, 0), []), ShapeError, "no sequence"),
    (lambda: packing.pad_packed_sequence(packing.pack_sequence([z(3)]), total_length=2), ShapeError, "total_length 2"),
    (lambda: packing.pad_sequence([]), ShapeError, "at least one"),
    (lambda: packing.pad_sequence([z(2, 3), z(2, 4)]), ShapeError, "first axis"),
    (lambda: packing.pad_sequence([z(2)], padding_side="top"), ValueError, "'top'"),
    (lambda: packing.pack_sequence([z(2), z(0)]), ShapeError, "length 0 at position 1"),
]


@pytest.mark.parametrize(("call", "error", "words"), BAD, ids=[b[2] for b in BAD])
def test_errors(call, error, words):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(error, match=words):
            call()


def test_packed_sequences_move():
    p = packing.pack_sequence([mg.tensor([1.0, 2.0]), mg.tensor([3.0, 4.0, 5.0])], enforce_sorted=False)
    assert p.unsorted_indices.tolist() == [1, 0]
    assert p.to("float64").data.dtype == "float64"
    assert p.to(dtype="float16").batch_sizes.dtype == "int64"
    assert p.cpu().data.tolist() == [3.0, 1.0, 4.0, 2.0, 5.0]
    assert packing.invert_permutation(None) is None
