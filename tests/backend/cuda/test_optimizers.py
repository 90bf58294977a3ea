"""Steps of optimizers, norms and averages in CUDA on the double: against CuPy's functions and float64, over lists of arrays of any size."""

import contextlib
import itertools

import numpy as np
import pytest

import minigrad as mg
from minigrad import optim
from minigrad.amp.scaler import Turn
from minigrad.autograd.tensor import wrap
from minigrad.backend import cuda
from minigrad.backend.cuda.optimizers import MANY, PIECE
from minigrad.nn.utils import clip_grad_norm_, get_total_norm
from minigrad.testing.double import no_sync, put

SHAPES = [(3, 5), (), (1,), (0, 4), (PIECE,), (PIECE + 1,), (50, 130), *[(k,) for k in range(1, MANY)]]
"""More than one launch takes, some of whose arrays have several pieces, and one of them none."""


def settings(*names):
    """All combinations of switches, a number or a truth each."""
    values = {"momentum": (0.0, 0.9), "weight_decay": (0.0, 0.1)}
    return [dict(zip(names, v, strict=True)) for v in itertools.product(*[values.get(n, (False, True)) for n in names])]


CONFIGURATIONS = [
    *[("SGD", s) for s in settings("momentum", "weight_decay", "maximize")],
    ("SGD", {"momentum": 0.9, "dampening": 0.3}),
    ("SGD", {"momentum": 0.9, "nesterov": True, "weight_decay": 0.1}),
    *[("Adam", s) for s in settings("weight_decay", "amsgrad", "decoupled_weight_decay", "maximize")],
    *[("NAdam", s) for s in settings("weight_decay", "decoupled_weight_decay")],
    *[("RAdam", {"betas": (0.9, b)}) for b in (0.8, 0.999)],
    *[("Adamax", s) for s in settings("weight_decay", "maximize")],
    *[("RMSprop", s) for s in settings("momentum", "centered", "weight_decay")],
    ("Adagrad", {"lr_decay": 0.1, "weight_decay": 0.1}),
]
KERNELS = {"SGD": "sgd", "RMSprop": "rms", "Adagrad": "rms"}


def parameters(dtype="float32"):
    rng = np.random.default_rng(0)
    return [wrap(put(rng.normal(size=s).astype("float32").astype(dtype)), None).requires_grad_() for s in SHAPES]


def give(ps, seed):
    """The gradients of a step."""
    rng = np.random.default_rng(seed)
    for p in ps:
        p.grad = wrap(put(np.asarray(rng.normal(size=p.shape), "float32").astype(p.dtype)), None)


def end(name, dtype, given, steps=8):
    """Parameters and state after some steps."""
    ps = parameters(dtype)
    opt = getattr(optim, name)(ps, lr=0.01, **given)
    for k in range(steps):
        give(ps, k)
        with no_sync():
            opt.step()
    state = [opt.state[p][k] for k in opt.state.get(ps[0], ()) if k not in ("step", "mu_product") for p in ps]
    return [p.numpy() for p in ps], [a.get() for a in state]


@pytest.mark.parametrize(("name", "given"), CONFIGURATIONS)
def test_steps_are_those_of_cupys_functions(name, given, in_cuda):
    ours = end(name, "float32", given)
    launches = in_cuda[KERNELS.get(name, "adam")]
    with cuda.disabled():
        plain = end(name, "float32", given)
        exact = end(name, "float64", given)
    assert launches == in_cuda[KERNELS.get(name, "adam")] == 2 * 8
    for mine, theirs, wanted in zip(ours[0] + ours[1], plain[0] + plain[1], exact[0] + exact[1], strict=True):
        assert mine.dtype == theirs.dtype
        tolerance = 2e-5 * max(1, np.abs(wanted).max(initial=0))
        assert np.abs(mine - wanted).max(initial=0) <= max(tolerance, 3 * np.abs(theirs - wanted).max(initial=0))


