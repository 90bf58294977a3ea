"""Linear algebra: singular and degenerate matrices, zeros, extremes, errors."""

import math

import numpy as np
import pytest

import minigrad as mg
from minigrad import linalg
from minigrad.errors import DTypeError, GraphError
from minigrad.testing import gradcheck, gradgradcheck

rng = np.random.default_rng(0)


def leaf(value):
    return mg.tensor(np.asarray(value, dtype=np.float64), requires_grad=True)


# -- norms ------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("f", [linalg.norm, linalg.vector_norm, lambda x: linalg.vector_norm(x, ord=3), lambda x: linalg.norm(x, axis=0)])
def test_norm_at_zero_has_gradient_zero_to_second_order(f):
    x = leaf(np.zeros(3))
    (d,) = mg.grad(f(x), x, create_graph=True)
    assert d.numpy().tolist() == [0.0] * 3
    (dd,) = mg.grad(d.sum(), x)
    assert dd.numpy().tolist() == [0.0] * 3


@pytest.mark.parametrize("ord", [1, 1.5, 2, 2.5, 3, 4, math.inf])
def test_zero_elements_of_a_vector_have_gradient_zero(ord):
    x = leaf([0.0, 3.0, -4.0])
    (d,) = mg.grad(linalg.vector_norm(x, ord=ord), x, create_graph=True)
    assert d.numpy()[0] == 0
    assert np.isfinite(d.numpy()).all()
    assert np.isfinite(mg.grad(d.sum(), x)[0].numpy()).all()


def test_frobenius_norm_of_a_zero_matrix_in_a_stack():
    x = leaf(np.stack([np.zeros((2, 2)), np.array([[3.0, 0.0], [0.0, 4.0]])]))
    (d,) = mg.grad(linalg.matrix_norm(x).sum(), x)
    assert np.allclose(d.numpy(), [np.zeros((2, 2)), [[0.6, 0], [0, 0.8]]])


def test_ties_of_the_largest_norm_share():
    x = leaf([2.0, -2.0, 1.0])
    assert mg.grad(linalg.vector_norm(x, ord=math.inf), x)[0].numpy().tolist() == [0.5, -0.5, 0.0]


def test_counting_norm_is_a_constant():
    x = leaf([0.0, 2.0])
    y = linalg.vector_norm(x, ord=0)
    assert y.item() == 1.0
    assert not y.requires_grad


def test_half_precision_norms_do_not_overflow():
    x = mg.tensor(np.full(4, 1000.0, "float16"))
    y = linalg.norm(x)
    assert y.dtype == np.float16
    assert y.item() == 2000.0


# -- singular matrices ------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("name", "call"),
    [
        ("inv", lambda x: linalg.inv(x)),
        ("solve", lambda x: linalg.solve(x, np.ones(2))),
        ("solve_triangular", lambda x: linalg.solve_triangular(x * 0, np.ones(2))),
        ("cholesky", lambda x: linalg.cholesky(-x)),
        ("inv", lambda x: linalg.matrix_power(x, -1)),
    ],
)
def test_singular_matrices_raise_with_the_functions_name(name, call):
    with pytest.raises(np.linalg.LinAlgError, match=name):
        call(mg.tensor([[1.0, 2.0], [2.0, 4.0]]))


@pytest.mark.parametrize("n", [1, 2, 3, 5])
def test_det_of_a_singular_matrix_has_the_cofactors_as_gradient(n):
    u, s, vh = np.linalg.svd(rng.normal(size=(n, n)))
    s[-1] = 0
    x = leaf((u * s) @ vh)
    assert gradcheck(linalg.det, [x])
    cofactors = mg.grad(linalg.det(x), x)[0].numpy()
    for i in range(n):
        for j in range(n):
            minor = np.delete(np.delete(x.data, i, 0), j, 1)
            assert np.isclose(cofactors[i, j], (-1) ** (i + j) * np.linalg.det(minor))


def test_det_of_rank_two_less_has_gradient_zero():
    x = leaf(np.ones((3, 3)))
    assert np.allclose(mg.grad(linalg.det(x), x)[0].numpy(), 0)


def test_slogdet_of_large_matrices_is_finite():
    x = leaf(1e3 * np.eye(200))
    sign, log = linalg.slogdet(x)
    assert np.isclose(log.item(), 200 * math.log(1e3))
    assert np.allclose(mg.grad(log, x, retain_graph=True)[0].numpy(), 1e-3 * np.eye(200))
    assert mg.grad(sign, x)[0].numpy().any() == False  # noqa: E712
    assert linalg.slogdet(np.zeros((2, 2))).logabsdet == -math.inf


def test_pinv_and_lstsq_of_deficient_rank():
    a = np.array([[1.0, 2.0], [2.0, 4.0], [3.0, 6.0]])
    b = np.array([1.0, 0.0, 2.0])
    assert np.allclose(linalg.pinv(a), np.linalg.pinv(a))
    found = linalg.lstsq(a, b)
    assert np.allclose(found.x, np.linalg.lstsq(a, b)[0])
    assert found.rank == 1
    x = leaf(rng.normal(size=(3, 1)))  # a change that keeps the rank
    assert gradcheck(lambda t: linalg.pinv(t @ mg.tensor([[1.0, 2.0]])), [x])


