"""The random generator: one counter-based stream (Philox), seeded in one place."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from ..errors import DTypeError
from .recording.tape import Drawing, running


class Generator:
    """A seeded stream of random numbers; ``state`` can be saved and set.

    Source:
        Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", 2011 (Philox 4x64).

    Example:
        >>> import minigrad as mg
        >>> g = mg.Generator(0)
        >>> state = g.state
        >>> a = mg.random.normal(size=2, generator=g)
        >>> g.state = state
        >>> bool((mg.random.normal(size=2, generator=g) == a).all())
        True
    """

    def __init__(self, seed: int = 0):
        self.manual_seed(seed)

    def manual_seed(self, seed: int) -> "Generator":
        """Start the stream anew from this seed, an integer >= 0; returns the generator."""
        if isinstance(seed, bool) or not isinstance(seed, (int, np.integer)) or seed < 0:
            raise DTypeError(f"manual_seed: expected an integer >= 0, got {seed!r}")
        self.seed = int(seed)
        self.children = 0
        self._rng: Any = None
        return self

    @property
    def rng(self) -> Any:
        """NumPy's generator, made at the first draw, as its module takes a while to import."""
        if self._rng is None:
            self._rng = np.random.Generator(np.random.Philox(self.seed))
        tape = running()
        return self._rng if tape is None else Drawing(self._rng, tape)

    @property
    def state(self) -> Any:
        """Where in its stream the generator is: what NumPy's bit generator calls its state, to be set again later."""
        return self.rng.bit_generator.state

    @state.setter
    def state(self, state: Any) -> None:
        arrays = {k: np.asarray(v, "uint64") for k, v in state["state"].items()}
        self.rng.bit_generator.state = {**state, "state": arrays, "buffer": np.asarray(state["buffer"], "uint64")}

    def spawn(self) -> "Generator":
        """A stream of its own, independent of this one and fixed by its state."""
        return Generator(int(self.rng.integers(2**63)))

    def child(self) -> "Generator":
        """A stream of its own, fixed by the seed and by how many children came before; this stream is not drawn from."""
        self.children += 1
        words = np.random.SeedSequence(self.seed, spawn_key=(self.children,)).generate_state(4).tolist()
        return Generator(sum(w << 32 * k for k, w in enumerate(words)))


_main = Generator(0)
_local = threading.local()
_threads = threading.Lock()
_born = 0
_epoch = 0


def manual_seed(seed: int) -> Generator:
    """Seed the generator from which every random op and layer draws; returns it.

    The main thread draws from the seeded stream itself; every other thread from a stream of its own, fixed by the
    seed and by the order in which threads first draw.

    Example:
        >>> import minigrad as mg
        >>> _ = mg.manual_seed(1); a = mg.random.normal(size=3)
        >>> _ = mg.manual_seed(1); b = mg.random.normal(size=3)
        >>> bool((a == b).all())
        True
    """
    global _epoch, _born
    with _threads:
        _main.manual_seed(seed)
        _epoch, _born = _epoch + 1, 0
    return _main


def generator() -> Generator:
    """The stream of this thread, or the one it was told to draw from.

    Example:
        >>> import minigrad as mg
        >>> _ = mg.manual_seed(3)
        >>> mg.backend.generator().seed
        3
    """
    global _born
    chosen = getattr(_local, "chosen", None)
    if chosen is not None:
        return chosen
    if threading.current_thread() is threading.main_thread():
        return _main
    if getattr(_local, "epoch", None) != _epoch:
        with _threads:
            _born += 1
            _local.generator = Generator(_main.seed * 1_000_003 + _born)
            _local.epoch = _epoch
    return _local.generator


@contextmanager
def drawing_from(stream: Generator) -> Iterator[None]:
    """``with drawing_from(stream): ...`` lets this thread draw from another stream.

    Example:
        >>> import minigrad as mg
        >>> from minigrad.backend.random import drawing_from
        >>> with drawing_from(mg.Generator(1)):
        ...     a = mg.random.normal(size=3)
        >>> b = mg.random.normal(size=3, generator=mg.Generator(1))
        >>> bool((a == b).all())
        True
    """
    before = getattr(_local, "chosen", None)
    _local.chosen = stream
    try:
        yield
    finally:
        _local.chosen = before
