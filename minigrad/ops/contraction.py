"""Sums of products over named axes: einsum and tensordot.

One primitive does the work: ``contract(a, la, b, lb, lo)`` multiplies two arrays whose axes are labelled la and lb, and sums over every
label that is not in lo. The gradient of such a product is such a product again, with the labels swapped:
``y[lo] = sum a[la] b[lb]`` gives ``da[la] = sum g[lo] b[lb]``, so that einsum is its own second derivative.
"""

from collections import Counter
from functools import lru_cache
from itertools import combinations
from math import prod
from typing import Any

from ..autograd import Tensor
from ..autograd.arguments import normal_axis
from ..autograd.forms import apply, general
from ..backend.arrays import asarray, is_array, namespace
from ..errors import DTypeError, ShapeError
from . import reduce
from .axes import permute_dims
from .diagonals import diagonal
from .shape import reshape

Labels = tuple


def _contract(xp: Any, a: Any, b: Any, la: Labels, lb: Labels, lo: Labels) -> Any:
    """The product of a and b, summed over the labels that are not in lo: one batched matrix product."""
    batch = [i for i in la if i in lb and i in lo]
    inner = [i for i in la if i in lb and i not in lo]
    rows = [i for i in la if i not in lb]
    columns = [i for i in lb if i not in la]
    a = a.transpose([la.index(i) for i in (*batch, *rows, *inner)])
    b = b.transpose([lb.index(i) for i in (*batch, *inner, *columns)])
    n, r, k = len(batch), len(rows), len(inner)
    many, m, p = a.shape[:n], a.shape[n : n + r], b.shape[n + k :]
    if inner:
        length = prod(b.shape[n : n + k])
        y = xp.matmul(a.reshape((*many, prod(m), length)), b.reshape((*many, length, prod(p))))
    else:
        y = a.reshape((*many, prod(m), 1)) * b.reshape((*many, 1, prod(p)))
    made = [*batch, *rows, *columns]
    return y.reshape((*many, *m, *p)).transpose([made.index(i) for i in lo])


_op = general(
    _contract,
    lambda g, b, la, lb, lo: contract(g, lo, b, lb, la),
    lambda g, a, la, lb, lo: contract(g, lo, a, la, lb),
    name="einsum",
)


def contract(a: Any, la: Labels, b: Any, lb: Labels, lo: Labels) -> Any:
    """The product of a, its axes labelled la, and b, labelled lb, summed over what is not in lo.

    No label occurs twice in one operand, equal labels have equal lengths, and a label of one operand alone is in lo.
    """
    return apply(_op, (a, b), la, lb, lo)


def arraylike(x: Any) -> Any:
    """Tensors and arrays as they are, numbers and lists as arrays."""
    return x if isinstance(x, Tensor) else asarray(x, None, namespace(type(x))) if is_array(x) else asarray(x)


def tensordot(a: Any, b: Any, axes: Any = 2) -> Any:
    """Sum of products over some axes of a and as many of b.

    Shapes: y has the other axes of a, then the other axes of b.
    Args:
        axes: an integer n, the last n axes of a with the first n of b; or a pair of (sequences of) axes.
    Raises:
        ShapeError: the axes differ in number or length, or are not there.
    Gradient: tensordot of g with the other operand.
    Example:
        >>> import minigrad as mg
        >>> mg.tensordot(mg.tensor([[1.0, 2.0], [3.0, 4.0]]), mg.tensor([1.0, 10.0]), axes=1)
        Tensor([21., 43.], shape (2,), float32, cpu)
    """
    a, b = arraylike(a), arraylike(b)
    if hasattr(axes, "__index__"):
        n = axes.__index__()
        if not 0 <= n <= min(a.ndim, b.ndim):
            raise ShapeError(f"tensordot: axes={n}, expected 0 to {min(a.ndim, b.ndim)} (a {tuple(a.shape)}, b {tuple(b.shape)})")
        axes = (range(a.ndim - n, a.ndim), range(n))
    try:
        left, right = [tuple(x) if hasattr(x, "__iter__") else (x,) for x in axes]
    except (TypeError, ValueError):
        raise ShapeError(f"tensordot: axes must be an integer or a pair of sequences, got {axes!r}") from None
    left, right = normal_axis("tensordot", left, a.ndim), normal_axis("tensordot", right, b.ndim)
    lengths = [a.shape[i] for i in left], [b.shape[i] for i in right]
    if lengths[0] != lengths[1]:
        raise ShapeError(
            f"tensordot: axes {left} of a have lengths {lengths[0]}, axes {right} of b {lengths[1]} "
            f"(a {tuple(a.shape)}, b {tuple(b.shape)})"
        )
    la = tuple(range(a.ndim))
    lb = tuple([left[right.index(i)] if i in right else a.ndim + i for i in range(b.ndim)])
    return contract(a, la, b, lb, (*[i for i in la if i not in left], *[i for i in lb if i >= a.ndim]))


