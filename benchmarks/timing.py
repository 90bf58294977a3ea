"""Alternating timings: every candidate gets its turn in every round, and the median of the rounds counts."""

import time
from collections.abc import Callable
from statistics import median, quantiles

PAUSE = 0.1
"""Seconds between turns: the threads of OpenBLAS and OpenMP look for more work for a while before they sleep."""


def timed(f: Callable[[], object], number: int) -> float:
    """Seconds per call."""
    start = time.perf_counter()
    for _ in range(number):
        f()
    return (time.perf_counter() - start) / number


def alternate(
    candidates: dict[str, Callable[[], object]], number: int | None = None, rounds: int = 15, seconds: float = 0.2
) -> dict[str, list[float]]:
    """Seconds per call of each candidate, one figure per round.

    A turn is ``number`` calls, or, if that is None, as many as each candidate makes in about ``seconds``, and at least one.
    """
    turns = {}
    for name, f in candidates.items():
        warm = 3 if number is None else max(3, number // 10)
        timed(f, warm)
        turns[name] = number or max(1, round(seconds / timed(f, 1)))
    out: dict[str, list[float]] = {name: [] for name in candidates}
    for _ in range(rounds):
        for name, f in candidates.items():
            if number is None:
                time.sleep(PAUSE)
                timed(f, 1)
            out[name].append(timed(f, turns[name]))
    return out


def ratio(a: list[float], b: list[float]) -> tuple[float, float, float]:
    """Median, least and greatest of a / b, round by round."""
    rs = [x / y for x, y in zip(a, b, strict=True)]
    return median(rs), min(rs), max(rs)


def quartiles(a: list[float], b: list[float]) -> tuple[float, float]:
    """Between which two figures the middle half of the rounds has a / b."""
    rs = [x / y for x, y in zip(a, b, strict=True)]
    low, _, high = quantiles(rs if len(rs) > 1 else rs * 2, n=4, method="inclusive")
    return low, high
