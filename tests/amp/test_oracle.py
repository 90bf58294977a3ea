"""Against PyTorch on the CPU: what each op gives while autocasting, and 30 steps of GradScaler with infinities among them."""

import inspect

import numpy as np
import pytest

import minigrad as mg
from minigrad import amp, nn, optim
from minigrad.nn import functional as F

pytestmark = pytest.mark.torch

X = np.random.default_rng(0).uniform(0.1, 0.9, (4, 4)).astype("float32")
IMAGE = np.random.default_rng(0).uniform(0.1, 0.9, (1, 2, 6, 6)).astype("float32")

OPS = {
    "matmul": lambda lib, f, x: x @ x,
    "vector": lambda lib, f, x: x @ x[0],
    "batched": lambda lib, f, x: x.reshape((2, 2, 4)) @ x,
    "einsum": lambda lib, f, x: lib.einsum("ij,jk->ik", x, x),
    "linear": lambda lib, f, x: f.linear(x, x, x[0]),
    "attention": lambda lib, f, x: f.scaled_dot_product_attention(x[None], x[None], x[None]),
    "relu": lambda lib, f, x: f.relu(x),
    "add": lambda lib, f, x: x + x,
    "after a product": lambda lib, f, x: (x @ x) + (x @ x),
    "product and float32": lambda lib, f, x: (x @ x) + x,
    "mean": lambda lib, f, x: (x @ x).mean(),
    "where": lambda lib, f, x: lib.where(x > 0.5, x @ x, x),
    "prelu": lambda lib, f, x: f.prelu(x, x[0, :1]),
    "mse_loss": lambda lib, f, x: f.mse_loss(x @ x, x @ x),
    "mse_loss, mixed": lambda lib, f, x: f.mse_loss(x @ x, x),
    "l1_loss": lambda lib, f, x: f.l1_loss(x @ x, x),
    "huber_loss": lambda lib, f, x: f.huber_loss(x @ x, x),
    "smooth_l1_loss": lambda lib, f, x: f.smooth_l1_loss(x @ x, x),
    "cross_entropy": lambda lib, f, x: f.cross_entropy(x @ x, lib.tensor([0, 1, 2, 3])),
    "nll_loss": lambda lib, f, x: f.nll_loss(x @ x, lib.tensor([0, 1, 2, 3])),
    "kl_div": lambda lib, f, x: f.kl_div(x @ x, x, reduction="sum"),
    "poisson_nll_loss": lambda lib, f, x: f.poisson_nll_loss(x @ x, x),
    "with logits": lambda lib, f, x: f.binary_cross_entropy_with_logits(x @ x, x),
    "margin_ranking_loss": lambda lib, f, x: f.margin_ranking_loss(x @ x, x, lib.ones((4, 4))),
    "triplet_margin_loss": lambda lib, f, x: f.triplet_margin_loss(x @ x, x, x),
    "cosine_embedding_loss": lambda lib, f, x: f.cosine_embedding_loss(x @ x, x, lib.ones(4)),
    "hinge_embedding_loss": lambda lib, f, x: f.hinge_embedding_loss(x @ x, lib.ones((4, 4))),
    "soft_margin_loss": lambda lib, f, x: f.soft_margin_loss(x @ x, lib.ones((4, 4))),
    "multi_margin_loss": lambda lib, f, x: f.multi_margin_loss(x @ x, lib.tensor([0, 1, 2, 3])),
    "prod": lambda lib, f, x: lib.prod(x @ x),
    "inv": lambda lib, f, x: lib.linalg.inv(x @ x),
}
CONVOLUTIONS = {
    "conv2d": lambda f, x: f.conv2d(x, x, padding=1),
    "conv_transpose2d": lambda f, x: f.conv_transpose2d(x, x.reshape((2, 1, 6, 6))),
    "conv1d": lambda f, x: f.conv1d(x[0], x[0]),
}
MODULES = {
    "Linear": ((4, 3), (5, 4)),
    "Conv2d": ((2, 3, 3), (1, 2, 6, 6)),
    "LSTMCell": ((4, 3), (5, 4)),
    "Bilinear": ((4, 4, 2), (5, 4)),
    "BatchNorm1d": ((4,), (5, 4)),
}


