"""Tensors in NumPy's functions, in SciPy, matplotlib and DLPack: the result is a Tensor with its graph, or an error, never neither."""

import numpy as np
import pytest

import minigrad as mg
from minigrad.errors import GraphError
from minigrad.ops import protocols

A = np.array([[0.5, 1.5, 2.5], [1.0, 3.0, 2.0]])


def leaf(a=A):
    return mg.tensor(np.array(a), requires_grad=True)


def agrees(f, *arrays):
    """``f`` on Tensors gives a Tensor with NumPy's values and dtype, whose gradient flows to every input."""
    want = f(*arrays)
    leaves = [leaf(a) for a in arrays]
    got = f(*leaves)
    assert isinstance(got, mg.Tensor)
    assert got.requires_grad
    assert got.dtype == np.asarray(want).dtype
    np.testing.assert_allclose(got.detach().numpy(), want, rtol=1e-12)
    loss = (got * got).sum() if got.dtype.kind != "c" else (mg.abs(got) ** 2).sum()
    loss.backward()
    assert all(t.grad is not None and t.grad.shape == t.shape for t in leaves)


UNARY = """
    absolute arccos arcsin arctan arctanh arcsinh cbrt cos cosh deg2rad degrees exp exp2 expm1 fabs log log10 log1p log2 negative
    positive rad2deg radians reciprocal sin sinh sqrt square tan tanh
    """


@pytest.mark.parametrize("name", UNARY.split())
def test_ufuncs_of_one_input(name):
    agrees(getattr(np, name), A * 0.3)


TWO = "add subtract multiply divide true_divide power maximum minimum fmax fmin hypot arctan2 logaddexp"


@pytest.mark.parametrize("name", TWO.split())
def test_ufuncs_of_two_inputs(name):
    f = getattr(np, name)
    agrees(f, A, A[::-1] + 0.1)
    x = leaf()
    for y in (f(x, 2.0), f(2.0, x), f(A, x), f(x, A), f(x, A.tolist())):
        assert isinstance(y, mg.Tensor)
        assert y.requires_grad


@pytest.mark.parametrize(
    "name",
    [
        "isnan",
        "isfinite",
        "isinf",
        "signbit",
        "logical_not",
        "greater",
        "less",
        "equal",
        "not_equal",
        "logical_and",
        "floor",
        "ceil",
        "rint",
        "sign",
    ],
)
def test_ufuncs_without_a_gradient(name):
    f = getattr(np, name)
    got = f(*[leaf()] * f.nin)
    assert isinstance(got, mg.Tensor)
    np.testing.assert_array_equal(got.detach().numpy(), f(*[A] * f.nin))


