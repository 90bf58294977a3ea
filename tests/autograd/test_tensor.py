"""Tensor itself: making it, showing it, copying it, pickling it, and what Python asks of a value."""

import copy
import pickle

import numpy as np
import pytest

import minigrad as mg
from minigrad.errors import DTypeError, GraphError


# -- making -----------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("data", "dtype"),
    [
        (1.5, "float32"),
        ([1.0, 2.0], "float32"),
        (1, "int64"),
        ([1, 2], "int64"),
        (True, "bool"),
        (1j, "complex64"),
        ([1j, 2], "complex64"),
        ([], "float32"),
        (np.float64(1.0), "float64"),
        (np.ones(2), "float64"),
        (np.ones(2, "float16"), "float16"),
        ([np.ones(2), np.ones(2)], "float64"),
        (np.ones(2, ">f8"), "float64"),
    ],
)
def test_dtype_of_data(data, dtype):
    assert mg.tensor(data).dtype == dtype


def test_data_are_copied():
    a = np.zeros(3)
    t = mg.tensor(a)
    a[0] = 1
    assert t.tolist() == [0, 0, 0]
    u = mg.tensor(t)
    assert not np.shares_memory(u.data, t.data)


def test_explicit_dtype_and_device():
    t = mg.tensor([1, 2], dtype="float16", device="cpu", requires_grad=True)
    assert (t.dtype, t.device, t.requires_grad) == (np.float16, "cpu", True)


def test_what_it_is():
    t = mg.tensor(np.zeros((2, 3)))
    assert (t.shape, t.ndim, t.size, t.nbytes, len(t)) == ((2, 3), 2, 6, 48, 2)
    assert t.is_leaf
    assert t.grad_fn is None
    assert t.grad is None


# -- showing ----------------------------------------------------------------------------------------------------------
def test_repr_says_shape_dtype_and_device():
    assert repr(mg.tensor([1.0, 2.0])) == "Tensor([1., 2.], shape (2,), float32, cpu)"


def test_repr_says_what_it_is_in_the_graph():
    x = mg.tensor([1.0, 2.0], requires_grad=True)
    assert "requires_grad" in repr(x)
    assert "grad_fn multiply" in repr(x * 2)


def test_repr_counts_nan_and_inf():
    text = repr(mg.tensor([np.nan, np.inf, -np.inf, 1.0]))
    assert "1 NaN" in text
    assert "2 Inf" in text
    assert "NaN" not in repr(mg.tensor([1, 2])) + repr(mg.tensor([]))


def test_repr_of_much_is_short():
    assert len(repr(mg.zeros((1000, 1000)))) < 1000


def test_format():
    loss = mg.tensor(0.123456)
    assert f"{loss:.3f}" == "0.123"
    assert f"{loss}" == str(loss)
    with pytest.raises(ValueError, match=r"item.*\(2,\)"):
        format(mg.tensor([1.0, 2.0]), ".2f")


# -- copying ----------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("requires_grad", [True, False])
@pytest.mark.parametrize("how", [copy.deepcopy, lambda t: pickle.loads(pickle.dumps(t))], ids=["deepcopy", "pickle"])
def test_leaves_copy_with_their_gradient(how, requires_grad):
    x = mg.tensor([1.0, 2.0], requires_grad=requires_grad)
    if requires_grad:
        (x * x).sum().backward()
    y = how(x)
    assert y.tolist() == x.tolist()
    assert y.requires_grad is requires_grad
    assert not np.shares_memory(y.data, x.data)
    if requires_grad:
        assert y.grad.tolist() == [2, 4]
        assert y.is_leaf
        assert y.node is not x.node
        (y * 3).sum().backward()
        assert x.grad.tolist() == [2, 4]


def test_deepcopy_keeps_identity_within_one_object():
    x = mg.tensor([1.0], requires_grad=True)
    a, b = copy.deepcopy([x, x])
    assert a is b


def test_computed_tensors_do_not_copy_by_identity():
    y = mg.tensor([1.0], requires_grad=True) * 2
    with pytest.raises(GraphError, match=r"deepcopy.*detach"):
        copy.deepcopy(y)
    with pytest.raises(GraphError, match=r"pickle.*detach"):
        pickle.dumps(y)
    assert pickle.loads(pickle.dumps(y.detach())).tolist() == [2]


