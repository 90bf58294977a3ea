"""nn.utils that change what a weight is: vectors and parametrizations."""

import copy
import pickle

import numpy as np
import pytest

import minigrad as mg
from minigrad import nn, optim
from minigrad.errors import AxisError, DTypeError, GraphError, ShapeError
from minigrad.nn.utils import parametrizations, parametrize
from minigrad.testing.double import DoubleArray, no_sync, register

register()


def x(*shape, seed=0):
    return mg.tensor(np.random.default_rng(seed).normal(size=shape).astype("float32"))


class Symmetric(nn.Module):
    def forward(self, w):
        return mg.triu(w) + mg.triu(w, 1).mT

    def right_inverse(self, w):
        return mg.triu(w)


class Doubled(nn.Module):
    def forward(self, w):
        return w * 2


class Wider(nn.Module):
    def forward(self, w):
        return mg.concat([w, w])


# -- vectors ----------------------------------------------------------------------------------------------------------
def test_vectors():
    net = nn.Sequential(nn.Linear(3, 2), nn.Linear(2, 1))
    v = nn.utils.parameters_to_vector(net.parameters())
    assert v.shape == (11,)
    v[0].backward()
    assert net[0].weight.grad.numpy().ravel().tolist() == [1, 0, 0, 0, 0, 0]
    nn.utils.vector_to_parameters(v.detach() * 2, net.parameters())
    np.testing.assert_array_equal(nn.utils.parameters_to_vector(net.parameters()).detach().numpy(), 2 * v.detach().numpy())
    before = net.state_dict()
    for bad in (mg.ones(12), mg.ones((11, 1))):
        with pytest.raises(ShapeError, match="11 entries"):
            nn.utils.vector_to_parameters(bad, net.parameters())
    with pytest.raises(DTypeError, match="Tensor"):
        nn.utils.vector_to_parameters([1.0] * 11, net.parameters())
    with pytest.raises(ValueError, match="no parameters"):
        nn.utils.parameters_to_vector([])
    assert all(np.array_equal(t.numpy(), before[k].numpy()) for k, t in net.state_dict().items())
    y = net(x(1, 3))
    nn.utils.vector_to_parameters(mg.ones(11), net.parameters())
    with pytest.raises(GraphError, match="vector_to_parameters"):
        y.sum().backward()


# -- parametrizations -------------------------------------------------------------------------------------------------
def test_a_parametrized_weight_is_computed_at_each_use():
    layer = nn.Linear(3, 3)
    p, old = layer.weight, layer.weight.numpy().copy()
    opt = optim.SGD(layer.parameters(), lr=0.1)
    assert parametrize.register_parametrization(layer, "weight", Symmetric()) is layer
    w = layer.weight
    np.testing.assert_array_equal(w.detach().numpy(), np.triu(old) + np.triu(old, 1).T)
    assert layer.parametrizations.weight.original is p  # so the optimizer still knows it
    assert list(layer.state_dict()) == ["bias", "parametrizations.weight.original"]
    assert [n for n, _ in layer.named_parameters()] == ["bias", "parametrizations.weight.original"]
    assert repr(layer).startswith("ParametrizedLinear(in_features=3")
    assert isinstance(layer, nn.Linear)
    assert parametrize.is_parametrized(layer)
    assert parametrize.is_parametrized(layer, "weight")
    assert not parametrize.is_parametrized(layer, "bias")
    assert parametrize.type_before_parametrizations(layer) is nn.Linear
    (layer(x(4, 3)) ** 2).sum().backward()
    opt.step()
    w = layer.weight.detach().numpy()
    np.testing.assert_array_equal(w, w.T)
    assert not np.array_equal(w, old)


def test_assignment_goes_through_the_inverse():
    layer = parametrize.register_parametrization(nn.Linear(2, 2), "weight", Symmetric())
    layer.weight = mg.tensor([[1.0, 2.0], [2.0, 3.0]])
    assert layer.parametrizations.weight.original.tolist() == [[1, 2], [0, 3]]
    assert layer.weight.tolist() == [[1, 2], [2, 3]]
    with pytest.raises(DTypeError, match="expected a Tensor"):
        layer.weight = 3
    with pytest.raises(AttributeError, match="plain Tensor"):
        layer.weight = nn.Parameter(np.ones((2, 2), "float32"))
    with pytest.raises(ShapeError, match="right_inverse made shape"):
        layer.weight = mg.ones((3, 3))
    assert layer.weight.tolist() == [[1, 2], [2, 3]]
    parametrize.register_parametrization(layer, "bias", Doubled())
    with pytest.raises(GraphError, match="Doubled has no right_inverse"):
        layer.bias = mg.ones(2)


