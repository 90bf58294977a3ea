"""Initial values: their mean, spread and bounds; orthogonality; the data-driven scheme; objects for layers; PyTorch as the judge."""

import copy
import pickle

import numpy as np
import pytest

import minigrad as mg
from minigrad import nn
from minigrad.errors import DTypeError, GraphError, ShapeError
from minigrad.nn import init

SHAPE = (200, 100, 3)  # fan in 300, fan out 600


def blank(*shape, dtype="float64"):
    return nn.Parameter(np.zeros(shape, dtype))


def filled(f, *shape):
    mg.manual_seed(0)
    w = blank(*(shape or SHAPE))
    assert f(w) is w
    assert w.requires_grad
    return w.numpy()


SPREADS = {
    "uniform": (lambda t: init.uniform_(t, -2, 2), 4 / np.sqrt(12), 2),
    "normal": (lambda t: init.normal_(t, 0, 0.5), 0.5, None),
    "trunc_normal": (lambda t: init.trunc_normal_(t, 0, 1, -0.5, 0.5), 0.28409, 0.5),
    "xavier_uniform": (init.xavier_uniform_, np.sqrt(2 / 900), np.sqrt(6 / 900)),
    "xavier_normal": (lambda t: init.xavier_normal_(t, 2), 2 * np.sqrt(2 / 900), None),
    "kaiming_uniform": (lambda t: init.kaiming_uniform_(t, mode="fan_out", nonlinearity="relu"), np.sqrt(2 / 600), np.sqrt(6 / 600)),
    "kaiming_normal": (lambda t: init.kaiming_normal_(t, 1), np.sqrt(1 / 300), None),
    "lecun_uniform": (init.lecun_uniform_, np.sqrt(1 / 300), np.sqrt(3 / 300)),
    "lecun_normal": (init.lecun_normal_, np.sqrt(1 / 300), None),
    "scaled": (lambda t: init.variance_scaling_(t, 3.0, "fan_avg"), np.sqrt(3 / 450), 2 * np.sqrt(3 / 450) / 0.8796256),
    "scaled normal": (lambda t: init.variance_scaling_(t, 3.0, "fan_out", "normal"), np.sqrt(3 / 600), None),
}


@pytest.mark.parametrize("name", SPREADS)
def test_mean_spread_and_bound(name):
    f, std, bound = SPREADS[name]
    x = filled(f)
    assert abs(x.mean()) < 4 * std / np.sqrt(x.size)
    assert abs(x.std() / std - 1) < 0.01
    if bound is not None:
        assert 0.99 * bound < abs(x).max() <= bound


def test_constants_and_identities():
    assert (filled(lambda t: init.constant_(t, 3)) == 3).all()
    assert (filled(init.ones_) == 1).all()
    assert (filled(lambda t: init.zeros_(init.ones_(t))) == 0).all()
    assert np.array_equal(filled(init.eye_, 3, 5), np.eye(3, 5))
    x = np.random.default_rng(0).normal(size=(2, 4, 5, 5)).astype("float32")
    for groups in (1, 2):
        layer = nn.Conv2d(4, 4, 3, padding=1, groups=groups, init=init.Dirac(groups))
        np.testing.assert_array_equal(layer(mg.tensor(x)).numpy(), x)


def test_sparse_has_its_zeros_in_every_column():
    x = filled(lambda t: init.sparse_(t, 0.33, std=0.5), 100, 40)
    assert ((x == 0).sum(0) == 33).all()
    assert abs(x[x != 0].std() / 0.5 - 1) < 0.05
    assert len({tuple(np.flatnonzero(c == 0)) for c in x.T}) == 40


@pytest.mark.parametrize("shape", [(4, 4), (3, 7), (7, 3), (4, 2, 3)])
def test_orthogonal(shape):
    x = filled(lambda t: init.orthogonal_(t, 2.0), *shape).reshape(shape[0], -1)
    x = x if x.shape[0] <= x.shape[1] else x.T
    np.testing.assert_allclose(x @ x.T, 4 * np.eye(len(x)), atol=1e-12)


def test_orthogonal_is_drawn_evenly():
    """Without the correction of the signs, the diagonal would lean to one side."""
    mg.manual_seed(0)
    traces = [np.trace(init.orthogonal_(blank(3, 3)).numpy()) for _ in range(2000)]
    assert abs(np.mean(traces)) < 0.1
    assert abs(np.var(traces) - 1) < 0.15


