"""Threads of the kernels in C: how many, several of Python's at once, forks, signals."""

import os
import signal
import threading
import time

import numpy as np

from minigrad.backend.compiled import library, threads


def test_how_many_threads(monkeypatch):
    for name in ("MINIGRAD_THREADS", "OMP_NUM_THREADS"):
        monkeypatch.delenv(name, raising=False)
    if hasattr(os, "sched_getaffinity"):
        assert 1 <= threads.count() <= len(os.sched_getaffinity(0))
    monkeypatch.setenv("OMP_NUM_THREADS", "3,2")
    assert threads.count() == 3
    monkeypatch.setenv("MINIGRAD_THREADS", "5")
    assert threads.count() == 5
    monkeypatch.setenv("MINIGRAD_THREADS", "many")
    assert threads.count() == 3


def test_many_threads_at_once(tiny, monkeypatch):
    """Several of Python's threads on one pool, with launches of all sizes."""
    monkeypatch.setenv("MINIGRAD_THREADS", "4")
    library.load("tiny")
    wrong = []

    def run(seed):
        sizes = np.random.default_rng(seed).integers(1, 3000, 300)
        for n in sizes:
            x = np.full(n, n, "float32")
            if not np.array_equal(tiny.twice(x), 2 * x):
                wrong.append(n)

    running = [threading.Thread(target=run, args=(i,)) for i in range(4)]
    for t in running:
        t.start()
    for t in running:
        t.join(60)
    assert not wrong


def test_a_forked_process_computes(tiny):
    """The pool begins anew in a child, though the parent's was used; and the parent's goes on."""
    text = """
        import time
        for sleep in (0, 0.1):  # its workers awake, and asleep
            for _ in range(20):
                twice(x)
            time.sleep(sleep)
            child = os.fork()
            for _ in range(20):
                twice(x)
            if not child:
                os._exit(0)
            assert os.waitpid(child, 0)[1] == 0
    """
    tiny.run(text, MINIGRAD_THREADS="3")


def test_a_machine_without_more_threads(tiny):
    text = """
        import resource
        library.load("tiny")
        resource.setrlimit(resource.RLIMIT_NPROC, (0, 0))
        if os.geteuid() == 0:
            os.setuid(65534)
        twice(x)
    """
    tiny.run(text, MINIGRAD_THREADS="8")


def test_signals_reach_python(tiny, monkeypatch):
    monkeypatch.setenv("MINIGRAD_THREADS", "3")
    assert tiny.works()
    seen = []
    before = signal.signal(signal.SIGUSR1, lambda number, frame: seen.append(threading.current_thread()))
    try:
        os.kill(os.getpid(), signal.SIGUSR1)
        time.sleep(0.01)
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert seen == [threading.main_thread()]
