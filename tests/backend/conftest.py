"""Kernels in C, on for one test whatever the environment says; skipped where there is no compiler."""

import contextlib
import os
import pathlib
import shutil
import subprocess
import sys
import textwrap
from collections import Counter

import numpy as np
import pytest

import minigrad
from minigrad.autograd import op
from minigrad.backend.compiled import compiler, forms, library


def reset():
    """Let every op that has a form in C choose its kernel again."""
    for offered in op.offered:
        for kernels in (offered.kernels, getattr(offered, "slopes", None)):
            if kernels is not None:
                kernels.table.pop(np.ndarray, None)


@pytest.fixture
def in_c(monkeypatch):
    """Kernels in C, and a counter of the calls that they did not refuse, by name."""
    if not compiler.wanted():
        monkeypatch.setenv("MINIGRAD_CC", "")
        library.forget()
    if compiler.find() is None:
        pytest.skip("there is no C compiler")
    reset()
    counts = Counter()
    first = forms.Form.__init__

    def counted(self, declared):
        first(self, declared)
        self.call = counting(self, counts)

    monkeypatch.setattr(forms.Form, "__init__", counted)
    yield counts
    reset()


def counting(form, counts):
    """The loader of a form, and then its C function, with its successes counted."""

    def call(*args):
        status = form.first(*args)
        if not form.failed:
            inner = form.call

            def later(*args):
                status = inner(*args)
                counts[form.declared.name] += not status
                return status

            form.call = later
        counts[form.declared.name] += not status
        return status

    return call


TINY = """
#include "kernel.h"
KERNEL(twice, const float *x; float *y; long n;) { EACH(i, my.n) { my.y[i] = 2 * my.x[i]; } }
ENTRY(twice)(array *x, array *y) {
    if (!is(x, FLOAT32) || !like(x, y)) return REFUSED;
    LAUNCH(twice, size(x), 64, F32(x), F32(y), size(x));
    return DONE;
}
"""


class Tiny:
    """A family of one small function, in a folder of sources with a cache beside it."""

    def __init__(self, place):
        self.place, self.sources, self.cache = place, place / "sources", place / "cache"
        self.source = self.sources / "tiny.c"

    def made(self):
        """The library's file."""
        (path,) = self.cache.glob("tiny-*")
        return path

    @staticmethod
    def twice(x):
        """Twice x; None where the library is not to be had or refuses."""
        lib = library.load("tiny")
        if lib is None:
            return None
        lib.mg_twice.argtypes = [forms.TYPES["o"]] * 2
        y = np.empty_like(x)
        return None if lib.mg_twice(x, y) else y

    def works(self):
        x = np.arange(1000, dtype="float32")
        y = self.twice(x)
        return y is not None and np.array_equal(y, 2 * x)

    def start(self, text, **environment):
        """A Python process that has these sources and a function ``twice``, which checks itself."""
        head = f"""
            import os, pathlib, sys, warnings
            import numpy as np
            warnings.filterwarnings("ignore", "This process .* is multi-threaded", DeprecationWarning)  # Python 3.12, of os.fork
            from minigrad.backend.compiled import forms, library
            library.SOURCES = pathlib.Path({str(self.sources)!r})
            def twice(x):
                c = library.load("tiny").mg_twice
                c.argtypes = [forms.TYPES["o"]] * 2
                y = np.empty_like(x)
                assert c(x, y) == 0
                assert np.array_equal(y, 2 * x)
            x = np.arange(100_000, dtype="float32")
        """
        env = {**os.environ, "PYTHONPATH": str(pathlib.Path(minigrad.__file__).parents[1]), **environment}
        code = textwrap.dedent(head) + textwrap.dedent(text)
        words = [sys.executable, "-W", "error", "-c", code]
        return subprocess.Popen(words, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    def run(self, text, **environment):
        """What such a process says; it must end well, and soon."""
        process = self.start(text, **environment)
        try:
            said = process.communicate(timeout=120)[0]
        except subprocess.TimeoutExpired:
            process.kill()
            raise
        assert process.returncode == 0, said
        return said


@pytest.fixture
def tiny(tmp_path, monkeypatch):
    """The family tiny; what was loaded before comes back in the end."""
    family = Tiny(tmp_path)
    shutil.copytree(compiler.SOURCES, family.sources)
    family.source.write_text(TINY)
    monkeypatch.setattr(library, "SOURCES", family.sources)
    monkeypatch.setenv("MINIGRAD_CACHE", str(family.cache))
    monkeypatch.setenv("MINIGRAD_CC", "")
    with contextlib.ExitStack() as stack:
        for table in (library._loaded, library._found):
            before = table.copy()
            table.clear()
            stack.callback(restore, table, before)
        if compiler.find() is None:
            pytest.skip("there is no C compiler")
        monkeypatch.setattr(library, "_warned", False)
        yield family


def restore(table, before):
    table.clear()
    table.update(before) if isinstance(table, dict) else table.extend(before)