def einsum(subscripts: Any, *operands: Any) -> Any:
    """Sum of products over axes named by letters.

    A letter names an axis; equal letters are the same index, a letter that the output lacks is summed over, one that occurs twice in an
    operand takes its diagonal, and ``...`` stands for the axes that are not named. Without ``->`` the output has the letters
    that occur once, in alphabetical order.

    Shapes: as the letters say; axes of length 1 broadcast.
    Args:
        subscripts: ``"ij,jk->ik"``; or NumPy's other form, ``einsum(a, [0, 1], b, [1, 2], [0, 2])``.
        operands: one array per term; more than two are multiplied in pairs, the cheapest first.
    Raises:
        ShapeError: names the subscripts and the letter, term or operand that does not fit.
    Gradient: einsum of g with the other operands, the letters swapped.
    Numerics: sums are matrix products, so float16 accumulates in float32.
    Example:
        >>> import minigrad as mg
        >>> a = mg.tensor([[1.0, 2.0], [3.0, 4.0]])
        >>> mg.einsum("ij,ij->i", a, a)
        Tensor([ 5., 25.], shape (2,), float32, cpu)
        >>> mg.einsum("ii", a).item()
        5.0
    """
    if isinstance(subscripts, str):
        terms, output = _parsed(subscripts)
    else:
        subscripts, operands, terms, output = _interleaved([subscripts, *operands])
    xs = [arraylike(x) for x in operands]
    plan = _plan(subscripts, terms, output, tuple([tuple(x.shape) for x in xs]))
    for i, (kept, diagonals, summed) in enumerate(plan[0]):
        x = xs[i]
        if kept is not None:
            x = reshape(x, kept)
        for p, q in diagonals:
            x = diagonal(x, 0, p, q)
        xs[i] = reduce.sum(x, summed) if summed else x
    for i, j, la, lb, lo in plan[1]:
        b, a = xs.pop(j), xs.pop(i)
        xs.append(contract(a, la, b, lb, lo))
    return xs[0] if plan[2] is None else permute_dims(xs[0], plan[2])


@lru_cache(1024)
def _parsed(subscripts: str) -> tuple[tuple, tuple | None]:
    """The labels of each operand and of the output (None: implicit); Ellipsis stands for the unnamed axes."""
    left, arrow, right = subscripts.replace(" ", "").partition("->")

    def labels(term: str) -> tuple:
        head, dots, tail = term.partition("...")
        for c in head + tail:
            if not (c.isalpha() and c.isascii()):
                raise ShapeError(f"einsum {subscripts!r}: unexpected {c!r} in term {term!r}; expected letters and at most one '...'")
        return (*head, Ellipsis, *tail) if dots else tuple(head)

    return tuple([labels(t) for t in left.split(",")]), labels(right) if arrow else None


def _interleaved(args: list) -> tuple[str, tuple, tuple, tuple | None]:
    """``a, [0, 1], b, [1, 2], [0, 2]`` as the other form has it."""
    output = args.pop() if len(args) % 2 else None
    operands, terms = tuple(args[::2]), args[1::2]
    for t in [*terms, output or ()]:
        if not isinstance(t, (list, tuple)) or not all(i is Ellipsis or hasattr(i, "__index__") for i in t):
            raise DTypeError(f"einsum: expected subscripts, a string, or operands followed by lists of integers, got {type(t).__name__}")
    text = ",".join(map(str, terms)) + (f"->{output}" if output is not None else "")
    return text, operands, tuple([tuple(t) for t in terms]), None if output is None else tuple(output)


