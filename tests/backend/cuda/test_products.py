"""Products by cuBLASLt: values and gradients through a double of the library, and descriptors through the real one where it is found."""

import contextlib
import ctypes
import gc
import importlib.util
import pathlib
import re
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from functools import cache

import numpy as np
import pytest

import minigrad as mg
from minigrad import nn, optim
from minigrad.autograd.tensor import wrap
from minigrad.backend import namespace
from minigrad.backend.cuda import cublaslt, products
from minigrad.backend.cuda.cublaslt import Matrix, Product
from minigrad.testing.checks import close
from minigrad.testing.double import DoubleArray, capturing, double, no_sync, put
from minigrad.testing.double.array import new
from minigrad.testing.opdb import all_specs
from minigrad.testing.parity import TOLERANCES, fetched, keywords, moved, run

LAYOUTS = {
    "rows": lambda x: x,
    "columns": np.asfortranarray,
    "every other": lambda x: np.repeat(x, 2, -1)[..., ::2],
    "a part": lambda x: np.pad(x, [(0, 0)] * (x.ndim - 1) + [(1, 2)])[..., 1:-2],
    "backwards": lambda x: np.ascontiguousarray(x[::-1])[::-1],
    "transposed": lambda x: np.ascontiguousarray(x.swapaxes(0, -1)).swapaxes(0, -1),
}
SHAPES = [
    ((3, 4), (4, 5)),
    ((1, 4), (4, 5)),
    ((3, 4), (4, 1)),
    ((3, 1), (1, 5)),
    ((1, 4), (4, 1)),
    ((1, 1), (1, 1)),
    ((4,), (4, 5)),
    ((3, 4), (4,)),
    ((4,), (4,)),
    ((2, 3, 4), (4,)),
    ((2, 3, 4), (2, 4, 5)),
    ((2, 3, 4), (4, 5)),
    ((3, 4), (2, 4, 5)),
    ((6, 1, 3, 4), (2, 4, 5)),
    ((2, 3, 3, 4), (1, 3, 4, 5)),
    ((2, 3, 3, 4), (2, 1, 4, 5)),
]


