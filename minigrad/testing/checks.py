"""What is checked of every op: each function takes a row of the table and raises where it breaks a promise."""

from typing import Any

import numpy as np

from ..autograd import Tensor, grad
from ..autograd.tensor import wrap
from ..backend import is_inexact
from .gradcheck import gradcheck, gradgradcheck
from .spec import OpSpec, Sample


def outputs(y: Any) -> list[Any]:
    return list(y) if isinstance(y, (tuple, list)) else [y]


def values(y: Any) -> list[np.ndarray]:
    return [np.asarray(v.data if isinstance(v, Tensor) else v) for v in outputs(y)]


def tensors(sample: Sample, requires_grad: bool = True) -> list[Any]:
    """The inputs of a sample as Tensors; floating ones require grad. Lists of arrays stay lists."""

    def one(x: Any) -> Any:
        if isinstance(x, np.ndarray):
            t = wrap(x, None)
            return t.requires_grad_() if requires_grad and is_inexact(x.dtype) else t
        return [one(v) for v in x] if isinstance(x, list) and x and isinstance(x[0], np.ndarray) else x

    return [one(x) for x in sample.inputs]


def _leaves(xs: list) -> list[Tensor]:
    flat = [v for x in xs for v in (x if isinstance(x, list) else [x])]
    return [x for x in flat if isinstance(x, Tensor) and x.requires_grad]


def close(got: list[np.ndarray], want: list[np.ndarray], tolerance: float, what: str) -> None:
    """Equal shapes and values within a tolerance relative to the largest value; NaN and inf in the same places."""
    assert len(got) == len(want), f"{what}: {len(got)} outputs, expected {len(want)}"
    for g, w in zip(got, want, strict=True):
        assert g.shape == w.shape, f"{what}: shape {g.shape}, expected {w.shape}"
        kind = np.complex128 if "c" in (g.dtype.kind, w.dtype.kind) else np.float64
        g, w = g.astype(kind), w.astype(kind)
        finite = np.isfinite(w)
        assert np.array_equal(np.where(finite, 0, w), np.where(finite, 0, g), equal_nan=True), f"{what}: NaN or inf differ: {g} {w}"
        if finite.any():
            scale = max(1.0, float(np.abs(w[finite]).max()))
            worst = float(np.abs(g[finite] - w[finite]).max()) / scale
            assert worst <= tolerance, f"{what}: off by {worst:.3g} of the scale, allowed {tolerance:.3g}"


def forward(spec: OpSpec) -> None:
    """The values are the reference's, in every dtype; the dtype is kept; arrays in give arrays out; inputs are untouched."""
    f = spec.function()
    for sample in spec.draw():
        for dtype in spec.dtypes:
            s = sample.cast(dtype)
            before = [x.copy() if isinstance(x, np.ndarray) else x for x in s.inputs]
            for x in s.inputs:
                if isinstance(x, np.ndarray):
                    x.flags.writeable = False
            y = f(*tensors(s), **s.kwargs)
            z = f(*s.inputs, **s.kwargs)
            want = values(spec.reference(*sample.inputs, **sample.kwargs))
            tolerance = {"float16": spec.half, "float32": spec.single}.get(dtype, 1e-9)
            close(values(y), want, tolerance, f"{spec.name} {dtype}")
            close(values(z), values(y), 0.0, f"{spec.name} {dtype} on arrays")
            for v in outputs(y):
                assert isinstance(v, Tensor), f"{spec.name}: Tensors in, {type(v)} out"
            for v in outputs(z):
                assert spec.creates or not isinstance(v, Tensor), f"{spec.name}: arrays in, a Tensor out"
            for x, b in zip(s.inputs, before, strict=True):
                if isinstance(x, np.ndarray):
                    assert np.array_equal(x, b, equal_nan=x.dtype.kind in "fc"), f"{spec.name}: an input was changed"
            floating = [x for x in s.inputs if isinstance(x, np.ndarray) and x.dtype.kind == "f"]
            if floating and is_inexact(values(y)[0].dtype):
                want_dtype = np.dtype(dtype) if spec.dtype is None else np.dtype(spec.dtype(np.dtype(dtype)))
                assert values(y)[0].dtype == want_dtype, f"{spec.name}: {dtype} in, {values(y)[0].dtype} out"


def gradients(spec: OpSpec) -> None:
    """First-order gradients of every input, entry by entry."""
    f = spec.function()
    for complex_ in (False, True) if spec.complex else (False,):
        for sample in spec.draw(complex=complex_):
            xs = tensors(sample)
            if _leaves(xs):
                gradcheck(_closed(f, xs, sample), _leaves(xs))


def second(spec: OpSpec) -> None:
    """Second-order gradients, with respect to the inputs and to the gradient of the output."""
    f = spec.function()
    for sample in spec.draw():
        xs = tensors(sample)
        if _leaves(xs) and sum(x.size for x in _leaves(xs)) <= 200:
            gradgradcheck(_closed(f, xs, sample), _leaves(xs), atol=1e-4)


def _closed(f: Any, xs: list, sample: Sample) -> Any:
    """The op as a function of its differentiable inputs alone."""

    def g(*leaves: Tensor) -> Any:
        left = iter(leaves)
        swap = lambda x: next(left) if isinstance(x, Tensor) and x.requires_grad else x  # noqa: E731
        args = [[swap(v) for v in x] if isinstance(x, list) else swap(x) for x in xs]
        return f(*args, **sample.kwargs)

    return g


