"""Lookups in C exactly as NumPy makes them, and tables of gradients added up in the order of the ids."""

import numpy as np
import pytest

import minigrad as mg
from minigrad.autograd.forms import apply
from minigrad.backend import compiled
from minigrad.ops.fused import LOOKUP, SPREAD, embedding
from minigrad.testing import checks
from minigrad.testing.opdb import all_specs

ROWS = [s for s in all_specs() if s.name.rpartition(".")[2] in ("embedding", "embedding_bag")]


@pytest.fixture(autouse=True)
def everywhere(in_c):
    with compiled.everywhere():
        yield


def numpys(f, *args):
    with compiled.disabled():
        return f(*args)


@pytest.mark.parametrize("row", ROWS, ids=lambda s: s.name)
@pytest.mark.parametrize("check", [*checks.ALWAYS, *checks.DIFFERENTIABLE], ids=lambda c: c.__name__)
def test_the_table_in_c(check, row):
    if check is not checks.bad or row.errors:
        check(row)


@pytest.mark.parametrize("d", [1, 3, 16, 37, 128, 1000])
@pytest.mark.parametrize("shape", [(1,), (40,), (7, 90), (1, 2, 3)])
@pytest.mark.parametrize("padding", [None, 0, 5])
def test_lookup_and_way_back(d, shape, padding, in_c):
    rng = np.random.default_rng(d)
    table, ids = rng.normal(size=(11, d)).astype("float32"), rng.integers(0, 11, shape)
    assert np.array_equal(apply(LOOKUP, (ids, table), padding, None), table[ids])
    g = rng.normal(size=(*shape, d)).astype("float32")
    y = apply(SPREAD, (g,), ids, 11, padding)
    in_order = np.zeros_like(table)
    for i, row in zip(ids.reshape(-1), g.reshape(-1, d), strict=True):
        in_order[i] += row
    if padding is not None:
        in_order[padding] = 0
    assert np.array_equal(y, in_order)
    exact = numpys(apply, SPREAD, (g.astype("float64"),), ids, 11, padding)
    assert np.abs(y - exact).max() <= 3e-5
    assert in_c == {"embedding": 1, "embedding_gradient": 1}


def test_ids_that_are_not_there(in_c):
    """Ids are looked at before anything is read or written."""
    table, g = np.ones((4, 8), "float32"), np.ones((3, 8), "float32")
    for bad in ([0, 4, 1], [0, 1 << 40, 1], [-5, 0, 1]):
        with pytest.raises(IndexError):
            apply(LOOKUP, (np.array(bad), table), None, None)
        with pytest.raises(IndexError):
            apply(SPREAD, (g,), np.array(bad), 4, None)
    assert np.array_equal(apply(LOOKUP, (np.array([-1, 0]), table), None, None), table[:2])  # by NumPy, which counts from the end
    assert not +in_c


def test_left_to_numpy(in_c):
    rng = np.random.default_rng(0)
    ids = rng.integers(0, 6, (4, 5))
    table = rng.normal(size=(6, 8)).astype("float32")
    for t in (table.astype("float64"), table.astype("float16"), np.asfortranarray(table), table[:, ::2]):
        assert np.array_equal(embedding(ids, t), t[ids])
    g = rng.normal(size=(4, 5, 8)).astype("float32")
    for a in (g.astype("float64"), g.astype("float16"), g[..., ::-1], g[:0]):
        i = ids[: len(a)]
        y, want = apply(SPREAD, (a,), i, 6, None), numpys(apply, SPREAD, (a,), i, 6, None)
        assert y.dtype == want.dtype
        assert np.array_equal(y, want)
    assert not +in_c
    assert np.array_equal(embedding(ids.T, table), table[ids.T])
    assert np.array_equal(embedding(ids.astype("int32"), table), table[ids])
    assert mg.nn.Embedding(6, 8)(mg.tensor(ids)).shape == (4, 5, 8)
