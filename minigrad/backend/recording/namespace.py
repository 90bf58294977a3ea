"""NumPy's functions for arrays that are recorded, and the kernels of ops."""

import types
from collections.abc import Callable
from typing import Any

import numpy as np

from ..arrays import Kernels, register_namespace
from .array import Recorded
from .tape import bare, running


def _noted(f: Any, name: str) -> Callable:
    def function(*args: Any, **keywords: Any) -> Any:
        tape = running()
        return f(*bare(args), **bare(keywords)) if tape is None else tape.call(f, args, keywords, name)

    function.__name__ = name
    return function


class _Ufunc:
    """A universal function and its methods."""

    def __init__(self, f: np.ufunc):
        self._f, self.__name__, self.nin, self.nout = f, f.__name__, f.nin, f.nout
        self._call = _noted(f, f.__name__)

    def __call__(self, *args: Any, **keywords: Any) -> Any:
        return self._call(*args, **keywords)

    def __getattr__(self, name: str) -> Any:
        return _noted(getattr(self._f, name), f"{self.__name__}_{name}")


class _Namespace(types.ModuleType):
    """A module of NumPy, with functions that the running tape notes."""

    def __init__(self, module: Any):
        super().__init__(module.__name__)  # "numpy": who asks for the name is to go NumPy's way
        self._module = module

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        found = getattr(self._module, name)
        if isinstance(found, types.ModuleType):
            found = _Namespace(found)
        elif isinstance(found, np.ufunc):
            found = _Ufunc(found)
        elif callable(found) and not isinstance(found, type):
            found = _noted(found, name)
        setattr(self, name, found)
        return found

    def through(self, kernels: Kernels) -> Callable:
        """The kernel of an op: NumPy's, as one call."""

        def kernel(*args: Any) -> Any:
            tape, f = running(), kernels[np.ndarray]
            return f(*bare(args)) if tape is None else tape.call(f, args, name=kernels.name)

        return kernel


def register() -> None:
    """Make arrays that are recorded known to the backend."""
    register_namespace(Recorded, _Namespace(np))


__all__ = ["register"]
