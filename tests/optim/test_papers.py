"""Methods that PyTorch lacks, against the formulas of their papers written plainly; NAdam's and others' are in test_oracle.py."""

import numpy as np
import pytest

import minigrad as mg
from minigrad import optim

SHAPES = [(4, 3), (5,), ()]


def norm(a):
    return np.sqrt(np.sum(a * a))


def lamb(p, g, s, lr=1e-3, betas=(0.9, 0.999), eps=1e-6, weight_decay=0.0, adapt=True):
    (b1, b2), t = betas, s.setdefault("t", 0) + 1
    s["t"] = t
    s["m"] = b1 * s.get("m", 0) + (1 - b1) * g
    s["v"] = b2 * s.get("v", 0) + (1 - b2) * g**2
    u = s["m"] / (1 - b1**t) / (np.sqrt(s["v"] / (1 - b2**t)) + eps) + weight_decay * p
    return p - lr * (norm(p) / norm(u) if adapt else 1) * u


def lars(p, g, s, lr=1e-3, momentum=0.9, weight_decay=0.0, trust_coefficient=1e-3, adapt=True):
    local = trust_coefficient * norm(p) / (norm(g) + weight_decay * norm(p)) if adapt else 1
    s["v"] = momentum * s.get("v", 0) + lr * local * (g + weight_decay * p)
    return p - s["v"]


def lion(p, g, s, lr=1e-4, betas=(0.9, 0.99), weight_decay=0.0):
    m = s.get("m", 0)
    s["m"] = betas[1] * m + (1 - betas[1]) * g
    return p - lr * (np.sign(betas[0] * m + (1 - betas[0]) * g) + weight_decay * p)


def adabelief(p, g, s, lr=1e-3, betas=(0.9, 0.999), eps=1e-16, weight_decay=0.0, amsgrad=False, decoupled_weight_decay=False):
    (b1, b2), t = betas, s.setdefault("t", 0) + 1
    s["t"] = t
    if decoupled_weight_decay:
        p = p - lr * weight_decay * p
    else:
        g = g + weight_decay * p
    s["m"] = b1 * s.get("m", 0) + (1 - b1) * g
    s["s"] = b2 * s.get("s", 0) + (1 - b2) * (g - s["m"]) ** 2 + eps
    s["top"] = np.maximum(s.get("top", 0), s["s"])
    spread = s["top"] if amsgrad else s["s"]
    return p - lr * s["m"] / (1 - b1**t) / (np.sqrt(spread / (1 - b2**t)) + eps)


def yogi(p, g, s, lr=1e-2, betas=(0.9, 0.999), eps=1e-3, initial_accumulator_value=1e-6, weight_decay=0.0):
    g = g + weight_decay * p
    v = s.get("v", initial_accumulator_value)
    s["m"] = betas[0] * s.get("m", 0) + (1 - betas[0]) * g
    s["v"] = v - (1 - betas[1]) * np.sign(v - g**2) * g**2
    return p - lr * s["m"] / (np.sqrt(s["v"]) + eps)


def smorms3(p, x, s, lr=1e-3, eps=1e-16, weight_decay=0.0):
    x = x + weight_decay * p
    mem, g, g2 = s.get("mem", 1), s.get("g", 0), s.get("g2", 0)
    r = 1 / (mem + 1)
    g, g2 = (1 - r) * g + r * x, (1 - r) * g2 + r * x**2
    s.update(mem=1 + mem * (1 - g * g / (g2 + eps)), g=g, g2=g2)
    return p - x * np.minimum(lr, g * g / (g2 + eps)) / (np.sqrt(g2) + eps)


