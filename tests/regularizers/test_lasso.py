"""Proximal penalties on linear models, trained to convergence: the zeros and the coefficients of the lasso and its kin.

The references minimise the same objectives by other means: coordinate descent in plain NumPy, and scikit-learn where it is installed.
"""

import numpy as np
import pytest

import minigrad as mg
from minigrad import nn, optim
from minigrad.regularizers import L1, ElasticNet, GroupLasso
from minigrad.train import Trainer

ALPHAS = (0.01, 0.1, 0.5, 1.5)


def problem(outputs=1, n=60, features=12, seed=0):
    """Correlated inputs, of which a third matters; targets (n, outputs)."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, features)) + 0.3 * rng.normal(size=(n, 1))
    w = rng.normal(size=(features, outputs)) * 2
    w[features // 3 :] = 0
    return x, x @ w + 3 + 0.3 * rng.normal(size=(n, outputs))


def fit(x, y, regularizer, dtype="float64", steps=3000):
    """Full-batch gradient descent on ``|y - output|^2 / 2n``, with the regularizer's projection after each step."""
    mg.manual_seed(0)
    model = nn.Linear(x.shape[1], y.shape[1], dtype=dtype)
    design = np.column_stack([x, np.ones(len(x))])
    opt = optim.SGD(model.parameters(), lr=1 / np.linalg.norm(design.T @ design / len(x), 2))
    inputs, targets = mg.tensor(x.astype(dtype)), mg.tensor(y.astype(dtype))
    before = np.zeros(0)
    for _ in range(steps):
        opt.zero_grad()
        (((model(inputs) - targets) ** 2).sum() / (2 * len(x))).backward()
        opt.step()
        regularizer.project(model, opt)
        now = np.append(model.weight.numpy(), model.bias.numpy())
        if before.size and abs(now - before).max() < 1e-8:
            break
        before = now
    assert model.weight.dtype == dtype
    return model.weight.numpy(), model.bias.numpy()


def elastic_net(x, y, l1, l2=0.0):
    """Coordinate descent on ``|y - X w - b|^2 / 2n + l1 |w|_1 + l2 / 2 |w|^2`` (Friedman et al. 2010, eq. 5)."""
    n, y = len(x), y[:, 0]
    xc, yc = x - x.mean(0), y - y.mean()
    w = np.zeros(x.shape[1])
    gram, right = xc.T @ xc / n, xc.T @ yc / n
    for _ in range(3000):
        before = w.copy()
        for j in range(len(w)):
            rho = right[j] - gram[j] @ w + gram[j, j] * w[j]
            w[j] = np.sign(rho) * max(abs(rho) - l1, 0) / (gram[j, j] + l2)
        if abs(w - before).max() < 1e-12:
            break
    return w[None], y.mean() - x.mean(0) @ w


def group_lasso(x, y, strength):
    """Accelerated proximal gradient (Beck and Teboulle 2009) on ``|Y - X W - b|^2 / 2n + strength sum_j sqrt(outputs) |W_j|``."""
    n, t = len(x), strength * np.sqrt(y.shape[1])
    xc, yc = x - x.mean(0), y - y.mean(0)
    step = n / np.linalg.norm(xc, 2) ** 2
    w = v = np.zeros((x.shape[1], y.shape[1]))
    k = 1.0
    for _ in range(3000):
        u = v - step * xc.T @ (xc @ v - yc) / n
        new = u * np.maximum(1 - step * t / np.maximum(np.linalg.norm(u, axis=1, keepdims=True), 1e-300), 0)
        k, last = (1 + np.sqrt(1 + 4 * k * k)) / 2, k
        v, w = new + (last - 1) / k * (new - w), new
    return w.T, y.mean(0) - x.mean(0) @ w


def same(found, expected):
    """The same zeros exactly, and the same coefficients; some of each, so that it says something."""
    (w, b), (v, c) = found, expected
    np.testing.assert_array_equal(w == 0, v == 0)
    np.testing.assert_allclose(w, v, atol=1e-4)
    np.testing.assert_allclose(b.reshape(-1), np.reshape(c, -1), atol=1e-4)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("alpha", ALPHAS)
def test_l1_is_the_lasso(alpha, dtype):
    x, y = problem()
    w, b = fit(x, y, L1(alpha, proximal=True), dtype)
    expected = elastic_net(x, y, alpha)
    same((w, b), expected)
    if alpha >= 0.1:
        assert 0 < (w == 0).sum() < w.size


