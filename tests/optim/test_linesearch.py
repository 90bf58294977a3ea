"""The line search: the strong Wolfe conditions on functions of one number, and what it does where they cannot be met."""

from math import cos, inf, sin

import pytest

from minigrad.optim.linesearch import Point, cubic_minimum, strong_wolfe

C1, C2 = 1e-4, 0.9
FUNCTIONS = {
    "parabola": (lambda t: (t - 3) ** 2, lambda t: 2 * (t - 3)),
    "quartic": (lambda t: (t - 1) ** 4, lambda t: 4 * (t - 1) ** 3),
    "waves": (lambda t: 0.1 * t * t + sin(3 * t) - 2 * t, lambda t: 0.2 * t + 3 * cos(3 * t) - 2),
    "steep": (lambda t: 1 / (t + 0.1) + t, lambda t: 1 - 1 / (t + 0.1) ** 2),
    "valley": (lambda t: abs(t - 1) ** 1.5 - 1, lambda t: 1.5 * abs(t - 1) ** 0.5 * (1 if t > 1 else -1)),
}


def on(name):
    f, slope = FUNCTIONS[name]
    return lambda t: Point(t, f(t), None, slope(t))


@pytest.mark.parametrize("first", [1e-3, 0.1, 1.0, 5.0, 60.0])
@pytest.mark.parametrize("name", FUNCTIONS)
def test_the_conditions_hold(name, first):
    evaluate = on(name)
    begin = 0.6 if name == "waves" else 0.0  # where they go down
    start = evaluate(begin)._replace(t=0.0)
    tried = []

    def counted(t):
        tried.append(t)
        return evaluate(begin + t)._replace(t=t)

    for c2 in (C2, 0.1):
        tried.clear()
        found, tries = strong_wolfe(counted, start, first, 1.0, c1=C1, c2=c2)
        assert tries == len(tried)
        assert found.f <= start.f + C1 * found.t * start.slope
        assert abs(found.slope) <= -c2 * start.slope


def test_where_the_loss_is_infinite_it_goes_back():
    def evaluate(t):
        return Point(t, inf, None, inf) if t > 1 else Point(t, -t, None, -1.0)

    found, _ = strong_wolfe(evaluate, evaluate(0.0), 8.0, 1.0)
    assert 0 < found.t <= 1


def test_no_more_tries_than_allowed_and_no_bracket_too_short():
    downhill = lambda t: Point(t, -t, None, -1.0)  # noqa: E731
    found, tries = strong_wolfe(downhill, downhill(0.0), 1.0, 1.0, most=3, c2=0.5)
    assert tries == 4
    assert found.f < 0
    wall = lambda t: Point(t, 1.0 if t else 0.0, None, -1.0)  # noqa: E731
    found, tries = strong_wolfe(wall, wall(0.0), 1e-10, 1.0)
    assert (found.t, tries) == (0.0, 1)


def test_the_minimum_of_a_cubic():
    f, slope = lambda t: t**3 - 3 * t, lambda t: 3 * t * t - 3
    a, b = (Point(t, f(t), None, slope(t)) for t in (0.0, 3.0))
    assert cubic_minimum(a, b, 0.0, 3.0) == pytest.approx(1.0)
    assert cubic_minimum(b, a, 0.0, 3.0) == pytest.approx(1.0)
    assert cubic_minimum(a, b, 2.0, 3.0) == 2.0
    assert cubic_minimum(a, a, 0.0, 3.0) == 1.5  # one point has no cubic
    line = Point(1.0, -1.0, None, -1.0)
    assert cubic_minimum(a._replace(slope=-1.0), line, 0.0, 1.0) == 0.5
