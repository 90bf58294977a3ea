"""A Python function that makes the calls of a tape again: one line for each, with plain names for what they make."""

import itertools
import math
import operator
import re
from collections.abc import Callable
from typing import Any

import numpy as np

from .tape import Call, Place, Tape

_WORDS = [
    "add",
    "sub",
    "mul",
    "truediv",
    "floordiv",
    "mod",
    "pow",
    "matmul",
    "and_",
    "or_",
    "xor",
    "lshift",
    "rshift",
    "eq",
    "ne",
    "lt",
    "le",
    "gt",
    "ge",
]
_SIGNS = dict(
    zip(_WORDS, ["+", "-", "*", "/", "//", "%", "**", "@", "&", "|", "^", "<<", ">>", "==", "!=", "<", "<=", ">", ">="], strict=True)
)
_OPERATORS = {getattr(operator, word): sign for word, sign in _SIGNS.items()}
_WRITES = {getattr(operator, f"i{word.rstrip('_')}"): f"{sign}=" for word, sign in list(_SIGNS.items())[:13]}


class Program:
    """``run(*arguments)`` makes the calls; ``source`` shows them, ``constants`` are the values in it that are no literals, by name."""

    def __init__(self, run: Callable, source: str, constants: dict[str, Any]):
        self.run, self.source, self.constants = run, source, constants


class _Writer:
    def __init__(self, name: str) -> None:
        self.name = name
        self.bound: dict[str, Any] = {}
        self.names: dict[int, str] = {}
        """By the identity of what is bound."""
        self.variables: dict[int, str] = {}

    def variable(self, number: int) -> str:
        """The name of a value: v0, v1, ... as they come."""
        return self.variables.setdefault(number, f"v{len(self.variables)}")

    def bind(self, value: Any, name: str) -> str:
        known = self.names.get(id(value))
        if known is None:
            name = re.sub(r"\W", "_", name)
            known = next(
                n for n in itertools.chain([name], (f"{name}_{i}" for i in itertools.count(2))) if n not in self.bound and n != self.name
            )
            self.bound[known], self.names[id(value)] = value, known
        return known

    def value(self, x: Any) -> str:
        """An argument as it is written: literals as such, Places by name, what else there is by the name that it gets."""
        kind = type(x)
        if kind is Place:
            return self.variable(x.number)
        if x is None or x is Ellipsis or kind in (bool, int, str) or (kind is float and math.isfinite(x)):
            return "..." if x is Ellipsis else repr(x)
        if kind is tuple:
            return f"({', '.join(map(self.value, x))}{',' if len(x) == 1 else ''})"
        if kind is list:
            return f"[{', '.join(map(self.value, x))}]"
        if kind is dict:
            return f"{{{', '.join(f'{self.value(k)}: {self.value(v)}' for k, v in x.items())}}}"
        if kind is slice:
            return f"slice({self.value(x.start)}, {self.value(x.stop)}, {self.value(x.step)})"
        return self.bind(x, "constant" if isinstance(x, (np.ndarray, np.generic)) else kind.__name__.lower())

    def line(self, c: Call) -> str:
        f, args = c.f, [self.value(a) for a in c.args]
        if f in _WRITES:
            return f"{args[0]} {_WRITES[f]} {args[1]}"
        if f is operator.setitem:
            return f"{args[0]}[{args[1]}] = {args[2]}"
        if f in _OPERATORS:
            said = f"{args[0]} {_OPERATORS[f]} {args[1]}"
        elif f is operator.getitem:
            said = f"{args[0]}[{args[1]}]"
        elif isinstance(f, operator.attrgetter):
            said = f"{args[0]}.{c.name}"
        else:
            words = [*args, *[f"{k}={self.value(v)}" for k, v in c.keywords.items()]]
            method = getattr(f, "__objclass__", None) is np.ndarray
            said = f"{words[0]}.{c.name}({', '.join(words[1:])})" if method else f"{self.bind(f, c.name)}({', '.join(words)})"
        made = self.pattern(c.made)
        if c.scalar:
            said = f"{self.bind(np.asarray, 'asarray')}({said})"
        return said if made == "_" else f"{made} = {said}"

    def pattern(self, made: Any) -> str:
        """What a call returns, as names to assign it to."""
        if type(made) is Place:
            return self.variable(made.number)
        if type(made) is tuple and places(made):
            return f"({', '.join(map(self.pattern, made))}{',' if len(made) == 1 else ''})"
        return "_"


def places(x: Any) -> list[int]:
    """The numbers of the Places in arguments or results."""
    kind = type(x)
    if kind is Place:
        return [x.number]
    if kind is tuple or kind is list:
        return [n for v in x for n in places(v)]
    if kind is dict:
        return places(list(x.values()))
    return places([x.start, x.stop, x.step]) if kind is slice else []


def program(tape: Tape, returned: Any, name: str = "step") -> Program:
    """The function that makes the calls again, and returns what stands for ``returned`` now: stand-ins, in tuples, lists and dicts."""
    writer, outcome = _Writer(name), tape.noted(returned)
    used: set[int] = set(places(outcome))
    kept: list[tuple[Call, list[int]]] = []
    for c in reversed(tape.calls):
        made, needs = places(c.made), places([c.args, c.keywords])
        if isinstance(c.f, operator.attrgetter) and not used.intersection(made):
            continue  # a view that nobody used
        done = sorted(set(made + needs) - used)
        used.update(made, needs)
        kept.append((c, done))
    own = tape.own()
    arguments, lines = [writer.variable(place.number) for place, fetch in tape.inputs if fetch is None], []
    for place, fetch in tape.inputs:
        if fetch is not None and place.number in used:
            lines.append(f"{writer.variable(place.number)} = {writer.bind(fetch, 'data')}()")
    for c, done in reversed(kept):
        if c.f is np.ndarray.copy and type(c.args[0]) is Place and c.args[0].number in own.intersection(done):
            writer.variables[c.made.number] = writer.variable(c.args[0].number)  # nobody else has it: it need not be copied
            continue
        lines.append(writer.line(c))
        if done:
            lines.append(f"del {', '.join(map(writer.variable, done))}")
    lines.append(f"return {writer.value(outcome)}")
    source = f"def {name}({', '.join(arguments)}):\n" + "".join(f"    {line}\n" for line in lines)
    room = dict(writer.bound)
    exec(compile(source, f"<{name}, recorded>", "exec"), room)
    return Program(room[name], source, writer.bound)


__all__ = ["Program", "places", "program"]
