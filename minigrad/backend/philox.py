"""Random bits by position: each depends on a key and on where it stands, and on nothing that was drawn before.

So a mask need not be kept: whoever has its key can compute it again, in any order, in parts, on any device, in NumPy or in C.
"""

from math import prod
from typing import Any

from .random import generator
from .recording.beside import sheet
from .recording.tape import running

_MULTIPLIERS = 0xD2511F53, 0xCD9E8D57
_INCREMENTS = 0x9E3779B9, 0xBB67AE85
_LOW = 0xFFFFFFFF
BLOCK = 1 << 14
"""Counters that are computed at once on the CPU, where what is needed besides stays in the cache."""


def new_key() -> int:
    """64 bits from the generator of this thread: the key of a draw."""
    page, tape = sheet(), running()
    if page is not None:
        return page.drawn(_draw)
    return _draw() if tape is None else tape.draw("new_key", _draw)


def _draw() -> int:
    return generator().rng.bit_generator.random_raw()


def schedule(key: int) -> list[int]:
    """The words that a key is in the ten rounds, two for each."""
    steps = zip((key & _LOW, key >> 32), _INCREMENTS, strict=True)
    left, right = [[word + r * step & _LOW for r in range(10)] for word, step in steps]
    return [word for pair in zip(left, right, strict=True) for word in pair]


def rounds(xp: Any, words: Any, key: int) -> tuple:
    """Philox4x32-10 of counters given as four arrays of words, uint64 with the upper half zero; the first two are overwritten.

    A key that is drawn anew for each launch of a graph has the words of its schedule on the device.

    Source:
        Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", 2011, section 3.3.
    Example:
        >>> import numpy as np
        >>> from minigrad.backend.philox import rounds
        >>> zeros = [np.zeros(1, "uint64") for _ in range(4)]
        >>> [hex(int(w[0])) for w in rounds(np, zeros, 0)]
        ['0x6627e8d5', '0xe169c58d', '0xbc57ac4c', '0x9b00dbd8']
    """
    a, b, c, d = words
    m, n = _MULTIPLIERS
    scheduled = getattr(key, "words", None)
    if scheduled is None:
        scheduled = schedule(key)
    p, q = xp.empty_like(a), xp.empty_like(a)
    for r in range(10):
        xp.multiply(a, m, out=p)
        xp.multiply(c, n, out=q)
        xp.right_shift(q, 32, out=a)
        a ^= b
        a ^= scheduled[2 * r]
        xp.right_shift(p, 32, out=c)
        c ^= d
        c ^= scheduled[2 * r + 1]
        xp.bitwise_and(q, _LOW, out=b)
        xp.bitwise_and(p, _LOW, out=d)
    return a, b, c, d


def kept(xp: Any, key: int, threshold: int, shape: tuple[int, ...]) -> Any:
    """Booleans, True with probability 1 - threshold / 2**32: entry i in the order of C is word i % 4 of counter i // 4, compared with it.

    Example:
        >>> import numpy as np
        >>> from minigrad.backend.philox import kept
        >>> kept(np, 0, 2**31, (2, 3)).tolist()
        [[False, True, True], [True, True, False]]
    """
    n = prod(shape)
    counters = -(-n // 4)
    mask = xp.empty((counters, 4), "bool")
    step = BLOCK if xp.__name__ == "numpy" else max(counters, 1)  # a GPU wants few large launches
    for start in range(0, counters, step):
        part = mask[start : start + step]
        low = xp.arange(start, start + len(part), dtype="uint64")
        high = xp.right_shift(low, 32)
        low &= _LOW
        for k, word in enumerate(rounds(xp, (low, high, xp.zeros_like(low), xp.zeros_like(low)), key)):
            xp.greater_equal(word, threshold, out=part[:, k])
    return mask.reshape(4 * counters)[:n].reshape(shape)


def threshold_of(p: float) -> int:
    """What a word is compared with to be dropped with probability p: p in units of 2**-32."""
    return round(p * 2**32)


__all__ = ["kept", "new_key", "threshold_of"]
