"""A line search: a step along a direction that satisfies the strong Wolfe conditions."""

from collections.abc import Callable
from math import isfinite, sqrt
from typing import Any, NamedTuple


class Point(NamedTuple):
    """A place on the line: how far, the loss (infinite where it is not finite), the gradient there, and its slope along the line."""

    t: float
    f: float
    g: Any
    slope: float


def strong_wolfe(
    evaluate: Callable[[float], Point],
    start: Point,
    t: float,
    length: float,
    most: int = 25,
    c1: float = 1e-4,
    c2: float = 0.9,
    tolerance: float = 1e-9,
) -> tuple[Point, int]:
    """A place with ``f <= f0 + c1 t slope0`` and ``|slope| <= -c2 slope0``, or the best that was found; and how many were tried.

    Args:
        evaluate: the Point at t.
        start: the Point at 0; its slope is negative.
        t: the first try.
        length: the largest component of the direction.
        most: the most tries after the first.
        c1, c2: what a step must bring, and how flat it must be there.
        tolerance: the shortest bracket, times ``length``.

    Numerics:
        A loss that is not finite counts as infinite, so that the search goes back from there; PyTorch may accept it.
    Source:
        Nocedal and Wright, "Numerical optimization", 2006, algorithms 3.5 and 3.6, with the safeguards of Schmidt's minFunc, in the
        order of PyTorch.

    Example:
        >>> from minigrad.optim.linesearch import Point, strong_wolfe
        >>> parabola = lambda t: Point(t, (t - 3.0) ** 2, None, 2 * (t - 3.0))
        >>> found, tries = strong_wolfe(parabola, parabola(0.0), 1.0, 1.0)
        >>> found.t, tries
        (1.0, 1)
    """

    def falls_short(p: Point) -> bool:
        return not p.f <= start.f + c1 * p.t * start.slope

    def flat(p: Point) -> bool:
        return abs(p.slope) <= -c2 * start.slope

    # go on until a bracket is found: two places with one that satisfies the conditions between them
    last, new, tries = start, evaluate(t), 0
    while tries < most:
        if falls_short(new) or (tries > 1 and new.f >= last.f):
            break
        if flat(new):
            return new, tries + 1
        if new.slope >= 0:
            break
        t = cubic_minimum(last, new, new.t + 0.01 * (new.t - last.t), new.t * 10)
        last, new = new, evaluate(t)
        tries += 1
    bracket = [start if tries == most else last, new]
    low = 0 if bracket[0].f <= bracket[1].f else 1
    # shrink it
    stuck = False
    while tries < most:
        left, right = sorted((bracket[0].t, bracket[1].t))
        if (right - left) * length < tolerance:
            break
        t = cubic_minimum(bracket[0], bracket[1], left, right)
        margin = 0.1 * (right - left)
        near = min(right - t, t - left) < margin
        if near and (stuck or not left < t < right):  # near an end a second time, or at it
            t = right - margin if abs(t - right) < abs(t - left) else left + margin
            near = False
        stuck = near
        new = evaluate(t)
        tries += 1
        if falls_short(new) or new.f >= bracket[low].f:
            bracket[1 - low] = new
            low = 0 if bracket[0].f <= bracket[1].f else 1
            continue
        if flat(new):
            return new, tries + 1
        if new.slope * (bracket[1 - low].t - bracket[low].t) >= 0:
            bracket[1 - low] = bracket[low]
        bracket[low] = new
    return bracket[low], tries + 1


def cubic_minimum(a: Point, b: Point, low: float, high: float) -> float:
    """Where the cubic through two points with their slopes is least, between ``low`` and ``high``; their middle where that is nowhere."""
    if a.t > b.t:
        a, b = b, a
    try:
        d = a.slope + b.slope - 3 * (a.f - b.f) / (a.t - b.t)
        root = sqrt(d * d - a.slope * b.slope)  # ValueError where the cubic has no extremes
        t = b.t - (b.t - a.t) * ((b.slope + root - d) / (b.slope - a.slope + 2 * root))
    except (ValueError, ZeroDivisionError, OverflowError):
        return (low + high) / 2
    return min(max(t, low), high) if isfinite(t) else (low + high) / 2


__all__ = ["Point", "cubic_minimum", "strong_wolfe"]
