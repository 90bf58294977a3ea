"""Convolution and attention by cuDNN, on doubles of CuPy and of the package: layouts, padding, groups, masks, capture; against NumPy."""

import importlib.util
import inspect
import json
import os
import pathlib
import re
import subprocess
import sys
import types

import numpy as np
import pytest

import minigrad as mg
from minigrad import nn, optim
from minigrad.backend.cuda import cudnn
from minigrad.nn import functional as F
from minigrad.testing.checks import close
from minigrad.testing.double import DoubleArray, capturing, double, no_sync, put
from minigrad.testing.double.array import new
from minigrad.testing.opdb import all_specs
from minigrad.testing.parity import TOLERANCES, fetched, keywords, moved, run

CONVOLUTIONS = [s for s in all_specs() if s.name.startswith("nn.functional.conv")]


@pytest.fixture(scope="module")
def package():
    """The module of the double of the package."""
    spec = importlib.util.spec_from_file_location("cudnn_double", pathlib.Path(__file__).with_name("cudnn_double.py"))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def lend(library, package, monkeypatch):
    """``lend(...)``: let a double of the package compute on the double of CuPy."""

    def lend(**kwargs):
        made = package.Package(**kwargs)
        monkeypatch.setattr(cudnn, "load", lambda xp: made)
        cudnn.library.cache_clear()
        return made

    yield lend
    cudnn.library.cache_clear()


@pytest.fixture
def lent(lend):
    return lend()


