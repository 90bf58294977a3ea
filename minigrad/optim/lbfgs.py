"""L-BFGS: Newton's method with the curvature that the last steps have shown."""

from collections.abc import Callable
from functools import partial
from math import inf, isfinite
from typing import Any

import numpy as np

from ..autograd import Tensor, enable_grad
from ..autograd.node import stamp
from ..backend import result_type, to_device
from ..backend.arrays import namespace
from .interrupt import uninterrupted
from .linesearch import Point, strong_wolfe
from .optimizer import Optimizer, Params


class LBFGS(Optimizer):
    """``p <- p + t d`` with ``d = -H g``: H is the inverse Hessian that the last steps s and changes of the gradient y suggest.

    A call of ``step(closure)`` does up to max_iter iterations, for which it calls the closure again and again.

    Args:
        params: see Optimizer; real, in one group, all on one device.
        lr: t, or with a line search the t that is tried first.
        max_iter: the most iterations in a step.
        max_eval: the most calls of the closure in a step; None: ``1.25 max_iter``.
        tolerance_grad: a gradient that is small enough.
        tolerance_change: a change of the parameters, or of the loss, that is too small to go on.
        history_size: how many s and y are kept.
        line_search_fn: ``"strong_wolfe"``, or None for a fixed t.

    Raises:
        ValueError: several groups, or ``step`` without a closure.

    Numerics:
        Parameters are gathered into one vector (a missing gradient counts as zero), of float32 or wider. The method decides by values,
        so it waits for a GPU a few times in each iteration. A loss or gradient that is not finite ends the step.
        If the closure raises, or is interrupted, parameters and state are what they were before the step.
    Source:
        Liu and Nocedal, "On the limited memory BFGS method for large scale optimization", 1989; Nocedal and Wright, "Numerical
        optimization", 2006, algorithm 7.4. Criteria and their order are PyTorch's.

    Example:
        >>> import minigrad as mg
        >>> from minigrad import optim
        >>> x = mg.tensor([5.0, -3.0], requires_grad=True)
        >>> opt = optim.LBFGS([x], line_search_fn="strong_wolfe")
        >>> def closure():
        ...     opt.zero_grad()
        ...     loss = ((x - mg.tensor([1.0, 2.0])) ** 2).sum()
        ...     loss.backward()
        ...     return loss
        >>> round(opt.step(closure).item(), 3), [round(v, 3) for v in x.tolist()]
        (41.0, [1.0, 2.0])
    """

    complex = False

    def __init__(
        self,
        params: Params,
        lr: float = 1.0,
        max_iter: int = 20,
        max_eval: int | None = None,
        tolerance_grad: float = 1e-7,
        tolerance_change: float = 1e-9,
        history_size: int = 100,
        line_search_fn: str | None = None,
    ):
        super().__init__(
            params,
            {
                "lr": lr,
                "max_iter": max_iter,
                "max_eval": max_iter * 5 // 4 if max_eval is None and type(max_iter) is int else max_eval,
                "tolerance_grad": tolerance_grad,
                "tolerance_change": tolerance_change,
                "history_size": history_size,
                "line_search_fn": line_search_fn,
            },
        )

    def add_param_group(self, group: Any) -> None:
        """LBFGS has one group.

        Raises:
            ValueError: there is one already.
        """
        if self.param_groups:
            raise ValueError("LBFGS: parameters must be in one group, with one set of settings")
        super().add_param_group(group)

    def check(self, group: dict[str, Any]) -> None:
        super().check(group)
        self.within(group, "tolerance_grad")
        self.within(group, "tolerance_change")
        for key in ("max_iter", "max_eval", "history_size"):
            if type(group[key]) is not int or group[key] < 1:
                raise ValueError(f"LBFGS: {key} must be an integer of at least 1, got {group[key]!r}")
        if group["line_search_fn"] not in (None, "strong_wolfe"):
            raise ValueError(f"LBFGS: line_search_fn must be 'strong_wolfe' or None, got {group['line_search_fn']!r}")

    def counters(self, group: dict[str, Any]) -> dict[str, Any]:
        return {"func_evals": 0, "n_iter": 0, "t": 0.0, "H_diag": 1.0}

    def _step(self, closure: Callable[[], Any] | None = None) -> Any:
        if closure is None:
            raise ValueError("LBFGS: step needs a closure that computes the loss and its gradients, as it is called several times a step")
        group = self.param_groups[0]
        self.check(group)
        line = Line(group["params"], closure)
        known = self.state.get(group["params"][0])
        state = {**(known or self.counters(group))}
        for key in ("old_dirs", "old_stps", "ro"):
            state[key] = list(state.get(key, ()))
        try:
            with np.errstate(all="ignore"):
                loss = self._iterate(line, state, group)
        except BaseException:
            line.write(line.origin)
            raise
        self.state[group["params"][0]] = state
        return loss

    def _iterate(self, line: "Line", state: dict[str, Any], group: dict[str, Any]) -> Any:
        """The iterations of one step."""
        first = line.evaluate()
        loss, f, g = line.loss, *first
        evals, tolerance = 1, group["tolerance_change"]
        state["func_evals"] += 1
        for k in range(1, group["max_iter"] + 1):
            steepest = line.largest(g)
            if not (isfinite(f) and steepest < inf) or steepest <= group["tolerance_grad"]:
                break
            state["n_iter"] += 1
            d = self._direction(line, g, state, group["history_size"])
            state["d"], state["prev_flat_grad"] = d, g
            t = group["lr"] if state["n_iter"] > 1 else group["lr"] * min(1.0, 1.0 / float(abs(g).sum()))
            state["t"] = t
            slope = float(g @ d)
            if slope > -tolerance:
                break
            here, before = line.read(), f
            if group["line_search_fn"] is not None:
                start, most = Point(0.0, f, g, slope), group["max_eval"] - evals
                found, tries = strong_wolfe(partial(line.point, here, d), start, t, line.largest(d), most)
                state["t"], f, g = found.t, found.f, found.g
                line.write(here + found.t * d)
            else:
                line.write(here + t * d)
                if k == group["max_iter"]:
                    break
                f, g = line.evaluate()
                tries = 1
            evals += tries
            state["func_evals"] += tries
            if evals >= group["max_eval"] or line.largest(d) * abs(state["t"]) <= tolerance or abs(f - before) < tolerance:
                break
        return loss

    @staticmethod
    def _direction(line: "Line", g: Any, state: dict[str, Any], size: int) -> Any:
        """``-H g`` by the two loops over the history, into which the last step is taken first."""
        if state["n_iter"] == 1:
            return -g
        s, y, rho = state["old_stps"], state["old_dirs"], state["ro"]
        change = g - state["prev_flat_grad"]
        moved = state["d"] * state["t"]
        curvature = float(change @ moved)
        if curvature > 1e-10:
            for history, new in ((y, change), (s, moved), (rho, 1.0 / curvature)):
                history.append(new)
                del history[:-size]
            state["H_diag"] = curvature / float(change @ change)
        d = -g
        weights = []
        for i in reversed(range(len(s))):
            weights.append(float(s[i] @ d) * rho[i])
            d -= weights[-1] * y[i]
        d *= state["H_diag"]
        for i, w in zip(range(len(s)), reversed(weights), strict=True):
            d += (w - float(y[i] @ d) * rho[i]) * s[i]
        return d

    # -- state: lists of vectors as matrices ---------------------------------------------------------------------------
    def shape_of(self, key: str, p: Tensor) -> tuple[int, ...] | None:
        return None

    def packed(self, state: dict[str, Any]) -> dict[str, Any]:
        whole = {k: v for k, v in state.items() if not isinstance(v, list)}
        if state["ro"]:
            xp = namespace(type(state["d"]))
            whole |= {k: xp.stack(state[k]) for k in ("old_dirs", "old_stps")} | {"ro": np.asarray(state["ro"], "float64")}
        return whole

    def unpacked(self, state: dict[str, Any]) -> dict[str, Any]:
        lists = {k: [v.copy() for v in state.get(k, ())] for k in ("old_dirs", "old_stps")}
        return state | lists | {"ro": to_device(state["ro"], "cpu").tolist() if "ro" in state else []}