def test_half_precision_moves_in_float32_and_is_rounded(in_cuda):
    """p and g of float16, moments of float32."""
    ours = end("AdamW", "float16", {})
    launches = in_cuda["adam"]
    with cuda.disabled():
        plain = end("AdamW", "float16", {})
    if not launches:
        pytest.skip("this C compiler has no float16")
    for mine, theirs in zip(ours[0] + ours[1], plain[0] + plain[1], strict=True):
        assert mine.dtype == theirs.dtype
        assert np.abs(mine - theirs).max(initial=0) <= (4e-3 if mine.dtype == "float16" else 1e-5) * max(1, np.abs(theirs).max(initial=0))


def test_norm_and_clipping(in_cuda):
    ps = parameters()
    give(ps, 3)
    want = np.sqrt(sum((p.grad.numpy().astype("float64") ** 2).sum() for p in ps))
    before = [p.grad.numpy() for p in ps]
    with no_sync():
        total = clip_grad_norm_(ps, 0.5)
    assert abs(total.item() - want) <= 1e-6 * want
    for p, g in zip(ps, before, strict=True):
        assert np.abs(p.grad.numpy() - g * 0.5 / want).max(initial=0) <= 1e-6
    assert (in_cuda["squares"], in_cuda["root"], in_cuda["times"]) == (2, 1, 2)


def test_a_norm_whose_squares_overflow_or_that_is_not_finite(in_cuda):
    assert get_total_norm([wrap(put(np.full(5, 1e30, "float32")), None)]).item() == pytest.approx(1e30 * 5**0.5)
    assert np.isnan(get_total_norm([wrap(put(np.array([1, np.nan], "float32")), None)]).item())
    assert in_cuda["root"] == 2


@pytest.mark.parametrize("odd", ["gradient", "parameter"])
def test_what_lies_in_another_order(odd, in_cuda):
    """A gradient is brought to the parameter's order first; a parameter with gaps is left to CuPy's functions."""
    values = []
    for launches in (0, 1):
        p = put(np.arange(12, dtype="float32").reshape(4, 3) / 7)
        q = wrap(p[:, ::2] if odd == "parameter" else p, None).requires_grad_()
        opt, g = optim.Adam([q], lr=0.1), put(np.arange(12, dtype="float32").reshape(3, 4) - 3).T
        q.grad = wrap(g[:, ::2] if odd == "parameter" else g, None)
        with contextlib.nullcontext() if launches else cuda.disabled():
            opt.step()
        assert in_cuda["adam"] == (launches if odd == "gradient" else 0)
        values.append(q.numpy())
    assert np.abs(values[0] - values[1]).max() <= 1e-6


def test_averages_of_weights(in_cuda):
    model = mg.nn.Linear(5, 3).to(device="double")
    ema = optim.EMA(model, decay=0.75)
    for k in range(3):
        for p in model.parameters():
            mg.nn.init.constant_(p, float(k))
        with no_sync():
            ema.update_parameters(model)
    for p in ema.module.parameters():
        assert np.abs(p.numpy() - 0.6875).max() <= 1e-6  # 2 + (0 + (1 - 0) / 4 - 2) 3 / 4
    assert in_cuda["approach"] == 6


@pytest.mark.parametrize("bad", [None, np.nan, np.inf, -np.inf])
def test_gradients_divided_by_the_scale_of_a_loss(bad, in_cuda):
    """One flag for all of them, raised by a number that is not finite, wherever it is."""
    ps = parameters()
    give(ps, 4)
    if bad is not None:
        ps[5].grad.data[...] = bad
    before = [p.grad.numpy() for p in ps]
    turn = Turn(optim.SGD(ps, lr=0.1))
    turn.scale = put(np.array(8, "float32"))
    with no_sync():
        turn.unscale()
    assert in_cuda["unscaled"] == 2
    assert turn.flags[0].item() == (bad is not None)
    for p, g in zip(ps, before, strict=True):
        assert np.array_equal(p.grad.numpy(), g / 8, equal_nan=True)
