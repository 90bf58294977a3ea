"""Convolutions and their gradients by cuDNN, in float32, float16 and bfloat16.

A convolution, its gradient with respect to the input and that with respect to the weight are three sides of one thing: of x, w and y two
are given, and the third is made. So one description serves all of them, and the transposed convolution, too.
"""

from collections.abc import Callable
from functools import lru_cache
from math import prod
from typing import Any

from ..compiled.conv import results
from .cudnn import ALIGNED, Attempt, library_for
from .forms import Family, Form
from .products import get_float32_matmul_precision

FAMILY = Family("conv")
X, W, Y = 0, 1, 2
MAKERS = ("conv_dgrad", {Y: "loss", W: "filter"}), ("conv_wgrad", {X: "image", Y: "loss"}), ("conv_fprop", {X: "image", W: "weight"})
"""What makes x, w and y, and what it calls the others."""
REFUSED = ("REDUCED_PRECISION_REDUCTION", "NONDETERMINISTIC")
EXACT = (*REFUSED, "TENSOR_CORE", "DOWN_CONVERT_INPUTS")
"""Ways that are not taken: sums in half precision, or in no certain order; and for float32 that is to stay so, TF32."""


@lru_cache(1024)
def framed(x: tuple, w: tuple, y: tuple, stride: tuple, padding: tuple, dilation: tuple) -> tuple | None:
    """The numbers of the axes, as the library takes them; None: it would not.

    It knows no cropping, which is what a negative padding is, and is fastest with as much padding after an axis as before it. As strides
    may leave elements over, there is a choice.
    """
    after = []
    for m, k, o, s, (lo, hi), d in zip(x[2:], w[2:], y[2:], stride, padding, dilation, strict=True):
        fits = [p for p in (lo, hi, 0) if p >= 0 and (m + lo + p - d * (k - 1) - 1) // s + 1 == o]
        if lo < 0 or not fits:
            return None
        after.append(fits[0])
    before, flat = [lo for lo, _ in padding], len(stride) == 1  # a signal is an image one row high
    return (
        *(("pre_padding", (0,) * flat + tuple(before)), ("post_padding", (0,) * flat + tuple(after))),
        *(("stride", (1,) * flat + stride), ("dilation", (1,) * flat + dilation)),
    )


def third(c: Form, sides: list, bias: Any, stride: tuple, padding: tuple, dilation: tuple) -> Any:
    """Of x, w and y the one of which the shape is given in its place; None where it is not for the library."""
    shapes = [s if type(s) is tuple else s.shape for s in sides]
    (made,) = [i for i, s in enumerate(sides) if type(s) is tuple]
    arrays = [s for s in sides if type(s) is not tuple]
    library = library_for(c.xp, c.least, *arrays, *([] if bias is None else [bias]))
    frame = None if library is None else framed(*shapes, stride, padding, dilation)
    if library is None or frame is None or not prod(shapes[made]):
        return None
    name, words = MAKERS[made]
    y = c.xp.empty(shapes[made], arrays[0].dtype)
    notes = EXACT if y.dtype.name == "float32" and get_float32_matmul_precision() == "highest" else REFUSED
    given = {word: _seen(c.xp, sides[i]) for i, word in words.items()}
    within = None  # what is added by the same kernel
    if bias is not None:
        bias = bias.reshape((1, -1, *[1] * len(stride)))
        within = _seen(c.xp, bias) if made == Y else None
    if not library.compute(name, given, [_seen(c.xp, y)], (Attempt(frame, notes),), within):
        return None
    if bias is not None and within is None:
        y += bias
    return y


def _seen(xp: Any, a: Any) -> Any:
    """An array as the library takes it: in the order of C, at an even address, a signal as an image; a view, if it can be."""
    a = xp.ascontiguousarray(a)
    a = a.copy() if a.data.ptr % ALIGNED else a
    return a[:, :, None] if a.ndim == 3 else a


@FAMILY.form("convolution")
def convolution(c: Form, plain: Callable) -> Callable:
    """y of x and w."""

    def kernel(x: Any, w: Any, bias: Any, stride: tuple, padding: tuple, dilation: tuple, groups: int) -> Any:
        sides = [x, w, results(x.shape, w.shape, stride, padding, dilation)]
        y = third(c, sides, bias, stride, padding, dilation)
        return plain(x, w, bias, stride, padding, dilation, groups) if y is None else y

    return kernel


@FAMILY.form("convolution_input_gradient")
def input_gradient(c: Form, plain: Callable) -> Callable:
    """x of y and w."""

    def kernel(g: Any, w: Any, bias: Any, spatial: tuple, stride: tuple, padding: tuple, dilation: tuple, groups: int) -> Any:
        sides = [(g.shape[0], w.shape[1] * groups, *spatial), w, g]
        dx = third(c, sides, bias, stride, padding, dilation)
        return plain(g, w, bias, spatial, stride, padding, dilation, groups) if dx is None else dx

    return kernel


@FAMILY.form("convolution_weight_gradient")
def weight_gradient(c: Form, plain: Callable) -> Callable:
    """w of x and y."""

    def kernel(x: Any, g: Any, kernel: tuple, stride: tuple, padding: tuple, dilation: tuple, groups: int) -> Any:
        sides = [x, (g.shape[1], x.shape[1] // groups, *kernel), g]
        dw = third(c, sides, None, stride, padding, dilation)
        return plain(x, g, kernel, stride, padding, dilation, groups) if dw is None else dw

    return kernel