@cache
def lt_double():
    """The double's module."""
    spec = importlib.util.spec_from_file_location("lt_double", pathlib.Path(__file__).with_name("lt_double.py"))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def drawn(shape, dtype, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype(dtype)


@pytest.mark.parametrize("dtype", ["float32", "float64", "float16"])
@pytest.mark.parametrize(("left", "right"), SHAPES)
def test_every_layout(library, left, right, dtype):
    """Each pair of layouts is one product of the library, also while a graph is captured."""
    xp = namespace(DoubleArray)
    for f in LAYOUTS.values():
        for g in LAYOUTS.values():
            a, b = f(drawn(left, dtype, 1)), g(drawn(right, dtype, 2))
            with capturing():
                y = xp.matmul(new(a, None), new(b, None))
            want = np.matmul(a.astype("float64"), b.astype("float64"))
            assert (y.shape, y.dtype) == (want.shape, a.dtype)
            close([y.get()], [want.astype(dtype)], TOLERANCES[dtype], "matmul")
    assert len(library.log) == len(LAYOUTS) ** 2
    assert all(dtype in line and line.endswith("stream 0") for line in library.log)


def test_an_array_to_write_to(library):
    xp, a, b = namespace(DoubleArray), drawn((2, 3, 4), "float32"), drawn((4, 5), "float32", 1)
    for room in (np.empty((2, 3, 5), "float32"), np.empty((2, 3, 9), "float32")[..., 2:7], np.empty((5, 3, 2), "float32").T):
        out = new(room, None)
        assert xp.matmul(put(a), put(b), out=out) is out
        close([out.get()], [a @ b], 1e-5, "matmul with out=")
    assert len(library.log) == 3
    y = xp.matmul(put(a[0]), put(b[:, 0]), out=xp.empty(3, "float32"))
    close([y.get()], [a[0] @ b[:, 0]], 1e-5, "a vector with out=")


def test_addresses_that_are_hardly_aligned(library):
    """What lies at an odd place is another product: an algorithm may rely on more."""
    xp = namespace(DoubleArray)
    for skip in (0, 1, 2, 3, 4):
        x = drawn(3 * 4 + skip, "float32")
        a, b = new(x, None)[skip:].reshape(3, 4), put(drawn((4, 5), "float32", 1))
        close([xp.matmul(a, b).get()], [x[skip:].reshape(3, 4) @ b.get()], 1e-5, "matmul")
    assert library.calls["MatmulAlgoGetHeuristic"] == 3  # for 16, 8 and 4 bytes
    assert len(library.log) == 5


def test_nothing_is_searched_for_twice(library):
    xp, a, b = namespace(DoubleArray), put(drawn((3, 4), "float32")), put(drawn((4, 5), "float32"))
    xp.matmul(a, b)
    before = dict(library.calls)
    with capturing():
        for _ in range(3):
            xp.matmul(a, b)
    assert library.calls - type(library.calls)(before) == {"Matmul": 3}
    assert library.calls["Create"] == 1


def test_what_is_not_for_the_library(library):
    """It is computed by the namespace's own product."""
    xp = namespace(DoubleArray)
    for a, b in (
        (drawn((3, 4), "int64"), drawn((4, 5), "int64")),
        (drawn((3, 4), "complex64"), drawn((4, 5), "complex64")),
        (drawn((3, 4), "float32"), drawn((4, 5), "float64")),
        (np.zeros((0, 4), "float32"), np.zeros((4, 5), "float32")),
        (np.zeros((3, 0), "float32"), np.zeros((0, 5), "float32")),
    ):
        close([xp.matmul(put(a), put(b)).get()], [a @ b], 1e-5, "matmul")
    for a, b in (((3, 4), (3, 5)), ((2, 3, 4), (3, 4, 5)), ((4,), (3, 5))):
        with pytest.raises(ValueError):
            xp.matmul(put(drawn(a, "float32")), put(drawn(b, "float32")))
    assert not library.log


def test_a_library_that_cannot_do_it(lent, request):
    """No algorithm, or no library at all: the namespace's own product."""
    lt = request.getfixturevalue("library")
    lt.epilogues = (1,)
    x, w, b = [wrap(put(drawn(s, "float32")), None) for s in ((3, 4), (5, 4), (5,))]
    y = mg.nn.functional.linear(x, w, b)
    close([y.numpy()], [x.numpy() @ w.numpy().T + b.numpy()], 1e-5, "linear")
    lt.refusals.clear()
    with lent(None):
        close([mg.matmul(x, w.T).numpy()], [x.numpy() @ w.numpy().T], 1e-5, "matmul")
    with lent(lt):
        lt._Matmul = lambda *args: 13
        lt.cublasLtMatmul = lambda *args: 13
        with pytest.raises(mg.errors.DeviceError, match="cublasLtMatmul: status 13"):
            mg.matmul(x, w.T)


NAMES = """
dot einsum inner linalg.inv linalg.matrix_power linalg.multi_dot linalg.pinv linalg.solve linalg.svd matmul matvec
nn.functional.affine_grid nn.functional.bilinear nn.functional.conv1d nn.functional.conv2d nn.functional.conv3d
nn.functional.conv_transpose1d nn.functional.conv_transpose2d nn.functional.conv_transpose3d nn.functional.linear
nn.functional.scaled_dot_product_attention tensordot vdot vecmat
"""


@pytest.mark.parametrize("spec", [s for s in all_specs() if s.name in NAMES.split()], ids=lambda s: s.name)
def test_ops(library, spec):
    """Values and gradients of ops that multiply matrices, as in NumPy."""
    for sample, dtype in [(s.cast(dtype), dtype) for s in spec.draw() for dtype in spec.dtypes]:
        order = min(spec.order, 1 if dtype == "float16" else 2)
        want = run(spec.function(), sample.inputs, sample.kwargs, lambda a: a, order)
        with no_sync():
            got = run(spec.function(), moved(sample.inputs, put), keywords(sample.kwargs, put), put, order)
        for y, y0 in zip(got, want, strict=True):
            close(fetched(y), fetched(y0), TOLERANCES[dtype], f"{spec.name} {dtype}")
    assert library.log


LAYERS = {
    "linear": (lambda: nn.Linear(8, 3), (5, 8)),
    "linear, one row, one column": (lambda: nn.Linear(8, 1), (1, 8)),
    "linear, more axes": (lambda: nn.Linear(8, 3, bias=False), (2, 3, 8)),
    "a net": (lambda: nn.Sequential(nn.Linear(8, 16), nn.GELU("tanh"), nn.Linear(16, 16), nn.ReLU(), nn.Linear(16, 4)), (5, 8)),
    "convolution": (lambda: nn.Conv2d(4, 6, 3, groups=2, padding=1), (2, 4, 6, 6)),
    "lstm": (lambda: First(nn.LSTM(4, 5, 2, bidirectional=True)), (3, 2, 4)),
    "gru": (lambda: First(nn.GRU(4, 5, batch_first=True)), (3, 2, 4)),
    "rnn": (lambda: First(nn.RNN(4, 5)), (3, 2, 4)),
    "encoder layer": (lambda: nn.TransformerEncoderLayer(8, 2, 16, 0.0, batch_first=True), (2, 5, 8)),
}


class First(nn.Module):
    """The first of a layer's results."""

    def __init__(self, layer):
        super().__init__()
        self.layer = layer

    def forward(self, x):
        return self.layer(x)[0]


@pytest.mark.parametrize("name", LAYERS)
def test_layers(library, name):
    """Forward and backward are what they are on the CPU, and nothing of it is refused while a graph is captured."""
    make, shape = LAYERS[name]
    found = []
    for device in ("cpu", "double"):
        mg.manual_seed(0)
        model, x = make().to(device=device), mg.tensor(drawn(shape, "float32")).to(device=device).requires_grad_()
        with contextlib.nullcontext() if device == "cpu" else capturing():
            y = model(x)
            (y * y).sum().backward()
        found.append([y.numpy(), x.grad.numpy(), *[p.grad.numpy() for p in model.parameters()]])
    close(found[1], found[0], TOLERANCES["float32"], name)
    assert library.log


def test_the_bias_comes_with_the_product(library):
    """One call for a layer: its bias is added by the library, whatever lies where."""
    for dtype in ("float32", "float64", "float16"):
        x, w, b = [drawn(s, dtype, i) for i, s in enumerate(((3, 4), (5, 4), (10,)))]
        for left, right, bias in ((x, w, b[:5]), (x.T.copy().T, w.T.copy().T, b[5:]), (x, w, b[::2])):
            y = mg.nn.functional.linear(*[wrap(new(v, None), None) for v in (left, right, bias)])
            close([y.numpy()], [(left.astype("f8") @ right.T + bias).astype(dtype)], TOLERANCES[dtype], "linear")
    assert [line.split()[-3] for line in library.log] == ["4", "4", "1"] * 3  # not where the bias has gaps


def test_precision(library):
    """float32 is what it says unless less is asked for; nothing else is touched by that."""
    a, b = drawn((8, 64), "float32"), drawn((64, 8), "float32", 1)
    xp, want, errors = namespace(DoubleArray), a.astype("f8") @ b, {}
    assert mg.get_float32_matmul_precision() == "highest"
    try:
        for precision in ("highest", "high", "medium", "highest"):
            mg.set_float32_matmul_precision(precision)
            errors[precision] = np.abs(xp.matmul(put(a), put(b)).get() - want).max()
            xp.matmul(put(a.astype("f8")), put(b.astype("f8")))
    finally:
        mg.set_float32_matmul_precision("highest")
    assert 10 * errors["highest"] < errors["high"] < errors["medium"] / 4
    assert [line.split()[4] for line in library.log] == ["68", "70", "77", "70", "75", "70", "68", "70"]
    with pytest.raises(ValueError, match="expected 'highest', 'high' or 'medium', got 'tf32'"):
        mg.set_float32_matmul_precision("tf32")


def test_bfloat16(library):
    ml_dtypes = pytest.importorskip("ml_dtypes", reason="ml_dtypes is not installed")
    a, b = drawn((3, 4), ml_dtypes.bfloat16), drawn((4, 5), ml_dtypes.bfloat16, 1)
    y = namespace(DoubleArray).matmul(put(a), put(b))
    assert y.dtype == a.dtype
    close([y.get().astype("f4")], [a.astype("f4") @ b.astype("f4")], 1e-2, "bfloat16")
    assert "bfloat16 nn 5x3x4*1 compute 68" in library.log[0]


def test_threads_share_a_product(library):
    """Each call has its own bias and its own result, though they share a descriptor."""
    x, w = drawn((3, 4), "float32"), drawn((5, 4), "float32", 1)

    def work(i):
        bias = np.full(5, i, "float32")
        for _ in range(20):
            y = mg.nn.functional.linear(*[wrap(put(v), None) for v in (x, w, bias)])
            close([y.numpy()], [x @ w.T + bias], 1e-5, f"thread {i}")
        return i

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(work, range(4))) == [0, 1, 2, 3]
    assert library.calls["Create"] == 1


