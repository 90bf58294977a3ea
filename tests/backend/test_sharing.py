"""Work that is shared out to threads."""

import os
import threading

import numpy as np
import pytest

from minigrad.backend import sharing
from minigrad.backend.sharing import shared


@pytest.fixture
def three(monkeypatch):
    """Three threads, whatever the machine has."""
    monkeypatch.setattr(sharing, "_threads", lambda: 3)
    sharing._pool.cache_clear()
    yield
    sharing._pool().shutdown()
    sharing._pool.cache_clear()


def test_results_come_in_the_order_of_the_parts(three):
    assert shared(lambda i, j: (i, j), [(i, i * i) for i in range(50)]) == [(i, i * i) for i in range(50)]
    assert shared(lambda: 1, []) == []


def test_all_threads_take_part(three):
    met = threading.Barrier(3, timeout=10)
    assert len(set(shared(lambda i: met.wait() >= 0 and threading.get_ident(), [(i,) for i in range(3)]))) == 3


def test_an_error_of_any_part_is_raised(three):
    def work(i):
        if i == 7:
            raise ValueError("seven")

    with pytest.raises(ValueError, match="seven"):
        shared(work, [(i,) for i in range(20)])


def test_parts_see_how_errors_are_treated(three):
    met = threading.Barrier(3, timeout=10)

    def work(i):
        met.wait()
        return np.geterr()["divide"]

    with np.errstate(divide="ignore"):
        assert shared(work, [(i,) for i in range(3)]) == ["ignore"] * 3


def test_blas_has_its_threads_back(three):
    found = sharing._blas()
    if found is None:
        pytest.skip("NumPy's BLAS is not its OpenBLAS")
    get, _ = found
    before = get()
    assert shared(lambda i: get(), [(0,), (1,)], products=True) == [1, 1]
    with pytest.raises(ZeroDivisionError):
        shared(lambda i: 1 // i, [(0,), (1,)], products=True)
    assert get() == before


def test_products_stay_where_blas_cannot_be_told(three, monkeypatch):
    monkeypatch.setattr(sharing, "_blas", lambda: None)
    assert set(shared(lambda i: threading.get_ident(), [(i,) for i in range(9)], products=True)) == {threading.get_ident()}


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of forking with threads, from Python 3.12 on
def test_a_child_has_threads_of_its_own(three):
    assert shared(lambda i: i, [(i,) for i in range(9)]) == list(range(9))
    child = os.fork()
    if not child:
        os._exit(shared(lambda i: i, [(i,) for i in range(9)]) != list(range(9)))
    assert os.waitpid(child, 0)[1] == 0
