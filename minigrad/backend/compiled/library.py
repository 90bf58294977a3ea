"""Libraries of kernels: a family is one file of C, compiled when it is first needed and kept for the processes to come."""

import ctypes
import hashlib
import os
import re
import threading
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from . import cache, compiler, threads
from .compiler import FLAGS, SOURCES, BuildError, Compiler

_lock = threading.RLock()
_loaded: dict[str, Any] = {}
"""By family: the library, or the BuildError that says why there is none."""
_found: list[Compiler | None] = []
"""The compiler, once it has been looked for."""
_warned = False


def load(family: str) -> Any:
    """The library of a family, built if need be; None where there is none, of which the first that is not for want of a compiler warns."""
    with _lock:
        if family not in _loaded:
            try:
                _loaded[family] = _load(family)
            except (BuildError, OSError) as error:
                _loaded[family] = error if isinstance(error, BuildError) else BuildError(str(error))
                _warn(error)
        library = _loaded[family]
    return None if isinstance(library, BuildError) else library


def state() -> dict[str, str]:
    """What became of each family that was wanted: "ready", or why not."""
    with _lock:
        return {f: str(v) if isinstance(v, BuildError) else "no compiler" if v is None else "ready" for f, v in _loaded.items()}


def forget() -> None:
    """Look for compiler and libraries again when they are next needed; for tests."""
    global _warned
    with _lock:
        _loaded.clear()
        _found.clear()
        _warned = False


def _after_fork() -> None:
    global _lock
    _lock = threading.RLock()  # another thread, which is not in this process, may have held it


os.register_at_fork(after_in_child=_after_fork)


def _warn(error: Exception) -> None:
    global _warned
    if not _warned:
        _warned = True
        warnings.warn(
            f"minigrad computes with NumPy where it would with kernels in C: {error}; MINIGRAD_CC=0 turns them off without this line",
            RuntimeWarning,
            stacklevel=2,
        )


def _load(family: str) -> Any:
    if not _found:
        _found.append(None)  # a compiler that fails to say its name is not asked again
        _found[0] = compiler.find()
    cc = _found[0]
    if cc is None:
        return None
    path = built(family, cc)
    try:
        library = opened(path, family)
    except OSError:  # damaged in the cache
        path.unlink(missing_ok=True)
        library = opened(built(family, cc), family)
    if family != "pool":
        attach(library)
    return library


def key(family: str, cc: Compiler) -> str:
    """What a library depends on, as a name: its source with what that includes, flags, compiler and processor."""
    texts: dict[str, str] = {}
    waiting = [f"{family}.c"]
    while waiting:
        name = waiting.pop()
        if name not in texts:
            texts[name] = (SOURCES / name).read_text(encoding="utf-8")
            waiting += re.findall(r'^#include "([^"]+)"', texts[name], re.MULTILINE)
    parts = (sorted(texts.items()), FLAGS, cc.command, cc.options, cc.version, compiler.processor())
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:24]


def built(family: str, cc: Compiler) -> Path:
    """The library's file, from the cache or made now; made, tested in a process of its own, and only then put into the cache.

    Raises:
        BuildError: it cannot be compiled, or its self test fails.
    """

    def make(made: Path, place: Path) -> None:
        check = made.with_name("check")
        cc.build(SOURCES / f"{family}.c", made, place)
        cc.build(SOURCES / "check.c", check, place, ("-O1",))
        status, said = compiler.run([str(check), str(made)])
        if status:
            how = f"with signal {-status}" if status < 0 else f"({status}{': ' if said.strip() else ''}{said.strip()[:200]})"
            raise BuildError(f"{family}, compiled by {cc}, fails its self test {how}")

    return kept(f"{family}-{key(family, cc)}.so", make)


def kept(name: str, make: Callable[[Path, Path], None]) -> Path:
    """The file of that name in the cache; where it is not there, ``make(file, cache)`` makes it in a folder of its own first.

    Raises:
        BuildError: somebody else could have written to it.
    """
    for place in cache.folders():
        library = place / name
        if cache.is_trusted(library):
            return library
        if os.access(place, os.W_OK | os.X_OK):
            break
    with cache.workshop(place) as room:
        make(room / name, place)
        cache.put(room / name, library)
    if not cache.is_trusted(library):
        raise BuildError(f"{library} is not to be trusted: {cache.reason_against(place) or 'it is not a file of this user alone'}")
    return library


def opened(path: Path, family: str) -> Any:
    """The library in this file, of which it is known that it finds its way in NumPy's arrays.

    Raises:
        OSError: it cannot be loaded.
        BuildError: it reads arrays wrongly.
    """
    library = ctypes.CDLL(os.fspath(path))
    if family == "pool":
        library.pool_threads.argtypes = [ctypes.c_long]
        library.pool_threads.restype = None
        return library
    library.mg_attach.argtypes = [ctypes.py_object, ctypes.c_void_p, ctypes.c_long]
    library.mg_look.argtypes = [ctypes.py_object, ctypes.c_void_p, *[ctypes.c_long] * 3, ctypes.c_int]
    library.mg_attach(np.ndarray, None, 1)
    a = np.zeros((3, 5), "float32")
    strange = (a.astype(">f4"), a.astype("<f4").T[::2], a.astype("float64"))  # none of them is what it looks like
    if not library.mg_look(a, a.ctypes.data, 3, 5, 20, 11) or any(library.mg_look(b, b.ctypes.data, 3, 5, 20, 11) for b in strange):
        raise BuildError(f"{path} does not find its way in the arrays of NumPy {np.__version__}")
    return library


def attach(library: Any) -> None:
    """Give a library the threads of the pool, if there is more than one."""
    n = threads.count()
    pool = load("pool") if n > 1 else None
    if pool is not None:
        pool.pool_threads(n)
        library.mg_attach(np.ndarray, ctypes.cast(pool.pool_run, ctypes.c_void_p), n)
