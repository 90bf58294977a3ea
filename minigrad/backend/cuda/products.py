"""Products of matrices on CuPy's arrays by cuBLASLt.

CuPy's own products cannot be part of a CUDA graph, and add no bias. Here each combination of shapes and layouts is looked at once:
how the matrices lie for a library that counts columns first, how they are batched, what is best for them.
"""

import os
import threading
import types
import weakref
from collections.abc import Callable
from math import prod
from typing import Any

from . import cublaslt
from .cublaslt import COMPUTE_32F, COMPUTE_64F, R_16BF, R_16F, R_32F, R_64F, Handle, Matrix, Product
from .forms import Family, Form, wanted
from .joining import joining

FAMILY = Family("products")
KINDS = {
    "float32": (R_32F, COMPUTE_32F, R_32F),
    "float64": (R_64F, COMPUTE_64F, R_64F),
    "float16": (R_16F, COMPUTE_32F, R_32F),
    "bfloat16": (R_16BF, COMPUTE_32F, R_32F),
}
"""By dtype: NVIDIA's number for it, for what is computed in, and for the scale."""
PRECISIONS = {"highest": COMPUTE_32F, "high": cublaslt.COMPUTE_FAST_TF32, "medium": cublaslt.COMPUTE_FAST_16BF}
"""What float32 is computed in."""
MOST = 4096
"""How many combinations of shapes and layouts are remembered."""
OF_THREADS = 2
"""What all threads call their own default stream (cudaStreamPerThread), where CUPY_CUDA_PER_THREAD_DEFAULT_STREAM=1 is set."""
_UNSEEN: Any = object()
_precision = "high" if os.environ.get("CUPY_TF32") == "1" else "highest"


def set_float32_matmul_precision(precision: str) -> None:
    """How exactly a GPU multiplies matrices of float32; sums are float32 in any case.

    Args:
        precision: "highest": as they are (the default). "high": factors rounded to TF32, with 10 bits after the point instead of 23, for
            which newer GPUs have units of their own. "medium": they may be rounded to bfloat16, with 7 bits.

    Of the CPU nothing changes. What was captured before keeps its precision. ``CUPY_TF32=1`` in the environment means "high".

    Raises:
        ValueError: it is called otherwise.
    Example:
        >>> import minigrad as mg
        >>> mg.set_float32_matmul_precision("high")
        >>> mg.get_float32_matmul_precision()
        'high'
        >>> mg.set_float32_matmul_precision("highest")
    """
    global _precision
    if precision not in PRECISIONS:
        raise ValueError(f"set_float32_matmul_precision: expected 'highest', 'high' or 'medium', got {precision!r}")
    _precision = precision


def get_float32_matmul_precision() -> str:
    """What ``set_float32_matmul_precision`` was given: "highest", "high" or "medium".

    Example:
        >>> import minigrad as mg
        >>> mg.get_float32_matmul_precision() in ("highest", "high")
        True
    """
    return _precision