def test_delta_orthogonal_keeps_lengths():
    w = filled(init.delta_orthogonal_, 6, 4, 3, 3)
    assert np.count_nonzero(w.any((0, 1))) == 1
    np.testing.assert_allclose(w[:, :, 1, 1].T @ w[:, :, 1, 1], np.eye(4), atol=1e-12)
    with pytest.raises(ShapeError, match="out >= in"):
        init.delta_orthogonal_(blank(3, 4, 1))


def test_dtype_and_generator():
    g = mg.Generator(3)
    w = init.normal_(blank(50, 50, dtype="float16"), generator=g)
    assert w.dtype == np.float16
    assert np.array_equal(init.normal_(blank(50, 50, dtype="float16"), generator=mg.Generator(3)).numpy(), w.numpy())


def test_what_is_refused():
    w = blank(4, 4)
    for f, error, words in (
        (lambda: init.xavier_normal_(blank(3)), ShapeError, "two axes"),
        (lambda: init.orthogonal_(blank(3)), ShapeError, "two axes"),
        (lambda: init.eye_(blank(3)), ShapeError, "matrix"),
        (lambda: init.dirac_(w), ShapeError, "convolution"),
        (lambda: init.dirac_(blank(4, 2, 3), groups=3), ValueError, "groups=3"),
        (lambda: init.sparse_(w, 1.5), ValueError, "sparsity"),
        (lambda: init.uniform_(w, 2, 1), ValueError, "a=2 and b=1"),
        (lambda: init.normal_(w, 0, -1), ValueError, "std"),
        (lambda: init.trunc_normal_(w, 0, 1, 20, 30), ValueError, "holds nothing"),
        (lambda: init.variance_scaling_(w, 0), ValueError, "scale"),
        (lambda: init.variance_scaling_(w, 1, "fan"), ValueError, "fan_avg"),
        (lambda: init.variance_scaling_(w, 1, "fan_in", "gamma"), ValueError, "truncated_normal"),
        (lambda: init.calculate_gain("rule"), ValueError, "rule"),
        (lambda: init.zeros_(w * 2), GraphError, "leaves"),
        (lambda: init.Orthogonal(size=2), TypeError, r"Orthogonal: .*size.*init.orthogonal_"),
        (lambda: nn.Linear(2, 2, init=init.Orthogonal), DTypeError, r"Orthogonal\(\)"),
        (lambda: nn.Conv2d(2, 2, 1, init="orthogonal"), DTypeError, "'orthogonal'"),
    ):
        with pytest.raises(error, match=words):
            f()
    assert (w.numpy() == 0).all()


def test_objects_fill_layers():
    mg.manual_seed(0)
    layer = nn.Linear(6, 4, init=init.Orthogonal(gain=2))
    np.testing.assert_allclose(layer.weight.numpy() @ layer.weight.numpy().T, 4 * np.eye(4), atol=1e-6)
    assert (layer.bias.numpy() == 0).all()
    old = layer.weight.numpy().copy()
    layer.reset_parameters()
    assert not np.array_equal(old, layer.weight.numpy())
    conv = nn.Conv2d(3, 4, 3, init=init.Normal(5.0, 0.1, bias=0.5))
    assert abs(conv.weight.numpy().mean() - 5) < 0.1
    assert (conv.bias.numpy() == 0.5).all()
    assert (nn.Linear(2, 2, init=init.Zeros(bias=init.Ones())).bias.numpy() == 1).all()
    assert (nn.Linear(2, 2, bias=False, init=lambda w: init.constant_(w, 7)).weight.numpy() == 7).all()
    assert (nn.ConvTranspose1d(2, 2, 3, init=init.Ones()).weight.numpy() == 1).all()
    assert repr(init.KaimingNormal(mode="fan_out", bias=1)) == "KaimingNormal(mode='fan_out', bias=1)"
    for other in (copy.deepcopy(layer), pickle.loads(pickle.dumps(layer))):
        assert repr(other.init) == "Orthogonal(gain=2)"
    assert list(nn.Linear(3, 4, init=init.Eye()).state_dict()) == ["weight", "bias"]


def test_every_function_has_its_object():
    functions = {n[:-1].replace("_", "") for n in init.__all__ if n.endswith("_") and n not in ("lsuv_", "layer_")}
    classes = {n.lower() for n in init.__all__ if isinstance(getattr(init, n), type) and n != "Initializer"}
    assert functions == classes


