"""Random tensors: distributions, seeds, gradients, bad parameters."""

import threading

import numpy as np
import pytest

import minigrad as mg
from minigrad.errors import DTypeError, GraphError, ShapeError
from minigrad.ops import random

CONTINUOUS = [random.uniform, random.normal, random.laplace, random.gumbel, random.exponential]


@pytest.fixture(autouse=True)
def seed():
    mg.random.manual_seed(0)


@pytest.mark.parametrize(
    ("draw", "mean", "variance"),
    [
        (lambda n: random.uniform(-1, 3, n), 1, 16 / 12),
        (lambda n: random.normal(2, 3, n), 2, 9),
        (lambda n: random.laplace(1, 2, n), 1, 8),
        (lambda n: random.gumbel(0, 1, n), 0.5772156649, np.pi**2 / 6),
        (lambda n: random.exponential(3, n), 3, 9),
        (lambda n: random.bernoulli(0.3, n), 0.3, 0.21),
        (lambda n: random.dropout_mask(0.25, n), 1, 1 / 3),
        (lambda n: random.randint(-2, 4, n), 0.5, 35 / 12),
        (lambda n: random.choice(3, n, p=[0.5, 0.25, 0.25]), 0.75, 0.6875),
        (lambda n: random.categorical(np.log([0.5, 0.25, 0.25]), n), 0.75, 0.6875),
        (lambda n: random.multinomial([2, 1, 1], n, replacement=True), 0.75, 0.6875),
        (lambda n: random.rand(n), 0.5, 1 / 12),
        (lambda n: random.randn(n), 0, 1),
        (lambda n: random.standard_normal(n), 0, 1),
    ],
)
def test_moments(draw, mean, variance):
    n = 200_000
    a = draw(n).numpy().astype(float)
    assert a.shape == (n,)
    assert abs(a.mean() - mean) < 5 * np.sqrt(variance / n)
    assert abs(a.var() - variance) < 0.03 * variance


@pytest.mark.parametrize("f", CONTINUOUS)
@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_dtypes_and_shapes(f, dtype):
    assert f(size=(2, 3), dtype=dtype).dtype == dtype
    assert f(size=(2, 3)).dtype == "float32"
    assert f(size=()).shape == f().shape == ()
    assert f(size=(0, 3)).shape == (0, 3)
    assert np.isfinite(f(size=5000, dtype=dtype).numpy()).all()
    p = np.ones((2, 1), dtype)
    assert f(p, size=(4, 2, 3)).dtype == dtype if f is random.exponential else f(p * 0, p).shape == (2, 1)


@pytest.mark.parametrize("f", CONTINUOUS)
def test_the_seed_fixes_the_numbers(f):
    draws = []
    for _ in range(2):
        mg.random.manual_seed(7)
        draws.append([f(size=3).tolist(), f(size=3).tolist()])
    assert draws[0] == draws[1]
    assert draws[0][0] != draws[0][1]
    own = mg.random.Generator(5)
    before = mg.random.Generator(5)
    assert f(size=3, generator=own).tolist() == f(size=3, generator=before).tolist()
    mg.random.manual_seed(7)
    f(size=3, generator=own)
    assert f(size=3).tolist() == draws[0][0]


def test_state_can_be_saved():
    g = mg.random.Generator(3)
    random.normal(size=3, generator=g)
    state = g.state
    a = random.normal(size=4, generator=g)
    g.state = state
    assert random.normal(size=4, generator=g).tolist() == a.tolist()


def test_threads_draw_from_streams_of_their_own():
    out = []
    t = threading.Thread(target=lambda: out.append(random.normal(size=3).tolist()))
    t.start()
    t.join()
    assert random.normal(size=3).tolist() != out[0]


def test_gradients_to_the_parameters():
    for f, z in ((random.normal, None), (random.laplace, None), (random.gumbel, None)):
        loc, scale = (mg.Tensor(np.array(v), requires_grad=True) for v in ([1.0, 2.0], [[0.5], [3.0]]))
        y = f(loc, scale, size=(3, 2, 2))
        z = (y.data - loc.data) / scale.data
        dloc, dscale = mg.grad(y, [loc, scale], np.ones(y.shape))
        np.testing.assert_allclose(dloc.data, [6, 6])
        np.testing.assert_allclose(dscale.data, z.sum((0, 2))[:, None], rtol=1e-9, atol=1e-9)
    low, high = (mg.Tensor(np.array(v), requires_grad=True) for v in (1.0, 3.0))
    u = random.uniform(low, high, size=50)
    dlow, dhigh = mg.grad(u.sum(), [low, high])
    np.testing.assert_allclose(dlow.item() + dhigh.item(), 50)
    np.testing.assert_allclose(dhigh.item(), ((u.data - 1) / 2).sum())
    scale = mg.Tensor(np.array([2.0, 5.0]), requires_grad=True)
    e = random.exponential(scale)
    np.testing.assert_allclose(mg.grad(e, scale, np.ones(2))[0].data, e.data / scale.data)
    assert not random.bernoulli(mg.Tensor([0.5], requires_grad=True)).requires_grad


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_uniform_stays_below_its_end(dtype):
    class Rng:
        def random(self, shape, dtype):
            return np.full(shape, np.nextafter(np.dtype(dtype).type(1), np.dtype(dtype).type(0)), dtype)

    g = mg.random.Generator(0)
    g._rng = Rng()
    for low, high in ((0, 1), (1, 2), (-3, 5), (1, 1 + 2**-9)):
        assert (random.uniform(low, high, 3, dtype=dtype, generator=g).data < high).all()
    assert random.uniform(2, 2, 3, dtype=dtype).tolist() == [2, 2, 2]


