"""Whether operations are recorded: a switch per thread, free to read while nobody has it off."""

import functools
import inspect
import threading
from collections.abc import Callable
from typing import Any

_local = threading.local()
paused: list[None] = []
"""One entry for each thread that records nothing now; empty nearly always, so an op tests it for free."""


settings: list[Callable[[], Any]] = []
"""What else says how a thread computes: functions that give a context which sets it to what it is now. They are hashable and comparable."""


def surroundings() -> tuple:
    """Contexts in which to do again what this thread does now, as it is done now; see ``amp``."""
    return tuple([now() for now in settings])


def recording() -> bool:
    """Whether operations of this thread are recorded into the graph."""
    return getattr(_local, "on", True)


def is_inference() -> bool:
    """Whether this thread is inside ``inference_mode``."""
    return getattr(_local, "inference", False)


def _switch(on: bool) -> None:
    was = recording()
    if was and not on:
        paused.append(None)
    elif on and not was:
        paused.pop()
    _local.on = on


class set_grad_enabled:
    """Turn recording on or off for this thread: at once, or for a ``with`` block or a decorated function.

    Generators that are decorated keep their own mode between their steps.

    Example:
        >>> import minigrad as mg
        >>> x = mg.tensor([1.0], requires_grad=True)
        >>> with mg.set_grad_enabled(False):
        ...     y = x * 2
        >>> y.requires_grad
        False
    """

    def __init__(self, mode: bool):
        if not isinstance(mode, bool):
            raise TypeError(f"{type(self).__name__}: expected True or False, got {mode!r}")
        self.mode = mode
        self._stack: list[bool] = []
        if type(self) is set_grad_enabled:
            self._stack.append(recording())
            self._enter()

    def _enter(self) -> None:
        _switch(self.mode and not is_inference())

    def __enter__(self) -> "set_grad_enabled":
        if type(self) is not set_grad_enabled or not self._stack:
            self._stack.append(recording())
            self._enter()
        return self

    def __exit__(self, *error: object) -> None:
        _switch(self._stack.pop())

    def _again(self) -> "set_grad_enabled":
        return type(self)() if type(self) is not set_grad_enabled else _Mode(self.mode)  # type: ignore[call-arg]

    def __call__(self, f: Callable) -> Callable:
        if type(self) is set_grad_enabled and self._stack:  # a decorator switches nothing before the call
            _switch(self._stack.pop())
        if inspect.isgeneratorfunction(f):

            @functools.wraps(f)
            def steps(*args: Any, **kwargs: Any) -> Any:
                inner = f(*args, **kwargs)
                send: Callable[[], Any] = functools.partial(next, inner)
                try:
                    while True:
                        with self._again():
                            try:
                                item = send()
                            except StopIteration as stop:
                                return stop.value
                        try:
                            got = yield item
                            send = functools.partial(inner.send, got)
                        except GeneratorExit:
                            raise
                        except BaseException as error:
                            send = functools.partial(inner.throw, error)
                finally:
                    with self._again():
                        inner.close()

            return steps

        @functools.wraps(f)
        def whole(*args: Any, **kwargs: Any) -> Any:
            with self._again():
                return f(*args, **kwargs)

        return whole


class _Mode(set_grad_enabled):
    """The ``with`` form of ``set_grad_enabled``: nothing is switched before it is entered."""


class no_grad(set_grad_enabled):
    """Record nothing in this block or function.

    Example:
        >>> import minigrad as mg
        >>> x = mg.tensor([1.0, 2.0], requires_grad=True)
        >>> with mg.no_grad():
        ...     y = x * 2
        >>> y.requires_grad
        False
    """

    def __init__(self) -> None:
        super().__init__(False)


class enable_grad(set_grad_enabled):
    """Record again, inside ``no_grad``.

    Example:
        >>> import minigrad as mg
        >>> x = mg.tensor([1.0], requires_grad=True)
        >>> with mg.no_grad(), mg.enable_grad():
        ...     y = x * 2
        >>> y.requires_grad
        True
    """

    def __init__(self) -> None:
        super().__init__(True)


class inference_mode(set_grad_enabled):
    """``no_grad`` that ``enable_grad`` inside it does not undo: for code that serves a finished model.

    Example:
        >>> import minigrad as mg
        >>> x = mg.tensor([1.0], requires_grad=True)
        >>> with mg.inference_mode(), mg.enable_grad():
        ...     y = x * 2
        >>> y.requires_grad
        False
    """

    def __init__(self, mode: bool = True) -> None:
        super().__init__(not mode)
        self._outer: list[bool] = []

    def _again(self) -> "inference_mode":
        return inference_mode(not self.mode)

    def __enter__(self) -> "inference_mode":
        self._outer.append(is_inference())
        if not self.mode:
            _local.inference = True
        super().__enter__()
        return self

    def __exit__(self, *error: object) -> None:
        _local.inference = self._outer.pop()
        super().__exit__(*error)


def is_grad_enabled() -> bool:
    """Whether this thread records (PyTorch's name for it).

    Example:
        >>> import minigrad as mg
        >>> with mg.no_grad():
        ...     mg.is_grad_enabled()
        False
    """
    return recording()
