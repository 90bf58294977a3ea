"""autocast: which op computes in what, in which thread, in the graph, and that nothing is left behind."""

import threading

import numpy as np
import pytest

import minigrad as mg
from minigrad import nn
from minigrad.amp import FLOAT32, LOWER, autocast, is_autocast_enabled
from minigrad.autograd.op import known
from minigrad.nn import functional as F
from minigrad.testing.double import DoubleArray, no_sync, register

register()
RNG = np.random.default_rng(0)
ONE = mg.tensor(RNG.uniform(0.1, 0.9, (4, 4)).astype("float32"))


def image(*shape):
    return mg.tensor(RNG.uniform(0.1, 0.9, shape).astype("float32"))


PRODUCTS = {
    "matmul": lambda x: x @ x,
    "dot": lambda x: mg.dot(x, x),
    "multi_dot": lambda x: mg.linalg.multi_dot([x, x, x]),
    "einsum": lambda x: mg.einsum("ij,jk->ik", x, x),
    "tensordot": lambda x: mg.tensordot(x, x, 1),
    "linear": lambda x: F.linear(x, x, x[0]),
    "bilinear": lambda x: F.bilinear(x, x, mg.ones((2, 4, 4))),
    "conv1d": lambda x: F.conv1d(x, mg.ones((2, 4, 3))),
    "conv2d": lambda x: F.conv2d(image(1, 2, 5, 5), mg.ones((2, 2, 3, 3)), mg.ones(2)),
    "conv3d": lambda x: F.conv3d(image(1, 1, 3, 3, 3), mg.ones((1, 1, 2, 2, 2))),
    "conv_transpose2d": lambda x: F.conv_transpose2d(image(1, 2, 5, 5), mg.ones((2, 2, 3, 3))),
    "attention": lambda x: F.scaled_dot_product_attention(x, x, x),
    "masked attention": lambda x: F.scaled_dot_product_attention(x, x, x, mg.zeros((4, 4))),
    "lstm": lambda x: nn.LSTM(4, 3)(x)[0],
    "gru": lambda x: nn.GRU(4, 3)(x)[1],
    "rnn": lambda x: nn.RNN(4, 3)(x)[0],
    "lstm cell": lambda x: nn.LSTMCell(4, 3)(x)[0],
    "multihead": lambda x: nn.MultiheadAttention(4, 2)(x, x, x)[0],
    "prelu": lambda x: F.prelu(x, mg.ones(1)),
}
WIDE = {
    "softmax": lambda x: F.softmax(x, -1),
    "log_softmax": lambda x: F.log_softmax(x, -1),
    "softmin": lambda x: mg.softmin(x, -1),
    "exp": mg.exp,
    "log": mg.log,
    "power": lambda x: x**3,
    "square": lambda x: x**2,
    "sum": lambda x: x.sum(),
    "sum of rows": lambda x: mg.sum(x, axis=1),
    "prod": mg.prod,
    "cumsum": lambda x: mg.cumulative_sum(x, axis=0),
    "erfinv": mg.special.erfinv,
    "rsqrt": mg.rsqrt,
    "norm": lambda x: mg.linalg.vector_norm(x),
    "layer_norm": lambda x: F.layer_norm(x, 4, mg.ones(4), mg.ones(4)),
    "rms_norm": lambda x: F.rms_norm(x, 4),
    "group_norm": lambda x: F.group_norm(x, 2),
    "fft": lambda x: mg.fft.fft(x).real,
    "local_response_norm": lambda x: F.local_response_norm(x.reshape((1, 4, 4)), 2),
    "normalize": lambda x: F.normalize(x),
    "cosine_similarity": lambda x: F.cosine_similarity(x, x),
    "pairwise_distance": lambda x: F.pairwise_distance(x, x),
    "inv": lambda x: mg.linalg.inv(x),
    "cross_entropy": lambda x: F.cross_entropy(x, mg.tensor([0, 1, 2, 3])),
    "cross_entropy of probabilities": lambda x: F.cross_entropy(x, x),
    "nll_loss": lambda x: F.nll_loss(x, mg.tensor([0, 1, 2, 3])),
    "mse_loss": lambda x: F.mse_loss(x, x),
    "mse_loss, mixed": lambda x: F.mse_loss(x, ONE),
    "l1_loss": lambda x: F.l1_loss(x, x, "none"),
    "huber_loss": lambda x: F.huber_loss(x, x),
    "smooth_l1_loss": lambda x: F.smooth_l1_loss(x, x),
    "log_cosh_loss": lambda x: F.log_cosh_loss(x, x),
    "binary_cross_entropy": lambda x: F.binary_cross_entropy(x, x),
    "with logits": lambda x: F.binary_cross_entropy_with_logits(x, x),
    "kl_div": lambda x: F.kl_div(x, x),
    "poisson_nll_loss": lambda x: F.poisson_nll_loss(x, x),
    "gaussian_nll_loss": lambda x: F.gaussian_nll_loss(x, x, x),
    "margin_ranking_loss": lambda x: F.margin_ranking_loss(x, x, mg.ones((4, 4))),
    "hinge_embedding_loss": lambda x: F.hinge_embedding_loss(x, mg.ones((4, 4))),
    "soft_margin_loss": lambda x: F.soft_margin_loss(x, mg.ones((4, 4))),
    "multi_margin_loss": lambda x: F.multi_margin_loss(x, mg.tensor([0, 1, 2, 3])),
    "triplet_margin_loss": lambda x: F.triplet_margin_loss(x, x, x),
    "cosine_embedding_loss": lambda x: F.cosine_embedding_loss(x, x, mg.ones(4)),
    "focal_loss": lambda x: F.focal_loss(x, mg.tensor([0, 1, 2, 3])),
    "dice_loss": lambda x: F.dice_loss(x.reshape((1, 1, 4, 4)), mg.ones((1, 1, 4, 4))),
    "ctc_loss": lambda x: F.ctc_loss(x.reshape((4, 1, 4)), mg.tensor([[1, 2]]), mg.tensor([4]), mg.tensor([2])),
}
SAME = {
    "add": lambda x: x + x,
    "relu": F.relu,
    "mean": lambda x: x.mean(),
    "max": lambda x: x.max(),
    "reshape": lambda x: x.reshape((16,)),
    "sigmoid": F.sigmoid,
    "gelu": F.gelu,
    "dropout": lambda x: F.dropout(x, 0.5),
    "batch_norm": lambda x: nn.BatchNorm1d(4)(x),
    "max_pool2d": lambda x: F.max_pool2d(x.reshape((1, 1, 4, 4)), 2),
    "concat": lambda x: mg.concat([x, x]),
}
PROMOTED = {
    "add": lambda x, y: x + y,
    "concat": lambda x, y: mg.concat([x, y]),
    "stack": lambda x, y: mg.stack([y, x]),
    "where": lambda x, y: mg.where(x > 0, x, y),
    "addcmul": lambda x, y: x + y * x,
    "cross": lambda x, y: mg.linalg.cross(x[:, :3], y[:, :3]),
}


