"""Modules against PyTorch, which is optional: signatures, names of the state, outputs, gradients of inputs and parameters, both modes.

Other families have their tables beside their own tests; the last test sees to it that no module is in none.
"""

import inspect
import pathlib
from collections import OrderedDict

import numpy as np
import pytest

import minigrad as mg
from minigrad import nn

SIGNAL, IMAGE, VOLUME = (2, 4, 9), (2, 4, 9, 8), (2, 4, 5, 6, 7)
SHAPES = {1: SIGNAL, 2: IMAGE, 3: VOLUME}
LARGE = {"spread": 3.0}
"""Inputs that reach the far ends of activations."""


def convolutions():
    for n, x in SHAPES.items():
        yield from [
            (f"Conv{n}d", (4, 6, 3), {}, x),
            (f"Conv{n}d", (4, 6, 3, 2, 1), {"groups": 2}, x),
            (f"Conv{n}d", (4, 8, 2), {"dilation": 2, "bias": False, "padding": "same"}, x),
            (f"Conv{n}d", (4, 4, 3), {"padding": 1, "padding_mode": ("reflect", "circular", "replicate")[n - 1], "groups": 4}, x),
            (f"Conv{n}d", (4, 2, tuple(range(1, n + 1))), {"stride": (2,) * n, "padding": "valid" if n == 2 else 0}, x[1:]),
            (f"ConvTranspose{n}d", (4, 6, 3), {}, x),
            (f"ConvTranspose{n}d", (4, 6, 3, 2, 1, 1), {"groups": 2}, x),
            (f"ConvTranspose{n}d", (4, 2, 2), {"dilation": 2, "bias": False}, x),
            (f"ConvTranspose{n}d", (4, 3, tuple(range(1, n + 1))), {"stride": 2}, x[1:]),
        ]


def poolings():
    for n, x in SHAPES.items():
        each = tuple(range(2, n + 2))
        yield from [
            (f"MaxPool{n}d", (2,), {}, x),
            (f"MaxPool{n}d", (3, 2, 1), {"ceil_mode": True, "return_indices": True}, x),
            (f"MaxPool{n}d", (each, 1), {}, x[1:]),
            (f"MaxPool{n}d", (2,), {"dilation": 2, "stride": 1}, x),
            (f"AvgPool{n}d", (2,), {}, x),
            (f"AvgPool{n}d", (3, 2, 1), {"ceil_mode": True, "count_include_pad": False}, x),
            (f"AvgPool{n}d", (each, 1), {}, x[1:]),
            (f"AvgPool{n}d", (3,), {"padding": 1, **({"divisor_override": 5} if n > 1 else {})}, x),
            (f"LPPool{n}d", (2, 2), {}, x),
            (f"LPPool{n}d", (2.0, 3), {"stride": 2}, x),
            (f"LPPool{n}d", (4, 2), {"ceil_mode": True}, x[1:]),
            (f"LPPool{n}d", (1, each if n > 1 else 3), {}, x),
            (f"AdaptiveAvgPool{n}d", (1,), {}, x),
            (f"AdaptiveAvgPool{n}d", (3,), {}, x),
            (f"AdaptiveAvgPool{n}d", ((*(2, 3)[: n - 1], None if n > 1 else 4),), {}, x),
            (f"AdaptiveAvgPool{n}d", (7,), {}, x[1:]),
            (f"AdaptiveMaxPool{n}d", (1,), {}, x),
            (f"AdaptiveMaxPool{n}d", (3,), {"return_indices": True}, x),
            (f"AdaptiveMaxPool{n}d", ((*(2, 3)[: n - 1], None if n > 1 else 4),), {}, x),
            (f"AdaptiveMaxPool{n}d", (4,), {}, x[1:]),
        ]


