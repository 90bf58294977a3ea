"""Products: what the table cannot say."""

import itertools

import numpy as np
import pytest

import minigrad as mg
from minigrad.errors import DTypeError, ShapeError
from minigrad.testing import gradcheck

rng = np.random.default_rng(0)


def leaf(*shape, dtype="float64"):
    return mg.tensor(rng.normal(size=shape).astype(dtype), requires_grad=True)


def test_matmul_of_matrices_is_one_node():
    a, b = leaf(2, 3), leaf(3, 4)
    y = mg.matmul(a, b)
    assert y.node.op.name == "matmul"
    assert y.node.parents == (a.node, b.node)


def test_gradients_of_matmul_are_the_formulas():
    a, b = leaf(2, 3), leaf(3, 4)
    g = rng.normal(size=(2, 4))
    da, db = mg.grad(mg.matmul(a, b), [a, b], g)
    assert np.array_equal(da.numpy(), g @ b.data.T)
    assert np.array_equal(db.numpy(), a.data.T @ g)


def test_one_matrix_for_a_batch_is_one_product():
    x, w = leaf(4, 5, 3), leaf(3, 2)
    y = mg.matmul(x, w)
    assert y.shape == (4, 5, 2)
    assert y.node.parents[0].shape == (20, 2)  # a reshaped product of matrices: the weight's gradient needs no sum over batches
    g = rng.normal(size=y.shape)
    assert np.allclose(mg.grad(y, w, g)[0].numpy(), np.einsum("abi,abj->ij", x.data, g))


def test_matmul_with_itself_and_with_arrays_and_lists():
    a = leaf(2, 2)
    (d,) = mg.grad(mg.matmul(a, a).sum(), a)
    one = np.ones((2, 2))
    assert np.allclose(d.numpy(), one @ a.data.T + a.data.T @ one)
    assert isinstance(mg.matmul(a, a.data), mg.Tensor)
    assert isinstance(mg.matmul(a.data, a), mg.Tensor)
    assert type(mg.matmul([[1, 2]], [[3], [4]])) is np.ndarray
    assert mg.matmul([[1, 2]], [[3], [4]]).tolist() == [[11]]


@pytest.mark.parametrize("ranks", [(1, 1), (1, 2), (2, 1), (2, 2), (1, 3), (3, 1), (3, 2), (2, 3), (4, 3), (1, 4), (4, 1)])
def test_matmul_of_all_ranks_is_numpys(ranks):
    m, n = ranks
    a = rng.normal(size=((2, 2, 4, 3)[-m:]))
    b = rng.normal(size=((2, 2, 3, 5)[-n:] if n > 1 else (3,)))
    assert np.allclose(mg.matmul(mg.tensor(a), mg.tensor(b)).numpy(), np.matmul(a, b))


def test_only_wanted_gradients_are_kept():
    a, b = leaf(2, 3), mg.tensor(np.ones((3, 4)))
    y = mg.matmul(a, b)
    assert y.node.parents == (a.node, None)
    assert mg.grad(y.sum(), a)[0].numpy().tolist() == [[4.0] * 3] * 2


def test_half_precision_accumulates_in_single():
    n = 4096
    a = mg.tensor(np.full((1, n), 1.0, "float16"))
    assert mg.matmul(a, mg.matrix_transpose(a)).numpy() == n  # float16 sums stop at 2048
    assert mg.einsum("ij,ij->i", a, a).numpy() == n


def test_zero_length_sums_are_zero():
    a, b = leaf(2, 0), leaf(0, 3)
    y = mg.matmul(a, b)
    assert not y.numpy().any()
    assert [g.shape for g in mg.grad(y.sum(), [a, b])] == [(2, 0), (0, 3)]
    assert mg.einsum("ij,jk->", a, b).item() == 0


def test_einsum_takes_lists_of_integers():
    a, b = leaf(2, 3), leaf(3, 4)
    assert np.allclose(mg.einsum(a, [0, 1], b, [1, 2], [0, 2]).numpy(), a.data @ b.data)
    assert np.allclose(mg.einsum(a, [0, 1], b, [1, 2]).numpy(), a.data @ b.data)
    assert np.allclose(mg.einsum(a, [..., 0], [0, ...]).numpy(), a.data.T)
    with pytest.raises(DTypeError, match="subscripts"):
        mg.einsum(a, b)


def test_every_pair_of_short_terms_is_numpys():
    """All terms of up to two letters of three, all outputs of up to two: each letter has its own length."""
    size = dict(zip("ijk", (2, 3, 4), strict=True))
    terms = ["".join(t) for n in range(3) for t in itertools.product("ijk", repeat=n)]
    for left, right in itertools.product(terms, terms):
        a, b = (rng.normal(size=[size[c] for c in t]) for t in (left, right))
        letters = sorted(set(left + right))
        for out in ["".join(o) for n in range(min(3, len(letters) + 1)) for o in itertools.permutations(letters, n)]:
            text = f"{left},{right}->{out}"
            assert np.allclose(mg.einsum(text, a, b), np.einsum(text, a, b)), text


def test_einsum_multiplies_the_cheapest_pair_first():
    from minigrad.ops.contraction import _parsed, _plan

    terms, output = _parsed("ij,jk,k->i")
    _, pairs, _ = _plan("ij,jk,k->i", terms, output, ((50, 50), (50, 50), (50,)))
    assert pairs[0][:2] == (1, 2)  # the matrix with the vector


def test_einsum_of_shared_and_repeated_operands():
    a = leaf(3, 3)
    assert gradcheck(lambda t: mg.einsum("ij,jk,ki->", t, t, t), [a])
    assert gradcheck(lambda t: mg.einsum("ii,ij->j", t, t), [a])


def test_multi_dot_order_does_not_change_the_value():
    xs = [leaf(10, 2), leaf(2, 30), leaf(30, 1), leaf(1, 5)]
    y = mg.linalg.multi_dot(xs)
    assert np.allclose(y.numpy(), np.linalg.multi_dot([x.data for x in xs]))
    with pytest.raises(DTypeError, match="at least two"):
        mg.linalg.multi_dot([xs[0]])


def test_integers_multiply_without_gradient():
    a = mg.tensor(np.arange(6).reshape(2, 3))
    assert mg.matmul(a, a.data.T).dtype == np.int64
    assert not mg.einsum("ij->j", a).requires_grad


def test_shape_errors_name_the_function():
    with pytest.raises(ShapeError, match=r"matmul: a has 3 columns, b has 2 rows \(a \(2, 3\), b \(2, 3\)\)"):
        mg.matmul(leaf(2, 3), leaf(2, 3))
    with pytest.raises(ShapeError, match="matmul"):
        leaf(3) @ mg.tensor(2.0)


@pytest.mark.torch
def test_einsum_gradients_are_torchs():
    torch = pytest.importorskip("torch")
    for text, shapes in [("bhqd,bhkd->bhqk", [(2, 2, 3, 4), (2, 2, 5, 4)]), ("bij,bjk,bk->bi", [(2, 3, 4), (2, 4, 5), (2, 5)])]:
        xs = [leaf(*s) for s in shapes]
        ts = [torch.tensor(x.data, requires_grad=True) for x in xs]
        mine = mg.grad(mg.einsum(text, *xs).sum(), xs)
        theirs = torch.autograd.grad(torch.einsum(text, *ts).sum(), ts)
        for m, t in zip(mine, theirs, strict=True):
            assert np.allclose(m.numpy(), t.numpy())