def test_lsuv():
    mg.manual_seed(0)
    net = nn.Sequential(
        nn.Conv2d(3, 8, 3), nn.ReLU(), nn.Dropout(0.5), nn.Flatten(), nn.Linear(128, 30), nn.Tanh(), nn.Linear(30, 5), nn.BatchNorm1d(5)
    )
    net[5].eval()
    x = mg.tensor(np.random.default_rng(0).normal(size=(64, 3, 6, 6)).astype("float32") * 20)
    before = mg.random.normal(size=3).tolist()
    stds = init.lsuv_(net, x, tolerance=0.01)
    assert list(stds) == ["0", "4", "6"]
    assert all(abs(s * s - 1) < 0.01 for s in stds.values())
    assert net.training
    assert not net[5].training
    assert net[7].num_batches_tracked.item() == 0
    assert all(not m._hooks for m in net.modules())
    w = net[6].weight.numpy()
    np.testing.assert_allclose(w @ w.T / (w @ w.T)[0, 0], np.eye(5), atol=1e-5)  # still orthogonal, but for a factor
    state = net.state_dict()
    assert init.lsuv_(net, x, orthogonal=False, tolerance=0.05) == pytest.approx(stds)
    assert all(np.array_equal(v.numpy(), state[k].numpy()) for k, v in net.state_dict().items())
    with pytest.raises(ValueError, match="layer '0' has standard deviation"):
        init.lsuv_(net, x * float("nan"))
    assert all(np.array_equal(v.numpy(), state[k].numpy()) for k, v in net.state_dict().items())
    assert net.training
    with pytest.raises(DTypeError, match="Module"):
        init.lsuv_(lambda v: v, x)
    assert len(before) == 3


TORCH = {
    "uniform_": ((-1, 3), {}),
    "normal_": ((1, 2), {}),
    "trunc_normal_": ((0.5, 1, -1, 1), {}),
    "xavier_uniform_": ((2,), {}),
    "xavier_normal_": ((), {}),
    "kaiming_uniform_": ((0.2, "fan_out"), {}),
    "kaiming_normal_": ((), {"nonlinearity": "relu"}),
    "orthogonal_": ((3,), {}),
    "sparse_": ((0.4, 0.3), {}),
}


@pytest.mark.torch
@pytest.mark.parametrize("name", TORCH)
def test_statistics_are_those_of_pytorch(name):
    torch = pytest.importorskip("torch")
    args, kwargs = TORCH[name]
    torch.manual_seed(0)
    theirs = getattr(torch.nn.init, name)(torch.zeros(300, 200, dtype=torch.float64), *args, **kwargs).numpy()
    mine = filled(lambda t: getattr(init, name)(t, *args, **kwargs), 300, 200)
    assert abs(mine.mean() - theirs.mean()) < 0.02 * theirs.std() + 1e-3
    assert abs(mine.std() / theirs.std() - 1) < 0.02
    quantiles = np.linspace(0.02, 0.98, 25)
    np.testing.assert_allclose(np.quantile(mine, quantiles), np.quantile(theirs, quantiles), atol=0.05 * theirs.std())


@pytest.mark.torch
@pytest.mark.parametrize(("name", "shape", "args"), [("eye_", (3, 5), ()), ("dirac_", (6, 2, 3, 4), (2,)), ("dirac_", (3, 5, 3), ())])
def test_values_are_those_of_pytorch(name, shape, args):
    torch = pytest.importorskip("torch")
    theirs = getattr(torch.nn.init, name)(torch.ones(shape), *args).numpy()
    assert np.array_equal(filled(lambda t: getattr(init, name)(t, *args), *shape), theirs)


@pytest.mark.torch
def test_gains_are_those_of_pytorch():
    torch = pytest.importorskip("torch")
    for name in ("linear", "conv2d", "conv_transpose3d", "sigmoid", "tanh", "relu", "leaky_relu", "selu"):
        assert init.calculate_gain(name) == pytest.approx(torch.nn.init.calculate_gain(name))
    assert init.calculate_gain("leaky_relu", 0.3) == pytest.approx(torch.nn.init.calculate_gain("leaky_relu", 0.3))


def test_weights_of_no_elements_and_wrong_ranks():
    empty = blank(0, 3)
    assert init.orthogonal_(empty) is empty
    for shape in ((3, 3), (3, 3, 1, 1, 1, 1)):
        with pytest.raises(ShapeError, match="delta_orthogonal_: expected the weight of a convolution"):
            init.delta_orthogonal_(blank(*shape))