@lru_cache(1024)
def _plan(text: str, terms: tuple, output: tuple | None, shapes: tuple) -> tuple[list, list, tuple | None]:
    """What einsum is to do: with each operand alone, then with which pairs, and the last permutation."""
    written, output, sizes = _named(text, terms, output, shapes)
    alone: list[tuple] = []
    labels: list[list] = []
    for term, shape in zip(written, shapes, strict=True):
        # an axis of length 1 that another operand stretches is dropped: then the other one alone decides about it
        lasting = [i for i, (t, n) in enumerate(zip(term, shape, strict=True)) if n == sizes[t]]
        kept = None if len(lasting) == len(shape) else tuple([shape[i] for i in lasting])
        term = [term[i] for i in lasting]
        diagonals = []
        while twice := [t for t, n in Counter(term).items() if n > 1]:
            p = term.index(twice[0])
            q = term.index(twice[0], p + 1)
            diagonals.append((p, q))
            term = [t for i, t in enumerate(term) if i not in (p, q)] + [twice[0]]
        alone.append((kept, diagonals))
        labels.append(term)
    steps = []
    for i, (kept, diagonals) in enumerate(alone):
        others = {t for j, term in enumerate(labels) if j != i for t in term}
        summed = tuple([p for p, t in enumerate(labels[i]) if t not in others and t not in output])
        steps.append((kept, diagonals, summed))
    for (_, _, summed), term in zip(steps, labels, strict=True):
        term[:] = [t for p, t in enumerate(term) if p not in summed]
    pairs = []
    while len(labels) > 1:

        def left(i: int, j: int) -> tuple:
            needed = {*output, *[t for k, term in enumerate(labels) if k not in (i, j) for t in term]}
            return tuple([t for t in dict.fromkeys([*labels[i], *labels[j]]) if t in needed])

        def cost(ij: tuple[int, int]) -> tuple[int, int]:  # multiplications, then the size of what comes out
            return prod([sizes[t] for t in {*labels[ij[0]], *labels[ij[1]]}]), prod([sizes[t] for t in left(*ij)])

        i, j = min(combinations(range(len(labels)), 2), key=cost)
        lo = left(i, j) if len(labels) > 2 else output
        b, a = labels.pop(j), labels.pop(i)
        pairs.append((i, j, tuple(a), tuple(b), lo))
        labels.append(list(lo))
    last = tuple([labels[0].index(t) for t in output])
    return steps, pairs, None if last == tuple(range(len(last))) else last


def _named(text: str, terms: tuple, output: tuple | None, shapes: tuple) -> tuple[list[list], tuple, dict]:
    """Every axis with a label of its own, ``...`` written out; the output's labels; the length of each label."""
    if len(terms) != len(shapes):
        raise ShapeError(f"einsum {text!r}: {len(terms)} terms, but {len(shapes)} operands")
    written: list[list] = []
    sizes: dict = {}
    unnamed = 0
    for k, (term, shape) in enumerate(zip(terms, shapes, strict=True)):
        full = list(term)
        if Ellipsis in full:
            extra = len(shape) - len(term) + 1
            at = full.index(Ellipsis)
            unnamed = max(unnamed, extra)
            full[at : at + 1] = [(Ellipsis, i) for i in range(-extra, 0)]
        if len(full) != len(shape):
            raise ShapeError(f"einsum {text!r}: term {k} names {len(term) - (Ellipsis in term)} axes, operand {k} has shape {shape}")
        own: dict = {}
        for label, n in zip(full, shape, strict=True):
            m = own.get(label, sizes.get(label, 1))
            if m != n and (label in own or 1 not in (m, n)):
                name = "'...'" if type(label) is tuple else repr(label)
                raise ShapeError(f"einsum {text!r}: label {name} has lengths {m} and {n} (operand {k})")
            own[label] = n
            sizes[label] = n if n != 1 else sizes.get(label, 1)
        written.append(full)
    dots = [(Ellipsis, i) for i in range(-unnamed, 0)]
    if output is None:
        counts = Counter(t for full in terms for t in full)
        return written, (*dots, *sorted(t for t, n in counts.items() if n == 1 and t is not Ellipsis)), sizes
    for label in output:
        if output.count(label) > 1:
            raise ShapeError(f"einsum {text!r}: the output names {label!r} twice")
        if label is not Ellipsis and label not in sizes:
            raise ShapeError(f"einsum {text!r}: the output names {label!r}, which no operand has")
    if dots and Ellipsis not in output:
        raise ShapeError(f"einsum {text!r}: the operands have axes under '...', so the output needs '...' too (name them, to sum)")
    return written, tuple([t for label in output for t in (dots if label is Ellipsis else [label])]), sizes


__all__ = ["einsum", "tensordot"]