def test_certainties():
    assert random.bernoulli(0.0, 100).data.sum() == 0
    assert random.bernoulli(1.0, 100).data.sum() == 100
    assert random.dropout_mask(1.0, 5).tolist() == [0] * 5
    assert random.dropout_mask(0.0, 5).tolist() == [1] * 5
    assert random.normal(3.0, 0.0, 2).tolist() == [3, 3]
    assert random.multinomial([[0, 1, 0], [1, 0, 0]], 1).tolist() == [[1], [0]]
    assert set(random.multinomial([1, 0, 1], 50, replacement=True).tolist()) == {0, 2}
    assert sorted(random.multinomial([1, 2, 0, 3], 3).tolist()) == [0, 1, 3]


def test_orders_and_choices():
    x = mg.Tensor(np.arange(6.0).reshape(3, 2), requires_grad=True)
    y = random.permutation(x)
    assert sorted(y.tolist()) == x.tolist()
    g = np.arange(6.0).reshape(3, 2)
    (d,) = mg.grad(y, x, g)
    assert (d.data[y.data[:, 0].astype(int) // 2] == g).all()
    picked = random.choice(x, size=(2, 2))
    assert picked.shape == (2, 2, 2)
    assert picked.requires_grad
    assert sorted(random.choice(5, 5, replace=False).tolist()) == [0, 1, 2, 3, 4]
    assert random.choice([10, 20], 3, p=[0, 1]).tolist() == [20, 20, 20]
    assert random.choice(np.arange(6).reshape(2, 3), 2, axis=1).shape == (2, 2)
    t = mg.Tensor(np.arange(10.0))
    random.shuffle(t)
    assert sorted(t.tolist()) == list(range(10))


def test_in_place():
    x = mg.Tensor(np.zeros(1000))
    assert x.uniform_(2, 3) is x
    assert ((x.data >= 2) & (x.data < 3)).all()
    assert abs(x.normal_(5, 0.1).data.mean() - 5) < 0.1
    assert (x.exponential_(2.0).data > 0).all()
    assert set(x.bernoulli_(0.5).tolist()) == {0, 1}
    assert x.dtype == "float64"
    leaf = mg.Tensor(np.zeros(3), requires_grad=True)
    with pytest.raises(GraphError, match="normal_"):
        leaf.normal_()
    with mg.no_grad():
        leaf.normal_()
    assert leaf.data.any()
    y = leaf * 2
    z = y * y
    y.uniform_()
    with pytest.raises(GraphError, match="uniform_"):
        z.sum().backward()


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda: random.normal(0, -1), ValueError, "scale"),
        (lambda: random.normal(0, float("nan")), ValueError, "scale"),
        (lambda: random.normal(0, np.array([1.0, -1.0])), ValueError, "scale"),
        (lambda: random.exponential(-1.0), ValueError, "exponential"),
        (lambda: random.uniform(2, 1), ValueError, "low"),
        (lambda: random.uniform(0, float("inf")), ValueError, "high"),
        (lambda: random.uniform(np.zeros(2), np.array([1.0, -1.0])), ValueError, "uniform"),
        (lambda: random.bernoulli(1.5), ValueError, "between 0 and 1"),
        (lambda: random.bernoulli(float("nan")), ValueError, "between 0 and 1"),
        (lambda: random.dropout_mask(-0.1, 3), ValueError, "between 0 and 1"),
        (lambda: random.randint(3, 3), ValueError, "randint"),
        (lambda: random.randint(0, 2.5), DTypeError, "randint"),
        (lambda: random.randint(3, dtype="float32"), DTypeError, "randint"),
        (lambda: random.normal(size=-1), ShapeError, "negative"),
        (lambda: random.normal(size=2.5), DTypeError, "size"),
        (lambda: random.normal(np.zeros(3), size=(2,)), ShapeError, "normal"),
        (lambda: random.normal(dtype="int32"), DTypeError, "int32"),
        (lambda: random.normal(generator=3), DTypeError, "Generator"),
        (lambda: random.choice(3, 4, replace=False), ValueError, "replace"),
        (lambda: random.choice(3, 1, p=[0.5, 0.5]), ShapeError, "choice"),
        (lambda: random.choice(0, 1), ValueError, "choice"),
        (lambda: random.multinomial([0.5, -0.5], 1), ValueError, "multinomial"),
        (lambda: random.multinomial([0.0, 0.0], 1), ValueError, "multinomial"),
        (lambda: random.multinomial([1.0, 0.0], 2), ValueError, "replacement"),
        (lambda: random.categorical([0.0, float("nan")]), ValueError, "NaN"),
        (lambda: random.categorical(1.0), ShapeError, "categorical"),
        (lambda: random.permutation(-1), ShapeError, "permutation"),
        (lambda: random.permutation(2.5), ShapeError, "permutation"),
        (lambda: random.shuffle([1, 2]), DTypeError, "shuffle"),
    ],
)
def test_bad_parameters(call, error, words):
    with pytest.raises(error) as caught:
        call()
    assert words in str(caught.value)