@pytest.mark.parametrize("alpha", ALPHAS)
def test_l1_against_scikit_learn(alpha):
    linear = pytest.importorskip("sklearn.linear_model")
    x, y = problem(seed=3)
    theirs = linear.Lasso(alpha=alpha, tol=1e-12, max_iter=100_000).fit(x, y[:, 0])
    same(fit(x, y, L1(alpha, proximal=True)), (theirs.coef_[None], theirs.intercept_))


def test_everything_is_zero_beyond_the_largest_alpha():
    x, y = problem()
    largest = abs((x - x.mean(0)).T @ (y - y.mean(0))).max() / len(x)
    w, b = fit(x, y, L1(1.001 * largest, proximal=True))
    assert not w.any()
    assert not np.signbit(w).any()
    np.testing.assert_allclose(b, y.mean(0), atol=1e-5)
    w, _ = fit(x, y, L1(0.99 * largest, proximal=True))
    assert (w != 0).sum() == 1


def test_a_strength_of_zero_is_least_squares():
    x, y = problem()
    w, b = fit(x, y, L1(0.0, proximal=True))
    solution = np.linalg.lstsq(np.column_stack([x, np.ones(len(x))]), y, rcond=None)[0][:, 0]
    np.testing.assert_allclose(np.append(w, b), solution, atol=1e-4)


@pytest.mark.parametrize("alpha", ALPHAS)
@pytest.mark.parametrize("share", [0.3, 0.9])
def test_elastic_net(alpha, share):
    x, y = problem(seed=1)
    same(fit(x, y, ElasticNet(alpha * share, alpha * (1 - share), proximal=True)), elastic_net(x, y, alpha * share, alpha * (1 - share)))


@pytest.mark.parametrize("alpha", ALPHAS)
@pytest.mark.parametrize("share", [0.3, 0.9])
def test_elastic_net_against_scikit_learn(alpha, share):
    linear = pytest.importorskip("sklearn.linear_model")
    x, y = problem(seed=2)
    theirs = linear.ElasticNet(alpha=alpha, l1_ratio=share, tol=1e-12, max_iter=100_000).fit(x, y[:, 0])
    found = fit(x, y, ElasticNet(alpha * share, alpha * (1 - share), proximal=True))
    same(found, (theirs.coef_[None], theirs.intercept_))


@pytest.mark.parametrize("strength", [0.05, 0.3, 0.8])
def test_group_lasso_selects_inputs(strength):
    x, y = problem(outputs=3)
    w, b = fit(x, y, GroupLasso(strength, axis=1, proximal=True))
    same((w, b), group_lasso(x, y, strength))
    gone = (w == 0).all(axis=0)
    assert 0 < gone.sum() < len(gone)
    assert (w != 0)[:, ~gone].all()  # a group is zero as a whole or not at all


@pytest.mark.parametrize("strength", [0.05, 0.3, 0.8])
def test_group_lasso_against_scikit_learn(strength):
    linear = pytest.importorskip("sklearn.linear_model")
    x, y = problem(outputs=3, seed=1)
    theirs = linear.MultiTaskLasso(alpha=strength * np.sqrt(3), tol=1e-12, max_iter=100_000).fit(x, y)
    same(fit(x, y, GroupLasso(strength, axis=1, proximal=True)), (theirs.coef_, theirs.intercept_))


def test_through_the_trainer():
    x, y = problem()
    mg.manual_seed(0)
    model = nn.Linear(12, 1, dtype="float64")
    loss = nn.MSELoss()
    trainer = Trainer(
        model,
        lambda output, target: 0.5 * loss(output, target),
        optim.SGD(model.parameters(), lr=0.2),
        regularizers=[L1(0.5, proximal=True)],
        progress=False,
    )
    trainer.fit((mg.tensor(x), mg.tensor(y)), epochs=300, batch_size=len(x), shuffle=False)
    same((model.weight.numpy(), model.bias.numpy()), elastic_net(x, y, 0.5))


def test_the_penalty_in_the_loss_gives_no_zeros():
    """The contrast that the proximal step is for."""
    x, y = problem()
    model, penalty = nn.Linear(12, 1, dtype="float64"), L1(0.5)
    opt = optim.SGD(model.parameters(), lr=0.05)
    for _ in range(300):
        opt.zero_grad()
        (((model(mg.tensor(x)) - mg.tensor(y)) ** 2).mean() / 2 + penalty.penalty(model)).backward()
        opt.step()
    w, expected = model.weight.numpy(), elastic_net(x, y, 0.5)[0]
    assert (expected == 0).sum() >= 4
    assert (w == 0).sum() == 0
    np.testing.assert_allclose(w, expected, atol=0.1)