@pytest.mark.parametrize("name", PRODUCTS)
def test_products_compute_in_the_lower_precision(name):
    f = PRODUCTS[name]
    with autocast("cpu"):
        for x in (ONE, ONE.astype("float16")):
            assert f(x).dtype == "float16"
        wide = ONE.astype("float64")
        if name in ("matmul", "einsum"):
            assert f(wide).dtype == "float64"
    assert f(ONE).dtype == "float32"


@pytest.mark.parametrize("name", WIDE)
def test_what_has_a_wide_range_computes_in_float32(name):
    f = WIDE[name]
    with autocast("cpu"):
        for x in (ONE, ONE.astype("float16")):
            assert f(x).dtype == "float32"
    assert f(ONE).dtype == "float32"


@pytest.mark.parametrize("name", SAME)
def test_the_rest_computes_in_what_comes(name):
    with autocast("cpu"):
        for x in (ONE, ONE.astype("float16")):
            assert SAME[name](x).dtype == x.dtype


@pytest.mark.parametrize("name", PROMOTED)
def test_mixed_inputs_are_promoted(name):
    with autocast("cpu"):
        assert PROMOTED[name](ONE.astype("float16"), ONE).dtype == "float32"


def test_the_value_is_that_of_cast_inputs():
    x, w = image(5, 7), image(3, 7)
    with autocast("cpu"):
        y, z = F.linear(x, w), mg.exp(F.linear(x, w))
    want = F.linear(x.astype("float16"), w.astype("float16"))
    assert np.array_equal(y.numpy(), want.numpy())
    assert np.array_equal(z.numpy(), mg.exp(want.astype("float32")).numpy())
    with autocast("cpu"):
        assert np.isfinite((mg.full((4,), 300.0).astype("float16") ** 2).numpy()).all()  # 90000 is above what float16 holds