def layouts(spec: OpSpec) -> None:
    """Values and gradients do not depend on how the inputs lie in memory: Fortran order, strides, negative strides."""
    f = spec.function()
    for sample in spec.draw():
        y, gs = _run(f, sample)
        for lay in (_fortran, _strided, _reversed):
            moved = Sample(tuple([lay(x) if isinstance(x, np.ndarray) else x for x in sample.inputs]), sample.kwargs)
            y2, gs2 = _run(f, moved)
            close(y2, y, 1e-10, f"{spec.name} {lay.__name__}")
            close(gs2, gs, 1e-8, f"{spec.name} gradient {lay.__name__}")


def _fortran(x: np.ndarray) -> np.ndarray:
    return x if not x.ndim else np.asfortranarray(x)


def _strided(x: np.ndarray) -> np.ndarray:
    if not x.ndim:
        return x
    wide = np.zeros((*x.shape[:-1], 2 * x.shape[-1]), x.dtype)
    wide[..., ::2] = x
    return wide[..., ::2]


def _reversed(x: np.ndarray) -> np.ndarray:
    return x if not x.ndim else np.ascontiguousarray(x[::-1])[::-1]


def _run(f: Any, sample: Sample) -> tuple[list[np.ndarray], list[np.ndarray]]:
    xs = tensors(sample)
    ys = [y for y in outputs(f(*xs, **sample.kwargs)) if isinstance(y, Tensor)]
    out = [y for y in ys if y.requires_grad]
    gs: list[Any] = []
    if out and _leaves(xs):
        gs = grad(out, _leaves(xs), [np.cos(np.arange(y.size)).reshape(y.shape).astype(y.dtype) for y in out], allow_unused=True)
    return values(ys), [g.numpy() for g in gs if g is not None]


def dtypes(spec: OpSpec) -> None:
    """Gradients have the shape and dtype of their tensors, and those of float32 agree with those of float64."""
    f = spec.function()
    for sample in spec.draw():
        _, exact = _run(f, sample)
        for dtype in spec.dtypes:
            s = sample.cast(dtype)
            xs = tensors(s)
            ys = [y for y in outputs(f(*xs, **s.kwargs)) if isinstance(y, Tensor) and y.requires_grad]
            if not ys:
                continue
            gs = grad(ys, _leaves(xs), [np.cos(np.arange(y.size)).reshape(y.shape).astype(y.dtype) for y in ys], allow_unused=True)
            for g, x in zip(gs, _leaves(xs), strict=True):
                if g is not None:
                    assert (g.shape, g.dtype) == (x.shape, x.dtype), f"{spec.name}: gradient {g.shape} {g.dtype}"
            if dtype == "float32":
                close([g.numpy() for g in gs if g is not None], exact, 100 * spec.single, f"{spec.name} gradient in float32")


def pulled(f: Any, i: int, g: Any, *saved: Any) -> Any:
    """What the rule for input ``i`` of an op returns, before the engine conforms it; ``saved`` is the output, then the inputs."""
    rule, need = next((rule, need) for place, rule, need in f.op.rules if place == i)
    return rule(g) if need is None else rule(g, saved[need])


def empties(spec: OpSpec) -> None:
    """Arrays of size 0: an empty result with empty gradients, or an error that says so."""
    if spec.empty == "skip":
        return
    f = spec.function()
    call = spec.samples[0]
    shapes = tuple([(0, *x[1:]) if x else () for x in call.inputs if isinstance(x, tuple)])
    if not shapes or not any(0 in s for s in shapes):
        return
    rng = np.random.default_rng(0)
    filled = OpSpec._filled(call.inputs, shapes)
    sample = Sample(tuple([rng.normal(size=x) if isinstance(x, tuple) else x for x in filled]), call.kwargs)
    if spec.empty == "raises":
        try:
            f(*tensors(sample), **sample.kwargs)
        except (ValueError, TypeError, IndexError):
            return
        raise AssertionError(f"{spec.name}: size 0 was accepted")
    xs = tensors(sample)
    with np.errstate(all="ignore"):
        ys = [y for y in outputs(f(*xs, **sample.kwargs)) if isinstance(y, Tensor) and y.requires_grad]
        if ys and _leaves(xs):
            gs = grad(ys, _leaves(xs), [np.ones(y.shape, y.dtype) for y in ys], allow_unused=True)
            for g, x in zip(gs, _leaves(xs), strict=True):
                assert g is None or g.shape == x.shape


def repeatable(spec: OpSpec) -> None:
    """Two backward passes give the same bits; a constant input gets no gradient."""
    f = spec.function()
    for sample in spec.draw()[:2]:
        first, second_ = _run(f, sample), _run(f, sample)
        for a, b in zip(first[1], second_[1], strict=True):
            assert np.array_equal(a, b, equal_nan=True), f"{spec.name}: gradients differ from run to run"
        xs = tensors(sample, requires_grad=False)
        for y in outputs(f(*xs, **sample.kwargs)):
            assert not isinstance(y, Tensor) or not y.requires_grad, f"{spec.name}: constants gave a graph"


def bad(spec: OpSpec) -> None:
    """Bad calls raise what the row says, and name the op."""
    import pytest

    f = spec.function()
    for args, kwargs, error, words in spec.errors:
        with pytest.raises(error) as caught:
            f(*args, **kwargs)
        text = str(caught.value)
        for word in (words,) if isinstance(words, str) else words:
            assert word in text, f"{spec.name}: {word!r} not in {text!r}"


DIFFERENTIABLE = (gradients, second, layouts, dtypes, empties, repeatable)
ALWAYS = (forward, bad)
