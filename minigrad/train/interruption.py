"""Ctrl-C that waits for the end of a step."""

import signal
import threading
from types import FrameType
from typing import Any


class Interruption:
    """Within ``with Interruption() as ctrl_c``, the first Ctrl-C only sets ``ctrl_c.asked``; the second raises as always.

    The loop looks at ``asked`` between steps, where parameters, optimizer, schedules and random streams belong together. Outside the
    main thread, where Python delivers no signals, it does nothing.
    """

    def __init__(self) -> None:
        self.asked = False
        self._before: Any = None

    def __enter__(self) -> "Interruption":
        if threading.current_thread() is threading.main_thread() and signal.getsignal(signal.SIGINT) is not None:
            self._before = signal.signal(signal.SIGINT, self._note)
        return self

    def __exit__(self, *exception: Any) -> None:
        if self._before is not None:
            signal.signal(signal.SIGINT, self._before)
            self._before = None

    def _note(self, number: int, frame: FrameType | None) -> None:
        if self.asked:
            raise KeyboardInterrupt
        self.asked = True


__all__ = ["Interruption"]