def test_streams_have_their_own_room(library):
    """The current stream computes, and no two streams share a workspace."""
    xp, a = namespace(DoubleArray), put(drawn((4, 4), "float32"))
    stream = double.cuda.Stream(non_blocking=True)
    xp.matmul(a, a)
    with stream:
        xp.matmul(a, a)
    assert [line.split()[-1] for line in library.log] == ["0", str(stream.ptr)]
    rooms = xp.products.workspaces
    assert len({room.data.ptr for room in rooms.values()}) == 2
    assert {stream for _, stream in rooms} == {0, stream.ptr}


def test_threads_that_have_a_default_stream_each_have_their_own_room(library):
    """With CUPY_CUDA_PER_THREAD_DEFAULT_STREAM=1 all of these streams go by the same number."""
    xp, a, stream = namespace(DoubleArray), put(drawn((4, 4), "float32")), double.cuda.Stream(null=True)
    stream.ptr = products.OF_THREADS

    def work(_):
        with stream:
            return xp.matmul(a, a).shape

    with ThreadPoolExecutor(1) as pool:
        assert [*map(work, range(2)), *pool.map(work, range(2))] == [(4, 4)] * 4
    assert len({room.data.ptr for room in xp.products.workspaces.values()}) == 2


def test_a_step_is_captured_with_its_products(library):
    """A step of training as graphs: its products are made again by the graphs alone, and the losses are the same to the last bit."""

    def losses(how):
        mg.manual_seed(0)
        model = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 1)).to(device="double")
        optimizer = optim.SGD(model.parameters(), lr=0.01, momentum=0.9)

        def step(x, y):
            optimizer.zero_grad()
            loss = ((model(x) - y) ** 2).mean()
            loss.backward()
            optimizer.step()
            return loss

        run = how(step)
        return [run(*[mg.tensor(drawn((4, n), "float32", i)).to(device="double") for n in (8, 1)]).item() for i in range(6)], run

    want, _ = losses(lambda step: step)
    asked, done = library.calls["MatmulAlgoGetHeuristic"], library.calls["Matmul"]
    got, step = losses(mg.capture)
    assert got == want
    assert step.replays >= 3
    assert library.calls["MatmulAlgoGetHeuristic"] == asked
    assert library.calls["Matmul"] - done == (6 - step.replays + 1) * done // 6  # those of calls as they are, and of the capture


