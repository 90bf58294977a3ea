"""Forms in CUDA on the double of a GPU: what the forms in CuPy's functions compute, forward and backward, without a wait of the host."""

import contextlib
import gc

import numpy as np
import pytest

import minigrad as mg
from minigrad.autograd.tensor import wrap
from minigrad.backend import cuda
from minigrad.backend.cuda import activations, dropout, elementwise, losses
from minigrad.backend.cuda.launch import Kernel
from minigrad.ops.fused import DROPOUT, KEEP
from minigrad.testing.checks import close
from minigrad.testing.double import DoubleArray, double, kernels, no_sync, put
from minigrad.testing.opdb import all_specs
from minigrad.testing.parity import TOLERANCES, fetched, keywords, moved, run

F = mg.nn.functional
NAMES = {m.FAMILY.name for m in (activations, dropout, elementwise, losses)}
OWN = [k for k in gc.get_objects() if type(k) is Kernel and k.family in NAMES]


@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_every_row_of_the_table_that_launches_a_kernel(dtype, in_cuda):
    """The values and gradients of CuPy's functions, and of NumPy; between them the rows launch all kernels of these families."""
    for spec in all_specs():
        if dtype not in spec.dtypes or spec.name == "from_numpy":
            continue
        for s in spec.draw():
            s, before, f = s.cast(dtype), in_cuda.total(), spec.function()
            inputs, kwargs = moved(s.inputs, put), keywords(s.kwargs, put)
            ours = run(f, inputs, kwargs, put)
            if in_cuda.total() == before:
                break
            with cuda.disabled():
                plain = run(f, inputs, kwargs, put)
            for other in (plain, run(f, s.inputs, s.kwargs, lambda a: a)):
                got, want = fetched(ours[0] + ours[1]), fetched(other[0] + other[1])
                assert [a.dtype for a in got] == [a.dtype for a in want], spec.name
                close(got, want, TOLERANCES[dtype], spec.name)
    assert {k.name for k in OWN} - set(in_cuda) <= {"huber_error_each", "logistic_error_each"}  # see test_losses_of_many_numbers


def test_a_wrong_kernel_is_noticed(in_cuda, monkeypatch):
    """One letter of the source changed: the same comparison fails."""
    real = kernels.text
    monkeypatch.setattr(kernels, "text", lambda family: real(family).replace("x <= 0 ? 0 : x", "x <= 1 ? 0 : x"))
    for f in (kernels.library, kernels.function):
        f.cache_clear()
    x = np.linspace(-2, 2, 50, dtype="float32")
    with pytest.raises(AssertionError, match="off by"):
        close([mg.relu(mg.tensor(put(x))).numpy()], [np.maximum(x, 0)], 1e-5, "relu")
    for f in (kernels.library, kernels.function):
        f.cache_clear()


def test_arguments_of_another_size_are_noticed(in_cuda):
    with pytest.raises(TypeError, match="relu: its arguments are 24 bytes, and 'PPli' is 32"):
        kernels.function(Kernel("elementwise", "relu", "PPli"), "float")


@pytest.mark.parametrize(
    "make",
    [
        lambda a: a.astype("float64"),
        lambda a: a[:, ::2],
        lambda a: a[:0],
        lambda a: double.broadcast_to(a[:1], a.shape),
    ],
    ids=["float64", "gaps", "empty", "broadcast"],
)
def test_what_a_form_does_not_take_is_left_to_cupy(make, in_cuda):
    x = make(put(np.random.default_rng(0).normal(size=(6, 8)).astype("float32")))
    close([F.gelu(wrap(x, None)).numpy()], [F.gelu(mg.tensor(x.get())).numpy()], 1e-6, "gelu")
    assert not in_cuda["gelu"]


LOSSES = ["mse_loss", "l1_loss", "huber_loss", "binary_cross_entropy", "binary_cross_entropy_with_logits"]


