"""linear, cross entropy, dropout, embedding: conventions, extremes, what the table cannot say."""

import numpy as np
import pytest

import minigrad as mg
from minigrad.autograd.node import arrays_in
from minigrad.errors import DTypeError, ShapeError
from minigrad.nn import functional as F


def leaf(values, dtype="float32"):
    return mg.tensor(np.asarray(values, dtype), requires_grad=True)


def test_linear_keeps_only_what_is_needed():
    x, w = mg.tensor(np.ones((2, 3), "float32")), leaf(np.ones((4, 3)))
    y = F.linear(x, w)
    assert y.node.parents[0] is None
    y.sum().backward()
    assert w.grad.tolist() == [[2.0] * 3] * 4


def test_linear_in_half_precision_sums_in_single():
    x, w = leaf(np.full((1, 4096), 0.5), "float16"), leaf(np.full((1, 4096), 2.0**-11), "float16")
    assert F.linear(x, w).item() == 1.0


def test_linear_takes_lists_and_mixed_dtypes():
    assert F.linear([1.0, 2.0], [[1.0, 1.0]]).tolist() == [3.0]
    y = F.linear(leaf(np.ones((2, 2))), leaf(np.ones((1, 2)), "float64"), leaf([1.0]))
    assert y.dtype == np.float64


def test_cross_entropy_is_exact_at_extremes():
    x = leaf([[1e4, 0.0], [-1e4, 0.0]])
    loss = F.cross_entropy(x, [0, 0], reduction="none")
    assert loss.tolist() == [0.0, 1e4]
    loss.sum().backward()
    assert x.grad.tolist() == [[0.0, 0.0], [-1.0, 1.0]]


def test_mean_over_no_rows_is_zero_with_gradient_zero():
    for x, labels, options in (
        (leaf(np.ones((2, 3))), [1, 1], {"ignore_index": 1}),
        (leaf(np.ones((2, 3))), [1, 1], {"ignore_index": 1, "label_smoothing": 0.1, "weight": [1.0, 2.0, 3.0]}),
        (leaf(np.ones((2, 3))), [-100, -100], {}),
        (leaf(np.ones((0, 3))), np.zeros(0, int), {}),
        (leaf(np.ones((0, 3))), np.zeros((0, 3), "float32"), {}),
    ):
        for f in (F.cross_entropy, F.nll_loss):
            if f is F.nll_loss and ("label_smoothing" in options or np.ndim(labels) == 2):
                continue
            x.grad = None
            loss = f(x, labels, **options)
            assert loss.item() == 0
            loss.backward()
            assert (x.grad.numpy() == 0).all()
            assert x.grad.shape == x.shape


def test_ignored_rows_may_hold_anything():
    x = leaf([[1.0, 2.0], [np.nan, np.inf]])
    with np.errstate(invalid="ignore"):
        F.cross_entropy(x, [0, -100]).backward()
    assert np.isfinite(x.grad.numpy()).all()
    assert (x.grad.numpy()[1] == 0).all()


def test_labels_of_any_integer_type():
    x = np.zeros((2, 3))
    for dtype in ("uint8", "int8", "int32", "uint64"):
        assert F.cross_entropy(x, np.array([0, 2], dtype)) == pytest.approx(np.log(3))
    with pytest.raises(DTypeError, match="bool"):
        F.cross_entropy(x, np.array([True, False]))


def test_gradients_reach_probabilities():
    x, q = leaf([[1.0, 2.0]], "float64"), leaf([[0.3, 0.7]], "float64")
    assert mg.testing.gradcheck(lambda a, b: F.cross_entropy(a, b, label_smoothing=0.1), [x, q])
    assert mg.testing.gradgradcheck(lambda a, b: F.cross_entropy(a, b), [x, q])


def test_cross_entropy_saves_nothing_of_the_logits_size_but_the_logits():
    x = leaf(np.ones((5, 4)))
    y = F.cross_entropy(x, [0, 1, 2, 3, 0], reduction="none")
    node = y.node
    while node.op.name != "cross_entropy":
        node = node.parents[0]
    large = [v for v in node.saved if hasattr(v, "shape") and v.shape == x.shape]
    assert len(large) == 1
    assert large[0] is x.data


