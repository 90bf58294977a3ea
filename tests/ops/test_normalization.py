"""What the table cannot say of norms: large offsets, half precision, running statistics, what is kept, memory layouts."""

import numpy as np
import pytest

import minigrad as mg
from minigrad.autograd import grad, node
from minigrad.errors import DTypeError, GraphError, ShapeError
from minigrad.nn import functional as F
from minigrad.testing import gradcheck, gradgradcheck

NORMS = {
    "layer": (lambda x: F.layer_norm(x, x.shape[1:]), lambda x: tuple(range(1, x.ndim))),
    "group": (lambda x: F.group_norm(x, 1), lambda x: tuple(range(1, x.ndim))),
    "instance": (lambda x: F.instance_norm(x), lambda x: tuple(range(2, x.ndim))),
    "batch": (lambda x: F.batch_norm(x, None, None, training=True), lambda x: (0, *range(2, x.ndim))),
}
SHAPES = [(64, 8, 32), (2, 3, 40, 40), (4, 2, 4096)]


def draw(*shape, seed=0, dtype="float32"):
    return np.random.default_rng(seed).normal(size=shape).astype(dtype)


def exact(x, axes, eps=1e-5):
    x = x.astype("float64")
    return (x - x.mean(axes, keepdims=True)) / np.sqrt(x.var(axes, keepdims=True) + eps)


# -- numerics ---------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("name", NORMS)
def test_large_offsets(name, shape):
    """The mean of numbers at 10000 is rounded to 1/2048; nothing is added to that."""
    f, axes = NORMS[name]
    x = draw(*shape) + np.float32(1e4)
    deviation = x.std(axes(x), dtype="float64").min()
    assert abs(f(mg.tensor(x)).numpy() - exact(x, axes(x))).max() < 1.01 / 2048 / deviation


def test_many_rows():
    """Sums along axes that are not contiguous keep their precision too."""
    x = draw(16384, 3) + np.float32(1e4)
    mean, var = mg.zeros(3), mg.ones(3)
    y = F.batch_norm(mg.tensor(x), mean, var, training=True, momentum=1.0)
    assert abs(y.numpy() - exact(x, 0)).max() < 5.1e-4
    np.testing.assert_allclose(mean.numpy(), x.astype("float64").mean(0), rtol=1e-7)
    np.testing.assert_allclose(var.numpy(), x.astype("float64").var(0, ddof=1), rtol=2e-6)


@pytest.mark.torch
@pytest.mark.parametrize(("name", "shape"), [(n, s) for n in NORMS for s in SHAPES] + [("batch", (4096, 5)), ("layer", (3, 4096))])
def test_no_worse_than_pytorch(name, shape):
    torch = pytest.importorskip("torch")
    T = torch.nn.functional
    theirs = {
        "layer": lambda x: T.layer_norm(x, x.shape[1:]),
        "group": lambda x: T.group_norm(x, 1),
        "instance": T.instance_norm,
        "batch": lambda x: T.batch_norm(x, None, None, training=True),
    }[name]
    f, axes = NORMS[name]
    x = draw(*shape) + np.float32(1e4)
    want, seed = exact(x, axes(x)), draw(*shape, seed=1)
    mine, other = mg.tensor(x, requires_grad=True), torch.tensor(x, requires_grad=True)
    y, z = f(mine), theirs(other)
    ours, pytorchs = abs(y.numpy() - want).max(), abs(z.detach().numpy() - want).max()
    assert ours <= max(pytorchs, 1e-6), (ours, pytorchs)
    y.backward(mg.tensor(seed)), z.backward(torch.tensor(seed))
    a = mg.tensor(x.astype("float64"), requires_grad=True)
    f(a).backward(mg.tensor(seed.astype("float64")))
    ours, pytorchs = abs(mine.grad.numpy() - a.grad.numpy()).max(), abs(other.grad.numpy() - a.grad.numpy()).max()
    assert ours <= max(1.5 * pytorchs, 1e-5), (ours, pytorchs)  # both are wrong by the rounding of the mean


@pytest.mark.parametrize("name", NORMS)
def test_half_precision(name):
    """Squares and sums that float16 cannot hold are those of float32; weights may be wider than x."""
    f, axes = NORMS[name]
    x = (400 * draw(8, 4, 64) + 1000).astype("float16")
    np.testing.assert_allclose(f(mg.tensor(x)).numpy(), exact(x, axes(x)), atol=2e-3)
    t = mg.tensor(x, requires_grad=True)
    w = mg.tensor(np.full(4, 2, "float32"), requires_grad=True)
    y = F.batch_norm(t, None, None, w, training=True)
    (y * y).sum().backward()
    assert y.dtype == t.grad.dtype == "float16"
    assert w.grad.dtype == "float32"
    np.testing.assert_allclose(w.grad.numpy(), 4 * 8 * 64, rtol=2e-3)  # the derivative of the sum of (w h)^2 is 2 w n