def test_several_on_one_tensor_and_on_one_module():
    layer = nn.Linear(2, 2)
    layer.weight.data[...] = [[1, 2], [9, 3]]
    b = layer.bias.numpy().copy()
    parametrize.register_parametrization(layer, "weight", Symmetric())
    parametrize.register_parametrization(layer, "weight", Doubled())
    parametrize.register_parametrization(layer, "bias", Doubled())
    assert layer.weight.tolist() == [[2, 4], [4, 6]]
    np.testing.assert_array_equal(layer.bias.detach().numpy(), 2 * b)
    parametrize.remove_parametrizations(layer, "weight")
    assert layer.weight.tolist() == [[2, 4], [4, 6]]
    assert isinstance(layer.weight, nn.Parameter)
    assert list(layer.state_dict()) == ["weight", "parametrizations.bias.original"]
    parametrize.remove_parametrizations(layer, "bias", leave_parametrized=False)
    np.testing.assert_array_equal(layer.bias.numpy(), b)
    assert type(layer) is nn.Linear
    assert sorted(layer.state_dict()) == ["bias", "weight"]
    assert not parametrize.is_parametrized(layer)


def test_copies_are_independent():
    layer = parametrizations.weight_norm(nn.Linear(3, 2))
    for other in (copy.deepcopy(layer), pickle.loads(pickle.dumps(layer))):
        assert type(other) is type(layer)
        np.testing.assert_array_equal(other.weight.detach().numpy(), layer.weight.detach().numpy())
        parametrize.remove_parametrizations(other, "weight")
        assert type(other) is nn.Linear
        assert parametrize.is_parametrized(layer, "weight")
        other.weight.data[...] = 0
        assert layer.weight.numpy().any()


def test_cached():
    layer = parametrizations.weight_norm(nn.Linear(3, 2))
    with parametrize.cached():
        w = layer.weight
        assert layer.weight is w
        with parametrize.cached():
            assert layer.weight is w
        (w * w).sum().backward()
    assert layer.weight is not w
    with pytest.raises(ZeroDivisionError), parametrize.cached():
        _ = layer.weight, 1 / 0
    assert layer.weight is not layer.weight


def test_bad_parametrizations_change_nothing():
    layer = nn.Linear(3, 3)
    old = layer.weight.numpy().copy()
    for how, error, words in (
        (Wider(), ShapeError, r"made shape \(6, 3\) of \(3, 3\); pass unsafe=True"),
        (nn.Lambda(lambda w: w.astype("float64")), DTypeError, "made float64 of float32"),
        (nn.Lambda(lambda w: 3), DTypeError, "must return a Tensor"),
        (lambda w: w, DTypeError, "expected a Module"),
    ):
        with pytest.raises(error, match=words):
            parametrize.register_parametrization(layer, "weight", how)
        assert type(layer) is nn.Linear
        assert np.array_equal(layer.weight.numpy(), old)
    with pytest.raises(AttributeError, match=r"no parameter or buffer 'wieght'; it has \['weight', 'bias'\]"):
        parametrize.register_parametrization(layer, "wieght", Symmetric())
    with pytest.raises(ValueError, match="no parametrized 'weight'"):
        parametrize.remove_parametrizations(layer, "weight")
    assert parametrize.register_parametrization(layer, "weight", Wider(), unsafe=True).weight.shape == (6, 3)
    layer = parametrizations.weight_norm(nn.Linear(3, 3))
    with pytest.raises(ValueError, match="2 originals"):
        parametrize.remove_parametrizations(layer, "weight", leave_parametrized=False)


def test_functional_call_and_state_of_parametrized_modules():
    layer, other = parametrizations.weight_norm(nn.Linear(3, 2)), parametrizations.weight_norm(nn.Linear(3, 2))
    other.load_state_dict(layer.state_dict())
    np.testing.assert_array_equal(other(x(4, 3)).detach().numpy(), layer(x(4, 3)).detach().numpy())
    g = mg.ones((2, 1)) * 0
    y = nn.functional_call(layer, {"parametrizations.weight.original0": g}, x(4, 3))
    np.testing.assert_allclose(y.detach().numpy(), np.tile(layer.bias.numpy(), (4, 1)))