def test_bfloat16():
    pytest.importorskip("ml_dtypes")
    w = mg.ones((2, 2), requires_grad=True)
    with autocast("cpu", "bfloat16"):
        y = w @ w
        loss = F.mse_loss(y, mg.zeros((2, 2)))
    loss.backward()
    assert (y.dtype.name, loss.dtype, w.grad.dtype) == ("bfloat16", "float32", "float32")
    assert w.grad.tolist() == [[4, 4], [4, 4]]


def test_gradients_arrive_in_the_dtype_of_each_parameter():
    model = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.ReLU(), nn.Flatten(), nn.LayerNorm(18), nn.Linear(18, 3))
    x = image(4, 1, 5, 5)
    with autocast("cpu"):
        y = model(x)
        loss = F.cross_entropy(y, mg.tensor([0, 1, 2, 0]))
    assert (y.dtype, loss.dtype) == ("float16", "float32")
    loss.backward()
    low = [p.grad.numpy() for p in model.parameters()]
    model.zero_grad()
    F.cross_entropy(model(x), mg.tensor([0, 1, 2, 0])).backward()
    for got, p in zip(low, model.parameters(), strict=True):
        assert got.dtype == "float32"
        np.testing.assert_allclose(got, p.grad.numpy(), atol=1e-2 * max(abs(p.grad.numpy()).max(), 0.1))


def test_a_parameter_is_cast_once_until_it_is_written_to():
    w = mg.ones((2, 2), requires_grad=True)
    with autocast("cpu"):
        first, second = w @ w, w @ ONE[:2, :2]
        a, b, c = first.node.saved[1], first.node.saved[2], second.node.saved[1]
        assert a is b or a is c
        with mg.no_grad():
            w *= 2
        assert (w @ mg.ones((2, 2))).tolist() == [[4, 4], [4, 4]]
    with autocast("cpu", cache_enabled=False):
        y, z = w @ ONE[:2, :2], w @ ONE[:2, :2]
        assert y.node.saved[1] is not z.node.saved[1] or y.node.saved[1] is None


def test_several_backwards_in_one_block():
    layer, x = nn.Linear(4, 2), ONE
    with autocast("cpu"):
        with mg.no_grad():
            layer(x)  # what is cast here has no graph, and must not stand in for what has
        one, two = layer(x).sum(), (layer(x) * 2).sum()
        one.backward()
        once = layer.weight.grad.numpy().copy()
        two.backward()
    np.testing.assert_allclose(layer.weight.grad.numpy(), 3 * once, rtol=1e-3)


def test_second_order():
    w = mg.tensor([[0.5, 0.25], [0.125, 0.75]], requires_grad=True)
    with autocast("cpu"):
        y = mg.exp(w @ w).sum()
        (g,) = mg.grad(y, [w], create_graph=True)
        assert g.dtype == "float32"
    (h,) = mg.grad((g * g).sum(), [w])
    (k,) = mg.grad(mg.exp(w @ w).sum(), [w], create_graph=True)
    (want,) = mg.grad((k * k).sum(), [w])
    np.testing.assert_allclose(h.numpy(), want.numpy(), rtol=2e-2)


def test_blocks_can_be_nested_and_one_object_used_twice():
    block = autocast("cpu")
    with block:
        with autocast("cpu", enabled=False):
            assert (ONE @ ONE).dtype == "float32"
            assert not is_autocast_enabled("cpu")
            with block, block:
                assert (ONE @ ONE).dtype == "float16"
            assert (ONE @ ONE).dtype == "float32"
        assert (ONE @ ONE).dtype == "float16"
        assert is_autocast_enabled("cpu")
    with autocast("double"):
        assert (ONE @ ONE).dtype == "float32"  # another device
    assert (ONE @ ONE).dtype == "float32"


def test_as_a_decorator():
    @autocast("cpu")
    def f(x):
        """Squares."""
        return x @ x

    assert f(ONE).dtype == "float16"
    assert f.__doc__ == "Squares."
    assert (ONE @ ONE).dtype == "float32"


def test_only_in_its_own_thread():
    found = []
    entered, done = threading.Event(), threading.Event()

    def other():
        with autocast("cpu"):
            entered.set()
            done.wait(10)
            found.append((ONE @ ONE).dtype)

    thread = threading.Thread(target=other)
    thread.start()
    entered.wait(10)
    assert (ONE @ ONE).dtype == "float32"
    assert mg.exp(ONE.astype("float16")).dtype == "float16"
    assert F.mse_loss(ONE.astype("float16"), ONE.astype("float16")).dtype == "float16"
    done.set()
    thread.join()
    assert found == ["float16"]