def drawn(shape, dtype="float32", seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype(dtype)


def both(f, inputs, **kwargs):
    """Values and gradients in NumPy, in float64, and on the double."""
    want = run(f, [a.astype("f8") if a.dtype.kind == "f" else a for a in inputs], kwargs, lambda a: a.astype(inputs[0].dtype).astype("f8"))
    with no_sync():
        got = run(f, moved(inputs, put), kwargs, put)
    return [fetched(y) for y in got], [fetched(y) for y in want]


def agree(f, *inputs, **kwargs):
    (y, g), (y0, g0) = both(f, inputs, **kwargs)
    dtype = inputs[0].dtype
    assert all(a.dtype == dtype for a in (*y, *g))
    for found, wanted in ((y, y0), (g, g0)):
        close([a.astype("f8") for a in found], wanted, TOLERANCES[dtype.name], f"{f} {kwargs}")


# -- convolution ------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("spec", CONVOLUTIONS, ids=lambda s: s.name)
def test_rows_of_the_table(lent, spec):
    """Values and gradients, of second order, too; what is not for the library another form computes."""
    for sample, dtype in [(s.cast(dtype), dtype) for s in spec.draw() for dtype in spec.dtypes]:
        order = min(spec.order, 1 if dtype == "float16" else 2)
        want = run(spec.function(), sample.inputs, sample.kwargs, lambda a: a, order)
        with no_sync():
            got = run(spec.function(), moved(sample.inputs, put), keywords(sample.kwargs, put), put, order)
        for y, y0 in zip(got, want, strict=True):
            close(fetched(y), fetched(y0), TOLERANCES[dtype], f"{spec.name} {dtype}")
    assert {line.split()[1] for line in lent.log} == {"FLOAT", "HALF"}


CASES = {
    "plain": ((2, 3, 8, 7), (4, 3, 3, 2), {}),
    "strided": ((2, 4, 9, 8), (6, 4, 3, 3), {"stride": 2, "padding": 1}),
    "left over": ((1, 2, 10, 11), (2, 2, 3, 3), {"stride": (3, 4)}),
    "dilated": ((2, 4, 9, 9), (4, 4, 3, 3), {"dilation": (2, 3), "padding": (2, 1)}),
    "groups": ((2, 6, 6, 5), (9, 2, 3, 3), {"groups": 3, "padding": 1}),
    "depthwise": ((2, 4, 6, 6), (8, 1, 3, 3), {"groups": 4}),
    "one by one": ((3, 4, 5, 5), (6, 4, 1, 1), {}),
    "more after than before": ((2, 3, 6, 7), (4, 3, 4, 2), {"padding": "same"}),
    "a signal": ((3, 4, 20), (6, 2, 5), {"groups": 2, "stride": 3, "padding": 4}),
    "a volume": ((1, 2, 5, 6, 4), (4, 2, 3, 2, 1), {"stride": (2, 1, 1), "padding": (1, 0, 0)}),
}


@pytest.mark.parametrize("dtype", ["float32", "float16"])
@pytest.mark.parametrize("name", CASES)
def test_convolution(lent, name, dtype):
    x, w, kwargs = CASES[name]
    f = getattr(F, f"conv{len(x) - 2}d")
    weight = (np.prod(w[1:]) ** -0.5 * drawn(w, "f8", 1)).astype(dtype)
    agree(f, drawn(x, dtype), weight, drawn(w[:1], dtype, 2), **kwargs)
    agree(f, drawn(x, dtype), weight, **kwargs)
    assert lent.made == dict.fromkeys(["conv_dgrad", "conv_fprop+bias", "conv_fprop", "conv_wgrad"], 1)


TRANSPOSED = {
    "plain": ((2, 3, 4, 5), (3, 4, 3, 2), {}),
    "strided, longer at the end": ((2, 4, 4, 4), (4, 2, 3, 3), {"stride": 2, "padding": 1, "output_padding": 1}),
    "longer at the end, no padding": ((2, 4, 4, 4), (4, 2, 3, 3), {"stride": 2, "output_padding": 1}),
    "groups": ((1, 6, 3, 3), (6, 2, 3, 3), {"groups": 3, "stride": 2}),
}


@pytest.mark.parametrize("name", TRANSPOSED)
def test_transposed_convolution(lent, name):
    """What is the gradient with respect to the input, plus a bias, which the library does not add there."""
    x, w, kwargs = TRANSPOSED[name]
    agree(F.conv_transpose2d, drawn(x), drawn(w, seed=1), drawn((w[1] * kwargs.get("groups", 1),), seed=2), **kwargs)
    assert sorted(lent.made) == ["conv_dgrad", "conv_fprop", "conv_wgrad"]


def test_bfloat16(lent):
    ml_dtypes = pytest.importorskip("ml_dtypes", reason="ml_dtypes is not installed")
    x, w = drawn((2, 3, 5, 5)).astype(ml_dtypes.bfloat16), drawn((4, 3, 3, 3), seed=1).astype(ml_dtypes.bfloat16)
    with no_sync():
        y = F.conv2d(*[mg.autograd.tensor.wrap(put(a), None) for a in (x, w)])
    want = F.conv2d(mg.tensor(x.astype("f4")), mg.tensor(w.astype("f4"))).numpy()
    assert y.dtype.name == "bfloat16"
    close([y.numpy().astype("f4")], [want], 1e-2, "bfloat16")
    assert lent.log == ["conv_fprop BFLOAT16 stream 0"]


def test_arrays_that_lie_otherwise(lent):
    """Transposed, with gaps, or at an address that 16 does not divide: copied first."""
    w = put(drawn((4, 3, 3, 3), seed=1))
    packed = drawn((2, 3, 6, 6))
    apart = np.zeros(1 + packed.size, "f4")
    apart[1:] = packed.ravel()
    views = [new(packed.transpose(0, 1, 3, 2).copy(), None).transpose(0, 1, 3, 2), new(np.repeat(packed, 2, 3), None)[..., ::2]]
    views += [new(np.moveaxis(np.moveaxis(packed, 1, 3).copy(), 3, 1), None), new(apart, None)[1:].reshape(2, 3, 6, 6)]
    kernel = F.conv2d
    found = [kernel(*[mg.autograd.tensor.wrap(a, None) for a in (x, w)]).numpy() for x in views]
    want = kernel(mg.tensor(packed), mg.tensor(w.get())).numpy()
    close(found, [want] * 4, TOLERANCES["float32"], "layouts")
    assert lent.made == {"conv_fprop": 1}
    assert len(lent.log) == 4


def test_precision(lent):
    """float32 is what it says unless less is asked for."""
    x, w, errors = drawn((1, 64, 4, 4)), drawn((2, 64, 3, 3), seed=1), {}
    want = F.conv2d(mg.tensor(x.astype("f8")), mg.tensor(w.astype("f8"))).numpy()
    try:
        for precision in ("highest", "high"):
            mg.set_float32_matmul_precision(precision)
            errors[precision] = np.abs(F.conv2d(mg.tensor(x).to(device="double"), mg.tensor(w).to(device="double")).numpy() - want).max()
    finally:
        mg.set_float32_matmul_precision("highest")
    assert 10 * errors["highest"] < errors["high"]
    assert lent.made == {"conv_fprop": 2}


# -- attention --------------------------------------------------------------------------------------------------------
HEADS = {
    "one": ((7, 16), (5, 16), (5, 8)),
    "three axes": ((3, 7, 16), (3, 5, 16), (3, 5, 16)),
    "four axes": ((2, 3, 7, 16), (2, 3, 9, 16), (2, 3, 9, 24)),
    "five axes": ((2, 2, 3, 4, 8), (2, 2, 3, 4, 8), (2, 2, 3, 4, 8)),
    "a row": ((2, 1, 8), (2, 6, 8), (2, 6, 8)),
    "shared": ((2, 3, 7, 8), (2, 1, 5, 8), (2, 1, 5, 8)),
    "shared by all": ((3, 7, 8), (1, 5, 8), (1, 5, 8)),
}


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("name", HEADS)
def test_attention(lent, name, causal):
    q, k, v = [drawn(s, "float16", i) for i, s in enumerate(HEADS[name])]
    agree(F.scaled_dot_product_attention, q, k, v, is_causal=causal)
    agree(F.scaled_dot_product_attention, q, k, v, is_causal=causal, scale=0.5)
    assert lent.made == {"sdpa": 2, "sdpa_backward": 2}


def test_groups_of_heads(lent):
    q, k, v = [drawn(s, "float16", i) for i, s in enumerate([(2, 6, 5, 8), (2, 2, 7, 8), (2, 2, 7, 16)])]
    agree(F.scaled_dot_product_attention, q, k, v, enable_gqa=True)
    agree(F.scaled_dot_product_attention, q[0], k[0], v[0], enable_gqa=True, is_causal=True)
    assert lent.made == {"sdpa": 2, "sdpa_backward": 2}


def test_thirds_of_one_array(lent):
    """Queries, keys and values as a layer makes them: heads beside heads in one array, of which nothing is copied."""
    found = {}
    for device in ("cpu", "double"):
        x = mg.tensor(drawn((2, 5, 3, 4, 8), "float16")).to(device=device).requires_grad_()
        q, k, v = [x[:, :, i].swapaxes(1, 2) for i in range(3)]
        y = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        (y * y).sum().backward()
        found[device] = [y.numpy().astype("f4"), x.grad.numpy().astype("f4")]
    close(found["double"], found["cpu"], TOLERANCES["float16"], "thirds")
    assert lent.made == {"sdpa": 1, "sdpa_backward": 1}


def test_heads_that_lie_otherwise(lent):
    """Apart by what 16 does not divide, one and the same again and again, features first, at an odd address: copied first."""
    plain = drawn((2, 3, 5, 8), "float16")
    wide, turned = np.zeros((2, 3, 5, 12), "f2"), plain.swapaxes(2, 3).copy()
    wide[..., :8] = plain
    odd = np.concatenate([np.zeros(1, "f2"), plain.ravel()])
    views = [new(wide, None)[..., :8], new(turned, None).swapaxes(2, 3), new(odd, None)[1:].reshape(plain.shape)]
    views += [double.broadcast_to(new(plain[:1, :1].copy(), None), plain.shape)]
    for x in views:
        want = F.scaled_dot_product_attention(*[mg.tensor(x.get())] * 3).numpy()
        got = F.scaled_dot_product_attention(*[mg.autograd.tensor.wrap(x, None)] * 3).numpy()
        close([got.astype("f4")], [want.astype("f4")], TOLERANCES["float16"], "layouts")
    assert lent.made == {"sdpa": 1}
    assert len(lent.log) == 4


def test_what_is_not_for_the_library(lent):
    """Masks, dropout, float32, odd features, broadcast batches, mixed dtypes: other forms."""
    mg.manual_seed(0)
    q = drawn((2, 3, 5, 8), "float16")
    for changes in ({"attn_mask": np.tri(5, dtype=bool)}, {"attn_mask": drawn((5, 5), "float16")}):
        agree(F.scaled_dot_product_attention, q, q, q, *changes.values())
    agree(F.scaled_dot_product_attention, *[drawn((2, 3, 5, 8), seed=i) for i in range(3)])
    agree(F.scaled_dot_product_attention, *[drawn((2, 3, 5, 6), "float16", i) for i in range(3)])
    agree(F.scaled_dot_product_attention, q, q[:1], q[:1])
    agree(F.scaled_dot_product_attention, np.concatenate([q, q[:1]]), q[0], q[0])
    F.scaled_dot_product_attention(*[mg.tensor(q).to(device="double")] * 3, dropout_p=0.5)
    agree(F.conv2d, drawn((2, 3, 5, 5), "f8"), drawn((2, 3, 3, 3), "f8", 1))
    x, w = [mg.tensor(drawn(s, d)) for s, d in (((2, 3, 5, 5), "float16"), ((2, 3, 3, 3), "float32"))]
    got = F.conv2d(x.to(device="double"), w.to(device="double")).numpy()
    close([got], [F.conv2d(x, w).numpy()], TOLERANCES["float32"], "mixed")
    assert not lent.log


def test_room_for_sums_in_a_certain_order(lent):
    """The way back adds up in the same order each time, where that needs not too much room."""
    for rows in (512, 520):
        x = mg.tensor(drawn((1, rows, 8), "float16")).to(device="double").requires_grad_()
        F.scaled_dot_product_attention(x, x, x).sum().backward()
    rooms = [plan.room for key, plan in cudnn.library(mg.backend.namespace(DoubleArray)).plans.items() if "sdpa_backward" in key]
    assert rooms == [64, 128]


# -- the library ------------------------------------------------------------------------------------------------------
def test_without_a_plan(lend):
    """Where the library has no way, or fails, what it would have computed is computed otherwise; a failure is told."""
    inputs = drawn((2, 3, 6, 6)), drawn((4, 3, 3, 3), seed=1), drawn((4,), seed=2)
    lent = lend(refuse=("conv_fprop", "conv_wgrad", "sdpa"))
    agree(F.conv2d, *inputs)
    q = drawn((2, 5, 8), "float16")
    agree(F.scaled_dot_product_attention, q, q, q)
    assert lent.made == {"conv_dgrad": 1, "sdpa_backward": 1}
    lend(broken="two libraries of CUDA")
    with pytest.warns(RuntimeWarning, match="cuDNN made no plan for conv_[a-z]*, so another form computes it: .*two libraries of CUDA"):
        agree(F.conv2d, *inputs)


def test_without_the_package(monkeypatch):
    """There is none for the double itself, nor where it cannot be imported, or finds no library."""
    assert cudnn.load(double) is None
    cupy = types.SimpleNamespace(__name__="cupy")
    found = types.ModuleType("cudnn")
    found.backend_version = lambda: 92800
    monkeypatch.setitem(sys.modules, "cudnn", found)
    assert cudnn.load(cupy) is found
    found.backend_version = lambda: (_ for _ in ()).throw(RuntimeError("Unable to find symbol cudnnGetVersion"))
    with pytest.warns(RuntimeWarning, match="finds no library, so it is not used .*cudnnGetVersion.*pip install nvidia-cudnn-cu12"):
        assert cudnn.load(cupy) is None
    monkeypatch.setitem(sys.modules, "cudnn", None)
    assert cudnn.load(cupy) is None


def test_turned_off(lent):
    with mg.backend.cuda.disabled():
        agree(F.conv2d, drawn((2, 3, 6, 6)), drawn((4, 3, 3, 3), seed=1))
    assert not lent.made


def test_streams(lent):
    """The current stream computes; the handle is told only when it is another."""
    x, w = [mg.tensor(drawn(s)).to(device="double") for s in ((1, 2, 4, 4), (2, 2, 3, 3))]
    stream = double.cuda.Stream(non_blocking=True)
    F.conv2d(x, w)
    F.conv2d(x, w)
    with stream:
        F.conv2d(x, w)
    assert lent.streams == [("handle 1", 0), ("handle 1", stream.ptr)]
    assert [line.split()[-1] for line in lent.log] == ["0", "0", str(stream.ptr)]
    assert lent.handles == 1


def test_as_many_plans_as_there_may_be(lent, monkeypatch):
    """Plans are not dropped, as graphs that were captured need them: beyond a number no more are made."""
    monkeypatch.setattr(cudnn, "MOST", 2)
    w = drawn((2, 2, 3, 3))
    for n in (4, 5, 6, 4):
        agree(F.conv2d, drawn((1, 2, n, n)), w)
    assert sum(lent.made.values()) == 2
    assert len(lent.log) == 2 * 2


class Net(nn.Module):
    """Convolutions, one of them transposed, then attention between places in half precision."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(2, 8, 3, padding=1, stride=2)
        self.back = nn.ConvTranspose2d(8, 8, 2, stride=2)

    def forward(self, x):
        y = self.back(self.conv(x).relu())
        y = y.reshape((y.shape[0], 8, -1)).swapaxes(1, 2).to(dtype="float16")
        return F.scaled_dot_product_attention(y, y, y, is_causal=True).to(dtype="float32").mean((1, 2))


def test_a_step_is_captured(lend):
    """As graphs, with plans made in the calls before, and losses that are the same to the last bit; nothing is planned meanwhile."""

    def losses(how):
        mg.manual_seed(0)
        model = Net().to(device="double")
        optimizer = optim.SGD(model.parameters(), lr=0.1, momentum=0.9)

        def step(x, y):
            optimizer.zero_grad()
            loss = ((model(x) - y) ** 2).mean()
            loss.backward()
            optimizer.step()
            return loss

        run = how(step)
        return [run(*[mg.tensor(drawn(s, seed=i)).to(device="double") for s in ((2, 2, 6, 6), (2,))]).item() for i in range(6)], run

    eager, want = lend(), losses(lambda step: step)[0]
    fresh, (got, step) = lend(), losses(mg.capture)
    assert got == want
    assert len(set(want)) == 6
    assert step.replays >= 3
    assert fresh.made == eager.made
    assert len(fresh.log) == len(eager.log) // 6 * (6 - step.replays + 1)  # those of calls as they are, and of the capture
    model, x = Net().to(device="double"), mg.tensor(drawn((2, 2, 6, 6))).to(device="double")
    with capturing():
        model(x).sum().backward()


# -- the real package -------------------------------------------------------------------------------------------------
PLANS = pathlib.Path(__file__).with_name("plans_without_a_gpu.py")


def test_the_real_library_plans_it():
    """cuDNN itself has a plan for each graph, for an H100 that is only described to it; nothing is executed."""
    if importlib.util.find_spec("cudnn") is None:
        pytest.skip("the package cudnn is not installed: pip install nvidia-cudnn-frontend nvidia-cudnn-cu12 nvidia-cuda-nvrtc-cu12")
    root = str(pathlib.Path(mg.__file__).parents[1])
    ran = subprocess.run([sys.executable, PLANS], capture_output=True, text=True, env=os.environ | {"PYTHONPATH": root}, check=False)
    if ran.returncode == 77:
        pytest.skip(ran.stdout)
    assert ran.returncode == 0, ran.stderr
    found = {}
    for line in ran.stdout.splitlines():
        case = json.loads(line)
        found[case["name"]] = [plan["room"] for plan in case["plans"]]
    assert all(None not in rooms for rooms in found.values()), found
    assert {len(rooms) for name, rooms in found.items() if name.startswith("float32")} == {3}
    assert {len(found[f"float16 {name}"]) for name in ("image", "signal", "volume", "transposed")} == {3}
    assert {len(found[f"float16 {name}"]) for name in ("heads", "keys", "groups of heads", "a long row")} == {2}
    assert max(found["float16 a long row"]) < cudnn.ROOM


def test_the_double_takes_what_the_real_package_takes(package):
    """Its operations have the real ones' arguments, by the same names."""
    real = pytest.importorskip("cudnn", reason="the package cudnn is not installed: pip install nvidia-cudnn-frontend")
    for kind in ("data_type", "heur_mode", "diagonal_alignment", "numerical_note"):
        assert set(getattr(package, kind).__members__) <= set(getattr(real, kind).__members__)
    for name, method in vars(package.Graph).items():
        if not name.startswith("_") and callable(method):
            theirs = getattr(real.pygraph, name)
            try:
                known = set(inspect.signature(theirs).parameters)
            except ValueError:  # written in C++: its documentation names them
                known = set(re.findall(r"(\w+):", theirs.__doc__ or ""))
            ours = {k for k, p in inspect.signature(method).parameters.items() if p.kind is not p.POSITIONAL_ONLY} - {"self"}
            assert ours <= known or {"args", "kwargs"} & known, name
