"""What makes the host wait for the device: counted, and an error where it is forbidden."""

import contextlib
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

_state = threading.local()
counts: Counter = Counter()
"""How often each kind of waiting happened, for those who want to know rather than forbid."""


class SynchronizationError(RuntimeError):
    """The host would have waited for the device where it must not."""


SENDING = "copy from the host"


@contextlib.contextmanager
def no_sync(sending: bool = False, mode: str = "no_sync()") -> Iterator[None]:
    """Raise SynchronizationError at whatever makes the host wait for the device, or copies between them.

    Args:
        sending: let copies to the device pass, which need not wait for it: of tables, or numbers drawn on the host.
    """
    before = _mode()
    _state.mode = mode, sending
    try:
        yield
    finally:
        _state.mode = before


def capturing() -> Any:
    """``no_sync()``, and no call of a library that CuPy keeps out of CUDA graphs."""
    return no_sync(mode="capturing()")


@contextlib.contextmanager
def watched(note: Callable[[str], None]) -> Iterator[None]:
    """Tell ``note`` of whatever makes the host wait, and go on: for those who want to see all of it in one run."""
    before = getattr(_state, "note", None)
    _state.note = note
    try:
        yield
    finally:
        _state.note = before


def _mode() -> tuple[str, bool]:
    return getattr(_state, "mode", ("", False))


def waits(what: str) -> None:
    """Note that the host waits here, or raise."""
    counts[what] += 1
    note = getattr(_state, "note", None)
    if note is not None:
        note(what)
    mode, sending = _mode()
    if mode and not (sending and what.startswith(SENDING)):
        raise SynchronizationError(f"double: {what} inside {mode}")


def needs_library(what: str) -> None:
    """Note a call that cannot be part of a CUDA graph, or raise."""
    if _mode()[0] == "capturing()":
        raise SynchronizationError(f"double: {what} cannot be captured in a CUDA graph by CuPy")
