"""What is learned from the training part."""

import numpy as np
import pytest

import minigrad as mg
from minigrad import data
from minigrad.errors import CheckpointError, DTypeError, ShapeError

MADE = [
    lambda: data.MinMax(),
    lambda: data.MinMax((-1, 1)),
    lambda: data.ZScore(),
    lambda: data.Whitening(),
    lambda: data.Whitening("pca"),
]
X = np.random.default_rng(0).normal(size=(200, 4)) @ np.random.default_rng(1).normal(size=(4, 4)) + [1, 2, 3, 4]


@pytest.mark.parametrize("make", MADE)
def test_there_and_back(make, tmp_path):
    from minigrad.io import load_run, save_run

    p = make()
    y = p.fit_transform(X)
    assert np.allclose(p.inverse_transform(y), X)
    assert np.allclose(p(X[:3]), y[:3])
    for dtype in (np.float32, np.float16):
        assert p.transform(X.astype(dtype)).dtype == dtype
    t = p.transform(mg.tensor(X))
    assert isinstance(t, mg.Tensor)
    assert np.allclose(t.numpy(), y, atol=1e-5)
    assert p.transform(np.ones((2, 4), np.int64)).dtype == np.float32
    other = make()
    other.load_state_dict(p.state_dict())
    assert (other.transform(X) == y).all()
    save_run(p.state_dict(), tmp_path / "p.safetensors")
    third = make()
    third.load_state_dict(load_run(tmp_path / "p.safetensors"))
    assert (third.transform(X) == y).all()
    for bad in (None, {}, {**p.state_dict(), "more": 1}, {**p.state_dict(), "shape": [7]}):
        with pytest.raises(CheckpointError):
            other.load_state_dict(bad)
    assert (other.transform(X) == y).all()


@pytest.mark.parametrize("make", MADE)
def test_refuses(make):
    p = make()
    for attempt in (lambda: p.transform(X), lambda: p.inverse_transform(X), p.state_dict):
        with pytest.raises(RuntimeError, match="before fit"):
            attempt()
    for bad, error in ((np.zeros(3), ShapeError), (np.zeros((0, 3)), ShapeError), (np.array([[1.0], [np.nan]]), ValueError)):
        with pytest.raises(error, match="fit"):
            p.fit(bad)
    p.fit(X)
    for bad in (np.zeros((2, 5)), np.zeros(4), np.zeros((2, 4, 1))):
        with pytest.raises(ShapeError, match=r"expected \(4,\)"):
            p.transform(bad)
    with pytest.raises(DTypeError, match="real"):
        p.transform(X.astype(complex))


def test_values():
    y = data.ZScore().fit_transform(X)
    assert np.allclose(y.mean(0), 0)
    assert np.allclose(y.std(0), 1)
    low, high = (f(data.MinMax((-2, 3)).fit_transform(X), axis=0) for f in (np.min, np.max))
    assert np.allclose(low, -2)
    assert np.allclose(high, 3)
    images = np.random.default_rng(0).normal(size=(20, 3, 4, 4)) * np.array([1, 2, 3])[:, None, None]
    channels = data.ZScore(axis=(0, 2, 3)).fit(images)
    assert channels.shift.shape == (1, 3, 1, 1)
    assert np.allclose(channels.transform(images).std((0, 2, 3)), 1)


def test_whitening_against_its_formula():
    train, test = X[:150], X[150:]
    mean, covariance = train.mean(0), np.cov(train.T, bias=True)
    zca = data.Whitening(eps=0.1).fit(train)
    s, u = np.linalg.eigh(covariance)
    assert np.allclose(zca.transform(test), (test - mean) @ (u / np.sqrt(s + 0.1)) @ u.T)
    for method in ("zca", "pca"):
        y = data.Whitening(method, eps=0).fit_transform(train)
        assert np.allclose(np.cov(y.T, bias=True), np.eye(4))
    pca = data.Whitening("pca", eps=0, components=2).fit(train)
    assert pca.transform(test).shape == (50, 2)
    assert np.allclose(pca.variances, s[::-1][:2])
    assert pca.inverse_transform(pca.transform(test)).shape == test.shape
    images = train.reshape(150, 1, 2, 2)
    assert np.allclose(data.Whitening().fit_transform(images), data.Whitening().fit_transform(train).reshape(images.shape))
    for bad in (lambda: data.Whitening("ica"), lambda: data.Whitening(eps=-1.0), lambda: data.Whitening("zca", components=2)):
        with pytest.raises(ValueError, match="Whitening"):
            bad()
    with pytest.raises(ShapeError, match="9 components of 4"):
        data.Whitening("pca", components=9).fit(train)


def test_features_that_do_not_vary():
    x = np.stack([np.full(10, 0.1), np.arange(10.0)], 1)
    assert (data.ZScore().fit_transform(x)[:, 0] == 0).all()
    assert (data.MinMax((2, 3)).fit_transform(x)[:, 0] == 2).all()
    for method in ("zca", "pca"):
        for eps in (0.0, 1e-5):
            w = data.Whitening(method, eps=eps).fit(x)
            y = w.transform(x)
            assert np.isfinite(y).all()
            assert np.allclose(w.inverse_transform(y), x)
    y = data.Whitening("zca", eps=0).fit_transform(x)
    assert np.allclose(y[:, 0], 0)


def test_only_the_training_part_counts():
    p = data.MinMax().fit(X[:100])
    assert p.transform(X).max() > 1
    for bad in ({"axis": 1}, {"axis": -1}, {"feature_range": (1, 1)}):
        with pytest.raises(ValueError):
            data.MinMax(**bad)
