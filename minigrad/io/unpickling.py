"""A pickle read without executing anything: a stack machine for the opcodes that plain containers need, and a list of names.

Python's own unpickler calls whatever a file names, and reserves as much memory as a file asks for. This one knows dicts with simple
keys, lists, tuples, numbers and texts; what names stand for is said by the caller, and any other name is refused. It neither
recurses nor allocates more than in proportion to the file.
Source: the comments of ``pickletools`` in Python's library, protocols 0 to 5.
"""

import pickletools
from collections.abc import Callable, Mapping
from typing import Any, BinaryIO

from ..errors import CheckpointError

SIZE_LIMIT = 2**25  # bytes of pickle; a tensor takes about 150
_VALUES = frozenset(
    [
        *("BININT", "BININT1", "BININT2", "LONG1", "LONG4", "BINFLOAT"),
        *("BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8", "BINSTRING", "SHORT_BINSTRING"),
    ]
)
_CONSTANTS = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False, "EMPTY_TUPLE": ()}
_TUPLES = {"TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}
_KEYS = (str, int, float, type(None))


def shown(x: Any) -> str:
    """A value from a file for a message: of a list only that it is one, because one that holds another twice, and so on, is endless."""
    return repr(x)[:80] if x is None or isinstance(x, (str, int, float, Name)) else type(x).__name__


class Name:
    """What a name in the file stands for: a function that builds something, or a kind of thing."""

    __slots__ = ("call", "text")

    def __init__(self, text: str, call: Callable | None = None):
        self.text, self.call = text, call

    def __repr__(self) -> str:
        return self.text


class Machine:
    """Runs one pickle.

    Args:
        names: ``"module name" -> what it stands for``: Names, of which those with ``call`` can be called, or plain values.
        persistent: what to make of a persistent id.
        advice: what to say of a name that is not among them.
    """

    def __init__(self, names: Mapping[str, Any], persistent: Callable[[Any], Any], advice: str):
        self.names, self.persistent, self.advice = names, persistent, advice
        self.stack: list[Any] = []
        self.marks: list[list[Any]] = []
        self.memo: dict[int, Any] = {}

    def run(self, file: BinaryIO) -> Any:
        """The value; the file stands behind the pickle afterwards.

        Raises:
            CheckpointError: an opcode or a name that is not admitted, or a pickle that is too long.
            ValueError, TypeError, IndexError, KeyError: it is damaged.
        """
        begin = file.tell()
        for op, arg, at in pickletools.genops(file):
            if (at or 0) - begin > SIZE_LIMIT:
                raise CheckpointError(f"a pickle of more than {SIZE_LIMIT} bytes")
            self._step(op.name, arg)
        (value,) = self.stack
        return value

    def _step(self, op: str, arg: Any) -> None:
        stack = self.stack
        if op in _VALUES:
            stack.append(arg)
        elif op in ("BINPUT", "LONG_BINPUT"):
            self.memo[arg] = stack[-1]
        elif op == "MEMOIZE":
            self.memo[len(self.memo)] = stack[-1]
        elif op in ("BINGET", "LONG_BINGET"):
            stack.append(self.memo[arg])
        elif op in _CONSTANTS:
            stack.append(_CONSTANTS[op])
        elif op in _TUPLES:
            n = _TUPLES[op]
            if len(stack) < n:
                raise IndexError("the stack is empty")
            stack[-n:] = [tuple(stack[-n:])]
        elif op == "MARK":
            self.marks.append(stack)
            self.stack = []
        elif op == "TUPLE":
            self._marked(tuple)
        elif op == "EMPTY_DICT":
            stack.append({})
        elif op == "EMPTY_LIST":
            stack.append([])
        elif op in ("SETITEM", "SETITEMS"):
            many = [stack.pop(-2), stack.pop()] if op == "SETITEM" else self._marked()
            _fill(self._top(dict), zip(many[::2], many[1::2], strict=True))
        elif op in ("APPEND", "APPENDS"):
            many = [stack.pop()] if op == "APPEND" else self._marked()
            self._top(list).extend(many)
        elif op == "GLOBAL":
            stack.append(self._named(arg))
        elif op == "STACK_GLOBAL":
            name, module = stack.pop(), stack.pop()
            if not isinstance(module, str) or not isinstance(name, str):
                raise TypeError(f"{shown(module)}.{shown(name)} as a name")
            stack.append(self._named(f"{module} {name}"))
        elif op == "BINPERSID":
            stack.append(self.persistent(stack.pop()))
        elif op == "REDUCE":
            args, name = stack.pop(), stack.pop()
            if not isinstance(name, Name) or name.call is None or not isinstance(args, tuple):
                raise TypeError(f"a call of {shown(name)}")
            stack.append(name.call(*args))
        elif op == "BUILD":
            stack.pop()  # attributes of a dict, such as the _metadata of a state_dict
            self._top(dict)
        elif op not in ("PROTO", "FRAME", "STOP"):
            raise CheckpointError(f"the pickle has the opcode {op}, which plain containers do not need; nothing was executed")

    def _marked(self, kind: type | None = None) -> Any:
        """What lies above the last mark; with ``kind`` it is pushed as one value."""
        many, self.stack = self.stack, self.marks.pop()
        if kind is not None:
            self.stack.append(kind(many))
        return many

    def _top(self, kind: type) -> Any:
        if not isinstance(self.stack[-1], kind):
            raise TypeError(f"a {type(self.stack[-1]).__name__} where a {kind.__name__} should be")
        return self.stack[-1]

    def _named(self, text: str) -> Any:
        if text not in self.names:
            full = ".".join(text.split(" "))[:120]
            raise CheckpointError(f"the file refers to {full}, which is not admitted; nothing was executed. {self.advice}")
        return self.names[text]


def _fill(into: dict, pairs: Any) -> dict:
    """Put pairs into a dict. Keys are texts, numbers or None: hashing a tuple of tuples of tuples could take for ever."""
    for key, value in pairs:
        if not isinstance(key, _KEYS):
            raise TypeError(f"a {type(key).__name__} as a key")
        into[key] = value
    return into


def ordered_dict(pairs: Any = ()) -> dict:
    """``collections.OrderedDict`` as a plain dict."""
    return _fill({}, pairs)


__all__ = ["SIZE_LIMIT", "Machine", "Name", "ordered_dict", "shown"]