CALLS = {
    "concatenate": (lambda a, b: np.concatenate([a, b]), A, A),
    "concatenate axis": (lambda a, b: np.concatenate((a, b), axis=1), A, A),
    "stack": (lambda a, b: np.stack([a, b], axis=-1), A, A),
    "vstack": (lambda a, b: np.vstack([a, b]), A, A),
    "hstack": (lambda a, b: np.hstack([a, b]), A, A),
    "sum": (np.sum, A),
    "sum axis": (lambda a: np.sum(a, axis=0), A),
    "sum positional": (lambda a: np.sum(a, 1, None, None, True), A),
    "sum dtype": (lambda a: np.sum(a, dtype=np.float32), A),
    "mean": (lambda a: np.mean(a, axis=1, keepdims=True), A),
    "prod": (lambda a: np.prod(a, 0), A),
    "std ddof": (lambda a: np.std(a, ddof=1), A),
    "var": (lambda a: np.var(a, axis=0), A),
    "max": (lambda a: np.max(a, axis=0), A),
    "amin": (lambda a: np.amin(a), A),
    "cumsum": (lambda a: np.cumsum(a, axis=1), A),
    "cumprod": (lambda a: np.cumprod(a, 0), A),
    "sort": (lambda a: np.sort(a, axis=-1), A),
    "clip": (lambda a: np.clip(a, 0.9, 2.2), A),
    "clip a_min": (lambda a: np.clip(a, a_min=0.9, a_max=None), A),
    "where": (lambda a, b: np.where(A > 1, a, b), A, A + 1),
    "reshape": (lambda a: np.reshape(a, (3, 2)), A),
    "ravel": (np.ravel, A),
    "transpose": (np.transpose, A),
    "transpose axes": (lambda a: np.transpose(a, (1, 0)), A),
    "swapaxes": (lambda a: np.swapaxes(a, 0, 1), A),
    "moveaxis": (lambda a: np.moveaxis(a, 0, 1), A),
    "squeeze": (lambda a: np.squeeze(a, axis=0), A[:1]),
    "expand_dims": (lambda a: np.expand_dims(a, 1), A),
    "broadcast_to": (lambda a: np.broadcast_to(a, (4, 2, 3)), A),
    "tile": (lambda a: np.tile(a, (2, 1)), A),
    "repeat": (lambda a: np.repeat(a, 2, axis=1), A),
    "roll": (lambda a: np.roll(a, 1, axis=1), A),
    "flip": (lambda a: np.flip(a, 0), A),
    "take": (lambda a: np.take(a, [0, 2, 2], axis=1), A),
    "take_along_axis": (lambda a: np.take_along_axis(a, np.argsort(A, 1), 1), A),
    "diagonal": (np.diagonal, A),
    "trace": (np.trace, A),
    "tril": (np.tril, A),
    "triu": (lambda a: np.triu(a, 1), A),
    "pad": (lambda a: np.pad(a, 1), A),
    "dot": (lambda a, b: np.dot(a, b), A, A.T),
    "matmul": (lambda a, b: np.matmul(a, b), A, A.T),
    "matmul operator": (lambda a: A.T @ a, A),
    "vdot": (lambda a, b: np.vdot(a, b), A[0], A[1]),
    "inner": (lambda a, b: np.inner(a, b), A, A),
    "outer": (lambda a, b: np.outer(a, b), A[0], A[1]),
    "kron": (lambda a, b: np.kron(a, b), A, A),
    "tensordot": (lambda a, b: np.tensordot(a, b, axes=[[1], [1]]), A, A),
    "einsum": (lambda a, b: np.einsum("ij,kj->ik", a, b), A, A),
    "linalg.norm": (np.linalg.norm, A),
    "linalg.norm axis": (lambda a: np.linalg.norm(a, axis=1), A),
    "linalg.inv": (np.linalg.inv, A[:, 1:]),
    "linalg.det": (np.linalg.det, A[:, 1:]),
    "linalg.solve": (lambda a, b: np.linalg.solve(a, b), A[:, 1:], A[:, 1]),
    "fft.fft": (np.fft.fft, A),
    "fft.rfft": (lambda a: np.fft.rfft(a, axis=0), A),
    "einsum optimize": (lambda a, b: np.einsum("ij,kj->ik", a, b, optimize=True), A, A),
    "sort kind": (lambda a: np.sort(a, kind="stable"), A),
    "fft.ifft": (lambda a: np.fft.ifft(a, 4, norm="ortho"), A),
    "diff": (lambda a: np.diff(a, axis=1), A),
    "nan_to_num": (np.nan_to_num, A),
    "real": (np.real, A),
    "add.reduce": (np.add.reduce, A),
    "add.reduce axis": (lambda a: np.add.reduce(a, axis=1, keepdims=True), A),
    "multiply.reduce": (lambda a: np.multiply.reduce(a, axis=None), A),
    "maximum.reduce": (lambda a: np.maximum.reduce(a, 1), A),
    "add.accumulate": (lambda a: np.add.accumulate(a, axis=1), A),
    "multiply.accumulate": (np.multiply.accumulate, A),
    "multiply.outer": (lambda a, b: np.multiply.outer(a, b), A, A[0]),
    "subtract.outer": (lambda a, b: np.subtract.outer(a, b), A[0], A[1]),
    "ufunc dtype": (lambda a: np.add(a, 1, dtype=np.float32), A),
}


@pytest.mark.parametrize("name", CALLS)
def test_functions(name):
    f, *arrays = CALLS[name]
    agrees(f, *arrays)


def test_split_gives_a_tensor_each():
    parts = np.split(leaf(), 3, axis=1)
    assert [p.shape for p in parts] == [(2, 1)] * 3
    assert all(p.requires_grad for p in parts)


