"""Datasets, and what is made of them."""

import numpy as np
import pytest

import minigrad as mg
from minigrad import data
from minigrad.errors import DTypeError, IndexRangeError, ShapeError


def test_tensor_dataset_and_subsets():
    d = data.TensorDataset(np.arange(12).reshape(6, 2), np.arange(6))
    x, y = d[2]
    assert (x.tolist(), y.item()) == ([4, 5], 2)
    s = data.Subset(d, [4, 1])
    assert s[0][1].item() == 4
    (batch,) = data.DataLoader(s, 2)
    assert batch[0].tolist() == [[8, 9], [2, 3]]
    assert [b[1].tolist() for b in data.DataLoader(data.Subset(s, [1]), 2)] == [[1]]
    with pytest.raises(ShapeError, match="equally long"):
        data.TensorDataset(np.zeros(2), np.zeros(3))
    assert [v[1].item() for v in d] == [0, 1, 2, 3, 4, 5]


def test_a_subset_gathers_only_where_the_dataset_does():
    assert not hasattr(data.Subset([1, 2], [0]), "batch")
    assert hasattr(data.Subset(data.TensorDataset(np.zeros(2)), [0]), "batch")
    with pytest.raises(IndexRangeError, match="index 5"):
        data.Subset([1, 2], [0, 5])
    with pytest.raises(DTypeError, match="integers"):
        data.Subset([1, 2], [0.5])
    assert len(data.Subset([1, 2], [])) == 0


def test_concat_and_chain():
    both = data.ConcatDataset([data.TensorDataset(np.arange(3)), data.TensorDataset(np.arange(10, 12))])
    assert [v.item() for (v,) in both] == [0, 1, 2, 10, 11]
    assert both[-1][0].item() == 11
    assert [v.item() for (v,) in data.TensorDataset(np.arange(2)) + data.TensorDataset(np.arange(1))] == [0, 1, 0]
    with pytest.raises(IndexRangeError, match="5"):
        both[5]
    with pytest.raises(ShapeError, match="none"):
        data.ConcatDataset([])
    chain = data.ChainDataset([range(2), range(3)])
    assert list(chain) == [0, 1, 0, 1, 2]
    assert list(chain + chain) == 2 * [0, 1, 0, 1, 2]
    with pytest.raises(DTypeError, match="ChainDataset"):
        data.ConcatDataset([chain])


def test_transform_dataset():
    pairs = data.TensorDataset(np.arange(6.0).reshape(3, 2), np.arange(3))
    slow = data.TransformDataset(pairs, lambda x: x * 2, lambda y: y + 1)
    assert not hasattr(slow, "batch")
    assert slow[1][0].tolist() == [4, 6]
    assert slow[1][1].item() == 2
    quick = data.TransformDataset(pairs, data.transforms.Lambda(lambda x: x * 2, batched=True), data.transforms.OneHot(3))
    (x, y), (x1, _) = next(iter(data.DataLoader(quick, 3))), next(iter(data.DataLoader(slow, 3)))
    assert (x.numpy() == x1.numpy()).all()
    assert y.tolist() == np.eye(3).tolist()
    assert data.TransformDataset([1, 2], lambda v: -v)[1] == -2
    for make in (lambda: data.TransformDataset([1], None, abs)[0], lambda: data.TransformDataset([(1,)], None, abs)[0]):
        with pytest.raises(ShapeError, match="target"):
            make()
    with pytest.raises(DTypeError, match="callable"):
        data.TransformDataset([1], 3)


def test_what_is_not_defined_is_said():
    class Bare(data.Dataset):
        pass

    for attempt in (lambda: Bare()[0], lambda: list(data.IterableDataset()), lambda: list(data.Sampler())):
        with pytest.raises(NotImplementedError, match="define"):
            attempt()
    for attempt in (lambda: len(Bare()), lambda: len(data.Sampler())):
        with pytest.raises(TypeError, match="define"):
            attempt()
    with pytest.raises(TypeError, match="by index"):
        data.IterableDataset()[0]


