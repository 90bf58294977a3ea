"""Tables of vectors, one by one and in bags: PyTorch as the judge, the norms that are kept, what is refused."""

import numpy as np
import pytest

import minigrad as mg
from minigrad import nn
from minigrad.errors import IndexRangeError, ShapeError
from minigrad.nn import functional as F

IDS = np.array([[1, 2, 2], [4, 0, 1]])
FLAT, OFFSETS = np.array([1, 2, 2, 4, 1, 0, 3, 3]), np.array([0, 3, 3, 6])
ALIKE = np.array([0, 1, 2, 0, 1, 2])  # each id as often as the others


@pytest.mark.torch
@pytest.mark.parametrize(
    ("kwargs", "ids"),
    [
        ({}, IDS),
        ({"padding_idx": 2}, IDS),
        ({"padding_idx": -1, "scale_grad_by_freq": True}, IDS),
        ({"max_norm": 1.0}, IDS),
        ({"max_norm": 0.7, "norm_type": 1.0, "padding_idx": 0}, FLAT),
        ({"max_norm": 0.5, "norm_type": float("inf")}, np.array(3)),
    ],
)
def test_embedding(agrees, kwargs, ids):
    agrees("Embedding", (5, 3), kwargs, ids)


@pytest.mark.torch
@pytest.mark.parametrize(
    ("kwargs", "ids", "offsets"),
    [
        ({}, IDS, None),
        ({"mode": "sum"}, FLAT, OFFSETS),
        ({"mode": "mean", "padding_idx": 1}, FLAT, OFFSETS),
        ({"mode": "max"}, FLAT, OFFSETS),
        ({"mode": "max", "padding_idx": 2}, IDS, None),
        ({"mode": "sum", "padding_idx": -1, "max_norm": 1.0}, FLAT, OFFSETS),
        ({"include_last_offset": True}, FLAT, np.array([0, 2, 2, 8])),
        ({"mode": "sum", "scale_grad_by_freq": True}, ALIKE, np.array([0, 4])),
        ({"max_norm": 0.5, "norm_type": 1.0}, FLAT, OFFSETS),
    ],
)
def test_embedding_bag(agrees, kwargs, ids, offsets):
    agrees("EmbeddingBag", (5, 3), kwargs, ids, offsets)


@pytest.mark.torch
@pytest.mark.parametrize("padding_idx", [None, 2])
def test_embedding_bag_with_weights(agrees, padding_idx):
    agrees("EmbeddingBag", (5, 3), {"mode": "sum", "padding_idx": padding_idx}, IDS, None, (2, 3))
    agrees("EmbeddingBag", (5, 3), {"mode": "sum", "padding_idx": padding_idx}, FLAT, OFFSETS, (8,))


@pytest.mark.torch
@pytest.mark.parametrize("name", ["Embedding", "EmbeddingBag"])
def test_from_pretrained_is_pytorchs(name):
    torch = pytest.importorskip("torch")
    rows = np.arange(12, dtype="float32").reshape(4, 3)
    kwargs = {"padding_idx": 1, "max_norm": 5.0, "norm_type": 1.0, "scale_grad_by_freq": True}
    for freeze in (True, False):
        mine = getattr(nn, name).from_pretrained(rows, freeze, **kwargs)
        theirs = getattr(torch.nn, name).from_pretrained(torch.tensor(rows), freeze, **kwargs)
        assert mine.weight.requires_grad == theirs.weight.requires_grad
        assert (mine.weight.numpy() == rows).all()
        assert repr(mine) == repr(theirs)
        np.testing.assert_allclose(mine(IDS % 4).detach().numpy(), theirs(torch.tensor(IDS % 4)).detach().numpy(), rtol=1e-6)


def test_initial_values():
    mg.manual_seed(0)
    for layer in (nn.Embedding(200, 50, padding_idx=-1), nn.EmbeddingBag(200, 50, padding_idx=199)):
        assert layer.padding_idx == 199
        assert not layer.weight.numpy()[199].any()
        assert abs(layer.weight.numpy().std() - 1) < 0.02


def test_given_rows_are_copied():
    rows = np.ones((2, 3), "float32")
    layer = nn.Embedding(2, 3, _weight=rows)
    rows[0] = 5
    assert (layer.weight.numpy() == 1).all()
    with pytest.raises(ShapeError, match="_weight"):
        nn.Embedding(3, 3, _weight=rows)
    with pytest.raises(ShapeError, match="from_pretrained"):
        nn.Embedding.from_pretrained(np.ones(3))


def test_rows_are_shortened_in_the_table_itself():
    w = mg.tensor([[3.0, 4.0], [0.3, 0.4], [6.0, 8.0]], requires_grad=True)
    F.embedding([0, 0, 1], w, max_norm=1.0).sum().backward()
    np.testing.assert_allclose(w.detach().numpy(), [[0.6, 0.8], [0.3, 0.4], [6.0, 8.0]], rtol=1e-6)
    assert w.grad.tolist() == [[2.0, 2.0], [1.0, 1.0], [0.0, 0.0]]
    before = w.detach().numpy().copy()
    for call in (F.embedding, F.embedding_bag):
        with pytest.raises(IndexRangeError):
            call([[0, 3]], w, max_norm=0.1)
    assert (w.detach().numpy() == before).all()


def test_the_gradient_by_frequency():
    """Each row's gradient is divided by how often its id occurs in the whole call, whatever the counts are."""
    for mode in ("sum", "mean"):
        w = mg.tensor(np.ones((5, 2)), requires_grad=True)
        F.embedding_bag(FLAT, w, OFFSETS, scale_grad_by_freq=True, mode=mode).sum().backward()
        bag = np.searchsorted(OFFSETS, np.arange(8), "right") - 1
        sizes, counts = np.bincount(bag, minlength=4), np.bincount(FLAT, minlength=5)
        want = np.zeros(5)
        for i, b in zip(FLAT, bag, strict=True):
            want[i] += 1 / counts[i] / (sizes[b] if mode == "mean" else 1)
        np.testing.assert_allclose(w.grad.numpy()[:, 0], want, rtol=1e-12)


def test_the_second_derivative_by_frequency():
    w = mg.tensor(np.random.default_rng(0).normal(size=(5, 2)), requires_grad=True)
    ids = np.array([0, 3, 4])  # each once: the gradient is the true one
    assert mg.testing.gradgradcheck(lambda v: F.embedding(ids, v, scale_grad_by_freq=True) ** 3, w)


def test_a_maximum_does_not_hide_nan():
    w = mg.tensor([[np.nan], [1.0], [2.0]])
    assert np.isnan(F.embedding_bag([[1, 0, 2]], w, mode="max").numpy()).all()


def test_refuses():
    for cls in (nn.Embedding, nn.EmbeddingBag):
        for kwargs in ({"sparse": True}, {"padding_idx": 5}, {"max_norm": -1.0}, {"max_norm": 1.0, "norm_type": 0.0}):
            with pytest.raises(ValueError, match=cls.__name__):
                cls(5, 3, **kwargs)
    with pytest.raises(ValueError, match="mode"):
        nn.EmbeddingBag(5, 3, mode="min")
    with pytest.raises(ValueError, match="sparse"):
        F.embedding([0], np.ones((2, 2)), sparse=True)