def test_shallow_copy_shares():
    x = mg.tensor([1.0], requires_grad=True)
    assert copy.copy(x).node is x.node
    assert copy.copy(x).data is x.data


# -- what Python asks -------------------------------------------------------------------------------------------------
def test_scalars():
    assert float(mg.tensor(2.5)) == 2.5
    assert int(mg.tensor([3.7])) == 3
    assert complex(mg.tensor(1.0)) == 1
    assert bool(mg.tensor(0.0)) is False
    assert [10, 20, 30][mg.tensor(1)] == 20
    assert mg.tensor(2.5).item() == 2.5
    assert isinstance(mg.tensor(2.5).item(), float)


@pytest.mark.parametrize(
    ("f", "error", "words"),
    [
        (bool, ValueError, ["bool", "(2,)", "any"]),
        (float, ValueError, ["item", "(2,)"]),
        (lambda t: [1, 2][t], TypeError, ["index", "(2,)"]),
        (lambda t: len(t[0]), TypeError, ["len", "0-d"]),
        (lambda t: iter(t[0]), TypeError, ["0-d"]),
        (lambda t: t == t and 1, ValueError, ["bool"]),
    ],
)
def test_questions_without_an_answer(f, error, words):
    with pytest.raises(error) as info:
        f(mg.tensor([1.0, 2.0]))
    assert all(w in str(info.value) for w in words)


def test_hash_is_identity():
    x, y = mg.tensor([1.0]), mg.tensor([1.0])
    assert len({x, y, x}) == 2
    assert {x: 1}[x] == 1


def test_numpy_is_locked_while_in_a_graph():
    x = mg.tensor([1.0], requires_grad=True)
    assert not x.numpy().flags.writeable
    assert not (x * 2).numpy().flags.writeable
    assert x.detach().numpy().flags.writeable


# -- its place in the graph -------------------------------------------------------------------------------------------
def test_requires_grad_is_for_numbers_with_a_gradient():
    for dtype in ("int32", "bool", "uint8"):
        with pytest.raises(DTypeError, match=f"requires_grad.*{dtype}"):
            mg.tensor(np.zeros(2, dtype), requires_grad=True)
    x = mg.tensor([1.0])
    x.requires_grad = True
    assert x.is_leaf
    x.requires_grad = False
    assert not x.requires_grad
    with pytest.raises(GraphError, match="detach"):
        (mg.tensor([1.0], requires_grad=True) * 2).requires_grad_(False)


def test_grad_can_be_set_cleared_and_is_checked():
    x = mg.tensor([1.0, 2.0], requires_grad=True)
    x.grad = mg.tensor([3.0, 4.0])
    assert x.grad.tolist() == [3, 4]
    del x.grad
    assert x.grad is None
    with pytest.raises(GraphError, match=r"grad.*\(2,\).*\(3,\)"):
        x.grad = mg.zeros(3)
    with pytest.raises(GraphError, match="does not require grad"):
        mg.tensor([1.0]).grad = mg.tensor([1.0])


def test_retained_gradients_and_hooks():
    x = mg.tensor([1.0, 2.0], requires_grad=True)
    y = x * 3
    y.retain_grad()
    seen = []
    handle = y.register_hook(lambda g: seen.append(g.tolist()))
    x.register_post_accumulate_grad_hook(lambda t: seen.append(t.grad.tolist()))
    (y * y).sum().backward()
    assert y.grad.tolist() == [6, 12]
    assert seen == [[6, 12], [18, 36]]
    handle.remove()
    handle.remove()
    assert y.retains_grad


def test_detach_shares_memory_and_cuts_the_graph():
    x = mg.tensor([1.0], requires_grad=True)
    y = x * 2
    assert np.shares_memory(y.detach().data, y.data)
    assert not y.detach().requires_grad
    y.detach_()
    assert y.is_leaf


def test_names():
    x = mg.tensor([1.0])
    assert x.name is None
    x.name = "weight"
    assert x.name == "weight"