def test_root_mean_square_in_half_precision():
    x = mg.tensor(np.full((2, 3), 500, "float16"))
    assert F.rms_norm(x, 3).tolist() == [[1.0] * 3] * 2
    small = mg.tensor(np.full((1, 4), 1e-3, "float16"))
    assert F.rms_norm(small, 4).tolist()[0][0] == pytest.approx(0.945, abs=1e-3)  # eps is that of float32


@pytest.mark.parametrize("name", NORMS)
def test_gradients_of_gradients_in_half_precision(name):
    """With create_graph too, half precision is computed in float32."""
    x = mg.tensor((100 * draw(4, 3, 16) + 300).astype("float16"), requires_grad=True)
    y = NORMS[name][0](x)
    seed = mg.tensor(draw(4, 3, 16, seed=1).astype("float16"))
    (plain,) = grad(y, x, seed, retain_graph=True)
    (composed,) = grad(y, x, seed, create_graph=True)
    np.testing.assert_allclose(composed.numpy(), plain.numpy(), atol=2e-5)


def test_constant_rows_and_no_rows():
    assert F.layer_norm(mg.tensor([[3.0, 3.0, 3.0]]), 3).tolist() == [[0.0] * 3]
    assert F.batch_norm(mg.tensor([[1e6], [1e6]]), None, None, training=True).tolist() == [[0.0], [0.0]]
    assert F.rms_norm(mg.zeros((1, 2)), 2).tolist() == [[0.0, 0.0]]
    for y in (F.layer_norm(mg.zeros((0, 3)), 3), F.group_norm(mg.zeros((0, 4)), 2), F.instance_norm(mg.zeros((0, 2, 5)))):
        assert y.size == 0
    mean = mg.zeros(2)
    F.instance_norm(mg.zeros((0, 2, 5)), mean, mg.ones(2))
    assert mean.tolist() == [0.0, 0.0]


# -- gradients --------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("name", NORMS)
def test_both_orders_through_the_statistics(name):
    """A penalty on gradients that go through mean and variance, in one expression with what it is a penalty of."""
    f = NORMS[name][0]
    a, v = draw(3, 2, 4, dtype="float64"), draw(3, 2, 4, seed=1, dtype="float64")

    def penalised(a):
        x = mg.tensor(a, requires_grad=True)
        y = mg.tanh(f(x) * x)
        (g,) = grad((y * y).sum(), x, create_graph=True)
        return x, (g * g).sum() + y.sum()

    x, y = penalised(a)
    y.backward()
    numerical = (penalised(a + 1e-6 * v)[1].item() - penalised(a - 1e-6 * v)[1].item()) / 2e-6
    assert (x.grad.numpy() * v).sum() == pytest.approx(numerical, rel=1e-6)
    gradgradcheck(lambda x: mg.sin(f(x)), [x])


@pytest.mark.parametrize("wanted", [(True, False, False), (False, True, False), (False, False, True), (False, True, True)])
@pytest.mark.parametrize("name", ["layer", "group", "batch", "frozen"])
def test_each_gradient_alone(name, wanted):
    """What is not asked for is not computed, and changes nothing of the rest."""
    arrays = [draw(3, 4, 5, dtype="float64"), *[draw(*((4, 5) if name == "layer" else (4,)), seed=s, dtype="float64") for s in (1, 2)]]

    def f(x, w, b):
        if name == "layer":
            return F.layer_norm(x, (4, 5), w, b)
        if name == "group":
            return F.group_norm(x, 2, w, b)
        stats = (None, None) if name == "batch" else (mg.zeros(4, dtype="float64"), mg.ones(4, dtype="float64"))
        return F.batch_norm(x, *stats, w, b, name == "batch")

    def gradients(flags):
        ts = [mg.tensor(a, requires_grad=k) for a, k in zip(arrays, flags, strict=True)]
        mg.sin(f(*ts)).sum().backward()
        return [t.grad for t in ts]

    whole = gradients((True, True, True))
    for got, want, k in zip(gradients(wanted), whole, wanted, strict=True):
        assert (got is not None) == k
        if k:
            np.testing.assert_allclose(got.numpy(), want.numpy(), rtol=1e-12, atol=1e-12)


def test_weights_over_all_axes():
    """One sample without a batch axis: the gradient of the weight is a sum over nothing."""
    x, w, b = [mg.tensor(draw(2, 3, seed=s, dtype="float64"), requires_grad=True) for s in range(3)]
    gradcheck(lambda x, w, b: F.layer_norm(x, (2, 3), w, b), [x, w, b])
    gradcheck(lambda x, w: F.rms_norm(x, (2, 3), w), [x, w])


