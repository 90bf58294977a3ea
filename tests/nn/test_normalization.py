"""Normalisation layers against PyTorch, and what they promise besides: statistics, freezing, errors, no waiting."""

import numpy as np
import pytest

import minigrad as mg
from minigrad import nn, optim
from minigrad.errors import ShapeError
from minigrad.testing.double import DoubleArray, no_sync, register

register()

NORMS = [
    ("BatchNorm1d", (4,), {}, (6, 4)),
    ("BatchNorm1d", (4,), {"eps": 0.1, "momentum": None}, (6, 4, 5)),
    ("BatchNorm1d", (3,), {"affine": False}, (2, 3, 7)),
    ("BatchNorm1d", (3,), {"track_running_stats": False, "momentum": 0.5}, (5, 3)),
    ("BatchNorm2d", (3,), {}, (2, 3, 4, 5)),
    ("BatchNorm2d", (3, 1e-3, 0.7), {}, (4, 3, 2, 2)),
    ("BatchNorm2d", (2,), {"affine": False, "track_running_stats": False}, (2, 2, 3, 3)),
    ("BatchNorm2d", (2,), {"momentum": None}, (1, 2, 3, 3)),
    ("BatchNorm3d", (2,), {}, (2, 2, 3, 2, 4)),
    ("BatchNorm3d", (2,), {"momentum": None}, (2, 2, 3, 2, 4)),
    ("BatchNorm3d", (3,), {"affine": False, "eps": 0.5}, (1, 3, 3, 2, 1)),
    ("BatchNorm3d", (3,), {"track_running_stats": False}, (2, 3, 1, 2, 2)),
    ("InstanceNorm1d", (3,), {}, (2, 3, 6)),
    ("InstanceNorm1d", (3,), {"affine": True}, (3, 6)),
    ("InstanceNorm1d", (3,), {"affine": True, "track_running_stats": True}, (4, 3, 6)),
    ("InstanceNorm1d", (3, 0.1, 0.6, False, True), {}, (2, 3, 4)),
    ("InstanceNorm2d", (2,), {}, (2, 2, 3, 4)),
    ("InstanceNorm2d", (2,), {"affine": True, "eps": 0.1}, (2, 2, 3, 4)),
    ("InstanceNorm2d", (2,), {"affine": True, "track_running_stats": True}, (2, 3, 4)),
    ("InstanceNorm2d", (2,), {"track_running_stats": True, "momentum": 0.5}, (3, 2, 2, 2)),
    ("InstanceNorm3d", (2,), {}, (2, 2, 3, 2, 4)),
    ("InstanceNorm3d", (2,), {"affine": True}, (2, 3, 2, 4)),
    ("InstanceNorm3d", (2,), {"track_running_stats": True}, (2, 2, 3, 2, 4)),
    ("InstanceNorm3d", (2,), {"affine": True, "track_running_stats": True, "momentum": 1.0}, (1, 2, 2, 2, 2)),
    ("LayerNorm", (5,), {}, (3, 5)),
    ("LayerNorm", ((3, 4),), {}, (2, 3, 4)),
    ("LayerNorm", ([2, 3, 4], 0.1), {}, (2, 3, 4)),
    ("LayerNorm", (5,), {"bias": False}, (2, 3, 5)),
    ("LayerNorm", (5,), {"elementwise_affine": False}, (2, 3, 5)),
    ("RMSNorm", (5,), {}, (3, 5)),
    ("RMSNorm", ((3, 4),), {}, (2, 3, 4)),
    ("RMSNorm", ([5],), {"eps": 0.1}, (2, 3, 5)),
    ("RMSNorm", (5,), {"elementwise_affine": False}, (2, 3, 5)),
    ("GroupNorm", (2, 12), {}, (3, 12)),
    ("GroupNorm", (3, 6), {"eps": 0.1}, (2, 6, 5)),
    ("GroupNorm", (1, 3), {}, (2, 3, 4, 2)),
    ("GroupNorm", (4, 4), {"affine": False}, (2, 4, 3, 2, 2)),
    ("LocalResponseNorm", (3,), {}, (2, 5, 4)),
    ("LocalResponseNorm", (2,), {"alpha": 0.5, "beta": 0.5, "k": 2.0}, (2, 5, 3, 2)),
    ("LocalResponseNorm", (5, 1.0), {}, (1, 3, 2, 2)),
    ("LocalResponseNorm", (4,), {"alpha": 2.0}, (1, 6, 2, 2, 2)),
]


def label(case):
    return f"{case[0]}{case[1]}{case[2] or ''}{case[3]}"


