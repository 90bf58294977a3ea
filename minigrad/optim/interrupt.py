"""An interrupt that waits: Ctrl-C during a step takes effect after it."""

import _signal as signals  # what module signal wraps: its functions make an enumeration of every handler, 9 us a step
from types import FrameType
from typing import Any


class uninterrupted:
    """A ``with`` block in which SIGINT is noted, and handled as ever when the block is done.

    A step that is cut off in the middle would leave some parameters moved and others not. Only the main thread of the main
    interpreter handles signals; elsewhere the block changes nothing.

    Example:
        >>> import signal
        >>> from minigrad.optim.interrupt import uninterrupted
        >>> done = False
        >>> try:
        ...     with uninterrupted():
        ...         signal.raise_signal(signal.SIGINT)
        ...         done = True
        ... except KeyboardInterrupt:
        ...     print(done)
        True
    """

    __slots__ = ("_came", "_handler")

    def __enter__(self) -> None:
        self._came: tuple[int, FrameType | None] | None = None
        self._handler: Any = None
        handler = signals.getsignal(signals.SIGINT)
        if callable(handler):
            try:
                signals.signal(signals.SIGINT, self._note)
            except ValueError:  # not the main thread
                return
            self._handler = handler

    def _note(self, number: int, frame: FrameType | None) -> None:
        self._came = number, frame

    def __exit__(self, *error: object) -> None:
        if self._handler is not None:
            signals.signal(signals.SIGINT, self._handler)
            if self._came is not None:
                self._handler(*self._came)


__all__ = ["uninterrupted"]
