"""Layers, losses and optimizers on the strict double of a GPU: what NumPy computes, without the host reading a value on the way."""

import numpy as np
import pytest

import minigrad as mg
from minigrad import nn, optim
from minigrad.testing.double import DoubleArray, no_sync, register

register()

ROWS, SIGNAL, IMAGE, VOLUME = (5, 8), (2, 4, 9), (2, 4, 6, 6), (2, 2, 4, 5, 4)
LABELS, MARKS = np.array([0, 2, 1, 1, 0]), np.array([1, -1, 1, 1, -1], "float32")
SHAPES = {1: SIGNAL, 2: IMAGE, 3: VOLUME}
LAYERS = {
    "linear": (lambda: nn.Linear(8, 3), ROWS),
    "linear without bias": (lambda: nn.Linear(8, 3, bias=False), ROWS),
    "bilinear": (lambda: nn.Bilinear(8, 4, 3), ROWS, (5, 4)),
    "conv1d": (lambda: nn.Conv1d(4, 6, 3, padding=1), SIGNAL),
    "conv2d": (lambda: nn.Conv2d(4, 6, 3, stride=2, padding=1), IMAGE),
    "conv2d in groups": (lambda: nn.Conv2d(4, 8, 3, groups=2, dilation=2), IMAGE),
    "conv3d": (lambda: nn.Conv3d(2, 3, 2), VOLUME),
    "depthwise conv2d": (lambda: nn.DepthwiseConv2d(4, 3), IMAGE),
    "conv_transpose1d": (lambda: nn.ConvTranspose1d(4, 3, 3, stride=2), SIGNAL),
    "conv_transpose2d": (lambda: nn.ConvTranspose2d(4, 3, 3, stride=2, padding=1, output_padding=1), IMAGE),
    "conv_transpose3d": (lambda: nn.ConvTranspose3d(2, 3, 2), VOLUME),
    "flatten": (lambda: nn.Flatten(), IMAGE),
    "unflatten": (lambda: nn.Unflatten(1, (2, 2)), IMAGE),
    "a small net": (lambda: nn.Sequential(nn.Conv2d(4, 5, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(20, 3)), IMAGE),
    # pooling
    **{f"max pooling {n}d": (lambda n=n: getattr(nn, f"MaxPool{n}d")(2, padding=1, ceil_mode=True), x) for n, x in SHAPES.items()},
    **{f"average pooling {n}d": (lambda n=n: getattr(nn, f"AvgPool{n}d")(3, 2, 1), x) for n, x in SHAPES.items()},
    **{f"norm pooling {n}d": (lambda n=n: getattr(nn, f"LPPool{n}d")(2, 2), x) for n, x in SHAPES.items()},
    **{f"adaptive average pooling {n}d": (lambda n=n: getattr(nn, f"AdaptiveAvgPool{n}d")(3), x) for n, x in SHAPES.items()},
    **{f"adaptive max pooling {n}d": (lambda n=n: getattr(nn, f"AdaptiveMaxPool{n}d")(3), x) for n, x in SHAPES.items()},
    **{f"global average pooling {n}d": (lambda n=n: getattr(nn, f"GlobalAvgPool{n}d")(), x) for n, x in SHAPES.items()},
    **{f"global max pooling {n}d": (lambda n=n: getattr(nn, f"GlobalMaxPool{n}d")(), x) for n, x in SHAPES.items()},
    "fractional max pooling 2d": (lambda: nn.FractionalMaxPool2d(2, 3, _random_samples=positive(2, 4, 2)), IMAGE),
    "fractional max pooling 3d": (lambda: nn.FractionalMaxPool3d(2, 3), VOLUME),
    "stochastic pooling": (lambda: nn.Sequential(nn.ReLU(), nn.StochasticPool2d(2)), IMAGE),
    "stochastic pooling in evaluation": (lambda: nn.Sequential(nn.ReLU(), nn.StochasticPool2d(2)).eval(), IMAGE),
    "max unpooling": (lambda: nn.MaxUnpool2d(2), (1, 2, 2, 2), np.array([[[[0, 2], [8, 10]], [[5, 7], [13, 15]]]])),
    # activations
    **{
        name: (lambda name=name: getattr(nn, name)(), ROWS)
        for name in nn.activation.__all__
        if name not in ("Maxout", "Threshold", "RReLU", "Softmax2d")
    },
    "Maxout": (lambda: nn.Maxout(2), ROWS),
    "Threshold": (lambda: nn.Threshold(0.1, 20), ROWS),
    "Softmax2d": (lambda: nn.Softmax2d(), IMAGE),
    "PReLU per channel": (lambda: nn.PReLU(4), IMAGE),
    "RReLU in evaluation": (lambda: nn.RReLU().eval(), ROWS),
    "RReLU": (lambda: nn.RReLU(), ROWS),
    # draws
    "dropout": (lambda: nn.Dropout(0.3), ROWS),
    "dropout1d": (lambda: nn.Dropout1d(0.3), SIGNAL),
    "dropout2d": (lambda: nn.Dropout2d(0.3), IMAGE),
    "dropout3d": (lambda: nn.Dropout3d(0.3), VOLUME),
    "all dropped": (lambda: nn.Dropout(1.0), ROWS),
    "alpha dropout": (lambda: nn.AlphaDropout(0.3), ROWS),
    "feature alpha dropout": (lambda: nn.FeatureAlphaDropout(0.3), IMAGE),
    "drop path": (lambda: nn.DropPath(0.3), ROWS),
    "drop connect": (lambda: nn.DropConnect(8, 3), ROWS),
    "gaussian noise": (lambda: nn.GaussianNoise(0.5), ROWS),
    "gaussian dropout": (lambda: nn.GaussianDropout(0.5), ROWS),
    # sizes
    **{f"zero padding {n}d": (lambda n=n: getattr(nn, f"ZeroPad{n}d")(1), x) for n, x in SHAPES.items()},
    **{f"constant padding {n}d": (lambda n=n: getattr(nn, f"ConstantPad{n}d")(1, 0.5), x) for n, x in SHAPES.items()},
    **{f"reflection padding {n}d": (lambda n=n: getattr(nn, f"ReflectionPad{n}d")(1), x) for n, x in SHAPES.items()},
    **{f"replication padding {n}d": (lambda n=n: getattr(nn, f"ReplicationPad{n}d")(2), x) for n, x in SHAPES.items()},
    **{f"circular padding {n}d": (lambda n=n: getattr(nn, f"CircularPad{n}d")(1), x) for n, x in SHAPES.items()},
    "upsampling": (lambda: nn.Upsample(scale_factor=2), IMAGE),
    "linear upsampling": (lambda: nn.UpsamplingBilinear2d(9), IMAGE),
    "cubic upsampling": (lambda: nn.Upsample(size=9, mode="bicubic"), IMAGE),
    "pixel shuffle": (lambda: nn.PixelShuffle(2), IMAGE),
    "pixel unshuffle": (lambda: nn.PixelUnshuffle(2), IMAGE),
    "channel shuffle": (lambda: nn.ChannelShuffle(2), IMAGE),
    "unfold": (lambda: nn.Unfold(3, padding=1, stride=2), IMAGE),
    "fold": (lambda: nn.Fold((4, 5), 2), (2, 12, 12)),
    # norms
    "batch norm 1d": (lambda: nn.BatchNorm1d(8), ROWS),
    "batch norm 2d": (lambda: nn.BatchNorm2d(4), IMAGE),
    "batch norm 3d": (lambda: nn.BatchNorm3d(2), VOLUME),
    "batch norm in evaluation": (lambda: nn.BatchNorm2d(4).eval(), IMAGE),
    "cumulative batch norm": (lambda: nn.BatchNorm2d(4, momentum=None), IMAGE),
    "instance norm 1d": (lambda: nn.InstanceNorm1d(4, affine=True), SIGNAL),
    "instance norm 2d": (lambda: nn.InstanceNorm2d(4, track_running_stats=True), IMAGE),
    "instance norm 3d": (lambda: nn.InstanceNorm3d(2), VOLUME),
    "layer norm": (lambda: nn.LayerNorm(8), ROWS),
    "RMS norm": (lambda: nn.RMSNorm(8), ROWS),
    "group norm": (lambda: nn.GroupNorm(2, 4), IMAGE),
    "local response norm": (lambda: nn.LocalResponseNorm(3), IMAGE),
    # sequences
    "embedding": (lambda: nn.Embedding(7, 3, padding_idx=0), np.array([[1, 0, 6], [2, 2, 3]])),
    "embedding bag": (lambda: nn.EmbeddingBag(7, 3), np.array([[1, 0, 6], [2, 2, 3]])),
    "RNN": (lambda: nn.RNN(8, 3, bidirectional=True), (4, *ROWS)),
    "LSTM": (lambda: nn.LSTM(8, 3, num_layers=2, batch_first=True), (4, *ROWS)),
    "GRU": (lambda: nn.GRU(8, 3), (4, *ROWS)),
    "RNN cell": (lambda: nn.RNNCell(8, 3), ROWS),
    "LSTM cell": (lambda: nn.LSTMCell(8, 3), ROWS),
    "GRU cell": (lambda: nn.GRUCell(8, 3), ROWS),
    "zoneout": (lambda: nn.Zoneout(nn.GRUCell(8, 3), 0.3), ROWS, (5, 3)),
    "zoneout in evaluation": (lambda: nn.Zoneout(nn.GRUCell(8, 3), 0.3).eval(), ROWS, (5, 3)),
    "sinusoidal positions": (lambda: nn.SinusoidalPositionalEncoding(8), (4, *ROWS)),
    "rotary positions": (lambda: nn.RotaryEmbedding(8), (2, *ROWS), (2, *ROWS)),
    "attention": (lambda: nn.MultiheadAttention(8, 2, batch_first=True), (2, *ROWS), (2, *ROWS), (2, *ROWS)),
    "transformer encoder layer": (lambda: nn.TransformerEncoderLayer(8, 2, 16, dropout=0.0), (2, *ROWS)),
    "transformer encoder layer with dropout": (lambda: nn.TransformerEncoderLayer(8, 2, 16, dropout=0.2), (2, *ROWS)),
    "transformer decoder layer": (lambda: nn.TransformerDecoderLayer(8, 2, 16, dropout=0.0), (2, *ROWS), (3, *ROWS)),
    "transformer": (lambda: nn.Transformer(8, 2, 1, 1, 16, dropout=0.0), (2, *ROWS), (3, *ROWS)),
    # distances
    "cosine similarity": (lambda: nn.CosineSimilarity(), ROWS, ROWS),
    "pairwise distance": (lambda: nn.PairwiseDistance(), ROWS, ROWS),
    # losses of several inputs
    "margin ranking": (lambda: nn.MarginRankingLoss(0.5), (5,), (5,), MARKS),
    "cosine embedding": (lambda: nn.CosineEmbeddingLoss(0.2), ROWS, ROWS, MARKS),
    "contrastive": (lambda: nn.ContrastiveLoss(), ROWS, ROWS, (MARKS + 1) / 2),
    "triplet margin": (lambda: nn.TripletMarginLoss(swap=True), ROWS, ROWS, ROWS),
    "gaussian nll": (lambda: nn.GaussianNLLLoss(), ROWS, ROWS, 1 + np.ones(ROWS, "float32")),
    "binary cross entropy": (lambda: nn.Sequential(nn.Sigmoid(), nn.Lambda(lambda p: nn.BCELoss()(p, p.detach()))), ROWS),
    "dice": (lambda: nn.Lambda(lambda x, t: nn.DiceLoss()(nn.functional.sigmoid(x), t)), (2, 3, 4), np.array([[0, 1, 2, 1], [2, 2, 0, 1]])),
    "multi label margin": (lambda: nn.MultiLabelMarginLoss(), (2, 4), np.array([[3, 0, -1, 1], [1, -1, 0, 0]])),
    "ctc": (lambda: nn.Lambda(lambda x, t: nn.CTCLoss()(x, t, (6, 4), (3, 2))), (6, 2, 5), np.array([[1, 2, 2], [3, 4, 0]])),
}
SENDS = (
    *("RReLU", "dropout", "dropout1d", "dropout2d", "dropout3d", "alpha dropout", "feature alpha dropout", "drop path", "drop connect"),
    *("gaussian noise", "gaussian dropout", "fractional max pooling 3d", "stochastic pooling", "zoneout"),
    *("transformer encoder layer with dropout", "upsampling", "linear upsampling", "cubic upsampling", "ctc"),
    *[f"{kind} padding {n}d" for kind in ("reflection", "replication", "circular") for n in SHAPES],
    *[f"adaptive max pooling {n}d" for n in SHAPES],
)
"""Layers that copy draws or tables made from shapes to the device, but read nothing."""

GRID, PARTS = np.linspace(-1, 1, 15).reshape(5, 3), np.tile([0.0, 1.0, 0.5], (5, 1))
LOSSES = {
    "cross entropy": (nn.CrossEntropyLoss(), (5, 3), LABELS),
    "smoothed": (nn.CrossEntropyLoss(label_smoothing=0.1), (5, 3), LABELS),
    "nll": (nn.NLLLoss(), (5, 3), LABELS),
    "mse": (nn.MSELoss(), (5, 3), GRID),
    "l1": (nn.L1Loss(), (5, 3), GRID),
    "huber": (nn.HuberLoss(), (5, 3), GRID),
    "smooth l1": (nn.SmoothL1Loss(), (5, 3), GRID),
    "log cosh": (nn.LogCoshLoss(), (5, 3), GRID),
    "bce with logits": (nn.BCEWithLogitsLoss(), (5, 3), PARTS),
    "kl divergence": (nn.KLDivLoss(reduction="batchmean"), (5, 3), PARTS),
    "poisson": (nn.PoissonNLLLoss(), (5, 3), PARTS),
    "soft margin": (nn.SoftMarginLoss(), (5,), MARKS),
    "hinge embedding": (nn.HingeEmbeddingLoss(), (5,), MARKS),
    "multi margin": (nn.MultiMarginLoss(), (5, 3), LABELS),
    "multi label soft margin": (nn.MultiLabelSoftMarginLoss(), (5, 3), PARTS),
    "focal": (nn.FocalLoss(), (5, 3), LABELS),
}
OPTIMIZERS = {
    "sgd": lambda ps: optim.SGD(ps, lr=0.1),
    "momentum": lambda ps: optim.SGD(ps, lr=0.1, momentum=0.9, weight_decay=0.01, nesterov=True),
    "adam": lambda ps: optim.Adam(ps, lr=0.01, amsgrad=True),
    "adamw": lambda ps: optim.AdamW(ps, lr=0.01),
}


def draw(shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype("float32")


def positive(*shape):
    return np.random.default_rng(0).random(shape, dtype="float32")


def sent(a, **kw):
    return mg.tensor(a, **kw).to(device="double")


def leaves(y):
    return [t for part in y for t in leaves(part)] if isinstance(y, (tuple, list)) else [] if y is None else [y]


def pull(layer, xs):
    """The outputs, after a backward pass from the sum of their squares."""
    mg.manual_seed(1)
    ys = leaves(layer(*xs))
    total = 0
    for y in ys:
        total = total + (y * y).sum() if y.dtype.kind == "f" else total
    total.backward()
    return ys


@pytest.mark.parametrize("name", LAYERS)
def test_layers(name):
    make, *inputs = LAYERS[name]
    mg.manual_seed(0)
    here = make()
    there = make()
    there.load_state_dict(here.state_dict())
    there.to(device="double")
    arrays = [draw(x, i) if isinstance(x, tuple) else x for i, x in enumerate(inputs)]
    xs = [mg.tensor(a, requires_grad=a.dtype.kind == "f") for a in arrays]
    twins = [sent(a) for a in arrays]
    for twin, x in zip(twins, xs, strict=True):
        twin.requires_grad_(x.requires_grad)
    ys = pull(here, xs)
    with no_sync(sending=name in SENDS):
        zs = pull(there, twins)
    for y, z in zip(ys, zs, strict=True):
        assert isinstance(z.data, DoubleArray)
        np.testing.assert_allclose(z.detach().numpy(), y.detach().numpy(), rtol=1e-5, atol=1e-6)
    for (key, p), q in zip(
        [*enumerate(xs), *here.named_parameters(), *here.named_buffers()], [*twins, *there.parameters(), *there.buffers()], strict=True
    ):
        assert isinstance(q.data, DoubleArray)
        np.testing.assert_allclose(q.detach().numpy(), p.detach().numpy(), rtol=1e-5, atol=1e-6, err_msg=key)
        assert (p.grad is None) == (q.grad is None), key
        if p.grad is not None:
            np.testing.assert_allclose(q.grad.numpy(), p.grad.numpy(), rtol=1e-4, atol=1e-5, err_msg=key)


@pytest.mark.parametrize("name", LOSSES)
def test_losses(name):
    loss, shape, target = LOSSES[name]
    target = target if target.dtype.kind == "i" else target.astype("float32")
    x = mg.tensor(draw(shape), requires_grad=True)
    twin, goal = sent(draw(shape)).requires_grad_(), sent(target)
    here = loss(x, mg.tensor(target))
    here.backward()
    with no_sync():
        there = loss(twin, goal)
        there.backward()
    assert there.item() == pytest.approx(here.item(), rel=1e-5)
    np.testing.assert_allclose(twin.grad.numpy(), x.grad.numpy(), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_optimizers(name):
    """Ten steps of a small net: the same parameters, and not one wait."""
    mg.manual_seed(0)
    here = nn.Sequential(nn.Linear(8, 4), nn.Tanh(), nn.Linear(4, 3))
    there = nn.Sequential(nn.Linear(8, 4), nn.Tanh(), nn.Linear(4, 3))
    there.load_state_dict(here.state_dict())
    there.to(device="double")
    labels = np.array([0, 2, 1, 1, 0])
    batches = [(mg.tensor(draw(ROWS)), mg.tensor(labels)), (sent(draw(ROWS)), sent(labels))]
    for model, (x, y) in zip((here, there), batches, strict=True):
        opt = OPTIMIZERS[name](model.parameters())
        with no_sync():
            for _ in range(10):
                opt.zero_grad()
                nn.functional.cross_entropy(model(x), y).backward()
                opt.step()
    for p, q in zip(here.parameters(), there.parameters(), strict=True):
        np.testing.assert_allclose(q.detach().numpy(), p.detach().numpy(), rtol=1e-5, atol=1e-6)
