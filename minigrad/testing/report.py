"""Which public ops there are, and what the table of specifications says and measures of each."""

from collections.abc import Iterable
from types import ModuleType
from typing import Any

import numpy as np

from .checks import _closed, _leaves, tensors
from .gradcheck import GradcheckError, _analytic, _differences
from .gradcheck import _leaves as _exact
from .opdb import all_specs
from .spec import OpSpec

_DRAWS = """bernoulli categorical choice dropout_mask exponential gumbel laplace manual_seed multinomial normal permutation rand randint
randn shuffle standard_normal uniform"""
COVERED_ELSEWHERE: dict[str, str] = {
    **{f"random.{name}": "tests/ops/test_random.py" for name in _DRAWS.split()},
    "from_dlpack": "tests/test_protocols.py",
    "tensor": "tests/autograd/test_tensor.py",
    "to_device": "tests/ops/test_methods.py",
}
"""Public functions without a row, and the test file that covers them instead: a draw has no reference, a copy no formula."""


def public_ops() -> dict[str, tuple[str, ...]]:
    """Every public op: its names, the first of which is the one it is listed by (aliases are one op)."""
    import minigrad as mg

    groups: dict[int, list[str]] = {}
    places: list[tuple[str, ModuleType]] = [("", mg.ops), ("linalg.", mg.linalg), ("fft.", mg.fft), ("special.", mg.special)]
    places += [("random.", mg.random), ("nn.functional.", mg.nn.functional)]
    for prefix, module in places:
        for name in getattr(module, "__all__", None) or [n for n in vars(module) if not n.startswith("_")]:
            f = getattr(module, name)
            if callable(f) and not isinstance(f, type) and getattr(f, "__module__", "").startswith("minigrad"):
                groups.setdefault(id(f), []).append(prefix + name)
    return {name: tuple(names) for names in groups.values() for name in names}


def table(only: Iterable[str] | None = None) -> list[dict[str, Any]]:
    """One row per op: its name, how often it can be differentiated, its dtypes, its kinks, and the worst error measured now.

    ``worst_error`` is the largest difference between the rule and central differences over the samples of the op, relative to
    the gradient's size; 0 for ops without a gradient. Without ``only`` this takes a few seconds.

    Example:
        >>> import minigrad as mg
        >>> [(row["name"], row["order"]) for row in mg.ops.table(only=["exp", "floor"])]
        [('exp', 2), ('floor', 2)]
    """
    wanted = None if only is None else set(only)
    return [_row(s) for s in all_specs() if wanted is None or s.name in wanted]


def _row(spec: OpSpec) -> dict[str, Any]:
    return {
        "name": spec.name,
        "order": spec.order,
        "dtypes": ", ".join([*spec.dtypes, *(["complex128"] if spec.complex else [])]),
        "kinks": spec.kinks,
        "worst_error": worst_error(spec) if spec.order else 0.0,
    }


def worst_error(spec: OpSpec) -> float:
    """The largest relative difference between the gradients of an op and central differences."""
    worst = 0.0
    for sample in spec.draw():
        xs = tensors(sample)
        leaves = _exact(_leaves(xs))
        if not leaves:
            continue
        f = _closed(spec.function(), xs, sample)
        try:
            analytic = _analytic(f, leaves)
        except GradcheckError:
            return float("inf")
        for a, (ahead, back, _) in zip(analytic, _differences(f, leaves, 1e-6), strict=True):
            n = (ahead - back) / 2e-6
            if n.size:
                worst = max(worst, float(np.abs(a - n).max()) / max(1.0, float(np.abs(n).max())))
    return worst
