"""Memory stays with the process: counted page faults, a bound on what is kept, and who may say no."""

import os
import subprocess
import sys
import textwrap

import pytest

from minigrad.backend import memory

pytestmark = pytest.mark.skipif(not memory._is_glibc(), reason="it is glibc whose limits are set")

FAULTS = """
    import resource, threading
    import numpy as np
    import minigrad

    def faults():
        return resource.getrusage(resource.RUSAGE_SELF).ru_minflt

    def step():  # arrays as in a step of training: made one after the other, dropped together
        kept = [np.ones(200_000, "float32") for _ in range(20)]
        return sum([float(a[0]) for a in kept])

    def count():
        for _ in range(5):
            step()
        before = faults()
        for _ in range(10):
            step()
        counts.append(faults() - before)

    counts = []
    count()
    thread = threading.Thread(target=count)
    thread.start()
    thread.join()
    print(*counts)
"""
PEAK = """
    import os
    import resource
    import numpy as np
    import minigrad

    file = os.open("/proc/self/statm", os.O_RDONLY)

    def resident():  # takes no memory of the heap, of which a small piece at the end would hold back all before it
        return int(os.pread(file, 100, 0).split()[1]) * resource.getpagesize() >> 20

    np.ones(1000, "float32")
    kept = [None] * 60
    before = resident()
    for i in range(60):
        kept[i] = np.ones(2_000_000, "float32")
    peak = resident()
    del kept
    print(before, peak, resident())
"""


def said(program, **environment):
    inherited = {k: v for k, v in os.environ.items() if k not in ("MINIGRAD_KEEP_MEMORY", "GLIBC_TUNABLES")}
    words = [sys.executable, "-c", textwrap.dedent(program)]
    done = subprocess.run(words, env={**inherited, **environment}, capture_output=True, text=True, check=True, timeout=120)
    return [int(word) for word in done.stdout.split()]


def test_arrays_come_without_page_faults():
    here, in_a_thread = said(FAULTS)
    assert here < 100
    assert in_a_thread < 1000


def test_the_user_may_say_no():
    assert said(FAULTS, MINIGRAD_KEEP_MEMORY="0", MALLOC_TRIM_THRESHOLD_="1000000", MALLOC_MMAP_THRESHOLD_="33554432")[0] > 1000


def test_a_peak_is_given_back_to_the_bound():
    before, peak, after = said(PEAK)
    assert peak > before + 400
    assert after < before + (memory.BOUND >> 20) + 20


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("MINIGRAD_KEEP_MEMORY", "0"),
        ("MALLOC_TRIM_THRESHOLD_", "131072"),
        ("MALLOC_MMAP_THRESHOLD_", "131072"),
        ("GLIBC_TUNABLES", "glibc.malloc.trim_threshold=131072"),
    ],
)
def test_limits_of_the_user_stay(name, value, monkeypatch):
    monkeypatch.setenv(name, value)
    assert not memory.keep()


def test_with_another_library(monkeypatch):
    def unknown(name):
        raise ValueError("unrecognized configuration name")

    monkeypatch.setattr(os, "confstr", unknown)
    assert not memory.keep()
