"""Kernels in C, on for one test whatever the environment says; skipped where there is no compiler."""

import contextlib
import shutil
from collections import Counter

import numpy as np
import pytest

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


@pytest.fixture
def tiny(tmp_path, monkeypatch):
    """A folder of sources with a family of one small function, and a cache of its own; what was loaded before comes back in the end."""
    sources = tmp_path / "sources"
    shutil.copytree(compiler.SOURCES, sources)
    (sources / "tiny.c").write_text(TINY)
    monkeypatch.setattr(library, "SOURCES", sources)
    monkeypatch.setenv("MINIGRAD_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("MINIGRAD_CC", "")
    with contextlib.ExitStack() as stack:
        for table in (library._loaded, library._found):
            before = table.copy()
            table.clear()
            stack.callback(restore, table, before)
        if compiler.find() is None:
            pytest.skip("there is no C compiler")
        monkeypatch.setattr(library, "_warned", False)
        yield sources


def restore(table, before):
    table.clear()
    table.update(before) if isinstance(table, dict) else table.extend(before)