# -- how arrays lie ---------------------------------------------------------------------------------------------------
def lies(shape: tuple, strides: tuple, size: int) -> tuple[bool, int] | None:
    """Whether a matrix lies column after column, and how many numbers its rows (or columns) are apart; None: neither."""
    (rows, columns), (s, t) = shape[-2:], (strides[-2] // size, strides[-1] // size)
    if t == 1 or columns == 1:
        ld = s if rows > 1 else columns
        if ld >= columns:
            return False, ld
    if s == 1 or rows == 1:
        ld = t if columns > 1 else rows
        if ld >= rows:
            return True, ld
    return None


def step(lengths: tuple, shape: tuple, strides: tuple, size: int) -> int | None:
    """How many numbers the matrices of a batch of these lengths are apart, the array broadcast to it; None: not always as many."""
    found, reach = None, 0
    own = len(shape) - 2
    for i in range(1, len(lengths) + 1):
        if lengths[-i] != 1:
            s = strides[own - i] // size if i <= own and shape[own - i] != 1 else 0
            if found is None:
                found = reach = s
            elif s != reach:
                return None
            reach *= lengths[-i]
    return found if found is None or found >= 0 else None


def placed(x: Any, batch: tuple) -> tuple[bool, int, int] | None:
    """What ``lies`` and ``step`` find of an array; None where it must be copied."""
    size = x.dtype.itemsize
    lying, apart = lies(x.shape, x.strides, size), step(batch, x.shape, x.strides, size)
    return None if lying is None or (apart is None and prod(batch) > 1) else (*lying, apart or 0)


class Way:
    """What is known of a combination: the shape of the result and the product; or that one of the arrays, its name, must be copied."""

    __slots__ = ("batch", "copied", "product", "shape")

    def __init__(self, shape: tuple, batch: tuple, product: Product | None = None, copied: str = ""):
        self.shape, self.batch, self.product, self.copied = shape, batch, product, copied


class Products:
    """The products of one namespace: CuPy's, or that of its double in tests.

    Args:
        xp: the namespace.
        find: gives the library, or None; asked when the first product is computed.
    """

    def __init__(self, xp: Any, find: Callable[[], Any]):
        self.xp, self.find, self.plain = xp, find, xp.matmul
        self.handles: dict[int, Handle] = {}
        self.workspaces: dict[tuple[int, int], Any] = {}
        self.ways: dict[Any, Way | None] = {}
        self.lock = threading.Lock()
        self.missing = False

    def matmul(self, a: Any, b: Any, out: Any = None) -> Any:
        """``xp.matmul``."""
        if getattr(a, "ndim", 0) < 2 or getattr(b, "ndim", 0) < 2:
            return self._vectors(a, b, out)
        y = self.product(a, b, out=out)
        return self.plain(a, b, out=out) if y is None else y

    def _vectors(self, a: Any, b: Any, out: Any) -> Any:
        """A vector is a row on the left, a column on the right."""
        m, n = getattr(a, "ndim", 0), getattr(b, "ndim", 0)
        if not m or not n or a.shape[-1] != b.shape[0 if n == 1 else -2]:
            return self.plain(a, b, out=out)
        y = self.product(a[None] if m == 1 else a, b[:, None] if n == 1 else b)
        if y is None:
            return self.plain(a, b, out=out)
        y = y[..., 0, :] if m == 1 else y
        y = y[..., 0] if n == 1 else y
        if out is None:
            return y
        out[...] = y
        return out

    def linear(self, x: Any, weight: Any, bias: Any) -> Any:
        """``x @ weight.T + bias`` for rows of x with any leading axes; None where it is not for the library."""
        if bias is not None and (bias.dtype != x.dtype or bias.strides[0] != bias.dtype.itemsize):
            return None
        rows = x if x.ndim == 2 else x.reshape((prod(x.shape[:-1]), x.shape[-1]))
        y = self.product(rows, weight.T, bias)
        return y if y is None or x.ndim == 2 else y.reshape((*x.shape[:-1], weight.shape[0]))

    def product(self, a: Any, b: Any, bias: Any = None, out: Any = None) -> Any:
        """``a @ b + bias`` of two or more axes each; None where it is not for the library."""
        if self.missing or type(a) is not type(b):
            return None
        p, q = a.data, b.data
        device = self.xp.cuda.runtime.getDevice()
        if p.device_id != device or q.device_id != device:
            return None
        addresses = p.ptr | q.ptr
        if bias is not None:
            addresses |= bias.data.ptr
        if out is not None:
            addresses |= out.data.ptr
        alignment = addresses & -addresses & 15 or 16  # more than 16 no algorithm asks for
        lying = None if out is None else (out.shape, out.strides, out.dtype)
        key = (a.shape, a.strides, b.shape, b.strides, a.dtype, b.dtype, bias is None, lying, device, alignment, _precision)
        way: Way | None = self.ways.get(key, _UNSEEN)
        if way is _UNSEEN:
            way = self._look(a, b, bias, out, alignment)
            if len(self.ways) >= MOST:
                self.ways.clear()
            self.ways[key] = way
        if way is None:
            return None
        if way.product is None:
            return self._copied(way, a, b, bias, out)
        y = self.xp.empty(way.shape, a.dtype) if out is None else out
        stream = self.xp.cuda.get_current_stream()
        lane = device, stream.ptr if stream.ptr != OF_THREADS else -threading.get_ident()
        room = self.workspaces.get(lane)
        if room is None:
            room = self._room(lane, stream)
        way.product.run(q.ptr, p.ptr, y.data.ptr, room.data.ptr, stream.ptr, None if bias is None else bias.data.ptr)
        return y

    def _room(self, lane: tuple[int, int], stream: Any) -> Any:
        """A workspace for a stream, which lives as long as it: streams compute at the same time."""
        room = self.workspaces[lane] = self.xp.empty(cublaslt.WORKSPACE, "uint8")
        if stream.ptr:  # the default stream is there forever
            weakref.finalize(stream, self.workspaces.pop, lane, None).atexit = False
        return room

    def _copied(self, way: Way, a: Any, b: Any, bias: Any, out: Any) -> Any:
        """The same with an array that lies in order, or into one."""
        if way.copied == "out":
            y = self.product(a, b, bias)
            if y is not None:
                out[...] = y
            return y if y is None else out
        x = a if way.copied == "a" else b
        if x.flags.c_contiguous:  # then it is the batch that cannot be stepped through
            x = self.xp.broadcast_to(x, (*way.batch, *x.shape[-2:]))
        x = self.xp.ascontiguousarray(x)
        return self.product(*((x, b) if way.copied == "a" else (a, x)), bias, out)

    def _look(self, a: Any, b: Any, bias: Any, out: Any, alignment: int) -> Way | None:
        """What is to be done for arrays like these."""
        kind = KINDS.get(a.dtype.name)
        m, k, n = a.shape[-2], a.shape[-1], b.shape[-1]
        if kind is None or b.dtype != a.dtype or b.shape[-2] != k or not a.size or not b.size:
            return None
        try:
            batch = self.xp.broadcast_shapes(a.shape[:-2], b.shape[:-2])
        except ValueError:
            return None
        shape = (*batch, m, n)
        if out is not None and (out.shape != shape or out.dtype != a.dtype):
            return None
        handle = self._handle(a.data.device_id)
        if handle is None:
            return None
        found: dict[str, Any] = {"out": (False, n, m * n)}
        for name, x in (("a", a), ("b", b), ("out", out)):
            if x is not None:
                found[name] = place = placed(x, batch)
                if place is None or (name == "out" and place[0]):
                    return Way(shape, batch, copied=name)
        (left, p, s), (right, q, t), (_, r, u) = found["a"], found["b"], found["out"]
        of_a, of_b = Matrix(*((m, k) if left else (k, m)), p, s), Matrix(*((k, n) if right else (n, k)), q, t)
        if kind[0] == R_32F:
            kind = R_32F, PRECISIONS[_precision], R_32F
        # rows after rows are the columns of the transpose, and yᵀ = bᵀ aᵀ
        made = Product(handle, kind, (right, left), of_b, of_a, Matrix(n, m, r, u), prod(batch), bias is not None, alignment)
        if made.possible:
            return Way(shape, batch, made)
        return None if out is None else Way(shape, batch, copied="out")

    def _handle(self, device: int) -> Handle | None:
        """The one of this device, which is the current one."""
        with self.lock:
            if device not in self.handles and wanted() and (library := self.find()) is not None:
                self.handles[device] = Handle(library)
            self.missing = not self.handles
            return self.handles.get(device)


class Namespace(types.ModuleType):
    """A namespace like CuPy's, with products of its own, and joining as it can be captured."""

    def __init__(self, xp: Any, find: Callable[[], Any] = cublaslt.library):
        super().__init__(xp.__name__)
        self._xp, self.products = xp, Products(xp, find)
        self.matmul = self.products.matmul
        self.concatenate, self.stack = joining(xp)

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._xp, name)
        setattr(self, name, found)
        return found


@FAMILY.form("linear")
def _linear(c: Form, plain: Callable) -> Callable:
    products = getattr(c.xp, "products", None)
    if products is None:
        return plain

    def kernel(x: Any, weight: Any, bias: Any) -> Any:
        y = products.linear(x, weight, bias) if x.size >= c.least else None
        return plain(x, weight, bias) if y is None else y

    return kernel


__all__ = ["Namespace", "Products", "get_float32_matmul_precision", "set_float32_matmul_precision"]