def kept(y):
    """The arrays that backward will need, besides the input."""
    node = y.node
    while node.saved is None or node.op.name in ("output", "reshape"):
        node = node.parents[0]
    return [a for a in node.saved[2:] if hasattr(a, "nbytes")]


def test_little_is_kept():
    x = mg.tensor(draw(8, 4, 32), requires_grad=True)
    for f, _ in NORMS.values():
        assert sum(a.nbytes for a in kept(f(x))) <= 2 * 8 * 4 * 4
    assert sum(a.nbytes for a in kept(F.rms_norm(x, 32))) == 8 * 4 * 4
    assert not kept(F.local_response_norm(x, 3))
    assert sum(a.nbytes for a in kept(F.batch_norm(x, mg.zeros(4), mg.ones(4)))) == 2 * 4 * 4


# -- layouts ----------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("name", NORMS)
def test_channels_last(name):
    """The same values whatever the strides, and no change of the input."""
    f = NORMS[name][0]
    a = draw(2, 3, 4, 5)
    last = np.ascontiguousarray(a.transpose(0, 2, 3, 1)).transpose(0, 3, 1, 2)
    results = []
    for array in (a, last):
        x = mg.from_numpy(array).requires_grad_()
        y = f(x)
        y.backward(mg.tensor(draw(2, 3, 4, 5, seed=1)))
        results.append((y.numpy(), x.grad.numpy()))
        np.testing.assert_array_equal(array, a)
    for p, q in zip(*results, strict=True):
        np.testing.assert_allclose(p, q, rtol=1e-5, atol=1e-6)


# -- running statistics -----------------------------------------------------------------------------------------------
def test_running_statistics():
    x = draw(5, 3, 2)
    mean, var = mg.tensor([1.0, 2.0, 3.0]), mg.tensor([1.0, 0.5, 2.0])
    memory = mean.data
    F.batch_norm(mg.tensor(x), mean, var, training=True, momentum=0.3)
    assert mean.data is memory
    np.testing.assert_allclose(mean.numpy(), 0.7 * np.array([1, 2, 3]) + 0.3 * x.mean((0, 2)), rtol=1e-6)
    np.testing.assert_allclose(var.numpy(), 0.7 * np.array([1, 0.5, 2]) + 0.3 * x.var((0, 2), ddof=1), rtol=1e-6)
    assert mean._version == 1
    array = np.zeros(3, "float32")
    F.batch_norm(x, array, None, training=True, momentum=1.0)
    np.testing.assert_allclose(array, x.mean((0, 2)), rtol=1e-5)


def test_running_statistics_of_instances():
    x = draw(4, 3, 6)
    mean, var = mg.zeros(3), mg.ones(3)
    F.instance_norm(mg.tensor(x), mean, var, momentum=0.25)
    np.testing.assert_allclose(mean.numpy(), 0.25 * x.mean((0, 2)), rtol=1e-5, atol=1e-7)
    np.testing.assert_allclose(var.numpy(), 0.75 + 0.25 * x.var(2, ddof=1).mean(0), rtol=1e-6)
    y = F.instance_norm(mg.tensor(x), mean, var, use_input_stats=False, eps=0.0)
    np.testing.assert_allclose(y.numpy(), (x - mean.numpy()[:, None]) / np.sqrt(var.numpy())[:, None], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda m, v: F.batch_norm(mg.ones((1, 3)), m, v, training=True), ShapeError, "more than one value per channel, got 1"),
        (lambda m, v: F.batch_norm(mg.ones((2, 4)), m, v, training=True), ShapeError, "running_mean has shape"),
        (lambda m, v: F.batch_norm(mg.ones((2, 3)), m, v, mg.ones(2), training=True), ShapeError, "weight has shape"),
        (lambda m, v: F.batch_norm(mg.ones((2, 3)), m, mg.ones(2), training=True), ShapeError, "running_var has shape"),
        (lambda m, v: F.batch_norm(mg.ones((2, 3)), m, v.requires_grad_(), training=True), GraphError, "leaf that requires grad"),
        (lambda m, v: F.batch_norm(mg.ones((2, 3)), m, v, training=True, eps=0), ValueError, "eps must be positive"),
        (lambda m, v: F.batch_norm(mg.ones((2, 3)), m, v, training=True, eps=float("nan")), ValueError, "eps"),
        (lambda m, v: F.batch_norm(mg.ones((2, 3), dtype="int64"), m, v, training=True), DTypeError, "int64"),
        (lambda m, v: F.batch_norm(mg.ones((2, 3)), m, [1.0] * 3, training=True), DTypeError, "running_var is written to"),
        (lambda m, v: F.batch_norm(mg.ones((2, 3)), m, v, training=True, momentum="no"), TypeError, "str"),
        (lambda m, v: F.batch_norm(mg.ones((2, 3)), m, None), ValueError, "both running_mean and running_var"),
        (lambda m, v: F.instance_norm(mg.ones((2, 3, 1)), m, v), ShapeError, "more than one position"),
    ],
)
def test_failed_calls_change_no_statistics(call, error, words):
    mean, var = mg.tensor([1.0, 2.0, 3.0]), mg.tensor([1.0, 0.5, 2.0])
    with pytest.raises(error, match=words):
        call(mean, var)
    assert mean.tolist() == [1.0, 2.0, 3.0]
    assert var.tolist() == [1.0, 0.5, 2.0]