# -- systems ----------------------------------------------------------------------------------------------------------
def test_a_vector_right_hand_side_is_one_only_if_it_is_one_dimensional():
    a = rng.normal(size=(4, 3, 3)) + 3 * np.eye(3)
    b = rng.normal(size=3)
    assert np.allclose(linalg.solve(a, b), np.linalg.solve(a, b))
    c = rng.normal(size=(3, 2))
    assert np.allclose(linalg.solve(a, c), np.linalg.solve(a, c))


@pytest.mark.parametrize("upper", [False, True])
@pytest.mark.parametrize("unit", [False, True])
def test_large_triangular_systems(upper, unit):
    n = 150
    a = rng.normal(size=(2, n, n)) / n + 2 * np.eye(n)
    t = np.triu(a) if upper else np.tril(a)
    if unit:
        t = t - 0 * t
        t[..., range(n), range(n)] = 1
    b = rng.normal(size=(n, 3))
    x = linalg.solve_triangular(a, b, upper=upper, unit_diagonal=unit)
    assert np.allclose(t @ x, b)


def test_gradient_of_a_triangular_solve_stays_in_the_triangle():
    a, b = leaf(np.tril(rng.normal(size=(3, 3))) + 3 * np.eye(3)), leaf(rng.normal(size=3))
    (d,) = mg.grad(linalg.solve_triangular(a, b).sum(), a)
    assert not np.triu(d.numpy(), 1).any()
    (d,) = mg.grad(linalg.solve_triangular(a, b, unit_diagonal=True).sum(), a)
    assert not np.triu(d.numpy()).any()


# -- decompositions ---------------------------------------------------------------------------------------------------
def test_factors_reproduce_the_matrix():
    for shape in ((4, 4), (5, 3), (3, 5), (2, 4, 3)):
        x = rng.normal(size=shape)
        q, r = linalg.qr(x)
        assert np.allclose(q @ r, x)
        u, s, vh = linalg.svd(x)
        assert np.allclose((u * s[..., None, :]) @ vh, x)
    x = rng.normal(size=(3, 3))
    x = x + x.T
    w, v = linalg.eigh(x)
    assert np.allclose((v * w) @ v.T, x)
    assert np.allclose(linalg.eigh(np.tril(x) + np.triu(np.ones((3, 3)), 1), "L").eigenvalues, w)


@pytest.mark.parametrize("shape", [(3, 3), (4, 2), (2, 4)])
def test_gradient_of_what_reproduces_the_matrix_is_the_gradient_itself(shape):
    x, g = leaf(rng.normal(size=shape)), rng.normal(size=shape)
    u, s, vh = linalg.svd(x)
    assert np.allclose(mg.grad((u * s) @ vh, x, g)[0].numpy(), g)
    q, r = linalg.qr(x)
    assert np.allclose(mg.grad(q @ r, x, g)[0].numpy(), g)


def test_equal_values_give_finite_gradients():
    x = leaf(np.eye(3))
    u, s, vh = linalg.svd(x)
    w, v = linalg.eigh(x)
    for y in (s.sum(), (u @ vh).sum(), (s * s).sum(), w.sum(), (v @ mg.matrix_transpose(v)).sum(), u.sum() + v.sum()):
        (d,) = mg.grad(y, x, create_graph=True)
        assert np.isfinite(d.numpy()).all()
        assert np.isfinite(mg.grad(d.sum(), x, retain_graph=True)[0].numpy()).all()
    assert np.allclose(mg.grad(linalg.svdvals(x).sum(), x)[0].numpy(), np.eye(3))
    assert np.allclose(mg.grad(linalg.eigvalsh(x).sum(), x)[0].numpy(), np.eye(3))


def test_the_orthogonal_part_is_right_at_equal_singular_values():
    """u vᵀ, the nearest orthogonal matrix, does not depend on how equal values are told apart."""
    x = leaf(np.diag([2.0, 2.0, 1.0]))
    polar = lambda t: (lambda u, s, vh: u @ vh)(*linalg.svd(t))  # noqa: E731
    assert gradcheck(polar, [x])


def test_zero_singular_values_give_finite_gradients():
    x = leaf(np.outer([1.0, 2.0, 3.0], [1.0, -1.0]))
    u, s, _ = linalg.svd(x)
    for y in ((u * s).sum(), s.sum(), linalg.matrix_norm(x, ord="nuc")):
        assert np.isfinite(mg.grad(y, x, retain_graph=True)[0].numpy()).all()


def test_what_has_no_gradient_says_so():
    x = leaf(rng.normal(size=(3, 2)))
    with pytest.raises(GraphError, match="mode='reduced'"):
        linalg.qr(x, mode="complete").R.sum().backward()
    with pytest.raises(GraphError, match="full_matrices=False"):
        linalg.svd(x, full_matrices=True).U.sum().backward()


