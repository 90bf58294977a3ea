"""Alternating timings: every candidate gets its turn in every round, and the median of the rounds counts."""

import time
from collections.abc import Callable
from statistics import median


def alternate(candidates: dict[str, Callable[[], object]], number: int, rounds: int = 15) -> dict[str, list[float]]:
    """Seconds per call of each candidate, one figure per round."""
    for f in candidates.values():
        for _ in range(max(3, number // 10)):
            f()
    out: dict[str, list[float]] = {name: [] for name in candidates}
    for _ in range(rounds):
        for name, f in candidates.items():
            start = time.perf_counter()
            for _ in range(number):
                f()
            out[name].append((time.perf_counter() - start) / number)
    return out


def ratio(a: list[float], b: list[float]) -> tuple[float, float, float]:
    """Median, least and greatest of a / b, round by round."""
    rs = [x / y for x, y in zip(a, b, strict=True)]
    return median(rs), min(rs), max(rs)