def test_buffers_can_be_parametrized():
    m = nn.Module()
    m.table = nn.Buffer([1.0, 2.0])
    parametrize.register_parametrization(m, "table", Doubled())
    assert m.table.tolist() == [2, 4]
    assert list(dict(m.named_buffers())) == ["parametrizations.table.original"]
    parametrize.remove_parametrizations(m, "table")
    assert isinstance(m.table, nn.Buffer)
    assert m.table.tolist() == [2, 4]


# -- the three forms --------------------------------------------------------------------------------------------------
def test_weight_norm_keeps_the_weight_and_the_lengths():
    layer = nn.Conv2d(3, 4, 3)
    old = layer.weight.numpy().copy()
    nn.utils.weight_norm(layer)
    np.testing.assert_allclose(layer.weight.detach().numpy(), old, rtol=1e-6)
    layer.parametrizations.weight.original1.data[...] *= 5
    np.testing.assert_allclose(layer.weight.detach().numpy(), old, rtol=1e-5)
    layer.weight = mg.ones((4, 3, 3, 3))
    np.testing.assert_allclose(layer.parametrizations.weight.original0.numpy().ravel(), np.sqrt([27] * 4), rtol=1e-6)
    with pytest.raises(AxisError, match="dim 2"):
        nn.utils.weight_norm(nn.Linear(2, 2), dim=2)
    with pytest.raises(AttributeError, match="weights"):
        nn.utils.weight_norm(nn.Linear(2, 2), "weights")


def test_spectral_norm_follows_in_training_only():
    mg.manual_seed(0)
    layer = nn.utils.spectral_norm(nn.Linear(6, 5), n_power_iterations=3)
    how = layer.parametrizations.weight[0]
    layer.eval()
    u = how._u.numpy().copy()
    _ = layer.weight
    assert np.array_equal(how._u.numpy(), u)
    layer.train()
    for _ in range(50):
        w = layer.weight
    assert np.linalg.norm(w.detach().numpy(), 2) == pytest.approx(1, abs=1e-4)
    assert abs(np.linalg.norm(how._u.numpy()) - 1) < 1e-6
    first, second = layer(x(2, 6)), layer(x(2, 6, seed=1))
    (first - second).sum().backward()  # two forward passes into one backward, as for a GAN
    with pytest.raises(ShapeError, match="n_power_iterations"):
        nn.utils.spectral_norm(nn.Linear(2, 2), n_power_iterations=0)
    vector = nn.utils.spectral_norm(nn.Linear(6, 5), "bias")
    assert np.linalg.norm(vector.bias.detach().numpy()) == pytest.approx(1, rel=1e-5)
    assert nn.utils.spectral_norm(nn.ConvTranspose2d(3, 5, 2)).parametrizations.weight[0]._u.shape == (5,)


MAPS = ["matrix_exp", "cayley", "householder"]


@pytest.mark.parametrize("how", MAPS)
@pytest.mark.parametrize("shape", [(4, 4), (6, 3), (3, 6)])
@pytest.mark.parametrize("trivial", [True, False])
def test_orthogonal_stays_orthogonal(how, shape, trivial):
    mg.manual_seed(0)
    layer = nn.Linear(*shape[::-1])
    if trivial or how == "householder":
        nn.init.orthogonal_(layer.weight)
        old = layer.weight.numpy().copy()
        parametrizations.orthogonal(layer, orthogonal_map=how, use_trivialization=trivial)
        np.testing.assert_allclose(layer.weight.detach().numpy(), old, atol=1e-5)
    else:
        with pytest.raises(GraphError, match="without use_trivialization"):
            parametrizations.orthogonal(layer, orthogonal_map=how, use_trivialization=False)
        return
    opt = optim.SGD(layer.parameters(), lr=0.5)
    for _ in range(5):
        opt.zero_grad()
        (layer(x(8, shape[1])) ** 2 * x(8, shape[0])).mean().backward()
        opt.step()
    w = layer.weight.detach().numpy()
    assert abs(w - old).max() > 0.01
    w = w if shape[0] <= shape[1] else w.T
    np.testing.assert_allclose(w @ w.T, np.eye(len(w)), atol=2e-5)


def test_orthogonal_refuses():
    with pytest.raises(ShapeError, match="matrix"):
        parametrizations.orthogonal(nn.Linear(3, 3), "bias")
    with pytest.raises(ValueError, match="cayley"):
        parametrizations.orthogonal(nn.Linear(3, 3), orthogonal_map="exp")
    layer = parametrizations.orthogonal(nn.Linear(3, 3))
    with pytest.raises(ShapeError, match=r"expected shape \(3, 3\)"):
        layer.weight = mg.ones((2, 2))


