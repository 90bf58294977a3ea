"""Products by cuBLASLt on a GPU, and copies beside them."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import minigrad as mg
from minigrad.autograd.tensor import raw
from minigrad.backend import namespace
from minigrad.data import DataLoader

LAYOUTS = {
    "rows": lambda x: x,
    "columns": lambda x: x.swapaxes(-1, -2).copy().swapaxes(-1, -2),
    "every other": lambda x: x.repeat(2, -1)[..., ::2],
    "a part": lambda x: x.repeat(2, -1)[..., : x.shape[-1]],
}
SHAPES = [((64, 96), (96, 32)), ((1, 7), (7, 5)), ((33, 1), (1, 65)), ((3, 17, 5), (3, 5, 9)), ((4, 1, 8, 16), (3, 16, 8))]


@pytest.fixture
def products(device, sent):
    """The library in use, or a skip that says that it was not found."""
    xp = namespace(type(raw(sent([1.0]))))
    a = raw(sent([[1.0]]))
    xp.matmul(a, a)
    if not getattr(getattr(xp, "products", None), "handles", None):
        pytest.skip("libcublasLt is not in use here: products are CuPy's")
    return xp.products


@pytest.mark.parametrize("dtype", ["float32", "float64", "float16"])
@pytest.mark.parametrize(("left", "right"), SHAPES)
def test_layouts(products, sent, left, right, dtype):
    """The library computes each of them, and right."""
    rng = np.random.default_rng(0)
    for f in LAYOUTS.values():
        for g in LAYOUTS.values():
            a, b = f(raw(sent(rng.normal(size=left).astype(dtype)))), g(raw(sent(rng.normal(size=right).astype(dtype))))
            y = products.product(a, b)
            assert y is not None, "the library has no algorithm for it"
            want = a.get().astype("float64") @ b.get().astype("float64")
            np.testing.assert_allclose(
                y.get(), want, rtol=0, atol=np.abs(want).max() * {"float16": 2e-3, "float32": 2e-6}.get(dtype, 1e-14)
            )


@pytest.mark.parametrize("dtype", ["float32", "float64", "float16"])
def test_bias(products, sent, dtype):
    rng = np.random.default_rng(0)
    x, w, b = [rng.normal(size=s).astype(dtype) for s in ((2, 24, 40), (56, 40), (56,))]
    y = mg.nn.functional.linear(*map(sent, (x, w, b)))
    want = x.astype("float64") @ w.T + b
    np.testing.assert_allclose(y.numpy(), want, rtol=0, atol=np.abs(want).max() * {"float16": 2e-3, "float32": 2e-6}.get(dtype, 1e-14))
    if dtype != "float64":
        assert products.linear(*[raw(sent(v)) for v in (x, w, b)]) is not None, "the library has no algorithm with a bias"


def test_precision(products, sent):
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(256, 512)).astype("float32"), rng.normal(size=(512, 256)).astype("float32")
    want, errors = a.astype("float64") @ b, {}
    before = mg.get_float32_matmul_precision()
    try:
        for precision in ("highest", "high"):
            mg.set_float32_matmul_precision(precision)
            errors[precision] = np.abs((sent(a) @ sent(b)).numpy() - want).max()
    finally:
        mg.set_float32_matmul_precision(before)
    assert 10 * errors["highest"] < errors["high"] < 0.2


def test_a_product_is_captured(products, device, sent):
    if device == "double":
        pytest.skip("it is about CUDA's graphs")
    import cupy

    a, b = [raw(sent(np.random.default_rng(i).normal(size=(64, 64)).astype("float32"))) for i in range(2)]
    stream = cupy.cuda.Stream(non_blocking=True)
    with stream:
        products.matmul(a, b)  # in which the library looks for an algorithm, and the stream gets its workspace
        y = cupy.empty((64, 64), "float32")
        stream.begin_capture()
        products.matmul(a, b, out=y)
        graph = stream.end_capture()
        a *= 2
        graph.launch(stream)
        stream.synchronize()
    np.testing.assert_allclose(y.get(), a.get() @ b.get(), rtol=0, atol=1e-4)


def test_threads_with_a_default_stream_each(products, device, sent):
    """Which all go by one number: their workspaces must not."""
    if device == "double":
        pytest.skip("it has no streams that compute at the same time")
    import cupy

    arrays = [
        [raw(sent(np.random.default_rng(i + k).normal(size=s).astype("float32"))) for k, s in enumerate(((64, 8192), (8192, 64)))]
        for i in range(4)
    ]
    want = [a @ b for a, b in arrays]

    def work(i):
        with cupy.cuda.Stream.ptds:
            found = [products.matmul(*arrays[i]) for _ in range(50)]
            return all(bool((y == found[0]).all()) for y in found), found[0].get()

    cupy.cuda.Device().synchronize()
    with ThreadPoolExecutor(4) as pool:
        for (same, y), y0 in zip(pool.map(work, range(4)), want, strict=True):
            assert same
            np.testing.assert_allclose(y, y0.get(), rtol=0, atol=1e-3)


def test_copies_beside_products(device, sent):
    """Many batches on their way while the GPU computes: each arrives whole, and none is written over while it is read."""
    if device == "double":
        pytest.skip("its streams wait for nothing")
    data = np.repeat(np.arange(64, dtype="float32")[:, None], 1 << 16, axis=1)
    w, sums = sent(np.ones((1 << 10, 1 << 10), "float32")), []
    for batch in DataLoader(data, batch_size=4, pin_memory=True):
        assert batch.is_pinned()
        x = batch.to(device, non_blocking=True)
        for _ in range(20):
            w = (w @ w) / (1 << 10)  # ones again
        sums.append((x + 0 * w.sum()).mean(1))
        del x
    found = np.concatenate([s.numpy() for s in sums])
    assert found.tolist() == list(range(64))