def draw(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype("float32")


@pytest.mark.torch
@pytest.mark.parametrize("case", NORMS, ids=label)
def test_oracle(agrees, case):
    agrees(*case)


@pytest.mark.torch
@pytest.mark.parametrize("name", ["BatchNorm1d", "BatchNorm2d", "BatchNorm3d", "InstanceNorm1d", "InstanceNorm2d", "GroupNorm"])
def test_oracle_without_bias(agrees, name):
    torch = pytest.importorskip("torch")
    if "bias" not in torch.nn.GroupNorm.__init__.__annotations__:
        pytest.skip("this PyTorch has no bias=False for norms")
    shape = (3, 4, *[3] * (int(name[-2]) if name[-1] == "d" else 1))
    args = (2, 4) if name == "GroupNorm" else (4,)
    agrees(name, args, {"bias": False, "affine": True}, shape)


@pytest.mark.torch
@pytest.mark.parametrize("momentum", [0.1, 0.9, None])
@pytest.mark.parametrize("shape", [(6, 3), (4, 3, 5), (2, 3, 4, 2), (2, 3, 2, 2, 2)])
def test_training_steps_then_evaluation(shape, momentum):
    """Three steps of gradient descent through the layer, its statistics after each, then evaluation."""
    torch = pytest.importorskip("torch")
    name = f"BatchNorm{max(len(shape) - 2, 1)}d"
    mine, theirs = getattr(nn, name)(3, momentum=momentum), getattr(torch.nn, name)(3, momentum=momentum)
    opt, other = optim.SGD(mine.parameters(), lr=0.1), torch.optim.SGD(theirs.parameters(), lr=0.1)
    for step in range(3):
        x, w = 2 * draw(*shape, seed=step) + step, draw(*shape, seed=9)
        opt.zero_grad(), other.zero_grad()
        (mine(mg.tensor(x)) * mg.tensor(w)).sum().backward()
        (theirs(torch.tensor(x)) * torch.tensor(w)).sum().backward()
        opt.step(), other.step()
        for (key, a), b in zip(mine.state_dict().items(), theirs.state_dict().values(), strict=True):
            np.testing.assert_allclose(a.numpy(), b.numpy(), rtol=1e-5, atol=1e-6, err_msg=f"{key} after step {step}")
            assert str(a.dtype) == str(b.dtype).removeprefix("torch.")
    x = draw(*shape, seed=5)
    y, z = mine.eval()(mg.tensor(x)), theirs.eval()(torch.tensor(x))
    np.testing.assert_allclose(y.numpy(), z.detach().numpy(), rtol=1e-5, atol=1e-6)


@pytest.mark.torch
def test_reprs():
    torch = pytest.importorskip("torch")
    for make in (
        lambda n: n.BatchNorm2d(3),
        lambda n: n.InstanceNorm1d(3),
        lambda n: n.LayerNorm((2, 3)),
        lambda n: n.LocalResponseNorm(2),
    ):
        assert repr(make(nn)) == repr(make(torch.nn))


# -- statistics -------------------------------------------------------------------------------------------------------
def test_cumulative_average_is_exact():
    """momentum=None: the plain mean over batches of their means and unbiased variances."""
    layer = nn.BatchNorm1d(2, momentum=None)
    batches = [draw(8, 2, seed=s) * (s + 1) for s in range(5)]
    for b in batches:
        layer(mg.tensor(b))
    np.testing.assert_allclose(layer.running_mean.numpy(), np.mean([b.mean(0) for b in batches], 0), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(layer.running_var.numpy(), np.mean([b.var(0, ddof=1) for b in batches], 0), rtol=1e-6)
    assert layer.num_batches_tracked.item() == 5


def test_statistics_are_updated_in_place():
    layer = nn.BatchNorm2d(3)
    known = {k: t.data for k, t in layer.named_buffers()}
    layer(mg.tensor(draw(2, 3, 4, 4)))
    for k, t in layer.named_buffers():
        assert t.data is known[k]
        assert t._version
    layer.reset_running_stats()
    assert [t.tolist() for t in layer.buffers()] == [[0.0] * 3, [1.0] * 3, 0]
    with mg.no_grad():
        layer(mg.tensor(draw(2, 3, 4, 4)))  # training without recording still counts
    assert layer.num_batches_tracked.item() == 1


def snapshot(layer):
    return {k: v.numpy().copy() for k, v in layer.state_dict().items()}


def unchanged(layer, before):
    return all(np.array_equal(v.numpy(), before[k]) for k, v in layer.state_dict().items())


@pytest.mark.parametrize("momentum", [0.1, None])
def test_evaluation_and_failed_calls_change_nothing(momentum):
    layer = nn.BatchNorm1d(3, momentum=momentum)
    layer(mg.tensor(draw(5, 3)))
    before = snapshot(layer)
    with pytest.raises(ShapeError, match=r"more than one value per channel, got 1 .*drop_last=True.*eval\(\)") as caught:
        layer(mg.tensor(draw(1, 3)))
    assert "in BatchNorm1d(3, " in "".join(caught.value.__notes__)
    with pytest.raises(ShapeError):
        layer(mg.tensor(draw(5, 4)))
    with pytest.raises(TypeError):
        layer(mg.ones((5, 3), dtype="int64"))
    assert unchanged(layer, before)
    layer.eval()
    assert layer(mg.tensor(draw(1, 3))).shape == (1, 3)
    assert unchanged(layer, before)
    layer.train()
    layer(mg.tensor(draw(5, 3)))
    assert not unchanged(layer, before)


def test_without_statistics():
    """Evaluation then takes those of the batch, and PyTorch's switch after construction works."""
    layer = nn.BatchNorm1d(3, track_running_stats=False).eval()
    assert not list(layer.buffers())
    np.testing.assert_allclose(layer(mg.tensor(draw(50, 3))).numpy().std(0), 1, rtol=1e-4)
    layer = nn.BatchNorm1d(3)
    layer.track_running_stats = False
    before = snapshot(layer)
    layer(mg.tensor(draw(5, 3)))
    assert unchanged(layer, before)


def test_state_moves_across():
    layer, twin = nn.BatchNorm2d(3), nn.BatchNorm2d(3)
    assert list(layer.state_dict()) == ["weight", "bias", "running_mean", "running_var", "num_batches_tracked"]
    assert layer.num_batches_tracked.dtype == "int64"
    assert layer.num_batches_tracked.shape == ()
    layer(mg.tensor(draw(2, 3, 4, 4)))
    twin.load_state_dict(layer.state_dict())
    x = mg.tensor(draw(2, 3, 4, 4, seed=1))
    assert twin.eval()(x).tolist() == layer.eval()(x).tolist()
    layer.double()
    assert layer.running_mean.dtype == "float64"
    assert layer.num_batches_tracked.dtype == "int64"
    assert list(nn.InstanceNorm2d(3).state_dict()) == []


def test_half_precision_statistics():
    layer = nn.BatchNorm1d(2).half()
    x = (300 * draw(64, 2) + 100).astype("float16")
    y = layer(mg.tensor(x))
    assert y.dtype == layer.running_var.dtype == "float16"
    np.testing.assert_allclose(layer.running_mean.numpy(), 0.1 * x.astype("float64").mean(0), rtol=2e-3)
    np.testing.assert_allclose(y.numpy().astype("float64").std(0), 1, rtol=2e-3)


# -- freezing ---------------------------------------------------------------------------------------------------------
def small_net():
    mg.manual_seed(0)
    return nn.Sequential(nn.Linear(4, 6), nn.BatchNorm1d(6), nn.ReLU(), nn.Linear(6, 2))


def fit(net, steps=4):
    opt = optim.SGD([p for p in net.parameters() if p.requires_grad], lr=0.1)
    for _ in range(steps):
        opt.zero_grad()
        nn.functional.cross_entropy(net(mg.tensor(draw(8, 4))), mg.tensor(np.arange(8) % 2)).backward()
        opt.step()


def test_frozen_statistics():
    """eval() of the layer alone: its statistics stay, its weight and all other parameters are trained."""
    net = small_net()
    fit(net, 1)
    net[1].eval()
    before = snapshot(net)
    fit(net)
    same = {k for k, v in net.state_dict().items() if np.array_equal(v.numpy(), before[k])}
    assert same == {"1.running_mean", "1.running_var", "1.num_batches_tracked"}


def test_training_of_norms_only():
    """Everything but the norms is frozen; statistics, weight and bias of the norms change."""
    net = small_net()
    net.requires_grad_(False)
    net[1].requires_grad_(True)
    before = snapshot(net)
    fit(net)
    changed = {k for k, v in net.state_dict().items() if not np.array_equal(v.numpy(), before[k])}
    assert changed == {k for k in before if k.startswith("1.")}


# -- errors -----------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("make", "shape", "words"),
    [
        (
            lambda: nn.BatchNorm1d(3),
            (3,),
            r"BatchNorm1d: expected x of shape \(N, C\) or \(N, C, L\) with C = num_features = 3, got \(3,\)",
        ),
        (lambda: nn.BatchNorm1d(3), (2, 4), r"num_features = 3, got \(2, 4\)"),
        (lambda: nn.BatchNorm2d(3), (2, 3), r"BatchNorm2d: expected x of shape \(N, C, H, W\)"),
        (lambda: nn.BatchNorm3d(3), (2, 3, 4, 4), r"BatchNorm3d: expected x of shape \(N, C, D, H, W\)"),
        (lambda: nn.InstanceNorm1d(3), (2, 3, 4, 4), r"InstanceNorm1d: expected x of shape \(N, C, L\) or \(C, L\)"),
        (lambda: nn.InstanceNorm2d(3), (4, 5, 5), r"InstanceNorm2d: .*num_features = 3, got \(4, 5, 5\)"),
        (lambda: nn.InstanceNorm2d(3), (2, 3, 1, 1), "more than one position"),
        (lambda: nn.GroupNorm(2, 4), (2, 6, 3), r"GroupNorm: expected x .* num_channels = 4, got \(2, 6, 3\)"),
        (lambda: nn.LayerNorm((3, 4)), (2, 4, 3), r"layer_norm: x \(2, 4, 3\) does not end in normalized_shape \(3, 4\)"),
        (lambda: nn.RMSNorm(4), (2, 3), r"rms_norm: x \(2, 3\)"),
        (lambda: nn.LocalResponseNorm(2), (2, 3), r"local_response_norm: x must be \(N, C, L, ...\)"),
    ],
)
def test_wrong_shapes(make, shape, words):
    with pytest.raises(ShapeError, match=words):
        make()(mg.ones(shape))


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: nn.BatchNorm2d(0), "BatchNorm2d: num_features must be at least 1, got 0"),
        (lambda: nn.BatchNorm2d(3, eps=0), "BatchNorm2d: eps must be positive"),
        (lambda: nn.BatchNorm2d(3, momentum=1.5), r"BatchNorm2d: momentum must be in \[0, 1\], got 1.5"),
        (lambda: nn.InstanceNorm2d(3, momentum=None), "InstanceNorm2d: momentum must be a number"),
        (lambda: nn.InstanceNorm2d(3, eps=-1), "InstanceNorm2d: eps"),
        (lambda: nn.GroupNorm(3, 4), "GroupNorm: num_groups=3 must divide num_channels=4"),
        (lambda: nn.LayerNorm(()), "LayerNorm: normalized_shape"),
        (lambda: nn.LayerNorm(0), "LayerNorm: normalized_shape"),
        (lambda: nn.RMSNorm(3, eps=-1.0), "RMSNorm: eps"),
        (lambda: nn.LocalResponseNorm(0), "LocalResponseNorm: size"),
    ],
)
def test_wrong_settings(make, words):
    with pytest.raises(ValueError, match=words):
        make()


