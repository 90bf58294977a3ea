"""Random programs: reuse, views, broadcasting, indexing, writes in place, several outputs; their gradients against differences."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

import minigrad as mg
from minigrad.testing import gradcheck, gradgradcheck

SHAPES = ((2, 3), (3,), (2, 1), (1, 3), ())


def unary(rng, pool):
    f = (mg.tanh, mg.sin, lambda t: t * t, lambda t: mg.exp(t * 0.3), lambda t: -t, mg.sigmoid, lambda t: t.clone())[rng.integers(7)]
    return f(pick(rng, pool))


def binary(rng, pool):
    a, b = pick(rng, pool), pick(rng, pool)
    mask = np.arange(3) % 2 == 0
    steps = (
        lambda: a + b,
        lambda: a - b * 0.5,
        lambda: a * b,
        lambda: a / (b * b + 2.0),
        lambda: mg.where(mask, a + mg.zeros(3, dtype="float64"), b),
    )
    return steps[rng.integers(len(steps))]()


def reduction(rng, pool):
    a = pick(rng, pool)
    axis = None if not a.ndim or rng.integers(2) else int(rng.integers(a.ndim))
    f = (mg.sum, mg.mean, mg.logsumexp, mg.prod)[rng.integers(4)]
    return f(a, axis=axis, keepdims=bool(rng.integers(2)))


def view(rng, pool):
    a = pick(rng, pool)
    if not a.ndim:
        return a.reshape((1, 1))[0, 0]
    choice = rng.integers(5)
    if choice == 0:
        return a.reshape((-1,))[: max(1, a.size - 1)].sum() * a
    if choice == 1:
        return a[..., ::-1]
    if choice == 2:
        return a.reshape((1, *a.shape))[0]
    if choice == 3:
        return mg.flip(a) + a[..., [0]]
    return a[0] * 2.0 + a


def write(rng, pool):
    t = pick(rng, pool).clone()
    choice = rng.integers(5)
    if choice == 0 and t.ndim:
        t[0] = t[-1] * 0.5 if t.ndim > 1 else pick(rng, pool).sum()
    elif choice == 1 and t.ndim:
        part = t[..., 0]
        part *= 0.7
    elif choice == 2:
        t += pick(rng, pool).sum()
    elif choice == 3 and t.ndim:
        part = t.reshape((-1,))
        part[:1] = part[-1:] * 0.9 + part[:1] * 0.3
    else:
        t.sub_(0.25)
    return t


def several(rng, pool):
    a = pick(rng, pool)
    if not a.ndim:
        return a * 1.5
    pieces = mg.unstack(a)
    return pieces[0] * pieces[-1]


def pick(rng, pool):
    return pool[rng.integers(len(pool))]


STEPS = (unary, unary, binary, binary, reduction, view, write, several)


def program(seed, length):
    """A function of three tensors, the same each time it is called."""

    def run(*leaves):
        rng = np.random.default_rng(seed)
        pool = list(leaves)
        for _ in range(length):
            y = STEPS[rng.integers(len(STEPS))](rng, pool)
            fits = len(y.shape) < 3 and all(n in (1, m) for n, m in zip(y.shape[::-1], (3, 2), strict=False))
            if fits and abs(y.detach()).max().item() < 50:
                pool.append(y)
        return sum((t * t).sum() * (0.1 + 0.1 * i) for i, t in enumerate(pool[3:])) + sum(t.sum() for t in leaves)

    return run


def leaves(seed):
    rng = np.random.default_rng([seed, 1])
    shapes = [SHAPES[i] for i in rng.integers(len(SHAPES), size=3)]
    return [mg.tensor(rng.uniform(-1.5, 1.5, size=s), requires_grad=True) for s in shapes]


@settings(max_examples=120, deadline=None, database=None, derandomize=True)
@given(st.integers(0, 2**32 - 1), st.integers(1, 14))
def test_first_order(seed, length):
    gradcheck(program(seed, length), leaves(seed), atol=1e-4)


@settings(max_examples=40, deadline=None, database=None, derandomize=True)
@given(st.integers(0, 2**32 - 1), st.integers(1, 8))
def test_second_order(seed, length):
    gradgradcheck(program(seed, length), leaves(seed), atol=1e-3, rtol=1e-2)


@settings(max_examples=40, deadline=None, database=None, derandomize=True)
@given(st.integers(0, 2**32 - 1), st.integers(1, 14))
def test_backward_twice_gives_the_same_bits_and_checkpoint_the_same_gradients(seed, length):
    f, xs = program(seed, length), leaves(seed)
    first = [g.numpy() for g in mg.grad(f(*xs), xs)]
    again = [g.numpy() for g in mg.grad(f(*xs), xs)]
    saved = [g.numpy() for g in mg.grad(mg.autograd.checkpoint(f, *xs), xs)]
    for a, b, c in zip(first, again, saved, strict=True):
        np.testing.assert_array_equal(a, b)
        np.testing.assert_allclose(a, c, rtol=1e-12)
