"""Regularizers: what they choose, what they add, what they leave."""

import numpy as np
import pytest

import minigrad as mg
from minigrad import nn, optim
from minigrad import regularizers as R
from minigrad.errors import DTypeError, ShapeError
from minigrad.train import Trainer

rng = np.random.default_rng(0)


def leaf(*shape):
    return mg.tensor(rng.normal(size=shape), requires_grad=True)


def model():
    mg.manual_seed(0)
    return nn.Sequential(nn.Linear(4, 5), nn.BatchNorm1d(5), nn.ReLU(), nn.Linear(5, 3)).double()


# -- what is chosen ---------------------------------------------------------------------------------------------------
def test_on():
    net = model()

    def names(on):
        return [name for name, _ in R.L2(1.0, on=on).chosen(net)]

    assert names(None) == ["0.weight", "3.weight"]
    assert names(net[3]) == ["3.weight", "3.bias"]
    assert names(net[0].bias) == ["0.bias"]
    assert names(r"bias$") == ["0.bias", "1.bias", "3.bias"]
    assert names(lambda name, p: p.ndim == 1 and name.startswith("1")) == ["1.weight", "1.bias"]
    assert names([net[0].bias, "3.*weight"]) == ["0.bias", "3.weight"]
    with pytest.raises(ValueError, match="no parameter of Sequential matches 'conv'"):
        R.L2(1.0, on="conv").penalty(net)
    with pytest.raises(ValueError, match="give the model"):
        R.L2(1.0).penalty()
    with pytest.raises(DTypeError, match="on must be a parameter"):
        R.L2(1.0, on=3)
    assert repr(R.L1(0.5, on="bias")) == "L1(on='bias', strength=0.5, proximal=False)"


# -- penalties --------------------------------------------------------------------------------------------------------
W = rng.normal(size=(3, 4))
PENALTIES = {
    "L1": (R.L1, {"strength": 0.3}, 0.3 * abs(W).sum()),
    "L2": (R.L2, {"strength": 0.3}, 0.15 * (W**2).sum()),
    "ElasticNet": (R.ElasticNet, {"l1": 0.3, "l2": 0.2}, 0.3 * abs(W).sum() + 0.1 * (W**2).sum()),
    "GroupLasso rows": (R.GroupLasso, {"strength": 0.3}, 0.3 * 2 * np.sqrt((W**2).sum(1)).sum()),
    "GroupLasso columns": (R.GroupLasso, {"strength": 0.3, "axis": 1}, 0.3 * np.sqrt(3) * np.sqrt((W**2).sum(0)).sum()),
    "Orthogonal": (R.Orthogonal, {"strength": 0.3}, 0.3 * ((W @ W.T - np.eye(3)) ** 2).sum()),
    "Spectral": (R.Spectral, {"strength": 0.3, "iterations": 200}, 0.15 * np.linalg.norm(W, 2) ** 2),
}


@pytest.mark.parametrize("name", PENALTIES)
def test_values_and_gradients(name):
    kind, settings, expected = PENALTIES[name]
    w = mg.tensor(W, requires_grad=True)
    r = kind(**settings, on=w)
    assert r.penalty().item() == pytest.approx(expected)
    assert mg.testing.gradcheck(lambda w: kind(**settings, on=w).penalty(), [w], atol=1e-4)
    with pytest.raises(ValueError, match="must be a number >= 0"):
        kind(**{k: -1.0 if k in ("strength", "l1") else v for k, v in settings.items()}, on=w)


def test_l2_is_weight_decay():
    def run(decay, penalty):
        net = model()
        opt = optim.SGD(net.parameters(), lr=0.1, weight_decay=decay)
        x, y = mg.tensor(rng_x), mg.tensor(rng_y)
        for _ in range(5):
            opt.zero_grad()
            loss = nn.functional.cross_entropy(net(x), y)
            (loss if penalty is None else loss + penalty.penalty(net)).backward()
            opt.step()
        return [p.detach().numpy() for p in net.parameters()]

    rng_x, rng_y = rng.normal(size=(8, 4)), rng.integers(0, 3, 8)
    for a, b in zip(run(0.2, None), run(0.0, R.L2(0.2, on=".")), strict=True):
        np.testing.assert_allclose(a, b)


