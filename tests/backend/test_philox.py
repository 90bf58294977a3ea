"""Random bits by position: the published vectors, and what a mask promises."""

import numpy as np
import pytest

import minigrad as mg
from minigrad.backend import philox
from minigrad.testing.double import DoubleArray, no_sync, register
from minigrad.testing.opdb.dropout import keeps

ONES = 0xFFFFFFFF
VECTORS = [  # kat_vectors of Random123 (Salmon et al.), philox4x32 10: counter, key, words
    ((0, 0, 0, 0), (0, 0), (0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8)),
    ((ONES,) * 4, (ONES, ONES), (0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD)),
    (
        (0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344),
        (0xA4093822, 0x299F31D0),
        (0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1),
    ),
]


@pytest.mark.parametrize(("counter", "key", "words"), VECTORS)
def test_published_vectors(counter, key, words):
    got = philox.rounds(np, [np.array([c], "uint64") for c in counter], key[0] | key[1] << 32)
    assert tuple(int(w[0]) for w in got) == words


@pytest.mark.parametrize("shape", [(), (1,), (3,), (4,), (5,), (0,), (2, 0), (7, 9), (2, 3, 5)])
@pytest.mark.parametrize("p", [0.1, 0.5, 0.99])
def test_number_by_number(shape, p):
    mg.manual_seed(7)
    mask = philox.kept(np, philox.new_key(), philox.threshold_of(p), shape)
    assert mask.shape == shape
    assert mask.dtype == bool
    np.testing.assert_array_equal(mask, keeps(shape, p))


def test_blocks_do_not_show(monkeypatch):
    whole = philox.kept(np, 5, 2**31, (1000,))
    monkeypatch.setattr(philox, "BLOCK", 7)
    np.testing.assert_array_equal(philox.kept(np, 5, 2**31, (1000,)), whole)
    np.testing.assert_array_equal(philox.kept(np, 5, 2**31, (333,)), whole[:333])


def test_a_device_draws_the_same_without_the_host():
    register()
    with no_sync():
        there = philox.kept(mg.backend.namespace(DoubleArray), 2**64 - 3, 2**30, (5, 7))
    assert type(there) is DoubleArray
    np.testing.assert_array_equal(there.get(), philox.kept(np, 2**64 - 3, 2**30, (5, 7)))


@pytest.mark.parametrize("p", [0.001, 0.1, 0.5, 0.9])
def test_shares(p):
    """Within five standard deviations, in each of the four words, and for neighbours both."""
    n = 400_000
    dropped = ~philox.kept(np, 123, philox.threshold_of(p), (n // 4, 4))
    for k in range(4):
        assert abs(dropped[:, k].mean() - p) < 5 * np.sqrt(p * (1 - p) / (n // 4))
    flat = dropped.reshape(-1)
    assert abs((flat[1:] & flat[:-1]).mean() - p * p) < 5 * np.sqrt(p * p / n)
    other = ~philox.kept(np, 124, philox.threshold_of(p), (n,))
    assert abs((flat & other).mean() - p * p) < 5 * np.sqrt(p * p / n)


def test_extremes():
    assert philox.kept(np, 1, philox.threshold_of(0.0), (100,)).all()
    assert not philox.kept(np, 1, philox.threshold_of(1.0), (100,)).any()


def test_keys_come_from_the_generator():
    mg.manual_seed(3)
    state = mg.backend.generator().state
    first, second = philox.new_key(), philox.new_key()
    assert first != second
    assert 0 <= min(first, second) <= max(first, second) < 2**64
    mg.backend.generator().state = state
    assert philox.new_key() == first