def test_statistics_that_a_graph_has_saved_are_not_silently_others():
    """A write to them is found where somebody holds them, and costs no check where nobody does."""
    x, w = mg.tensor(draw(4, 3)), mg.tensor(draw(3), requires_grad=True)
    mean, var = mg.tensor([1.0, 2.0, 3.0]), mg.tensor([1.0, 0.5, 2.0])
    before = node.last_write
    F.batch_norm(x, mean, var, training=True)
    assert (mean._version, var._version, node.last_write) == (1, 1, before)
    for saved in (mean, mean[1:], mean.detach(), mean.data):
        y = (w[: saved.shape[0]] * saved).sum()
        F.batch_norm(x, mean, var, training=True)
        with pytest.raises(GraphError, match="batch_norm has overwritten"):
            y.backward()
    array = mean.data.copy()
    y = (w * array).sum()
    F.batch_norm(x, array, None, training=True)
    with pytest.raises(GraphError, match="batch_norm has overwritten"):
        y.backward()


def test_statistics_may_run_on_before_backward():
    """An evaluation, then training on the same statistics, then backward of the evaluation."""
    x = mg.tensor(draw(4, 3), requires_grad=True)
    w = mg.ones(3, requires_grad=True)
    mean, var = mg.tensor([0.5, 0.0, 0.0]), mg.tensor([4.0, 1.0, 1.0])
    y = F.batch_norm(x, mean, var, w, eps=0.0)
    F.batch_norm(mg.tensor(draw(4, 3, seed=1)), mean, var, training=True)
    y.sum().backward()
    np.testing.assert_allclose(x.grad.numpy(), np.tile([0.5, 1, 1], (4, 1)), rtol=1e-6)
    np.testing.assert_allclose(w.grad.numpy(), ((x.numpy() - [0.5, 0, 0]) / [2, 1, 1]).sum(0), rtol=1e-5)


# -- vectors and neighbours -------------------------------------------------------------------------------------------
def test_normalize():
    x = draw(3, 4)
    np.testing.assert_allclose(F.normalize(mg.tensor(x), 1.0, 0).numpy(), x / abs(x).sum(0), rtol=1e-6)
    np.testing.assert_allclose(F.normalize(mg.tensor(x), float("inf")).numpy(), x / abs(x).max(1, keepdims=True), rtol=1e-6)
    np.testing.assert_allclose(F.normalize(mg.tensor(x), axis=(0, 1)).numpy(), x / np.sqrt((x**2).sum()), rtol=1e-6)
    with pytest.raises(TypeError, match="use axis="):
        F.normalize(mg.tensor(x), dim=0)


@pytest.mark.parametrize("dtype", ["float16", "float32"])
def test_normalize_at_zero(dtype):
    x = mg.tensor(np.zeros((2, 3), dtype), requires_grad=True)
    y = F.normalize(x, eps=1e-3)
    y.sum().backward()
    assert y.tolist() == [[0.0] * 3] * 2
    np.testing.assert_allclose(x.grad.numpy(), 1000, rtol=1e-3)
    assert F.normalize(mg.tensor(np.zeros((1, 2), dtype))).tolist() == [[0.0, 0.0]]
    assert F.normalize(mg.tensor(np.full((1, 4), 300, dtype))).tolist() == [[0.5] * 4]


def test_windows_of_channels():
    """An even window has one channel more before than after; windows wider than all channels are all channels."""
    x = mg.tensor(np.arange(1.0, 5).reshape(1, 4, 1).astype("float64"))
    y = F.local_response_norm(x, 2, alpha=2.0, beta=1.0, k=0.0)
    np.testing.assert_allclose(y.numpy().ravel(), [1 / 1, 2 / 5, 3 / 13, 4 / 25])
    y = F.local_response_norm(x, 100, alpha=100.0, beta=1.0, k=0.0)
    np.testing.assert_allclose(y.numpy().ravel(), np.arange(1, 5) / 30)