def unpoolings():
    """Numbers, and places for them as pooling gives them."""
    rng = np.random.default_rng(3)
    for n in (1, 2, 3):
        x = (2, 3, *(3, 4, 2)[:n])
        for args, kwargs, call, side in (
            ((2,), {}, {}, lambda m: 2 * m),
            ((2, 2), {"padding": 0}, {"output_size": tuple([2 * m + 1 for m in x[2:]])}, lambda m: 2 * m + 1),
            ((3, 2, 1), {}, {}, lambda m: 2 * m - 1),
            (((3,) * n,), {"stride": 3}, {"output_size": (2, 3, *[3 * m for m in x[2:]])}, lambda m: 3 * m),
        ):
            count = int(np.prod([side(m) for m in x[2:]]))
            places = np.stack([rng.permutation(count)[: int(np.prod(x[2:]))] for _ in range(6)]).reshape(x)
            yield f"MaxUnpool{n}d", args, kwargs, x, places, call


def fractional():
    rng = np.random.default_rng(4)
    for n, x in ((2, IMAGE), (3, VOLUME)):
        u = rng.random((*x[:2], n), dtype="float32")
        for args, kwargs, shape in (
            ((2, 3), {}, x),
            ((2,), {"output_ratio": 0.6, "return_indices": True}, x),
            (((3, 2, 2)[:n], (2, 4, 3)[:n]), {"return_indices": True}, x),
            ((1,), {"output_ratio": (0.5, 0.8, 0.7)[:n]}, x[1:]),
        ):
            yield f"FractionalMaxPool{n}d", args, {**kwargs, "_random_samples": u if shape is x else u[:1]}, shape


ROWS, CHANNELS = (3, 4), (2, 6, 5)
ACTIVATIONS = {
    "Threshold": [(0.1, 20), (-1, 0.0), (0, 0), (1.5, -2.0)],
    "RReLU": [(0.2, 0.2), (0.0, 0.0), (1.0, 1.0), (0.5, 0.5)],
    "Hardtanh": [(), (-2.0, 0.5), (0, 6), (-0.1, 0.1)],
    "ELU": [(), (0.5,), (2.0,), (0.0,)],
    "CELU": [(), (0.5,), (2.0,), (1.5,)],
    "GELU": [(), ("none",), ("tanh",), ("tanh",)],
    "Hardshrink": [(), (0.1,), (1.0,), (0.0,)],
    "Softshrink": [(), (0.1,), (1.0,), (0.0,)],
    "LeakyReLU": [(), (0.2,), (1.0,), (0.0,)],
    "Softplus": [(), (2.0,), (0.5, 1.0), (1.0, 5.0)],
    "PReLU": [(), (6,), (1, 0.5), (6, -0.1)],
    "GLU": [(1,), (-2,), (1,), (1,)],
    "Softmax": [(1,), (-1,), (0,), (2,)],
    "Softmin": [(1,), (-1,), (0,), (2,)],
    "LogSoftmax": [(1,), (-1,), (0,), (2,)],
    **dict.fromkeys(("ReLU", "ReLU6", "Sigmoid", "Hardsigmoid", "Tanh", "SiLU", "Mish", "Hardswish", "SELU", "LogSigmoid"), [()] * 4),
    **dict.fromkeys(("Softsign", "Tanhshrink"), [()] * 4),
}


def activations():
    for name, many in ACTIVATIONS.items():
        for i, args in enumerate(many):
            yield name, args, {}, [CHANNELS, CHANNELS, (2, 6, 3, 2), CHANNELS][i], {} if i < 2 else LARGE
    for name in ("Softmax", "Softmin", "LogSoftmax"):
        yield name, (), {"dim": 1}, (0, 5), {}
    for shape in ((2, 3, 4, 5), (3, 4, 5), (1, 1, 2, 2), (2, 7, 1, 1)):
        yield "Softmax2d", (), {}, shape, LARGE


