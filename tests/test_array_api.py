"""The array API namespace has every name of the standard, with its arguments. (The standard's own suite: see docs/array-api.md.)"""

import inspect
import subprocess
import sys

import numpy as np
import pytest

import minigrad as mg
from minigrad import array_api as xp

strict = pytest.importorskip("array_api_strict")


def public(module):
    return {
        n: f
        for n, f in vars(module).items()
        if inspect.isfunction(f) and not n.startswith("_") and f.__module__.startswith("array_api_strict") and "flags" not in n
        if not n.startswith("requires_")
    }


TOP = public(strict)
LINALG = {
    n: f for n, f in public(strict.linalg).items() if f.__module__.endswith("_linalg") and n not in ("eig", "eigvals")
}  # these: 2025.12
FFT = {n: f for n, f in public(strict.fft).items() if f.__module__.endswith("_fft")}
CASES = [(xp, n, f) for n, f in TOP.items()] + [(xp.linalg, n, f) for n, f in LINALG.items()] + [(xp.fft, n, f) for n, f in FFT.items()]


def test_there_is_something_to_compare_with():
    assert len(TOP) > 130
    assert len(LINALG) > 20
    assert len(FFT) > 12


@pytest.mark.parametrize(("module", "name", "theirs"), CASES, ids=[f"{m.__name__.rpartition('.')[2]}.{n}" for m, n, _ in CASES])
def test_names_and_arguments(module, name, theirs):
    ours = list(inspect.signature(getattr(module, name)).parameters.values())
    names = [p.name for p in ours]
    positional = [p for p in ours if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    many = any(p.kind is p.VAR_POSITIONAL for p in ours)
    for i, p in enumerate(inspect.signature(theirs).parameters.values()):
        if p.kind is p.VAR_POSITIONAL:
            assert many
        elif p.kind is p.KEYWORD_ONLY:
            assert p.name in names, f"{name} lacks {p.name}="
        elif p.kind is p.POSITIONAL_ONLY:
            assert i < len(positional), f"{name} lacks its argument {i}"
        else:
            assert positional[i].name == p.name, f"{name}: argument {i} is {positional[i].name}, the standard's is {p.name}"


def test_constants_and_dtypes():
    assert (xp.pi, xp.e, xp.inf, xp.newaxis) == (np.pi, np.e, np.inf, None)
    assert np.isnan(xp.nan)
    names = "bool int8 int16 int32 int64 uint8 uint16 uint32 uint64 float32 float64 complex64 complex128"
    for name in names.split():
        d = getattr(xp, name)
        assert isinstance(d, np.dtype)
        assert d == np.dtype(name)
        assert getattr(mg, name) is d
    assert xp.__array_api_version__ == "2024.12"


def test_inspection():
    info = xp.__array_namespace_info__()
    assert info.default_device() == "cpu"
    assert info.default_dtypes()["real floating"] == xp.zeros(2).dtype == np.float32
    assert info.default_dtypes()["integral"] == xp.asarray(1).dtype
    assert set(info.dtypes(kind="real floating")) == {"float32", "float64"}
    assert set(info.dtypes(kind=("bool", "complex floating"))) == {"bool", "complex64", "complex128"}
    assert len(info.dtypes()) == 13
    assert "cpu" in info.devices()
    assert info.capabilities()["boolean indexing"] is True


def test_dtype_functions():
    assert xp.isdtype(xp.float32, "real floating")
    assert xp.isdtype(xp.int8, ("integral", xp.float64))
    assert not xp.isdtype(xp.bool, "numeric")
    assert xp.can_cast(xp.int8, xp.int16)
    assert not xp.can_cast(xp.float64, xp.float32)
    assert xp.result_type(xp.asarray([1], dtype=xp.int8), xp.int16, 1) == np.int16
    assert type(xp.finfo(xp.float32).eps) is float
    assert xp.iinfo(xp.int8).max == 127
    assert xp.finfo(xp.complex64).dtype == np.float32
    for bad in (lambda: xp.isdtype(xp.float32, "float"), lambda: xp.result_type(1, 2), lambda: xp.astype(xp.asarray([1j]), xp.float32)):
        with pytest.raises(TypeError):
            bad()


def test_code_written_for_the_standard_has_gradients():
    def standardised(x):
        xp = x.__array_namespace__()
        return (x - xp.mean(x, axis=0, keepdims=True)) / xp.std(x, axis=0, keepdims=True, correction=1)

    x = mg.tensor(np.random.default_rng(0).normal(size=(5, 3)), requires_grad=True)
    y = standardised(x)
    (y**3).sum().backward()
    assert x.grad.shape == (5, 3)
    assert abs(x.grad.sum().item()) < 1e-9


def test_copies():
    x = mg.tensor([1.0, 2.0])
    assert xp.asarray(x) is x
    assert xp.asarray(x, copy=True) is not x
    a = np.ones(2)
    assert np.shares_memory(xp.asarray(a, copy=False).data, a)
    for bad in (lambda: xp.asarray([1.0], copy=False), lambda: xp.asarray(x, dtype=xp.float64, copy=False)):
        with pytest.raises(ValueError, match="copy=False"):
            bad()
    z = xp.zeros((2, 3)).T
    with pytest.raises(ValueError, match="copy=False"):
        xp.reshape(z, (6,), copy=False)


def test_the_namespace_is_not_imported_without_need():
    code = "import minigrad, sys; assert 'minigrad.array_api' not in sys.modules; minigrad.tensor(1.0).__array_namespace__()"
    subprocess.run([sys.executable, "-W", "error", "-c", code], check=True)
