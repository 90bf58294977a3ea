"""The generator: seeds, states, children, and a stream for every thread."""

import threading

import numpy as np
import pytest

import minigrad as mg
from minigrad.errors import DTypeError


def draw(generator):
    return generator.rng.integers(2**62)


def test_seeds():
    for wrong in (True, 1.0, "1", None, -1):
        with pytest.raises(DTypeError, match="expected an integer >= 0"):
            mg.Generator(wrong)
    assert draw(mg.Generator(np.int64(3))) == draw(mg.Generator(3))
    assert draw(mg.Generator(3)) != draw(mg.Generator(4))


def test_a_state_goes_through_lists():
    g = mg.Generator(1)
    draw(g)
    state = g.state
    listed = state | {"state": {k: np.asarray(v).tolist() for k, v in state["state"].items()}, "buffer": list(map(int, state["buffer"]))}
    want = [draw(g) for _ in range(3)]
    g.state = listed
    assert [draw(g) for _ in range(3)] == want


def test_streams_of_their_own():
    parent = mg.Generator(1)
    children = [parent.child() for _ in range(3)]
    assert len({draw(c) for c in children}) == 3
    assert draw(parent) == draw(mg.Generator(1))  # children draw nothing from it
    again = mg.Generator(1)
    assert draw(again.child()) == draw(mg.Generator(1).child())
    assert draw(mg.Generator(1).spawn()) == draw(mg.Generator(1).spawn()) != draw(mg.Generator(1))


def test_threads_draw_from_streams_fixed_by_the_seed():
    def drawn():
        seen = []
        mg.manual_seed(7)
        for _ in range(2):
            t = threading.Thread(target=lambda: seen.append(mg.random.rand(2).tolist()))
            t.start(), t.join()
        return seen

    first, second = drawn()
    assert first != second
    assert drawn() == [first, second]
