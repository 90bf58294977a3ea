"""What the table cannot say of joining and cutting: linear cost, views, dtypes, padding of PyTorch's kinds."""

import numpy as np
import pytest

import minigrad as mg
from minigrad.autograd.node import Node
from minigrad.errors import DTypeError, ShapeError


def count(t: mg.Tensor) -> int:
    seen: set[Node] = set()
    todo = [t.node]
    while todo:
        n = todo.pop()
        if n is not None and n not in seen:
            seen.add(n)
            todo += n.parents
    return len(seen)


def test_unstack_and_stack_of_thousands_are_linear():
    x = mg.tensor(np.ones((3000, 4)), requires_grad=True)
    rows = mg.unstack(x)
    y = mg.stack([r * 2 for r in rows])
    assert count(y) == 1 + 1 + 3000 * 2 + 1  # leaf, unstack, its outputs and products, stack
    y.sum().backward()
    assert (x.grad.data == 2).all()
    pieces = mg.split(x, 1500)
    x.grad = None
    mg.concat(pieces[::-1]).sum().backward()
    assert (x.grad.data == 1).all()


def test_unused_pieces_get_zeros():
    x = mg.tensor(np.ones((5, 2)), requires_grad=True)
    parts = mg.unstack(x)
    (parts[1] * 2 + parts[3]).sum().backward()
    assert x.grad.tolist() == [[0, 0], [2, 2], [0, 0], [1, 1], [0, 0]]
    x.grad = None
    mg.split(x, [1, 2, 4])[2].sum().backward()
    assert x.grad.tolist() == [[0, 0], [0, 0], [1, 1], [1, 1], [0, 0]]
    (g,) = mg.grad((mg.unstack(x, 1)[1] ** 2).sum(), x, create_graph=True)
    (h,) = mg.grad((g**2).sum(), x)
    assert h.tolist() == [[0, 8]] * 5


def test_pieces_are_views():
    x = mg.tensor(np.arange(6.0).reshape(3, 2))
    for p in (*mg.split(x, 3), *mg.unstack(x), *mg.unstack(x, 1), *mg.array_split(x, 2, 1), *mg.chunk(x, 2), *mg.unstack(x[0])):
        assert np.shares_memory(p.data, x.data)
    assert all(type(p) is np.ndarray for p in mg.unstack(np.ones(3)))


def test_the_same_tensor_twice():
    x = mg.tensor([1.0, 2.0], requires_grad=True)
    (mg.concat([x, x, x]) * np.arange(6)).sum().backward()
    assert x.grad.tolist() == [0 + 2 + 4, 1 + 3 + 5]
    x.grad = None
    (mg.stack([x, x]) * [[1.0, 2.0], [3.0, 4.0]]).sum().backward()
    assert x.grad.tolist() == [4, 6]


def test_sequences_of_all_kinds():
    x = mg.tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True)
    assert mg.concat(x).tolist() == [1, 2, 3, 4]
    assert mg.stack(x, axis=1).tolist() == [[1, 3], [2, 4]]
    assert mg.concat((x, [[5.0, 6.0]], np.array([[7.0, 8.0]]))).shape == (4, 2)
    assert type(mg.concat([np.ones(2), [3.0]])) is np.ndarray
    assert type(mg.concat(np.ones((2, 3)))) is np.ndarray
    with pytest.raises(DTypeError, match=r"concat.*list"):
        mg.concat(3.0)
    with pytest.raises(ShapeError, match="concat"):
        mg.concat([mg.tensor(1.0), mg.tensor(2.0)])


def test_dtypes_promote_and_gradients_come_back():
    a, b = mg.tensor(np.ones(2, np.float32), requires_grad=True), mg.tensor(np.ones(2), requires_grad=True)
    y = mg.concat([a, b, mg.tensor([1, 2])])
    assert y.dtype == "float64"
    y.sum().backward()
    assert a.grad.dtype == "float32"
    assert b.grad.dtype == "float64"


def test_constants_among_the_inputs():
    x, c = mg.tensor([1.0], requires_grad=True), mg.tensor([2.0])
    mg.hstack([c, x, np.ones(2, np.float32)]).sum().backward()
    assert x.grad.tolist() == [1]
    assert c.grad is None


def test_padding_modes_by_both_names():
    x = np.arange(12.0).reshape(3, 4)
    for numpy, torch in (("edge", "replicate"), ("wrap", "circular")):
        np.testing.assert_array_equal(mg.pad(x, 2, numpy), mg.pad(x, 2, torch))
    assert mg.pad(mg.tensor([1, 2]), 1, constant_values=7).dtype == "int64"
    assert mg.pad(mg.tensor([True]), 1).tolist() == [False, True, False]
    with pytest.raises(DTypeError, match="pad"):
        mg.pad(mg.tensor([1, 2]), 1, constant_values=0.5)


def test_repeat_by_tensor_and_append():
    assert mg.repeat(mg.tensor([1, 2]), mg.tensor([2, 1])).tolist() == [1, 1, 2]
    assert mg.append(mg.tensor([1.0]), [2.0, 3.0]).tolist() == [1, 2, 3]
    assert mg.insert(mg.tensor([[1.0], [2.0]]), 1, mg.tensor([[5.0], [6.0]]), axis=0).tolist() == [[1], [5], [6], [2]]
    assert mg.delete(mg.tensor([1.0, 2.0, 3.0]), mg.tensor([True, False, True])).tolist() == [2]


@pytest.mark.torch
def test_chunk_like_torch():
    torch = pytest.importorskip("torch")
    for n in range(1, 12):
        for k in range(1, 8):
            assert [len(p) for p in mg.chunk(mg.arange(n), k)] == [len(p) for p in torch.arange(n).chunk(k)]