def test_digits():
    train, test = data.Digits(), data.Digits(train=False)
    assert (len(train), len(test)) == (1437, 360)
    x, y = train.tensors
    assert x.shape == (1437, 1, 8, 8)
    assert (x.dtype, y.dtype) == (np.float32, np.int64)
    assert (x.numpy().min(), x.numpy().max()) == (0, 1)
    assert min(np.bincount(test.tensors[1].numpy())) >= 34
    everything = np.concatenate([x.numpy(), test.tensors[0].numpy()])
    assert everything.sum() * 16 == 561718  # of the original
    rows = {a.tobytes() for a in x.numpy()}
    assert not any(a.tobytes() in rows for a in test.tensors[0].numpy())


KINDS = {
    "Spiral": {"classes": 3},
    "Moons": {},
    "Circles": {"classes": 3},
    "Blobs": {"classes": 4},
    "Checkerboard": {},
    "XOR": {},
    "SinCurve": {},
}


@pytest.mark.parametrize("name", KINDS)
def test_synthetic_sets(name):
    kind = getattr(data, name)
    a, b, c = kind(n=50, seed=1, **KINDS[name]), kind(n=50, generator=mg.Generator(1), **KINDS[name]), kind(n=50, seed=2, **KINDS[name])
    x, y = (t.numpy() for t in a.tensors)
    assert len(a) == 50
    assert x.dtype == np.float32
    assert y.dtype == (np.float32 if name == "SinCurve" else np.int64)
    assert all((p.numpy() == q.numpy()).all() for p, q in zip(a.tensors, b.tensors, strict=True))
    assert (c.tensors[0].numpy() != x).any()
    mg.manual_seed(1)
    assert (kind(n=50, **KINDS[name]).tensors[0].numpy() == x).all()
    if name not in ("SinCurve", "Checkerboard"):
        counts = np.bincount(y)
        assert counts.max() - counts.min() <= (2 if name == "XOR" else 1)
        assert len(counts) == KINDS[name].get("classes", 2)
    with pytest.raises(ValueError, match="noise"):
        kind(noise=-1.0)
    with pytest.raises(ValueError, match="n must be"):
        kind(n=0)
    with pytest.raises(ValueError, match="not both"):
        kind(seed=1, generator=mg.Generator(1))


def test_synthetic_sets_follow_their_formulas():
    x, y = (t.numpy().astype(float) for t in data.Moons(n=100, noise=0, seed=0).tensors)
    upper, lower = x[y == 0], x[y == 1]
    assert np.allclose((upper**2).sum(1), 1)
    assert np.allclose(((lower - [1, 0.5]) ** 2).sum(1), 1)
    assert (upper[:, 1] >= 0).all()
    assert (lower[:, 1] <= 0.5).all()
    x, y = (t.numpy() for t in data.SinCurve(n=20, noise=0, periods=2, seed=0).tensors)
    assert np.allclose(y, np.sin(4 * np.pi * x), atol=1e-5)
    x, y = (t.numpy() for t in data.Spiral(n=90, noise=0, classes=3, turns=1.0, seed=0).tensors)
    r = np.hypot(*x.T)
    turn = (np.arctan2(x[:, 1], x[:, 0]) / (2 * np.pi) - r - y / 3) % 1
    assert np.minimum(turn, 1 - turn)[r > 0.01].max() < 1e-4
    x, y = (t.numpy() for t in data.Checkerboard(n=200, fields=4, seed=0).tensors)
    assert (np.floor((x + 1) * 2).sum(1) % 2 == y).all()
    for bad in (lambda: data.Circles(factor=1.0), lambda: data.Blobs(centres=[1.0]), lambda: data.Spiral(n=2, classes=3)):
        with pytest.raises(ValueError):
            bad()