def test_nothing_is_left_behind():
    class Stop(Exception):
        pass

    with pytest.raises(Stop), autocast("cpu"):
        raise Stop
    assert not is_autocast_enabled("cpu")
    for name in LOWER + FLOAT32:
        for op in known[name]:
            assert op.kernels.table is op.kernels.own
            assert not any("amp" in getattr(kernel, "__module__", "") for kernel in op.kernels.table.values())


def test_every_name_of_the_policy_is_an_op():
    names = LOWER + FLOAT32
    assert all(known[name] for name in names)
    assert len(set(names)) == len(names)


def test_arrays_alone_are_taken_as_they_are():
    a = np.ones((2, 2), "float32")
    with autocast("cpu"):
        assert mg.matmul(a, a).dtype == "float32"
        assert F.linear(a, a).dtype == "float32"
        assert mg.sum(a.astype("float16")).dtype == "float16"
        assert (mg.tensor(a) @ a).dtype == "float16"


def test_errors_are_those_of_the_op():
    with autocast("cpu"), pytest.raises(mg.errors.ShapeError, match="matmul"):
        mg.ones((2, 3)) @ mg.ones((2, 3))


def test_capture():
    model = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2))
    x, y = image(6, 3), mg.tensor([0, 1, 0, 1, 0, 1])
    opt = mg.optim.SGD(model.parameters(), lr=0.1)

    def step(x, y):
        opt.zero_grad()
        with autocast("cpu"):
            loss = F.cross_entropy(model(x), y)
        loss.backward()
        opt.step()
        return loss

    before = {k: v.numpy().copy() for k, v in model.state_dict().items()}
    eager = [step(x, y).item() for _ in range(5)]
    model.load_state_dict(before)
    fast = mg.capture(step)
    assert [fast(x, y).item() for _ in range(5)] == eager
    assert fast.replays == 3
    assert "float16" in str(fast.source) + str(fast._programs)


def test_a_recording_for_each_precision():
    layer = nn.Linear(4, 2)
    fast = mg.capture(lambda x: layer(x).detach())
    for _ in range(3):
        with autocast("cpu"):
            assert fast(ONE).dtype == "float16"
        assert fast(ONE).dtype == "float32"
    assert fast.replays == 2


def test_checkpoint_repeats_what_was_cast():
    layer, x = nn.Linear(4, 3), ONE
    grads = []
    for call in (lambda f, t: f(t), mg.autograd.checkpoint):
        layer.zero_grad()
        with autocast("cpu"):
            loss = call(lambda t: mg.exp(layer(t) @ mg.ones((3, 3))), x).sum()
        loss.backward()
        grads.append(layer.weight.grad.numpy())
    assert np.array_equal(*grads)
    loss = mg.autograd.checkpoint(layer, x).sum()
    with autocast("cpu"):
        loss.backward()  # here the surroundings of backward are not those of the call


def test_on_the_double_without_waiting():
    model = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.LayerNorm(4), nn.Linear(4, 2)).to(device="double")
    x, y = image(6, 3).to(device="double"), mg.tensor([0, 1, 0, 1, 0, 1]).to(device="double")
    model(x)
    with autocast("double"):
        F.cross_entropy(model(x), y).backward()
        model.zero_grad()
        with no_sync(sending=True):
            out = model(x)
            loss = F.cross_entropy(out, y)
            loss.backward()
    assert (out.dtype, loss.dtype) == ("float16", "float32")
    assert all(isinstance(p.grad.data, DoubleArray) and p.grad.dtype == "float32" for p in model.parameters())
    with autocast("cpu"):
        assert model(x).dtype == "float32"


@pytest.mark.parametrize("dtype", ["float32", "int16", "complex64", "nonsense"])
def test_another_dtype_is_an_error(dtype):
    with pytest.raises(mg.errors.DTypeError, match="float16 or bfloat16"):
        autocast("cpu", dtype)


def test_other_senseless_arguments():
    with pytest.raises(mg.errors.DeviceError):
        autocast("tpu")
    with pytest.raises(mg.errors.DTypeError, match="device_type"):
        autocast(5)
    with pytest.raises(TypeError, match="enabled"):
        autocast("cpu", enabled="yes")


@pytest.mark.skipif(mg.is_available("cuda"), reason="there is a GPU")
def test_a_device_that_is_not_there():
    with pytest.warns(RuntimeWarning, match="not available"):
        block = autocast("cuda")
    with block:
        assert not is_autocast_enabled("cuda")