CASES = [
    ("LAMB", lamb, {}),
    ("LAMB", lamb, {"lr": 0.1, "weight_decay": 0.1, "betas": (0.5, 0.6)}),
    ("LAMB", lamb, {"adapt": False, "weight_decay": 0.1}),
    ("LAMB", lamb, {"eps": 1e-2, "lr": 0.05}),
    ("LARS", lars, {}),
    ("LARS", lars, {"lr": 1.0, "weight_decay": 0.1, "trust_coefficient": 0.1}),
    ("LARS", lars, {"momentum": 0.0, "lr": 0.5}),
    ("LARS", lars, {"adapt": False, "weight_decay": 0.1}),
    ("Lion", lion, {}),
    ("Lion", lion, {"lr": 0.1, "weight_decay": 0.1}),
    ("Lion", lion, {"betas": (0.5, 0.6)}),
    ("Lion", lion, {"betas": (0.0, 0.0), "weight_decay": 1.0}),
    ("AdaBelief", adabelief, {}),
    ("AdaBelief", adabelief, {"lr": 0.1, "weight_decay": 0.1, "eps": 1e-8}),
    ("AdaBelief", adabelief, {"weight_decay": 0.1, "decoupled_weight_decay": True}),
    ("AdaBelief", adabelief, {"amsgrad": True, "betas": (0.5, 0.6)}),
    ("Yogi", yogi, {}),
    ("Yogi", yogi, {"lr": 0.1, "weight_decay": 0.1}),
    ("Yogi", yogi, {"initial_accumulator_value": 1.0}),
    ("Yogi", yogi, {"betas": (0.5, 0.6), "eps": 1e-8}),
    ("SMORMS3", smorms3, {}),
    ("SMORMS3", smorms3, {"lr": 0.1}),
    ("SMORMS3", smorms3, {"lr": 0.5, "eps": 1e-3}),
    ("SMORMS3", smorms3, {"weight_decay": 0.1}),
]


@pytest.mark.parametrize("maximize", [False, True])
@pytest.mark.parametrize(("name", "formula", "settings"), CASES, ids=[f"{n}{i}" for i, (n, *_) in enumerate(CASES)])
def test_fifty_steps(name, formula, settings, maximize):
    rng = np.random.default_rng(0)
    plain = [rng.normal(size=s) for s in SHAPES]
    ps = [mg.tensor(np.array(a), requires_grad=True) for a in plain]
    opt, states = getattr(optim, name)(ps, maximize=maximize, **settings), [{} for _ in ps]
    for _ in range(50):
        for i, p in enumerate(ps):
            g = np.asarray(0.3 * plain[i] + rng.normal(size=plain[i].shape))
            p.grad = mg.tensor(-g if maximize else g)
            plain[i] = formula(plain[i], g, states[i], **settings)
        opt.step()
    for p, a in zip(ps, plain, strict=True):
        np.testing.assert_allclose(p.numpy(), a, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("name", ["LAMB", "LARS"])
def test_a_zero_parameter_or_gradient_has_the_ratio_one(name):
    p, q = mg.zeros(3, requires_grad=True), mg.ones(3, requires_grad=True)
    opt = getattr(optim, name)([p, q], lr=0.1, weight_decay=0.0)
    p.grad, q.grad = mg.ones(3), mg.zeros(3)
    opt.step()
    np.testing.assert_allclose(p.numpy(), -0.1, rtol=1e-5)
    assert q.tolist() == [1, 1, 1]


def test_a_quiet_variance_is_not_negative():
    """RMSprop, centered, with a constant gradient: rounding makes the variance negative, which PyTorch turns into NaN."""
    p = mg.tensor(np.zeros(1000, "float32"), requires_grad=True)
    g = mg.tensor(np.random.default_rng(0).normal(size=1000).astype("float32"))
    opt = optim.RMSprop([p], centered=True, alpha=0.0, eps=1e-3)
    for _ in range(5):
        p.grad = g
        opt.step()
    assert np.isfinite(p.numpy()).all()


def test_muon_steps_have_singular_values_near_one():
    rng = np.random.default_rng(0)
    for shape in ((6, 4), (4, 6), (5, 5)):
        a = rng.normal(size=shape)
        p = mg.tensor(np.zeros(shape), requires_grad=True)
        p.grad = mg.tensor(a)
        optim.Muon([p], lr=1.0, weight_decay=0.0, ns_steps=10, adjust_lr_fn="original").step()
        values = np.linalg.svd(p.numpy() / max(1, shape[0] / shape[1]) ** 0.5, compute_uv=False)
        assert values.min() > 0.6
        assert values.max() < 1.3


def test_asgd_keeps_the_mean():
    """From step t0 + 2 on, every place counts as much as any before it."""
    p = mg.tensor(np.array([1.0, 2.0]), requires_grad=True)
    opt = optim.ASGD([p], lr=0.1, t0=3)
    path = []
    for k in range(10):
        p.grad = mg.tensor(np.array([0.5, -k / 3]))
        opt.step()
        path.append(p.numpy().copy())
    np.testing.assert_allclose(opt.state[p]["ax"], np.mean(path[4:], axis=0), rtol=1e-12)