@pytest.mark.parametrize("reduction", ["none", "mean", "sum"])
@pytest.mark.parametrize("name", LOSSES)
def test_losses_of_many_numbers(name, reduction, in_cuda):
    """Several pieces, the last of them not whole: value and gradients against float64."""
    rng = np.random.default_rng(1)
    x, t = rng.uniform(0.01, 0.99, (3, 20_001 // 3, 1)), rng.uniform(size=(3, 20_001 // 3, 1))
    values = []
    for dtype, place in (("float32", put), ("float64", lambda a: a)):
        a, b = [wrap(place(v.astype(dtype)), None).requires_grad_() for v in (x, t)]
        y = getattr(F, name)(a, b, reduction=reduction)
        y.backward(wrap(place(np.full(y.shape, 0.5, dtype)), None))
        values.append([y.numpy(), a.grad.numpy(), b.grad.numpy()])
    for got, want in zip(*values, strict=True):
        assert np.abs(got - want).max() <= 3e-6 * np.abs(want).max()
    assert in_cuda.total() >= 3


@pytest.mark.parametrize("n", [1, 3, 4, 1023, 40_000])
@pytest.mark.parametrize("threshold", [0, 1, 1 << 31, (1 << 32) - 1, 1 << 32])
def test_dropout_has_the_bits_of_every_other_form(n, threshold, in_cuda):
    key = 0xFEDCBA9876543210
    with cuda.disabled():
        want = KEEP.kernels[DoubleArray](key, threshold, (n,)).get()
    with no_sync():
        mask = KEEP.kernels[DoubleArray](key, threshold, (n,))
        x = double.full((n,), 3.0, dtype="float32")
        y = DROPOUT.kernels[DoubleArray](x, (key, threshold, 2.0, (n,)))
    assert np.array_equal(mask.get(), want)
    assert np.array_equal(y.get(), np.where(want, np.float32(6), 0))
    assert in_cuda["dropped"] == 1


def test_a_step_of_training_waits_for_nothing(in_cuda):
    """Forward, loss, backward, clipping, step and average; the same numbers as with forms turned off."""
    ends = []
    for context in (contextlib.nullcontext, cuda.disabled):
        mg.manual_seed(0)
        model = mg.nn.Sequential(mg.nn.Linear(8, 16), mg.nn.GELU(), mg.nn.Dropout(0.3), mg.nn.Linear(16, 8)).to(device="double")
        average, optimizer = mg.optim.EMA(model, decay=0.5), mg.optim.AdamW(model.parameters(), lr=0.1)
        x, t = [wrap(put(np.random.default_rng(k).normal(size=(5, 8)).astype("float32")), None) for k in (0, 1)]
        with context():
            for k in range(3):
                with no_sync(sending=k == 0):
                    F.mse_loss(model(x), t).backward()
                    mg.nn.utils.clip_grad_norm_(model.parameters(), 0.1)
                    optimizer.step()
                    optimizer.zero_grad()
                    average.update_parameters(model)
        ends.append([p.numpy() for m in (model, average) for p in m.parameters()])
        if context is contextlib.nullcontext:
            launched = in_cuda.copy()
            assert min(launched[k] for k in ("gelu", "gelu_gradient", "dropped", "squares", "root", "times", "adam", "approach")) >= 3
    close(*ends, 1e-5, "training")
    assert in_cuda == launched


def test_forms_are_turned_off_and_on_again(in_cuda, monkeypatch):
    x = mg.tensor(put(np.ones(3, "float32")))
    with cuda.disabled(), cuda.disabled():
        mg.relu(x)
    with cuda.disabled():
        F.silu(x)  # made while they are off
    assert not in_cuda.total()
    mg.relu(x), F.silu(x)
    assert (in_cuda["relu"], in_cuda["silu"]) == (1, 1)
    assert {"relu", "silu"} <= set(cuda.report()[0].split())
    monkeypatch.setenv("MINIGRAD_CUDA_KERNELS", "0")
    plain = object()
    assert cuda.replaced("elementwise", "relu", plain, DoubleArray, double) is plain
    assert "MINIGRAD_CUDA_KERNELS=0" in cuda.report()[0]


@pytest.mark.parametrize(
    ("family", "name", "kind"), [("elementwise", "relu", list), ("nothing", "relu", DoubleArray), ("losses", "relu", DoubleArray)]
)
def test_what_has_no_form_stays_as_it_is(family, name, kind, in_cuda):
    plain = object()
    assert cuda.replaced(family, name, plain, kind, double) is plain


def test_without_a_compiler_the_double_computes_as_cupy_does(in_cuda, monkeypatch):
    monkeypatch.setenv("MINIGRAD_CC", "0")
    for f in (kernels.library, kernels.function):
        f.cache_clear()
    x = np.linspace(-2, 2, 9, dtype="float32")
    assert np.array_equal(mg.relu(mg.tensor(put(x))).numpy(), np.maximum(x, 0))
    assert not in_cuda.total()
    for f in (kernels.library, kernels.function):
        f.cache_clear()
