"""Gradients against finite differences, first and second order."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..autograd import Tensor, enable_grad, grad, no_grad
from ..autograd.tensor import wrap
from ..backend import is_inexact


class GradcheckError(AssertionError):
    """A gradient that differs from the numerical one, or a point where there is none."""


def _outputs(f: Callable, xs: Sequence[Tensor]) -> list[Tensor]:
    y = f(*xs)
    ys = list(y) if isinstance(y, (tuple, list)) else [y]
    return [t for t in ys if isinstance(t, Tensor) and is_inexact(t.dtype)]


def _leaves(inputs: Any) -> list[Any]:
    return [
        wrap(np.array(x.data, dtype=np.complex128 if x.dtype.kind == "c" else np.float64), None).requires_grad_()
        if isinstance(x, Tensor) and x.requires_grad
        else x
        for x in (inputs if isinstance(inputs, (tuple, list)) else (inputs,))
    ]


def _flat(values: Sequence[Tensor]) -> np.ndarray:
    """All numbers of some tensors as one real vector; complex ones as real and imaginary parts."""
    parts = [np.zeros(0)]
    for t in values:
        a = t.numpy().reshape(-1)
        parts += [a.real, a.imag] if a.dtype.kind == "c" else [a]
    return np.concatenate(parts).astype(np.float64)


def numerical_grad(f: Callable, inputs: Any, eps: float = 1e-6) -> list[np.ndarray]:
    """The Jacobian of ``f`` by central differences: one matrix (numbers of the outputs, numbers of the input) per input.

    Example:
        >>> import minigrad as mg
        >>> x = mg.tensor([1.0, 2.0], requires_grad=True)
        >>> mg.testing.numerical_grad(lambda x: x * x, x)[0].round(4).tolist()
        [[2.0, 0.0], [0.0, 4.0]]
    """
    return [(p - m) / (2 * eps) for p, m, _ in _differences(f, _leaves(inputs), eps)]


def _differences(f: Callable, xs: list, eps: float) -> list[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """For each input that requires grad: the outputs a step ahead and a step back in every direction, and where they are."""
    out = []
    with no_grad():
        here = _flat(_outputs(f, xs))
        for x in xs:
            if not (isinstance(x, Tensor) and x.requires_grad):
                continue
            flat = x.data.reshape(-1)
            columns: list[list[np.ndarray]] = [[], []]
            for step in (eps, 1j * eps) if x.dtype.kind == "c" else (eps,):
                for k in range(flat.size):
                    was = flat[k]
                    for side, sign in enumerate((1, -1)):
                        flat[k] = was + sign * step
                        columns[side].append(_flat(_outputs(f, xs)))
                    flat[k] = was
            shape = (here.size, len(columns[0]))
            ahead, back = (np.stack(c, 1) if c else np.zeros(shape) for c in columns)
            out.append((ahead, back, here[:, None]))
    return out


def _analytic(f: Callable, xs: list, create_graph: bool = False) -> list[np.ndarray]:
    leaves = [x for x in xs if isinstance(x, Tensor) and x.requires_grad]
    ys = _outputs(f, xs)
    rows: list[list[np.ndarray]] = [[] for _ in leaves]
    for y in ys:
        for unit in (1.0, 1j) if y.dtype.kind == "c" else (1.0,):
            for k in range(y.size):
                v = np.zeros(y.size, y.dtype)
                v[k] = unit
                gs: list[Any] = [None] * len(leaves)
                if y.requires_grad:
                    gs = grad(y, leaves, v.reshape(y.shape), retain_graph=True, allow_unused=True, create_graph=create_graph)
                for row, g, x in zip(rows, gs, leaves, strict=True):
                    if g is None:
                        g = wrap(np.zeros_like(x.data), None)
                    elif g.shape != x.shape or g.dtype != x.dtype:
                        raise GradcheckError(f"gradcheck: gradient has shape {g.shape} and {g.dtype}, the input {x.shape} and {x.dtype}")
                    row.append(_flat([g]))
    sizes = [x.size * (2 if x.dtype.kind == "c" else 1) for x in leaves]
    return [np.stack(r) if r else np.zeros((0, n)) for r, n in zip(rows, sizes, strict=True)]


def gradcheck(f: Callable, inputs: Any, *, eps: float = 1e-6, atol: float = 1e-5, rtol: float = 1e-3, raise_exception: bool = True) -> bool:
    """Whether the gradients of ``f`` agree with central differences, entry by entry of the whole Jacobian.

    Args:
        f: a function of Tensors that returns one or several.
        inputs: Tensors; those that require grad are checked, in float64 or complex128.
        eps: the step of the difference.
        atol, rtol: ``|analytic - numeric| <= atol + rtol * |numeric|``.
        raise_exception: raise, or return False.

    Raises:
        GradcheckError: names the entry, and says when the point is a kink, where the one-sided derivatives differ.

    Example:
        >>> import minigrad as mg
        >>> mg.testing.gradcheck(lambda x: x * x, mg.tensor([1.0, 2.0], requires_grad=True))
        True
    """
    xs = _leaves(inputs)
    try:
        with enable_grad():
            analytic = _analytic(f, xs)
        _compare(analytic, _differences(f, xs, eps), eps, atol, rtol)
    except GradcheckError:
        if raise_exception:
            raise
        return False
    return True


def _compare(analytic: list, differences: list, eps: float, atol: float, rtol: float) -> None:
    for i, (a, (ahead, back, here)) in enumerate(zip(analytic, differences, strict=True)):
        n = (ahead - back) / (2 * eps)
        if a.shape != n.shape:
            raise GradcheckError(f"gradcheck: input {i}: Jacobian of shape {a.shape}, numerically {n.shape}")
        with np.errstate(invalid="ignore"):
            bad = ~(np.abs(a - n) <= atol + rtol * np.abs(n))
        if not bad.any():
            continue
        r, c = (int(k[0]) for k in np.nonzero(bad))
        right, left = (ahead - here)[r, c] / eps, (here - back)[r, c] / eps
        where = f"gradcheck: input {i}, entry {c}, output entry {r}: the rule gives {a[r, c]:.6g}, central differences {n[r, c]:.6g}"
        if abs(right - left) > 1e-2 * (1 + abs(n[r, c])):
            raise GradcheckError(
                f"{where}; the one-sided derivatives differ ({left:.6g}, {right:.6g}): this is a non-differentiable point, "
                "move the sample or test the convention separately"
            )
        raise GradcheckError(where)


def gradgradcheck(
    f: Callable,
    inputs: Any,
    grad_outputs: Any = None,
    *,
    eps: float = 1e-6,
    atol: float = 1e-5,
    rtol: float = 1e-3,
    raise_exception: bool = True,
    seed: int = 0,
) -> bool:
    """``gradcheck`` of the gradient itself, with respect to the inputs and to the cotangents (random by default).

    Example:
        >>> import minigrad as mg
        >>> mg.testing.gradgradcheck(lambda x: x**3, mg.tensor([1.0, 2.0], requires_grad=True))
        True
    """
    xs = _leaves(inputs)
    with no_grad():
        ys = _outputs(f, xs)
    rng = np.random.default_rng(seed)
    if grad_outputs is None:
        vs = [_random_like(rng, y) for y in ys]
    else:
        vs = [v.data for v in (grad_outputs if isinstance(grad_outputs, (tuple, list)) else [grad_outputs])]
    cotangents = [wrap(np.asarray(v), None).requires_grad_() for v in vs]
    n = len(xs)

    def slope(*args: Any) -> list[Tensor]:
        with enable_grad():
            primal = [a * 1 if isinstance(a, Tensor) and a.requires_grad else a for a in args[:n]]
            outs = [(y, v) for y, v in zip(_outputs(f, primal), args[n:], strict=True) if y.requires_grad]
            wanted = [p for p in primal if isinstance(p, Tensor) and p.requires_grad]
            if not outs:
                return [p * 0 for p in wanted]
            gs = grad([y for y, _ in outs], wanted, [v for _, v in outs], create_graph=True, allow_unused=True)
            return [p * 0 if g is None else g for g, p in zip(gs, wanted, strict=True)]

    return gradcheck(slope, [*xs, *cotangents], eps=eps, atol=atol, rtol=rtol, raise_exception=raise_exception)


def _random_like(rng: np.random.Generator, y: Tensor) -> np.ndarray:
    v = rng.normal(size=y.shape)
    return v + 1j * rng.normal(size=y.shape) if y.dtype.kind == "c" else v