def test_reflected_operators_reach_the_graph():
    x = leaf()
    for y in (A + x, A - x, A * x, A / x, A**x, A % x, A // x, np.float64(2) * x, np.float32(1) - x):
        assert isinstance(y, mg.Tensor)
    (np.float64(2) * x).sum().backward()
    np.testing.assert_array_equal(x.grad.numpy(), np.full_like(A, 2))
    for y in (x > A, x == A, x <= A):
        assert isinstance(y, mg.Tensor)
        assert y.dtype == bool


def test_python_scalars_stay_weak():
    x = mg.tensor(A.astype("float32"))
    assert np.add(x, 1.0).dtype == np.float32
    assert np.multiply(2.0, x).dtype == np.float32


def test_no_place_for_out_and_where():
    x, a = leaf(), A.copy()
    with pytest.raises(TypeError, match=r"np.add: out=.*a = a \+ t"):
        a += x
    with pytest.raises(TypeError, match=r"np\.exp: out="):
        np.exp(x, out=a)
    with pytest.raises(TypeError, match=r"np.exp: where=.*mg.where"):
        np.exp(x, where=A > 1)
    with pytest.raises(TypeError, match=r"sum.*out="):
        np.sum(x, out=a)
    with pytest.raises(TypeError, match=r"sum.*initial="):
        np.sum(x, initial=3.0)
    np.testing.assert_array_equal(a, A)


def test_functions_that_minigrad_has_not():
    x = leaf()
    for f in (np.unwrap, np.frexp, np.apply_over_axes, np.add.reduceat):
        with pytest.raises(TypeError, match=r"np\..*detach\(\)\.numpy\(\)|argument"):
            f(x)
    with pytest.raises(TypeError, match=r"np\.unwrap.*detach\(\)\.numpy\(\)"):
        np.unwrap(x)
    np.testing.assert_array_equal(np.unwrap(x.detach()), np.unwrap(A))
    np.testing.assert_array_equal(np.frexp(x.detach())[0], np.frexp(A)[0])


def test_defaults_are_numpys():
    for t in (leaf(), mg.tensor(A)):
        assert [v.shape for v in np.linalg.svd(t)] == [v.shape for v in np.linalg.svd(A)]
        assert [v.shape for v in np.linalg.svd(t, full_matrices=False)] == [v.shape for v in np.linalg.svd(A, False)]
    np.testing.assert_allclose(np.std(leaf()).item(), np.std(A))


def test_no_write_behind_the_graphs_back():
    t = mg.tensor(A)
    for write in (
        lambda: np.copyto(t, 0.0),
        lambda: np.put(t, [0], 0.0),
        lambda: np.put_along_axis(t, np.array([[0], [0]]), 0.0, 1),
        lambda: np.fill_diagonal(t, 0.0),
        lambda: np.place(t, A > 0, [0.0]),
        lambda: np.putmask(t, A > 0, 0.0),
    ):
        with pytest.raises(TypeError, match=r"np\..*in place"):
            write()
    np.testing.assert_array_equal(t.numpy(), A)


def test_order_is_not_ignored():
    with pytest.raises(TypeError, match="order="):
        np.reshape(leaf(), (3, 2), order="F")
    np.testing.assert_array_equal(np.reshape(mg.tensor(A), (3, 2), order="F"), np.reshape(A, (3, 2), order="F"))


def test_numbers_that_require_grad_are_not_taken_for_numbers():
    with pytest.raises(TypeError, match=r"np.linspace.*detach"):
        np.linspace(mg.tensor(0.0, requires_grad=True), 1.0, 3)


def test_functions_without_a_gradient_take_any_tensor():
    x = leaf()
    assert np.allclose(x, A)
    assert np.array_equal(x, A)
    assert np.shape(x) == (2, 3)
    assert np.ndim(x) == 2
    assert np.size(x) == 6
    assert np.iscomplexobj(x) is False
    assert np.result_type(x, np.float32) == np.float64


def test_an_array_never_loses_the_graph():
    x = leaf()
    for f in (np.array, np.asarray, lambda t: np.array([t, t]), lambda t: np.asarray([[1.0, t[0, 0]]]), np.ma.asarray, memoryview):
        with pytest.raises((RuntimeError, TypeError)):
            f(x)
    with pytest.raises(GraphError, match=r"detach\(\)\.numpy\(\)"):
        np.asarray(x)
    assert np.asarray(x.detach()).dtype == A.dtype


def test_constants_are_arrays():
    t = mg.tensor(A)
    np.testing.assert_array_equal(np.asarray(t), A)
    assert np.asarray(t).dtype.kind == "f"
    assert np.shares_memory(np.asarray(t), t.data)
    assert np.array(t, dtype=np.float32).dtype == np.float32
    assert not np.shares_memory(np.array(t), t.data)
    with pytest.raises(ValueError):
        np.asarray(t, dtype=np.float32, copy=False)
    assert np.array([t, t]).shape == (2, 2, 3)
    assert np.array([t, t]).dtype == np.float64


def test_other_libraries_types_get_their_turn():
    class Other:
        def __array_ufunc__(self, ufunc, method, *inputs, **kwargs):
            return "other"

        def __array_function__(self, f, types, args, kwargs):
            return "other"

    assert np.concatenate([Other(), leaf()]) == "other"
    assert np.concatenate([leaf(), Other()]) == "other"


def test_every_name_is_known():
    """What the protocol maps names to exists."""
    for name in [*protocols.NAMES.values(), *protocols.REDUCE.values(), *protocols.ACCUMULATE.values()]:
        assert hasattr(mg, name) or hasattr(mg.special, name), name


# -- DLPack -----------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", "int64", "uint8", "bool", "complex64"])
def test_dlpack_to_numpy_and_back(dtype):
    t = mg.tensor(np.arange(6).reshape(2, 3).astype(dtype))
    a = np.from_dlpack(t)
    assert np.shares_memory(a, t.data)
    np.testing.assert_array_equal(a, t.data)
    if not a.flags.writeable and np.lib.NumpyVersion(np.__version__) < "2.1.0":
        pytest.skip("NumPy 2.0 does not export the read-only arrays that it makes")
    back = mg.from_dlpack(a)
    assert back.dtype == a.dtype
    assert np.shares_memory(back.data, a)
    assert not np.shares_memory(mg.from_dlpack(a, copy=True).data, a)
    assert mg.from_dlpack(a, device="cpu", copy=False).device == "cpu"
    assert t.__dlpack_device__() == (1, 0)


def test_dlpack_of_strided_memory():
    t = mg.tensor(A)
    np.testing.assert_array_equal(np.from_dlpack(t.T), A.T)
    np.testing.assert_array_equal(np.from_dlpack(t[:, ::-1]), A[:, ::-1])


def test_dlpack_refuses_what_has_a_graph():
    x = leaf()
    for t in (x, x * 2):
        with pytest.raises(GraphError, match=r"detach\(\)"):
            np.from_dlpack(t)
        with pytest.raises(GraphError, match=r"detach\(\)"):
            mg.from_dlpack(t)
    with pytest.raises(TypeError, match=r"from_dlpack.*list"):
        mg.from_dlpack([1.0])


@pytest.mark.torch
def test_dlpack_with_torch():
    torch = pytest.importorskip("torch")
    t = mg.tensor(A)
    there = torch.from_dlpack(t)
    assert there.dtype == torch.float64
    there[0, 0] = 7
    assert t[0, 0].item() == 7
    back = mg.from_dlpack(torch.arange(3))
    assert back.tolist() == [0, 1, 2]
    with pytest.raises(GraphError):
        mg.from_dlpack(torch.ones(2, requires_grad=True))


# -- other libraries --------------------------------------------------------------------------------------------------
def test_scipy_special():
    special = pytest.importorskip("scipy.special")
    for name in ("erf", "expit", "gammaln", "psi", "xlogy"):
        f = getattr(special, name)
        agrees(f, *[A] * f.nin)


def test_scipy_takes_constants():
    stats = pytest.importorskip("scipy.stats")
    np.testing.assert_allclose(stats.zscore(mg.tensor(A)), stats.zscore(A))


def test_matplotlib_draws_constants():
    matplotlib = pytest.importorskip("matplotlib")
    matplotlib.use("Agg")
    from matplotlib import pyplot

    t = mg.tensor(A)
    figure, axes = pyplot.subplots()
    axes.plot(t[0], t[1])
    axes.scatter(t[0], t[1])
    axes.hist(t[0])
    axes.imshow(t)
    axes.bar(t[0], t[1])
    figure.canvas.draw()
    pyplot.close(figure)


def test_array_namespace():
    t = mg.tensor(A)
    xp = t.__array_namespace__()
    assert xp.__name__ == "minigrad.array_api"
    assert t.__array_namespace__(api_version="2024.12") is xp
    with pytest.raises(ValueError, match=r"2024\.12"):
        t.__array_namespace__(api_version="1999.12")