def test_convolution_weights_are_matrices():
    w = leaf(6, 2, 3, 3)
    m = w.detach().numpy().reshape(6, 18)
    assert R.Orthogonal(1.0, on=w).penalty().item() == pytest.approx(((m @ m.T - np.eye(6)) ** 2).sum())
    tall = leaf(5, 2)
    m = tall.detach().numpy()
    assert R.Orthogonal(1.0, on=tall).penalty().item() == pytest.approx(((m.T @ m - np.eye(2)) ** 2).sum())
    spectral = R.Spectral(1.0, on=w)
    for _ in range(60):
        value = spectral.penalty().item()  # the power method goes on from step to step
    assert value == pytest.approx(0.5 * np.linalg.norm(w.detach().numpy().reshape(6, 18), 2) ** 2, rel=1e-3)


# -- proximal steps and constraints -----------------------------------------------------------------------------------
@pytest.mark.parametrize("r", [R.L1(0.4, proximal=True), R.ElasticNet(0.4, 0.3, proximal=True), R.GroupLasso(0.2, proximal=True)])
def test_proximal_maps_are_minima(r):
    """``prox(w)`` minimises |v - w|^2 / 2 + step term(v): nothing nearby is lower."""
    w, step = rng.normal(size=(3, 4)), 0.5
    v = r.prox(w, step)

    def objective(v):
        return ((v - w) ** 2).sum() / 2 + step * r.term(mg.tensor(v)).item()

    best = objective(v)
    for _ in range(300):
        assert objective(v + rng.normal(size=v.shape) * 10 ** rng.uniform(-4, 0)) >= best
    assert (v == 0).any() or isinstance(r, R.GroupLasso)


def test_proximal_steps_need_the_optimizer():
    w = leaf(3, 2)
    r = R.L1(0.1, on=w, proximal=True)
    assert r.penalty() is None
    with pytest.raises(ValueError, match="give the optimizer"):
        r.project()
    with pytest.raises(ValueError, match="does not have the parameter"):
        r.project(optimizer=optim.SGD([leaf(3, 2)], lr=0.1))


def test_group_lasso_zeroes_whole_groups():
    w = mg.tensor([[1.0, 1.0], [0.01, -0.02], [0.0, 0.0]], requires_grad=True)
    R.GroupLasso(1.0, on=w, proximal=True).project(optimizer=optim.SGD([w], lr=0.1))
    assert w.detach().numpy()[1:].tolist() == [[0.0, 0.0], [0.0, 0.0]]
    assert np.allclose(w.detach().numpy()[0], 1 - 0.1 * np.sqrt(2) / np.sqrt(2))


def test_constraints():
    w = leaf(4, 6)
    before = w.detach().numpy().copy()
    R.MaxNorm(1.5, on=w).project()
    lengths = np.linalg.norm(before, axis=1)
    np.testing.assert_allclose(np.linalg.norm(w.detach().numpy(), axis=1), np.minimum(lengths, 1.5))
    R.UnitNorm(on=w, axis=1).project()
    np.testing.assert_allclose(np.linalg.norm(w.detach().numpy(), axis=0), 1)
    R.NonNeg(on=w).project()
    assert (w.detach().numpy() >= 0).all()
    with pytest.raises(ValueError, match="limit"):
        R.MaxNorm(0)


# -- activity ---------------------------------------------------------------------------------------------------------
def test_decov():
    h = rng.normal(size=(10, 4))
    c = np.cov(h.T, ddof=0)
    assert R.DeCov.of(mg.tensor(h)).item() == pytest.approx(0.5 * ((c**2).sum() - (np.diag(c) ** 2).sum()))
    assert mg.testing.gradcheck(R.DeCov.of, [leaf(5, 3)])
    net = model()
    r = R.DeCov(0.1, on=net[0])
    net(mg.tensor(rng.normal(size=(6, 4))))
    penalty = r.penalty(net)
    penalty.backward()
    assert net[0].weight.grad is not None
    with pytest.raises(ValueError, match="has not been called in training mode"):
        r.penalty(net)
    with pytest.raises(ShapeError, match="DeCov"):
        R.DeCov.of(mg.tensor(1.0))