def test_descriptors_are_given_back(library):
    """However many shapes there are, what is remembered of them has a bound."""
    xp = namespace(DoubleArray)
    products.MOST, before = 10, products.MOST
    try:
        for n in range(1, 40):
            xp.matmul(put(np.ones((1, n), "float32")), put(np.ones((n, 1), "float32")))
            assert len(xp.products.ways) <= 10
    finally:
        products.MOST = before
    gc.collect()
    kinds = Counter(kind for kind, _ in library.live.values())
    assert kinds["MatmulPreference"] == 0
    assert kinds["MatmulDesc"] <= 10
    assert kinds["MatrixLayout"] <= 30


# -- the real library, as far as it goes without a GPU ----------------------------------------------------------------
@pytest.fixture
def real():
    """A handle of NVIDIA's library that was never opened, as that takes a GPU: enough for descriptors."""
    pytest.importorskip("cupy", reason="CuPy is not installed: pip install cupy-cuda12x")
    found = cublaslt.library()
    if found is None:
        pytest.skip("libcublasLt is not found: pip install nvidia-cublas-cu12 (or nvidia-cublas, for CUDA 13)")
    handle = object.__new__(cublaslt.Handle)
    handle.library, handle.pointer = found, ctypes.c_void_p()
    return handle


def test_the_real_library_takes_our_descriptors(real):
    """What is set is what is read again, number by number and size by size, and defaults are those that the double has."""
    a, b, d = Matrix(5, 4, 8, 40), Matrix(4, 3, 4, 12), Matrix(5, 3, 5, 15)
    for dtype, numbers in products.KINDS.items():
        made = Product(real, numbers, (False, True), a, b, d, 2, True, 16)
        assert not made.possible, "without a handle there is no algorithm"
        read = {number: got(real, "MatmulDesc", made.operation, number) for number in (0, 1, 3, 4, 7, 8)}
        assert read == {0: numbers[1], 1: numbers[2], 3: 0, 4: 1, 7: 4, 8: 16}, dtype
        for place, m in zip(made.places, (a, b, d), strict=True):
            read = [got(real, "MatrixLayout", place, number) for number in (0, 1, 2, 3, 4, 5, 6)]
            assert read == [numbers[0], 0, m.rows, m.columns, m.ld, 2, m.stride]
    double = lt_double().Library()
    for kind, values in (("MatmulDesc", (68, 0)), ("MatrixLayout", (0, 5, 4, 8)), ("MatmulPreference", ())):
        place, room = real.made(kind, *values), ctypes.c_void_p()
        double._create(kind, ctypes.pointer(room), *values)
        for number, value in double.live[room.value][1].items():
            if kind != "MatmulPreference":
                assert got(real, kind, place, number) == value, (kind, number)
        for number, size in lt_double().SIZES[kind].items():
            put_to = getattr(real.library, f"cublasLt{kind}SetAttribute")
            assert put_to(place, number, (ctypes.c_byte * size)(1), size) == 0, (kind, number)
            assert put_to(place, number, (ctypes.c_byte * 3)(), 3) != 0, (kind, number)


