"""Steps of optimizers and norms of gradients on a GPU: many arrays by one launch, each number read and written once, where it lies."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from ..compiled.optimizers import GIVEN
from .forms import Family, Form
from .launch import Kernel, launch, number_of, start

FAMILY = Family("optimizers")
Arrays = Sequence[Any]
MANY, PIECE = 64, 2048
"""How many arrays a launch takes, and into pieces of how many numbers they are cut; as the source has it."""
LIST = f"{MANY}P{MANY}l{MANY}i"
FORMULAS = {name: Kernel("optimizers", name, f"{LIST}{4 * MANY}P{n}fi") for name, n in (("sgd", 5), ("adam", 10), ("rms", 7))}
TIMES, SQUARES = Kernel("optimizers", "times", f"{LIST}P"), Kernel("optimizers", "squares", f"{LIST}P")
UNSCALED = Kernel("optimizers", "unscaled", f"{LIST}PP")
ROOT, APPROACH = Kernel("optimizers", "root", "PPl"), Kernel("optimizers", "approach", "PPPl")
NONE = [0] * MANY


def _places(arrays: Arrays | None) -> list[int]:
    """The addresses of some arrays, and zeros up to MANY."""
    return NONE if arrays is None else [a.data.ptr for a in arrays] + NONE[len(arrays) :]


def _lists(arrays: Arrays) -> Iterator[tuple[slice, list[int], int]]:
    """Arrays, MANY at a time: which, what the source calls ``struct many``, and how many pieces they have."""
    for i in range(0, len(arrays), MANY):
        some, pieces = arrays[i : i + MANY], 0
        sizes, ends = [a.size for a in some] + NONE[len(some) :], []
        for n in sizes:
            pieces += -(-n // PIECE)
            ends.append(pieces)
        if pieces:
            yield slice(i, i + MANY), [*_places(some), *sizes, *ends], pieces


def _number(*lists: Arrays) -> str:
    """How numbers are stored, the same in all arrays, each of which lies in the order of C; nothing if it is otherwise."""
    first = lists[0][0]
    kind, dtype = type(first), first.dtype
    for arrays in lists:
        for a in arrays:
            if type(a) is not kind or a.dtype != dtype or not a.flags.c_contiguous:
                return ""
    return number_of(first)


def _step(name: str) -> Callable:
    formula, given = GIVEN[name]
    kernel = FORMULAS[formula]

    def make(c: Form, plain: Any) -> Callable:
        def step(p: Arrays, g: Arrays, arrays: dict[str, Arrays], counters: dict[str, Any], group: dict[str, Any]) -> bool:
            number = _number(p, g) if len(p) >= c.least else ""
            if not number or any(a.size != b.size for a, b in zip(p, g, strict=True)):
                return True
            kept, numbers, bits = given(arrays, counters, group)
            if any(a is not None and _number(a) != "float" for a in kept):
                return True
            for part, table, pieces in _lists(p):
                places = [v for a in (g, *kept, *(None,) * (3 - len(kept))) for v in _places(None if a is None else a[part])]
                data = kernel.pack(*table, *places, *numbers, bits)
                used = (*p[part], *g[part], *[v for a in kept if a is not None for v in a[part]])
                if start(kernel, pieces, data, used, number, PIECE):
                    return True
            return False

        return step

    return make


for _name in GIVEN:
    FAMILY.form(_name)(_step(_name))


# -- norms, and what is done to many arrays at once -------------------------------------------------------------------
@FAMILY.form("norm")
def norm(c: Form, plain: Any) -> Callable:
    """The 2-norm of all numbers of a list of arrays; None where it is left to CuPy."""

    def kernel(arrays: Arrays) -> Any:
        number = _number(arrays) if len(arrays) >= c.least else ""
        tables = list(_lists(arrays)) if number else []
        if not tables:
            return None
        total, before = sum(pieces for *_, pieces in tables), 0
        sums, y = c.xp.empty(total, "float64"), c.xp.empty((), "float32")
        for part, table, pieces in tables:
            data = SQUARES.pack(*table, sums.data.ptr + 8 * before)
            if start(SQUARES, pieces, data, (sums, *arrays[part]), number, PIECE):
                return None
            before += pieces
        return None if launch(ROOT, 1, y, sums, total, along=total) else y

    return kernel


@FAMILY.form("scale")
def scale(c: Form, plain: Callable) -> Callable:
    """A list of arrays times a number, an array of no dimensions, in place."""

    def kernel(arrays: Arrays, factor: Any) -> None:
        number = _number(arrays) if len(arrays) >= c.least else ""
        if not number or type(factor) is not type(arrays[0]):
            return plain(arrays, factor)
        by = factor.astype("float32")
        for part, table, pieces in _lists(arrays):
            if start(TIMES, pieces, TIMES.pack(*table, by.data.ptr), (*arrays[part], by), number, PIECE):
                plain(arrays[part], factor)
        return None

    return kernel


@FAMILY.form("unscale")
def unscale(c: Form, plain: Callable) -> Callable:
    """A list of arrays divided by a number, an array of no dimensions; 1 if one of theirs was not finite, else 0."""

    def kernel(arrays: Arrays, scale: Any) -> Any:
        number = _number(arrays) if len(arrays) >= c.least and number_of(scale) == "float" else ""
        if not number:
            return plain(arrays, scale)
        flag = c.xp.zeros((), "float32")
        for part, table, pieces in _lists(arrays):
            if start(UNSCALED, pieces, UNSCALED.pack(*table, scale.data.ptr, flag.data.ptr), (*arrays[part], scale, flag), number, PIECE):
                return plain(arrays, scale)
        return flag

    return kernel


@FAMILY.form("averaged")
def averaged(c: Form, plain: Callable) -> Callable:
    """``a <- a + (p - a) share`` in place."""

    def kernel(a: Any, p: Any, share: Any) -> None:
        number = _number([a], [p]) if a.size >= c.least and a.size == p.size and type(share) is type(a) else ""
        if not number or launch(APPROACH, a.size, a, p, share.astype("float32"), a.size, number=number):
            plain(a, p, share)

    return kernel