def test_jacobian_penalty():
    a = rng.normal(size=(3, 4))
    net = nn.Linear(4, 3).double()
    net.weight.data[...] = a
    mg.manual_seed(0)
    values = [R.JacobianPenalty(2.0)(net, mg.tensor(rng.normal(size=(50, 4)))).item() for _ in range(40)]
    assert np.mean(values) == pytest.approx((a**2).sum(), rel=0.05)
    penalty = R.JacobianPenalty(1.0, projections=3)
    penalty(net, mg.tensor(rng.normal(size=(5, 4)))).backward()
    assert net.weight.grad is not None
    with pytest.raises(ValueError, match="projections"):
        R.JacobianPenalty(1.0, projections=0)


def test_gradient_penalty():
    critic = nn.Sequential(nn.Linear(2, 8), nn.Tanh(), nn.Linear(8, 1)).double()
    x = rng.normal(size=(6, 2))
    w1, b1, w2 = [p.detach().numpy() for p in list(critic.parameters())[:3]]
    slope = ((1 - np.tanh(x @ w1.T + b1) ** 2) * w2) @ w1
    expected = 3.0 * ((np.linalg.norm(slope, axis=1) - 1) ** 2).mean()
    loss = R.GradientPenalty(3.0)(critic, mg.tensor(x))
    assert loss.item() == pytest.approx(expected)
    assert R.GradientPenalty(3.0)(critic, mg.tensor(x), mg.tensor(x)).item() == pytest.approx(expected)
    loss.backward()
    p = critic[0].weight
    g, eps = p.grad.numpy().copy(), 1e-6
    p.data[0, 0] += eps
    high = R.GradientPenalty(3.0)(critic, mg.tensor(x)).item()
    p.data[0, 0] -= 2 * eps
    low = R.GradientPenalty(3.0)(critic, mg.tensor(x)).item()
    assert g[0, 0] == pytest.approx((high - low) / (2 * eps), rel=1e-4)
    with pytest.raises(ShapeError, match="same shape"):
        R.GradientPenalty()(critic, mg.tensor(x), mg.tensor(x[:3]))


def test_gradient_noise():
    w = mg.zeros((20000,), requires_grad=True)
    noise = R.GradientNoise(eta=0.5, gamma=0.55, on=w)
    for t in range(3):
        w.grad = mg.zeros((20000,))
        noise.gradients()
        assert w.grad.numpy().std() == pytest.approx(np.sqrt(0.5 / (1 + t) ** 0.55), rel=0.03)
    net = model()
    opt = optim.SGD(net.named_parameters(), lr=1.0)
    R.GradientNoise(1.0, on="0.weight").attach(opt)
    before = [p.detach().numpy().copy() for p in net.parameters()]
    for p in net.parameters():
        p.grad = mg.zeros(p.shape, dtype=p.dtype)
    opt.step()
    changed = [bool((p.detach().numpy() != b).any()) for p, b in zip(net.parameters(), before, strict=True)]
    assert changed == [True] + [False] * 5


# -- in training ------------------------------------------------------------------------------------------------------
def test_with_the_trainer():
    x = rng.normal(size=(80, 20)).astype("float32")
    y = (x[:, :1] * 2).astype("float32")
    mg.manual_seed(0)
    net = nn.Linear(20, 1)
    opt = optim.SGD(net.parameters(), lr=0.1)
    t = Trainer(net, nn.MSELoss(), opt, regularizers=[R.L1(1.5, proximal=True), R.MaxNorm(1.0)], progress=False)
    t.fit((x, y), epochs=100, batch_size=80)
    w = net.weight.detach().numpy()
    assert (w == 0).sum() >= 18
    assert np.linalg.norm(w) <= 1 + 1e-6