def paddings():
    for n, x in SHAPES.items():
        each = [1, 2, 0, 3, 2, 1][: 2 * n]
        for kind in ("Zero", "Constant", "Reflection", "Replication", "Circular"):
            value = (1.5,) if kind == "Constant" else ()
            for args, shape in (((1,), x), ((tuple(each),), x), ((2,), x[1:]), (((0,) * (2 * n - 1) + (2,),), x)):
                yield f"{kind}Pad{n}d", (*args, *value), {}, shape
        yield f"ZeroPad{n}d", ((-1, 2) * n,), {}, x
        yield f"ConstantPad{n}d", ((2, -1) * n, -0.5), {}, x


def resampling():
    for mode, x in (("nearest", SIGNAL), ("nearest-exact", IMAGE), ("linear", SIGNAL), ("bilinear", IMAGE), ("bicubic", IMAGE)):
        yield from _sizes(mode, x)
    yield from _sizes("trilinear", VOLUME)
    yield from _sizes("area", IMAGE)
    for name in ("UpsamplingNearest2d", "UpsamplingBilinear2d"):
        for kwargs in ({"scale_factor": 2}, {"size": (4, 11)}, {"size": 5}, {"scale_factor": (1.5, 2.6)}):
            yield name, (), kwargs, IMAGE
    for r, shape in ((1, (2, 3, 4, 5)), (2, (2, 8, 3, 4)), (3, (1, 9, 2, 2)), (2, (2, 3, 4, 5, 3))):
        yield "PixelShuffle", (r,), {}, shape
    for r, shape in ((1, (2, 3, 4, 5)), (2, (2, 3, 4, 6)), (3, (1, 2, 6, 3)), (2, (5, 2, 2, 4, 4))):
        yield "PixelUnshuffle", (r,), {}, shape
    for groups, shape in ((1, IMAGE), (2, IMAGE), (4, (1, 12, 2, 3)), (3, (2, 6, 5, 1))):
        yield "ChannelShuffle", (groups,), {}, shape
    for args, kwargs in (((2,), {}), (((3, 2), 2), {"padding": 1}), ((3,), {"stride": 2, "padding": (0, 1)}), (((1, 4), 1, 0, 3), {})):
        yield "Unfold", args, kwargs, IMAGE
    for args, kwargs, shape in (
        (((4, 5), 2), {}, (2, 12, 12)),
        (((4, 5), (3, 2)), {"padding": 1}, (1, 6, 24)),
        ((4, 2), {"stride": 2}, (2, 8, 4)),
        (((5, 5), 2, 2), {}, (12, 9)),
    ):
        yield "Fold", args, kwargs, shape


def _sizes(mode, x):
    aligned = {"align_corners": True} if "linear" in mode or mode == "bicubic" else {}
    yield "Upsample", (), {"scale_factor": 2, "mode": mode}, x
    yield "Upsample", (tuple([m + 3 for m in x[2:]]),), {"mode": mode, **aligned}, x
    yield "Upsample", (3,), {"mode": mode}, x
    yield "Upsample", (), {"scale_factor": 1.4, "mode": mode, "recompute_scale_factor": True, **aligned}, x
    yield "Upsample", (None, 0.7, mode), {}, x