@pytest.mark.torch
@pytest.mark.parametrize(
    ("form", "kwargs"),
    [
        ("weight_norm", {}),
        ("weight_norm", {"dim": 1}),
        ("weight_norm", {"dim": None}),
        ("weight_norm", {"dim": -1}),
        ("spectral_norm", {}),
        ("spectral_norm", {"n_power_iterations": 3, "dim": 1}),
        ("spectral_norm", {"eps": 1e-3}),
        *[("orthogonal", {"orthogonal_map": how}) for how in MAPS],
        ("orthogonal", {"orthogonal_map": "householder", "use_trivialization": False}),
        ("orthogonal", {}),
    ],
)
@pytest.mark.parametrize(
    ("name", "args", "shape"), [("Linear", (5, 3), (4, 5)), ("Linear", (4, 4), (2, 4)), ("Conv2d", (3, 4, 3), (2, 3, 5, 5))]
)
def test_forms_agree_with_pytorch(form, kwargs, name, args, shape):
    """In float64: the exponential of a matrix of size 27 magnifies the rounding of float32 tenfold, in both libraries."""
    torch = pytest.importorskip("torch")
    torch.manual_seed(0)
    theirs = getattr(torch.nn, name)(*args).double()
    mine = getattr(nn, name)(*args).double()
    mine.load_state_dict({k: v.detach().numpy() for k, v in theirs.state_dict().items()})
    getattr(parametrizations, form)(mine, **kwargs)
    getattr(torch.nn.utils.parametrizations, form)(theirs, **kwargs)
    state = {k: v.detach().numpy() for k, v in theirs.state_dict().items()}
    assert list(mine.state_dict()) == list(state)
    assert [v.shape for v in mine.state_dict().values()] == [v.shape for v in state.values()]
    rng = np.random.default_rng(0)
    if form == "orthogonal":  # away from the start, where the free numbers are all zero
        free = "parametrizations.weight.original"
        state[free] = state[free] + rng.normal(size=state[free].shape) * np.tri(*state[free].shape[-2:], -1)
        theirs.load_state_dict({k: torch.tensor(v) for k, v in state.items()})
    mine.load_state_dict(state)
    a = rng.normal(size=shape)
    for train in (True, False):
        mine.train(train), theirs.train(train)
        mine.zero_grad(), theirs.zero_grad()
        y, z = mine(mg.tensor(a)), theirs(torch.tensor(a))
        np.testing.assert_allclose(y.detach().numpy(), z.detach().numpy(), rtol=1e-9, atol=1e-12)
        (y * y * y).sum().backward(), (z * z * z).sum().backward()
        for (key, p), q in zip(mine.named_parameters(), theirs.parameters(), strict=True):
            np.testing.assert_allclose(p.grad.numpy(), q.grad.numpy(), atol=1e-9 * abs(q.grad.numpy()).max(), err_msg=key)
        for (key, b), c in zip(mine.named_buffers(), theirs.buffers(), strict=True):
            np.testing.assert_allclose(b.numpy(), c.numpy(), atol=1e-9, err_msg=key)


@pytest.mark.parametrize(
    ("form", "kwargs"),
    [("weight_norm", {}), ("spectral_norm", {}), *[("orthogonal", {"orthogonal_map": how}) for how in MAPS if how != "matrix_exp"]],
)
def test_forms_on_the_double_of_a_gpu(form, kwargs):
    """The same values without the host reading one; the exponential of a matrix reads a norm, to know how often to square."""
    mg.manual_seed(0)
    here = getattr(parametrizations, form)(nn.Linear(4, 3), **kwargs)
    there = copy.deepcopy(here).to(device="double")
    a = np.random.default_rng(0).normal(size=(5, 4)).astype("float32")
    sent = mg.tensor(a).to(device="double")
    with no_sync():
        y = there(sent)
        (y * y).sum().backward()
    z = here(mg.tensor(a))
    (z * z).sum().backward()
    assert isinstance(y.data, DoubleArray)
    np.testing.assert_allclose(y.detach().numpy(), z.detach().numpy(), rtol=1e-5, atol=1e-6)
    for p, q in zip(there.parameters(), here.parameters(), strict=True):
        np.testing.assert_allclose(p.grad.numpy(), q.grad.numpy(), rtol=1e-4, atol=1e-5)
