"""Attention by cuDNN, in float16 and bfloat16: scores never leave the multiprocessors. It is for heads of 8, 16, 24, ... features.

What is kept for the way back is what the other forms keep, so that each can take over from the other.
"""

from collections.abc import Callable
from typing import Any

from .cudnn import ALIGNED, Attempt, Library, library_for
from .forms import Form

ENDLESS = 1 << 62


def fitting(c: Form, q: Any, k: Any, v: Any, *others: Any) -> Library | None:
    """The library, if it may have these. Heads of keys and values are as many as those of the query, or shared by the innermost of them."""
    lead, shared = q.shape[:-2], (*q.shape[:-3], 1) if q.ndim > 2 else ()
    even = q.shape[-1] % 8 == v.shape[-1] % 8 == 0 and q.ndim < 6
    if q.dtype.name == "float32" or not even or not k.shape[:-2] == v.shape[:-2] in (lead, shared):
        return None
    return library_for(c.xp, c.least, q, k, v, *others)


def headed(a: Any) -> Any:
    """An array (batch, heads, length, features), lying so that the library takes it; a view, wherever that can be."""
    a = a.reshape((a.shape[0], -1, *a.shape[-2:])) if a.ndim > 4 else a[(None,) * (4 - a.ndim)]
    steps = [s for s, length in zip(a.strides[:-1], a.shape[:-1], strict=True) if length > 1]
    fits = a.strides[-1] == a.dtype.itemsize and all(s > 0 and s % ALIGNED == 0 for s in steps)
    return a if fits and a.data.ptr % ALIGNED == 0 else a.copy(order="C")


def room(xp: Any, heads: Any, width: int) -> Any:
    """Room for a result: heads lie behind rows in memory, so that joining them afterwards copies nothing."""
    batch, number, rows, _ = heads.shape
    return xp.empty((batch, rows, number, width), heads.dtype).swapaxes(1, 2)


def settings(library: Library, causal: bool, scale: float) -> tuple:
    """What is asked for each way."""
    scaled = ("attn_scale", 1.0 * scale)
    if not causal:
        return (scaled,)
    first = library.cudnn.diagonal_alignment.TOP_LEFT  # query i looks at keys 0 to i
    return scaled, ("diagonal_alignment", first), ("diagonal_band_right_bound", 0)


def attention(c: Form, plain: Callable) -> Callable:
    """Without mask and dropout."""

    def kernel(query: Any, key: Any, value: Any, mask: Any, keep: Any, gain: float, causal: bool, scale: float) -> tuple:
        library = fitting(c, query, key, value) if mask is None and keep is None else None
        if library is not None:
            q, k, v = map(headed, (query, key, value))
            y, z = room(c.xp, q, v.shape[-1]), c.xp.empty((*q.shape[:-1], 1), "float32")
            asked = Attempt((("generate_stats", True), *settings(library, causal, scale)))
            if library.compute("sdpa", {"q": q, "k": k, "v": v}, [y, z], (asked,)):
                y = y.reshape((*query.shape[:-1], v.shape[-1]))
                return y, (y, z.reshape((*query.shape[:-1], 1)))
        return plain(query, key, value, mask, keep, gain, causal, scale)

    return kernel


def attention_gradient(c: Form, plain: Callable) -> Callable:
    """Sums are made in the same order each time, where that takes no more than the room that plans have."""

    def slopes(
        g: Any, wanted: Any, kept: tuple, query: Any, key: Any, value: Any, mask: Any, keep: Any, gain: float, causal: bool, scale: float
    ) -> tuple:
        library = fitting(c, query, key, value, g) if mask is None and keep is None else None
        if library is not None:
            q, k, v, o, d = map(headed, (query, key, value, kept[0], g))
            given = {"q": q, "k": k, "v": v, "o": o, "dO": d, "stats": c.xp.ascontiguousarray(kept[1]).reshape((*q.shape[:-1], 1))}
            made, asked = [room(c.xp, a, a.shape[-1]) for a in (q, k, v)], settings(library, causal, scale)
            certain = Attempt((("use_deterministic_algorithm", True), *asked))
            if library.compute("sdpa_backward", given, made, (certain, Attempt(asked, room=ENDLESS))):
                ends = zip(made, (query, key, value), wanted[:3], strict=True)
                return *[d.reshape(a.shape) if w else None for d, a, w in ends], None
        return plain(g, wanted, kept, query, key, value, mask, keep, gain, causal, scale)

    return slopes
