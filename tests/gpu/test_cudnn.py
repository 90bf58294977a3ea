"""Convolution and attention by cuDNN on a GPU: values and gradients against NumPy's in double precision, and a captured step."""

import numpy as np
import pytest

import minigrad as mg
from minigrad import nn, optim
from minigrad.autograd.tensor import raw
from minigrad.backend import namespace
from minigrad.backend.cuda import cudnn
from minigrad.nn import functional as F
from minigrad.testing.checks import close
from minigrad.testing.parity import fetched, moved, run

BOUNDS = {"float32": 2e-5, "float16": 4e-3}


@pytest.fixture
def library(device, sent):
    """The library in use, or a skip that says that it is not."""
    found = cudnn.library(namespace(type(raw(sent([1.0])))))
    if found is None:
        pytest.skip("cuDNN is not in use here: pip install 'minigrad[cudnn]' and nvidia-cudnn-cu12, or -cu13")
    return found


def agree(library, sent, f, *inputs, **kwargs):
    """Values and gradients are NumPy's, and the library has computed all of them."""
    before, ran = set(library.plans), []
    execute, library.run = library.run, lambda *args: (ran.append(args[0]), execute(*args))
    want = run(f, [a.astype("f8") for a in inputs], kwargs, lambda a: a.astype(inputs[0].dtype).astype("f8"))
    try:
        got = run(f, moved(inputs, lambda a: raw(sent(a))), kwargs, lambda a: raw(sent(a)))
    finally:
        del library.run
    for y, y0 in zip(got, want, strict=True):
        close([a.astype("f8") for a in fetched(y)], fetched(y0), BOUNDS[inputs[0].dtype.name], f"{f} {kwargs}")
    assert ran
    assert None not in [plan for key, plan in library.plans.items() if key not in before], "the library has no plan for it"


@pytest.mark.parametrize("dtype", BOUNDS)
@pytest.mark.parametrize(
    ("x", "w", "kwargs"),
    [
        ((4, 16, 20, 18), (32, 16, 3, 3), {"padding": 1}),
        ((4, 3, 33, 31), (10, 3, 5, 5), {"padding": 2, "stride": 2}),
        ((2, 8, 20, 20), (8, 8, 4, 4), {"padding": "same"}),
        ((2, 16, 12, 12), (32, 4, 3, 3), {"groups": 4, "dilation": 2}),
        ((2, 16, 12, 12), (16, 1, 3, 3), {"groups": 16}),
        ((4, 16, 100), (32, 16, 5), {"stride": 2}),
        ((2, 8, 8, 8, 8), (16, 8, 3, 3, 3), {"padding": 1}),
    ],
)
def test_convolution(library, sent, x, w, kwargs, dtype):
    rng = np.random.default_rng(0)
    x, w, b = [(rng.normal(size=s) * np.prod(s[1:]) ** (-0.5 * (s is w))).astype(dtype) for s in (x, w, w[:1])]
    agree(library, sent, getattr(F, f"conv{x.ndim - 2}d"), x, w, b, **kwargs)


def test_transposed_convolution(library, sent):
    x, w, b = [np.random.default_rng(0).normal(size=s).astype("float32") for s in ((4, 16, 8, 8), (16, 8, 3, 3), (8,))]
    agree(library, sent, F.conv_transpose2d, x, w, b, stride=2, output_padding=1)


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize(
    "heads", [[(2, 8, 128, 64)] * 3, [(2, 100, 32), (2, 77, 32), (2, 77, 64)], [(2, 4, 64, 64)] + [(2, 1, 64, 64)] * 2]
)
def test_attention(library, sent, heads, causal):
    q, k, v = [np.random.default_rng(i).normal(size=s).astype("float16") for i, s in enumerate(heads)]
    agree(library, sent, F.scaled_dot_product_attention, q, k, v, is_causal=causal)


def test_captured(library, device, sent):
    """What a graph computes is what is computed without one, to the last bit."""
    x = np.random.default_rng(0).normal(size=(4, 16, 16, 16)).astype("float16")

    def found(how):
        mg.manual_seed(0)
        layer = nn.Conv2d(16, 16, 3, padding=1).to(dtype="float16", device=device)
        optimizer = optim.SGD(layer.parameters(), lr=0.01, momentum=0.9)

        def step(x):
            optimizer.zero_grad()
            y = layer(x).reshape((4, 16, 256)).swapaxes(1, 2)
            loss = (F.scaled_dot_product_attention(y, y, y, is_causal=True).to(dtype="float32") ** 2).mean()
            loss.backward()
            optimizer.step()
            return loss

        run = how(step)
        return [run(sent(x * np.float16(1 + i / 8))).item() for i in range(6)]

    assert found(mg.capture) == found(lambda step: step)
