"""Samplers, splits and cross validation."""

import numpy as np
import pytest

import minigrad as mg
from minigrad import data
from minigrad.errors import CheckpointError, DTypeError, ShapeError


def test_random_sampler():
    a, b = (data.RandomSampler(range(20), generator=mg.Generator(3)) for _ in range(2))
    first, second = list(a), list(a)
    assert sorted(first) == sorted(second) == list(range(20))
    assert first != second
    assert [list(b), list(b)] == [first, second]
    c = data.RandomSampler(range(20))
    c.load_state_dict({"seed": a.seed, "epoch": 1})
    assert list(c) == second
    more = list(data.RandomSampler(range(4), num_samples=6))
    assert len(more) == 6
    assert sorted(more[:4]) == [0, 1, 2, 3]
    drawn = list(data.RandomSampler(range(3), replacement=True, num_samples=100))
    assert set(drawn) == {0, 1, 2}
    with pytest.raises(ValueError, match="num_samples"):
        data.RandomSampler(range(3), num_samples=0)
    with pytest.raises(DTypeError, match="Generator"):
        data.RandomSampler(range(3), generator=np.random.default_rng())
    for bad in (None, {}, {"seed": 1, "epoch": -1}, {"seed": 1.0, "epoch": 0}):
        with pytest.raises(CheckpointError, match="nothing was loaded"):
            c.load_state_dict(bad)


def test_samplers_leave_the_seeded_stream_alone_and_differ():
    mg.manual_seed(0)
    want = mg.random.normal(size=3).tolist()
    mg.manual_seed(0)
    one, two = data.RandomSampler(range(50)), data.RandomSampler(range(50))
    assert list(one) != list(two)
    assert mg.random.normal(size=3).tolist() == want


def test_other_samplers():
    assert sorted(data.SubsetRandomSampler([9, 4, 7])) == [4, 7, 9]
    drawn = np.bincount(list(data.WeightedRandomSampler([1.0, 3.0, 0.0], 4000, generator=mg.Generator(0))), minlength=3)
    assert drawn[2] == 0
    assert abs(drawn[1] / 4000 - 0.75) < 0.03
    assert sorted(data.WeightedRandomSampler(mg.tensor([1.0, 2.0, 0.0]), 2, replacement=False)) == [0, 1]
    for weights, k, replacement in (([1.0, -1.0], 1, True), ([0.0], 1, True), ([np.nan], 1, True), ([1.0, 0.0], 2, False), ([], 1, True)):
        with pytest.raises(ValueError, match="weights"):
            data.WeightedRandomSampler(weights, k, replacement)
    assert list(data.BatchSampler(data.SequentialSampler("abcde"), 2, True)) == [[0, 1], [2, 3]]
    assert list(data.BatchSampler([5, 6, 7], 2)) == [[5, 6], [7]]
    assert [len(data.BatchSampler(range(5), 2, drop)) for drop in (False, True)] == [3, 2]


def test_random_split():
    mg.manual_seed(0)
    parts = data.random_split(list(range(10)), [7, 3])
    assert sorted(i for p in parts for i in p) == list(range(10))
    assert [len(p) for p in data.random_split(list(range(10)), [0.5, 0.25, 0.25])] == [6, 2, 2]
    assert [len(p) for p in data.random_split(range(10), [0.7, 0.2, 0.1])] == [7, 2, 1]
    assert [len(p) for p in data.random_split([1], [1])] == [1]
    for bad in ([7, 4], [7.5, 2.5], [-1, 11], [float("nan"), 3]):
        with pytest.raises(ValueError, match="add up"):
            data.random_split(list(range(10)), bad)


def test_train_test_split():
    labels = np.array([0] * 60 + [1] * 30 + [2] * 10)
    train, test = data.train_test_split(labels, 0.2, stratify=labels, generator=mg.Generator(0))
    assert np.bincount(labels[test.indices]).tolist() == [12, 6, 2]
    assert sorted([*train.indices, *test.indices]) == list(range(100))
    assert len(data.train_test_split(range(10), 3)[1]) == 3
    for bad in (0, 10, 1.0, 0.0):
        with pytest.raises(ValueError, match="empty"):
            data.train_test_split(range(10), bad)
    with pytest.raises(ShapeError, match="one entry per sample"):
        data.train_test_split(range(10), 0.2, stratify=[0, 1])


@pytest.mark.parametrize("kind", [data.KFold, data.StratifiedKFold, data.GroupKFold])
@pytest.mark.parametrize("shuffle", [False, True])
def test_folds_part_the_samples(kind, shuffle):
    rng = np.random.default_rng(0)
    y, groups = np.arange(53) % 3, rng.integers(12, size=53)
    folds = list(kind(4, shuffle, mg.Generator(1)).split(y, y, groups))
    assert sorted(np.concatenate([test for _, test in folds])) == list(range(53))
    for train, test in folds:
        assert sorted([*train, *test]) == list(range(53))
        if kind is data.GroupKFold:
            assert not set(groups[train]) & set(groups[test])
        else:
            assert len(test) in (13, 14)
        if kind is data.StratifiedKFold:
            counts = np.bincount(y[test], minlength=3)
            assert counts.min() >= 4
            assert counts.max() <= 5
    again = list(kind(4, shuffle, mg.Generator(1)).split(y, y, groups))
    assert all((a[1] == b[1]).all() for a, b in zip(folds, again, strict=True))
    other = list(kind(4, True, mg.Generator(2)).split(y, y, groups))
    assert any(a[1].tolist() != b[1].tolist() for a, b in zip(folds, other, strict=True))


def test_folds_refuse():
    for bad in (1, 2.0, True):
        with pytest.raises(ValueError, match="n_splits"):
            data.KFold(bad)
    with pytest.raises(ValueError, match="5 parts of 3"):
        data.KFold(5).split(range(3))
    with pytest.raises(ValueError, match="1 samples, fewer"):
        data.StratifiedKFold(2).split(range(3), [0, 0, 1])
    with pytest.raises(ValueError, match="1 groups, fewer"):
        data.GroupKFold(2).split(range(3), groups=["a", "a", "a"])
    with pytest.raises(ShapeError, match="one per sample; got None"):
        data.GroupKFold(2).split(range(3))
    with pytest.raises(DTypeError, match="integers or texts"):
        data.StratifiedKFold(2).split(range(2), [0.5, 1.0])
    train, test = next(iter(data.KFold(3).folds(data.TensorDataset(np.arange(6)))))
    assert [v.item() for (v,) in test] == [0, 1]
    assert len(train) == 4
