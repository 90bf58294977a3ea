"""What counts as an array of numbers, which namespace computes on it, and dtypes."""

import threading

import numpy as np
import pytest

import minigrad as mg
from minigrad import backend
from minigrad.errors import DTypeError


def test_strangers_have_no_namespace():
    class Stranger:
        pass

    with pytest.raises(DTypeError, match=r"expected an array, a Tensor or a number, got .*Stranger"):
        backend.namespace(Stranger)
    assert backend.namespace(list) is np
    assert not backend.is_array([1.0])


def test_only_numbers_become_arrays():
    for wrong, words in (
        (["a"], "dtype <U1"),
        ([[1], [1, 2]], "ragged list"),
        (np.array([object()]), "dtype object"),
        (np.array(["2020-01-01"], "datetime64[D]"), "dtype datetime64"),
        (np.ma.masked_array([1.0], [True]), "masked array"),
    ):
        with pytest.raises(DTypeError, match=words):
            backend.asarray(wrong)


def test_arrays_are_plain_and_of_this_machine():
    matrix = np.ones((2, 2)).view(np.recarray)
    assert type(backend.asarray(matrix)) is np.ndarray
    swapped = np.array([1.0, 2.0], ">f4")
    a = backend.asarray(swapped)
    assert a.dtype.isnative
    assert a.tolist() == [1.0, 2.0]
    assert backend.asarray(swapped, "float64").dtype == "float64"


def test_the_holder_of_memory():
    a = np.zeros((4, 4))
    assert backend.holder(a[1:][::2].T) is a


def test_a_kernel_is_built_once_and_can_be_replaced():
    kernels = backend.Kernels("twice", lambda xp: lambda x: xp.add(x, x))
    f = kernels[np.ndarray]
    assert f(np.ones(2)).tolist() == [2.0, 2.0]
    assert kernels[np.ndarray] is f
    kernels.table[np.ndarray] = abs
    assert kernels[np.ndarray] is abs


def test_the_default_dtype_belongs_to_its_thread():
    with pytest.raises(DTypeError, match="set_default_dtype: expected a floating dtype, got int64"):
        mg.set_default_dtype("int64")
    seen = []

    def other():
        mg.set_default_dtype("float64")
        seen.append(mg.zeros(1).dtype)

    t = threading.Thread(target=other)
    t.start(), t.join()
    assert seen == ["float64"]
    assert mg.zeros(1).dtype == "float32"


def test_sums_are_accumulated_in_a_working_dtype():
    assert backend.working_dtype(mg.float16) == "float32"
    assert backend.working_dtype(mg.float64) == "float64"
    assert backend.working_dtype(mg.int16) == "int16"
    assert backend.is_complex(mg.complex64)
    assert not backend.is_complex(mg.float64)