DROPOUTS = {
    "Dropout": [ROWS, (5,), IMAGE, (2, 0)],
    "Dropout1d": [SIGNAL, SIGNAL[1:], (1, 1, 1), (3, 2, 4)],
    "Dropout2d": [IMAGE, (2, 3, 2, 2), (1, 1, 1, 1), (3, 2, 4, 1)],
    "Dropout3d": [VOLUME, VOLUME[1:], (1, 1, 1, 1, 1), (3, 2, 4, 1, 2)],
    "AlphaDropout": [ROWS, (5,), IMAGE, (1, 1)],
    "FeatureAlphaDropout": [SIGNAL, IMAGE, VOLUME, (1, 1, 1)],
}
SHAPING = [
    *[("Flatten", args, {}, shape) for args, shape in (((), IMAGE), ((0,), IMAGE), ((0, 1), SIGNAL), ((2, -1), VOLUME), ((), (3,) * 2))],
    *[("Unflatten", (1, size), {}, (3, 12)) for size in ((3, 4), (2, -1), (2, 3, 2), (12,))],
    ("Unflatten", (-1, (2, 2)), {}, (3, 5, 4)),
    *[("Identity", args, {}, shape) for args, shape in (((), ROWS), ((3,), IMAGE), ((1, 2), (1,)), ((), (0, 2)))],
]
CASES = [
    ("Linear", (5, 3), {}, (2, 4, 5)),
    ("Linear", (5, 3), {"bias": False}, (7, 5)),
    ("Linear", (1, 8), {}, (1, 1)),
    ("Linear", (64, 32), {}, (16, 64)),
    ("Linear", (3, 2), {}, (3,)),
    ("Bilinear", (5, 4, 3), {}, (2, 5), (2, 4)),
    ("Bilinear", (5, 4, 3), {"bias": False}, (2, 6, 5), (2, 6, 4)),
    ("Bilinear", (1, 1, 1), {}, (3, 1), (3, 1)),
    ("Bilinear", (2, 3, 4, True), {}, (2,), (3,)),
    *convolutions(),
    *poolings(),
    *paddings(),
    *resampling(),
    *SHAPING,
]


def title(case):
    return f"{case[0]}{case[1]}{ {k: v for k, v in case[2].items() if k != '_random_samples'} or '' }".replace(" ", "")


@pytest.mark.torch
@pytest.mark.parametrize("case", CASES, ids=title)
def test_modules(agrees, case):
    agrees(*case)


@pytest.mark.torch
@pytest.mark.parametrize("case", [*activations()], ids=title)
def test_activations(agrees, case):
    *case, options = case
    agrees(*case, **options)


@pytest.mark.torch
@pytest.mark.parametrize("case", [*unpoolings()], ids=title)
def test_unpooling(agrees, case):
    *case, call = case
    agrees(*case, call=call)


@pytest.mark.torch
@pytest.mark.parametrize("case", [*fractional()], ids=title)
def test_fractional_pooling(agrees, case):
    agrees(*case)


@pytest.mark.torch
@pytest.mark.parametrize("name", DROPOUTS)
def test_dropout(agrees, name):
    """Nothing dropped, all dropped, and in evaluation: what does not depend on draws."""
    for shape in DROPOUTS[name]:
        agrees(name, (0.0,), {}, shape)
        agrees(name, (1.0,), {}, shape)
        agrees(name, (), {}, shape, modes=(False,))
        agrees(name, (), {"p": 0.9}, shape, modes=(False,))


# -- containers -------------------------------------------------------------------------------------------------------
def nets(kind):
    """The same models, of the modules of ``kind``."""
    a, b = kind.Linear, kind.Conv2d
    return {
        "Sequential": [
            kind.Sequential(a(3, 4), kind.ReLU(), a(4, 2)),
            kind.Sequential(kind.Sequential(a(3, 3), kind.Tanh()), a(3, 1, bias=False)),
            kind.Sequential(OrderedDict(first=a(3, 4), bend=kind.PReLU(), last=a(4, 4))),
            kind.Sequential(a(3, 4), kind.ReLU(), a(4, 2))[:2],
        ],
        "ModuleList": [
            kind.ModuleList([a(2, 2), b(1, 2, 3)]),
            kind.ModuleList([a(2, 2)]).append(a(2, 3)).extend([kind.ReLU(), a(3, 1)]),
            kind.ModuleList([a(2, 2), a(2, 3), a(3, 1)])[1:],
            kind.ModuleList(),
        ],
        "ModuleDict": [
            kind.ModuleDict({"a": a(2, 2), "b": b(1, 2, 3)}),
            kind.ModuleDict({"z": a(1, 1), "a": kind.ModuleDict({"x": a(2, 1)})}),
            kind.ModuleDict([("p", kind.PReLU())]),
            kind.ModuleDict(),
        ],
    }