def test_third_order():
    x = leaf([[0.3, -0.2, 0.5]], "float64")

    @mg.enable_grad()
    def slope(t):
        t = t if t.requires_grad else t.detach().requires_grad_()
        (g,) = mg.grad(F.cross_entropy(t * 1, [1]), t, create_graph=True)
        return g

    assert mg.testing.gradgradcheck(slope, [x])


def test_binary_cross_entropy_at_its_ends():
    p = leaf([0.0, 1.0, 0.0, 1.0])
    losses = F.binary_cross_entropy(p, [1.0, 1.0, 0.0, 0.0], reduction="none")
    assert losses.tolist() == [100.0, 0.0, 0.0, 100.0]
    losses.sum().backward()
    assert p.grad.tolist() == pytest.approx([-1e12, 0, 0, 1e12])
    with pytest.raises(ValueError, match="logits"):
        F.binary_cross_entropy(np.array([np.nan]), np.array([1.0]))


def test_binary_cross_entropy_with_logits_at_extremes():
    x = leaf([1e4, -1e4, 1e4, -1e4])
    losses = F.binary_cross_entropy_with_logits(x, mg.tensor([0.0, 0.0, 1.0, 1.0]), reduction="none")
    assert losses.tolist() == [1e4, 0, 0, 1e4]
    losses.sum().backward()
    assert x.grad.tolist() == [1, 0, 0, -1]


def test_losses_never_broadcast():
    for f in (F.mse_loss, F.l1_loss, F.huber_loss, F.smooth_l1_loss, F.binary_cross_entropy, F.binary_cross_entropy_with_logits):
        with pytest.raises(ShapeError, match=r"\(3, 1\).*\(3,\)"):
            f(np.full((3, 1), 0.5), np.full(3, 0.5))


def test_huber_at_its_bend():
    x = leaf([1.0, -1.0, 0.0])
    F.huber_loss(x, mg.tensor([0.0, 0.0, 0.0]), reduction="sum").backward()
    assert x.grad.tolist() == [1, -1, 0]


def test_dropout_is_reproducible_and_keeps_no_array():
    x = leaf(np.ones((64, 64)))
    mg.manual_seed(3)
    a = F.dropout(x, 0.5)
    mg.manual_seed(3)
    b = F.dropout(x, 0.5)
    assert np.array_equal(a.numpy(), b.numpy())
    assert not np.array_equal(a.numpy(), F.dropout(x, 0.5).numpy())
    assert not list(arrays_in(a.node.saved))
    assert F.dropout(x, 0.5, training=False) is x


def test_embedding_adds_up_repeated_rows():
    w = leaf(np.zeros((3, 2)), "float16")
    F.embedding(np.full(3000, 1), w).sum().backward()
    assert w.grad.tolist() == [[0, 0], [3000, 3000], [0, 0]]
    w.grad = None
    y = F.embedding(np.zeros((0, 2), int), w)
    assert y.shape == (0, 2, 2)
    y.sum().backward()
    assert (w.grad.numpy() == 0).all()
    padded = mg.tensor(np.ones((3, 2)), requires_grad=True)
    assert mg.testing.gradgradcheck(lambda t: F.embedding([0, 1], t) ** 2, [padded])


@pytest.mark.torch
@pytest.mark.parametrize("reduction", ["none", "mean", "sum"])
@pytest.mark.parametrize("shape", [(5, 4), (3, 4, 2), (2, 4, 2, 3), (4,)])
@pytest.mark.parametrize("weight", [None, [0.5, 1.0, 2.0, 1.5]])
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("ignored", [-100, 1])
def test_cross_entropy_agrees_with_pytorch(reduction, shape, weight, smoothing, ignored):
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(0)
    rows = (shape[0], *shape[2:]) if len(shape) > 1 else ()
    a, labels = rng.normal(size=shape), np.array(rng.integers(2, 4, rows))
    if rows:
        labels.flat[0] = 1
    x, t = leaf(a, "float64"), torch.tensor(a, requires_grad=True)
    w = None if weight is None else torch.tensor(weight, dtype=torch.float64)
    y = F.cross_entropy(x, labels, weight, ignored, reduction, smoothing)
    z = torch.nn.functional.cross_entropy(t, torch.tensor(labels), w, ignore_index=ignored, reduction=reduction, label_smoothing=smoothing)
    assert np.allclose(y.numpy(), z.detach().numpy())
    (y * y).sum().backward()
    (z * z).sum().backward()
    assert np.allclose(x.grad.numpy(), t.grad.numpy())