def name_of(y):
    return str(y.dtype).removeprefix("torch.")


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
@pytest.mark.parametrize("name", OPS)
def test_ops(name, dtype):
    torch = pytest.importorskip("torch")
    pytest.importorskip("ml_dtypes")
    x, u = mg.tensor(X, requires_grad=True), torch.tensor(X, requires_grad=True)
    with amp.autocast("cpu", dtype), torch.autocast("cpu", getattr(torch, dtype)):
        y, z = OPS[name](mg, F, x), OPS[name](torch, torch.nn.functional, u)
    assert name_of(y) == name_of(z)
    (y * 1.0).sum().backward()
    z.sum().backward()
    assert name_of(x.grad) == name_of(u.grad) == "float32"
    if name != "inv":
        step = 2.0**-10 if dtype == "float16" else 2.0**-7
        np.testing.assert_allclose(y.detach().numpy().astype("f"), z.detach().float().numpy(), rtol=4 * step, atol=4 * step)
        np.testing.assert_allclose(x.grad.numpy(), u.grad.numpy(), rtol=16 * step, atol=16 * step * abs(u.grad.numpy()).max())


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
@pytest.mark.parametrize("name", CONVOLUTIONS)
def test_convolutions(name, dtype):
    torch = pytest.importorskip("torch")
    pytest.importorskip("ml_dtypes")
    with amp.autocast("cpu", dtype), torch.autocast("cpu", getattr(torch, dtype)):
        y = CONVOLUTIONS[name](F, mg.tensor(IMAGE))
        z = CONVOLUTIONS[name](torch.nn.functional, torch.tensor(IMAGE))
    assert name_of(y) == name_of(z) == dtype
    np.testing.assert_allclose(y.numpy().astype("f"), z.float().numpy(), rtol=2.0**-6)


@pytest.mark.parametrize("name", MODULES)
def test_modules(name):
    torch = pytest.importorskip("torch")
    args, shape = MODULES[name]
    mine, theirs = getattr(nn, name)(*args), getattr(torch.nn, name)(*args)
    mine.load_state_dict({k: v.numpy() for k, v in theirs.state_dict().items()})
    a = np.random.default_rng(1).normal(size=shape).astype("float32")
    many = 2 if name == "Bilinear" else 1
    with amp.autocast("cpu"), torch.autocast("cpu", torch.float16):
        y, z = mine(*[mg.tensor(a)] * many), theirs(*[torch.tensor(a)] * many)
        y, z = (y[0], z[0]) if isinstance(z, tuple) else (y, z)
    if name != "LSTMCell":  # which PyTorch's CPU computes in float32 in the end, as its state is
        assert name_of(y) == name_of(z)
    np.testing.assert_allclose(y.detach().numpy().astype("f"), z.detach().float().numpy(), atol=2e-2)
    y.sum().backward()
    z.sum().backward()
    for p, q in zip(mine.parameters(), theirs.parameters(), strict=True):
        assert p.grad.dtype == "float32"
        np.testing.assert_allclose(p.grad.numpy(), q.grad.numpy(), atol=2e-2 * max(1, q.grad.abs().max().item()))


def test_the_same_arguments():
    torch = pytest.importorskip("torch")
    for mine, theirs in ((amp.autocast, torch.autocast), (amp.GradScaler, torch.amp.GradScaler)):
        a, b = (inspect.signature(c.__init__).parameters for c in (mine, theirs))
        assert list(a) == list(b)
        assert [p.default for p in a.values()] == [p.default for p in b.values()]


@pytest.mark.parametrize("clip", [None, 0.5])
def test_thirty_steps_of_the_scaler(clip):
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(5)
    weights = [rng.normal(size=(3, 2)).astype("float32"), rng.normal(size=(2,)).astype("float32")]
    ours, theirs = [mg.tensor(w, requires_grad=True) for w in weights], [torch.tensor(w, requires_grad=True) for w in weights]
    settings = {"init_scale": 1024.0, "growth_factor": 4.0, "backoff_factor": 0.25, "growth_interval": 4}
    a, b = amp.GradScaler("cpu", **settings), torch.amp.GradScaler("cpu", **settings)
    mine = [optim.Adam(ours[:1], lr=0.05), optim.SGD(ours[1:], lr=0.05, momentum=0.9)]
    other = [torch.optim.Adam(theirs[:1], lr=0.05), torch.optim.SGD(theirs[1:], lr=0.05, momentum=0.9)]
    for i in range(30):
        x = rng.normal(size=(8, 3)).astype("float32")
        worth = {3: np.inf, 11: np.nan, 12: -np.inf, 20: np.inf}.get(i, 1.0)
        for scaler, params, opts, lib in ((a, ours, mine, mg), (b, theirs, other, torch)):
            for opt in opts:
                opt.zero_grad()
            loss = ((lib.tensor(x) @ params[0] + params[1] * (worth if i != 20 else 1.0)) ** 2).mean()
            scaler.scale(loss).backward()
            if i == 20:
                params[0].grad[0, 0] = worth  # in the gradients of one optimizer alone
            if clip is not None:
                for opt, p in zip(opts, params, strict=True):
                    scaler.unscale_(opt)
                    (nn.utils if lib is mg else torch.nn.utils).clip_grad_norm_([p], clip)
            for opt in opts:
                scaler.step(opt)
            scaler.update()
        assert a.get_scale() == b.get_scale()
        assert a.state_dict() == b.state_dict()
        for p, q in zip(ours, theirs, strict=True):
            np.testing.assert_allclose(p.detach().numpy(), q.detach().numpy(), rtol=2e-5, atol=1e-6)
    fresh = amp.GradScaler("cpu")
    fresh.load_state_dict(b.state_dict())
    assert fresh.state_dict() == b.state_dict()
