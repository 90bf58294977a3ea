"""Kernels in CUDA beside CuPy's functions on the same GPU: half precision, teams of all sizes, many arrays, and bits that do not change."""

import numpy as np
import pytest

import minigrad as mg
from minigrad.backend import cuda, to_device
from minigrad.testing.checks import close

F = mg.nn.functional


def both(f, *arrays):
    """What f makes of NumPy arrays, by CUDA and by CuPy's functions, as NumPy arrays."""
    ours = [y.numpy() for y in f(*arrays)]
    with cuda.disabled():
        plain = [y.numpy() for y in f(*arrays)]
    return ours, plain


def test_float16_is_read_as_it_is_and_rounded_to_the_nearest(sent):
    """All that there are, unchanged; and results of float32 that lie between two of them."""
    every = np.arange(1 << 16, dtype="uint16").view("float16")
    every = every[np.abs(every) >= 6.2e-5]  # no denormal numbers: others may count them as zero
    assert np.array_equal(F.leaky_relu(sent(every), 1.0).numpy(), every)
    x = every[np.abs(every) < 1e4]
    want = np.where(x > 0, x, (x.astype("float32") * np.float32(0.3)).astype("float16"))
    got = F.leaky_relu(sent(x), 0.3).numpy()
    assert np.array_equal(got[np.abs(want) >= 6.2e-5], want[np.abs(want) >= 6.2e-5])


def test_bfloat16_is_read_as_it_is_and_rounded_to_the_nearest(sent, device):
    if device == "double":
        pytest.skip("C compilers do not know bfloat16, so the double leaves it to NumPy's functions")
    dtype = np.dtype(pytest.importorskip("ml_dtypes", reason="bfloat16 needs it: pip install ml_dtypes").bfloat16)
    every = np.arange(1 << 16, dtype="uint16").view(dtype)
    every = every[np.abs(every.astype("float32")) >= 1.2e-38]
    assert np.array_equal(F.leaky_relu(sent(every), 1.0).numpy(), every)
    x = every[np.abs(every.astype("float32")) > 1e-37]
    want = np.where(x > 0, x, (x.astype("float32") * np.float32(0.3)).astype(dtype))
    assert np.array_equal(F.leaky_relu(sent(x), 0.3).numpy(), want)


@pytest.mark.parametrize("n", [1, 31, 1000, 100_003, 5_000_001])
@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_activations_losses_and_dropout_of_any_length(n, dtype, sent):
    x, t = [np.random.default_rng(k).normal(size=n).astype(dtype) for k in (0, 1)]

    def f(x, t):
        mg.manual_seed(0)
        a = sent(x).requires_grad_()
        y = F.dropout(F.gelu(a), 0.3)
        loss = F.mse_loss(y, sent(t))
        loss.backward()
        return y, loss, a.grad

    ours, plain = both(f, x, t)
    close(ours, plain, 2e-5 if dtype == "float32" else 8e-3, "gelu, dropout, mse_loss")


@pytest.mark.parametrize("name", ["SGD", "Adam", "RMSprop", "NAdam"])
def test_steps_of_many_parameters_are_the_same_each_time(name, sent):
    """More arrays than a launch takes, of one number to a million: CuPy's numbers nearly, and the same bits in each run."""
    shapes = [(1_000_003,), (0,), (2048,), *[(k,) for k in range(1, 100)]]

    def f():
        rng = np.random.default_rng(0)
        ps = [sent(rng.normal(size=s).astype("float32")).requires_grad_() for s in shapes]
        optimizer = getattr(mg.optim, name)(ps, lr=0.01, weight_decay=0.1)
        for _ in range(3):
            for p in ps:
                p.grad = sent(rng.normal(size=p.shape).astype("float32"))
            norm = mg.nn.utils.clip_grad_norm_(ps, 1.0)
            optimizer.step()
        return norm, *ps

    ours, plain = both(f)
    close(ours, plain, 1e-5, name)
    assert all(np.array_equal(a, b.numpy()) for a, b in zip(ours, f(), strict=True))


def test_the_kernels_are_in_use(sent, device):
    F.gelu(sent(np.ones(5, "float32")))
    assert "gelu" in cuda.report()[0].split(), cuda.report()
    assert to_device(F.gelu(sent(np.zeros((0, 3), "float32"))).data, "cpu").shape == (0, 3)