@pytest.mark.torch
@pytest.mark.parametrize("name", ["Sequential", "ModuleList", "ModuleDict"])
def test_containers(name):
    torch = pytest.importorskip("torch")
    for mine, theirs in zip(nets(nn)[name], nets(torch.nn)[name], strict=True):
        assert [(k, v.shape) for k, v in mine.state_dict().items()] == [(k, tuple(v.shape)) for k, v in theirs.state_dict().items()]
        assert [n for n, _ in mine.named_modules()] == [n for n, _ in theirs.named_modules()]
        assert len(mine) == len(theirs)
        mine.load_state_dict({k: v.detach().numpy() for k, v in theirs.state_dict().items()})
        if name == "Sequential":
            x = np.random.default_rng(0).normal(size=(5, 3)).astype("float32")
            np.testing.assert_allclose(mine(mg.tensor(x)).detach().numpy(), theirs(torch.tensor(x)).detach().numpy(), rtol=1e-5, atol=1e-6)


@pytest.mark.torch
@pytest.mark.parametrize("name", ["ParameterList", "ParameterDict"])
def test_lists_of_parameters(name):
    torch = pytest.importorskip("torch")
    for lengths in ((), (1,), (2, 3), (4, 1, 2)):
        state = []
        for module, make in ((nn, lambda n: nn.Parameter(np.ones(n))), (torch.nn, lambda n: torch.nn.Parameter(torch.ones(n)))):
            many = [make(n) for n in lengths]
            held = getattr(module, name)(many if name == "ParameterList" else {f"p{i}": p for i, p in enumerate(many)})
            state.append([(k, tuple(v.shape)) for k, v in held.state_dict().items()])
        assert state[0] == state[1]


# -- completeness -----------------------------------------------------------------------------------------------------
MISSING = {
    "Container": "deprecated since 2017",
    "CrossMapLRN2d": "the old name of LocalResponseNorm, which does the same",
    "DataParallel": "several devices in one process",
    **dict.fromkeys(
        [f"LazyInstanceNorm{n}d" for n in (1, 2, 3)], "without affine=True, the default, InstanceNorm has no parameters to wait for"
    ),
    "LinearCrossEntropyLoss": "an experiment that joins Linear and CrossEntropyLoss",
    "NLLLoss2d": "deprecated: NLLLoss takes images",
    "RNNBase": "what RNN, LSTM and GRU share; not for use",
    "RNNCellBase": "what their cells share; not for use",
    "SyncBatchNorm": "statistics over several processes",
}
"""The modules of PyTorch that are not here, and why."""

UNCOMPARED = {"Module": "the base of all"}
"""Modules with nothing to compare."""


@pytest.mark.torch
def test_every_module_of_pytorch_is_compared():
    torch = pytest.importorskip("torch")
    public = {n for n, c in vars(torch.nn).items() if inspect.isclass(c) and issubclass(c, torch.nn.Module) and not n.startswith("_")}
    here = {n for n in public if inspect.isclass(getattr(nn, n, None))}
    assert sorted(public - here) == sorted(MISSING)
    tables = "".join(path.read_text() for path in pathlib.Path(__file__).parents[1].rglob("test_*.py"))
    generated = {case[0] for case in [*CASES, *activations(), *unpoolings(), *fractional()]}
    left = {n for n in here - generated - set(UNCOMPARED) if f'"{n}"' not in tables and f"torch.nn.{n}(" not in tables}
    assert not left, f"in no table: {sorted(left)}"


@pytest.mark.torch
def test_four_configurations_each():
    pytest.importorskip("torch")
    names = [case[0] for case in [*CASES, *activations(), *unpoolings(), *fractional()]]
    assert not {n: names.count(n) for n in names if names.count(n) < 4}