# -- on a device ------------------------------------------------------------------------------------------------------
LAYERS = {
    "batch": lambda: nn.BatchNorm2d(4),
    "batch, mean of all": lambda: nn.BatchNorm2d(4, momentum=None),
    "batch, half": lambda: nn.BatchNorm2d(4).half(),
    "instance": lambda: nn.InstanceNorm2d(4, affine=True, track_running_stats=True),
    "layer": lambda: nn.LayerNorm((3, 3)),
    "root mean square": lambda: nn.RMSNorm(3),
    "group": lambda: nn.GroupNorm(2, 4),
    "local response": lambda: nn.LocalResponseNorm(3, alpha=0.5),
}


@pytest.mark.parametrize("name", LAYERS)
def test_nothing_waits(name):
    """Two training steps and an evaluation on the strict double: the same numbers, statistics too, and no value read."""
    here, there = LAYERS[name](), LAYERS[name]().to(device="double")
    dtype = "float16" if "half" in name else "float32"
    arrays = [draw(2, 4, 3, 3, seed=s).astype(dtype) for s in range(2)]
    for train in (True, False):
        here.train(train), there.train(train)
        for a in arrays:
            x, twin = mg.tensor(a, requires_grad=True), mg.tensor(a).to(device="double").requires_grad_()
            y = here(x)
            (y * y * y).sum().backward()
            with no_sync():
                z = there(twin)
                (z * z * z).sum().backward()
            assert isinstance(z.data, DoubleArray)
            np.testing.assert_allclose(z.detach().numpy(), y.detach().numpy(), rtol=1e-5, atol=1e-6)
            np.testing.assert_allclose(twin.grad.numpy(), x.grad.numpy(), rtol=1e-4, atol=1e-5)
    for (key, a), b in zip(here.state_dict().items(), there.state_dict().values(), strict=True):
        assert isinstance(b.data, DoubleArray)
        np.testing.assert_allclose(b.numpy(), a.numpy(), rtol=1e-5, atol=1e-6, err_msg=key)