def got(handle, kind, place, number):
    size, written = lt_double().SIZES[kind][number], ctypes.c_size_t()
    room = (ctypes.c_byte * 8)()
    handle.check(getattr(handle.library, f"cublasLt{kind}GetAttribute")(place, number, room, size, ctypes.byref(written)), kind)
    assert written.value == size
    return int.from_bytes(bytes(room)[:size], "little", signed=True)


def test_the_header_agrees(real):
    """Where NVIDIA's header lies beside the library, its numbers and parameters are ours."""
    header = library_folder(real) / "include" / "cublasLt.h"
    if not header.is_file():
        pytest.skip(f"there is no {header.name} beside the library")
    text = header.read_text(encoding="utf-8", errors="replace")
    for name, number in {
        **{f"MATMUL_DESC_{n}": getattr(cublaslt, n) for n in ("TRANSA", "TRANSB", "EPILOGUE", "BIAS_POINTER")},
        "MATRIX_LAYOUT_BATCH_COUNT": cublaslt.BATCH_COUNT,
        "MATRIX_LAYOUT_STRIDED_BATCH_OFFSET": cublaslt.BATCH_STRIDE,
        "MATMUL_PREF_MAX_WORKSPACE_BYTES": cublaslt.MAX_WORKSPACE,
        "MATMUL_PREF_REDUCTION_SCHEME_MASK": cublaslt.REDUCTION_SCHEMES,
        **{f"MATMUL_PREF_MIN_ALIGNMENT_{x}_BYTES": n for x, n in zip("ABCD", cublaslt.ALIGNMENTS, strict=True)},
        "REDUCTION_SCHEME_COMPUTE_TYPE": cublaslt.REDUCTION_COMPUTE_TYPE,
        "EPILOGUE_BIAS": cublaslt.BIAS,
    }.items():
        assert re.search(rf"CUBLASLT_{name} = {number},", text), name
    text_of_types = header.with_name("cublas_api.h").read_text(encoding="utf-8", errors="replace")
    for name in ("32F", "64F"):
        assert re.search(rf"CUBLAS_COMPUTE_{name} = {getattr(cublaslt, f'COMPUTE_{name}')},", text_of_types), name
    for name in ("TF32", "16BF"):
        assert re.search(rf"CUBLAS_COMPUTE_32F_FAST_{name} = {getattr(cublaslt, f'COMPUTE_FAST_{name}')},", text_of_types), name
    for name, takes in cublaslt.SIGNATURES.items():
        words = re.search(rf"CUBLASWINAPI cublasLt{name}\(([^;]*)\);", text)[1]
        words = re.sub(r"/\*.*?\*/|//[^\n]*", "", words, flags=re.DOTALL).strip()
        assert (0 if words == "void" else words.count(",") + 1) == len(takes), name


def library_folder(handle):
    """The folder in which the library's own folder lies."""
    with open("/proc/self/maps", encoding="utf-8") as maps:
        path = next(line.split()[-1] for line in maps if "libcublasLt" in line)
    return pathlib.Path(path).resolve().parents[1]