class Line:
    """The parameters as one vector, and the loss as a function of it."""

    def __init__(self, params: list[Tensor], closure: Callable[[], Any]):
        self.params, self.closure = params, closure
        first = params[0].data
        self.xp = namespace(type(first))
        self.dtype = result_type(np.float32, *{p.dtype for p in params})
        self.loss: Any = None
        self.origin = self.read()

    def read(self) -> Any:
        return self._gathered([p.data for p in self.params])

    def _gathered(self, arrays: list[Any]) -> Any:
        out = self.xp.empty(sum(a.size for a in arrays), dtype=self.dtype)
        self.xp.concatenate(arrays, None, out)
        return out

    def write(self, values: Any) -> None:
        """Put the parameters where ``values`` says: all of them, even if an interrupt comes."""
        at = 0
        with uninterrupted():
            for p in self.params:
                a = p.data
                a[...] = values[at : at + a.size].reshape(a.shape)
                at += a.size
                stamp(a, "LBFGS.step")

    def evaluate(self) -> tuple[float, Any]:
        """The loss and its gradient here."""
        with enable_grad():
            loss = self.closure()
        if self.loss is None:
            self.loss = loss
        f = float(loss)
        zeros = self.xp.zeros_like
        return (f if isfinite(f) else inf), self._gathered([zeros(p.data) if p.grad is None else p.grad.data for p in self.params])

    def point(self, here: Any, d: Any, t: float) -> Point:
        """The loss at ``here + t d``."""
        self.write(here + t * d)
        f, g = self.evaluate()
        return Point(t, f, g, float(g @ d))

    @staticmethod
    def largest(a: Any) -> float:
        return float(abs(a).max()) if a.size else 0.0


__all__ = ["LBFGS"]