def test_one_output_alone_has_its_gradient():
    x = leaf(rng.normal(size=(3, 3)))
    square = lambda t: mg.matmul(mg.matrix_transpose(t), t) + mg.tensor(np.eye(3))  # noqa: E731
    for f in (
        lambda t: mg.abs(linalg.qr(t).Q),
        lambda t: mg.abs(linalg.qr(t).R),
        lambda t: mg.abs(linalg.svd(t).U),
        lambda t: mg.abs(linalg.svd(t).Vh),
        lambda t: mg.abs(linalg.eigh(square(t)).eigenvectors),
        lambda t: linalg.slogdet(t).logabsdet,
    ):
        assert gradcheck(f, [x])
        assert gradgradcheck(f, [x], atol=1e-4)


@pytest.mark.parametrize("f", [linalg.cholesky, linalg.qr, linalg.svd, linalg.svdvals, linalg.eigh, linalg.eigvalsh, linalg.pinv])
def test_complex_decompositions_are_for_constants(f):
    a = np.array([[2, 1j], [-1j, 3]])
    for y, z in zip(f(mg.tensor(a)), f(a), strict=True):  # rows of an array, or the parts of a result
        assert not y.requires_grad
        np.testing.assert_array_equal(y.numpy(), z)
    with pytest.raises(DTypeError, match=r"complex128.*require grad.*not supported"):
        f(mg.tensor(a, requires_grad=True))


def test_complex_decompositions_give_back_their_matrix():
    a = np.array([[2, 1j], [-1j, 3]])
    lower, upper = linalg.cholesky(a), linalg.cholesky(a, upper=True)
    u, s, vh = linalg.svd(a)
    q, r = linalg.qr(a)
    w, v = linalg.eigh(a)
    for back in (lower @ lower.conj().T, upper.conj().T @ upper, (u * s) @ vh, q @ r, (v * w) @ v.conj().T, a @ linalg.pinv(a) @ a):
        np.testing.assert_allclose(back, a, atol=1e-12)


def test_symmetric_gradients():
    a = rng.normal(size=(3, 3))
    x = leaf(a @ a.T + np.eye(3))
    for y in (linalg.cholesky(x).sum(), linalg.eigh(x).eigenvectors.sum()):
        (d,) = mg.grad(y, x)
        assert np.allclose(d.numpy(), d.numpy().T)


# -- functions of a matrix --------------------------------------------------------------------------------------------
def test_matrix_exp_of_rotations_and_of_mixed_sizes():
    for angle in (1e-8, 1.0, 100.0):
        y = linalg.matrix_exp(np.array([[0.0, -angle], [angle, 0.0]]))
        c, s = math.cos(angle), math.sin(angle)
        assert np.allclose(y, [[c, -s], [s, c]], atol=1e-12)
    stack = np.stack([np.diag([1e-3, 0.0]), np.diag([50.0, -50.0]), np.zeros((2, 2))])
    assert np.allclose(linalg.matrix_exp(stack), [np.diag(np.exp(np.diagonal(x))) for x in stack], rtol=1e-12)


def test_gradient_of_matrix_exp_does_not_depend_on_the_size_of_g():
    x = leaf(rng.normal(size=(3, 3)))
    y = linalg.matrix_exp(x)
    one = mg.grad(y, x, np.ones((3, 3)), retain_graph=True)[0].numpy()
    for size in (1e-200, 1e200, 0.0):
        (d,) = mg.grad(y, x, np.full((3, 3), size), retain_graph=True)
        assert np.allclose(d.numpy(), size * one, rtol=1e-12, atol=0)


def test_matrix_power_zero_is_the_identity():
    x = leaf(rng.normal(size=(2, 3, 3)))
    y = linalg.matrix_power(x, 0)
    assert np.array_equal(y.numpy(), np.broadcast_to(np.eye(3), (2, 3, 3)))
    assert not y.requires_grad


def test_integers_and_results():
    assert np.allclose(linalg.inv([[2, 0], [0, 4]]), [[0.5, 0], [0, 0.25]])
    assert np.allclose(linalg.matrix_exp(np.zeros((2, 2), int)), np.eye(2))
    assert linalg.norm([3, 4]) == 5.0
    assert linalg.svd(np.eye(2))._fields == ("U", "S", "Vh")
    assert linalg.matrix_rank(mg.tensor(np.eye(3))).item() == 3


@pytest.mark.torch
def test_gradients_are_torchs():
    torch = pytest.importorskip("torch")
    a = rng.normal(size=(2, 4, 4)) + 2 * np.eye(4)
    for name in ("inv", "det", "matrix_exp", "pinv", "svdvals", "matrix_norm", "vector_norm"):
        x, t = leaf(a), torch.tensor(a, requires_grad=True)
        mine = mg.grad(mg.sin(getattr(linalg, name)(x)).sum(), x)[0].numpy()
        theirs = torch.autograd.grad(torch.sin(getattr(torch.linalg, name)(t)).sum(), t)[0].numpy()
        assert np.allclose(mine, theirs), name
