"""The Tensor: an array and the node it came from. Its operators are attached by the floor above."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from ..backend import arrays, default_dtype, device_of, is_inexact, to_device
from ..backend.arrays import Array
from ..errors import DTypeError, GraphError
from .node import Handle, Node, Watch, make_link, make_node, version

_new = object.__new__
_shapes: dict[tuple[int, ...], tuple[int, ...]] = {}
"""The shapes of leaves, each once: elementwise ops pass them on, and the engine sees sooner that two are one than that they are equal."""


class Tensor:
    """An array that remembers how it was computed.

    Args:
        data: numbers, nested lists, an array or a Tensor; copied, so that later changes of it do not reach the Tensor.
        requires_grad: make this a leaf whose gradient ``backward`` fills in; floating and complex dtypes only.
        dtype: what to convert to; default: an array's own, the default dtype for Python floats.
        device: where to put it; default: where it is.

    Raises:
        DTypeError: the data are not numbers, or ``requires_grad`` with integers.

    Example:
        >>> import minigrad as mg
        >>> x = mg.Tensor([1.0, 2.0, 3.0], requires_grad=True)
        >>> (x * x).sum().backward()
        >>> x.grad
        Tensor([2., 4., 6.], shape (3,), float32, cpu)
    """

    __slots__ = ("__weakref__", "data", "link", "node")
    data: Array
    node: Node | None
    link: Any

    def __init__(self, data: Any, requires_grad: bool = False, dtype: Any = None, device: Any = None):
        a = as_data(data, dtype, device, copy=True)
        self.data = a
        self.node = self.link = None
        if requires_grad:
            self.requires_grad_()

    # -- what it is ---------------------------------------------------------------------------------------------------
    @property
    def shape(self) -> tuple[int, ...]:
        """The length of each axis."""
        return self.data.shape

    @property
    def dtype(self) -> Any:
        """NumPy's dtype of the numbers."""
        return self.data.dtype

    @property
    def ndim(self) -> int:
        """How many axes there are."""
        return self.data.ndim

    @property
    def size(self) -> int:
        """How many numbers there are: a property, as in NumPy."""
        return self.data.size

    @property
    def nbytes(self) -> int:
        """How many bytes the numbers take."""
        return self.data.nbytes

    @property
    def device(self) -> Any:
        """Where the array lives."""
        return device_of(self.data)

    # -- its place in the graph ---------------------------------------------------------------------------------------
    @property
    def requires_grad(self) -> bool:
        """Whether this tensor is part of a graph: a leaf that collects a gradient, or computed from one."""
        return self.node is not None

    @requires_grad.setter
    def requires_grad(self, wanted: bool) -> None:
        self.requires_grad_(wanted)

    def requires_grad_(self, requires_grad: bool = True) -> Tensor:
        """Make this a leaf that collects a gradient, or (False) a constant. Returns itself.

        Raises:
            DTypeError: integers and booleans have no gradient.
            GraphError: a computed tensor cannot be made a constant; use ``detach()``.
        """
        if requires_grad and self.node is None:
            if not is_inexact(self.data.dtype):
                raise DTypeError(
                    f"requires_grad: only floating and complex tensors can require grad, got {self.data.dtype}; use astype('float32')"
                )
            shape = self.data.shape
            self.node = make_node(None, (), (), _shapes.setdefault(shape, shape), self.data.dtype)
        elif not requires_grad and self.node is not None:
            if self.node.op is not None:
                raise GraphError("requires_grad_(False): this tensor was computed; use detach() to get a constant")
            self.node = None
        return self

    @property
    def is_leaf(self) -> bool:
        """Whether no recorded op made this tensor."""
        return self.node is None or self.node.op is None

    @property
    def grad_fn(self) -> Node | None:
        """The node of the op that made this tensor; None for a leaf."""
        return None if self.is_leaf else self.node

    @property
    def grad(self) -> Tensor | None:
        """The gradient that ``backward`` accumulated: of a leaf, or after ``retain_grad()``."""
        return None if self.node is None or self.node.watch is None else self.node.watch.grad

    @grad.setter
    def grad(self, value: Tensor | None) -> None:
        if self.node is None:
            if value is None:
                return
            raise GraphError("grad: this tensor does not require grad, so it cannot hold one; use requires_grad_() first")
        if value is not None:
            value = value if isinstance(value, Tensor) else wrap(as_data(value), None)
            if value.shape != self.shape or value.dtype != self.dtype:
                raise GraphError(f"grad: expected shape {self.shape} and {self.dtype}, got shape {value.shape} and {value.dtype}")
        if value is not None or self.node.watch is not None:
            self._watch("grad").grad = value

    @grad.deleter
    def grad(self) -> None:
        self.grad = None

    @property
    def name(self) -> str | None:
        """A name for drawings and messages; parameters are given theirs by the module they belong to."""
        return None if self.link is None else self.link.name

    @name.setter
    def name(self, name: str | None) -> None:
        if self.link is None:
            self.link = make_link()
        self.link.name = name

    @property
    def _version(self) -> int:
        return version(self.data)

    def retain_grad(self) -> None:
        """Keep the gradient of a computed tensor too, in ``.grad``."""
        self._watch("retain_grad").retain = True

    @property
    def retains_grad(self) -> bool:
        """Whether ``retain_grad()`` was asked of this computed tensor."""
        return not self.is_leaf and self.node.watch is not None and self.node.watch.retain  # type: ignore[union-attr]

    def register_hook(self, hook: Callable[[Tensor], Tensor | None]) -> Handle:
        """Call ``hook(gradient)`` when backward reaches this tensor; what it returns replaces the gradient."""
        watch = self._watch("register_hook")
        return watch.add(watch.hooks, hook)

    def register_post_accumulate_grad_hook(self, hook: Callable[[Tensor], None]) -> Handle:
        """Call ``hook(tensor)`` each time this leaf's ``.grad`` has been updated."""
        if self.node is None or self.node.op is not None:
            raise GraphError("register_post_accumulate_grad_hook: only leaves that require grad accumulate one")
        watch = self._watch("register_post_accumulate_grad_hook")
        return watch.add(watch.post, (hook, weakref.ref(self)))

    def _watch(self, who: str) -> Watch:
        if self.node is None:
            raise GraphError(f"{who}: this tensor does not require grad")
        if self.node.watch is None:
            self.node.watch = Watch()
        return self.node.watch

    def detach(self) -> Tensor:
        """The same memory as a constant."""
        return wrap(self.data, None)

    def detach_(self) -> Tensor:
        """Cut this tensor off its history, in place."""
        self.node = self.link = None
        return self

    # -- out of minigrad ----------------------------------------------------------------------------------------------
    def numpy(self) -> np.ndarray:
        """The values as a NumPy array that shares memory; read-only while the tensor is part of a graph."""
        a = to_device(self.data, "cpu")
        if self.node is not None:
            a = a.view()
            a.flags.writeable = False
        return a

    def cupy(self) -> Any:
        """The values as a CuPy array."""
        return to_device(self.data, "cuda")

    def item(self) -> Any:
        """The one number as a Python scalar."""
        if self.data.size != 1:
            raise ValueError(f"item: expected one element, got shape {self.shape}; index it or use tolist()")
        return self.data.item()

    def tolist(self) -> Any:
        """The numbers as Python scalars in nested lists."""
        return self.data.tolist()

    # -- copying ------------------------------------------------------------------------------------------------------
    def __deepcopy__(self, memo: dict) -> Tensor:
        if not self.is_leaf:
            raise GraphError("deepcopy: only leaves can be copied with their identity; use clone() or detach()")
        t = _new(type(self))
        memo[id(self)] = t
        t.data, t.node, t.link = self.data.copy(), None, None
        if self.node is not None:
            t.requires_grad_()
            if self.grad is not None:
                t.grad = wrap(self.grad.data.copy(), None)
        return t

    def __copy__(self) -> Tensor:
        if not self.is_leaf:
            return self[...]  # a view, which writes through either keep in step
        t = _new(type(self))
        t.data, t.node, t.link = self.data, self.node, self.link
        return t

    def __reduce__(self) -> Any:
        if not self.is_leaf:
            raise GraphError("pickle: this tensor is part of a graph, which is not pickled; pickle t.detach() instead")
        grad = None if self.grad is None else self.grad.detach().numpy()
        return _rebuild, (type(self), to_device(self.data, "cpu"), self.requires_grad, grad)

    def __repr__(self) -> str:
        return describe(self)

    def __len__(self) -> int:
        if not self.data.ndim:
            raise TypeError("len: a 0-d tensor has no length")
        return len(self.data)

    def __bool__(self) -> bool:
        if self.data.size != 1:
            raise ValueError(f"bool: the truth of a tensor of shape {self.shape} is ambiguous; use .any() or .all()")
        return bool(self.data)

    def __float__(self) -> float:
        return float(self.item())

    def __int__(self) -> int:
        return int(self.item())

    def __complex__(self) -> complex:
        return complex(self.item())

    def __index__(self) -> int:
        if self.data.dtype.kind not in "iu" or self.data.ndim:
            raise TypeError(f"index: expected a 0-d integer tensor, got shape {self.shape} and {self.dtype}")
        return int(self.data)

    __hash__ = object.__hash__

    if TYPE_CHECKING:  # what the floors above attach, for type checkers

        def __add__(self, other: Any) -> Tensor: ...
        def __radd__(self, other: Any) -> Tensor: ...
        def __sub__(self, other: Any) -> Tensor: ...
        def __rsub__(self, other: Any) -> Tensor: ...
        def __mul__(self, other: Any) -> Tensor: ...
        def __rmul__(self, other: Any) -> Tensor: ...
        def __truediv__(self, other: Any) -> Tensor: ...
        def __rtruediv__(self, other: Any) -> Tensor: ...
        def __floordiv__(self, other: Any) -> Tensor: ...
        def __rfloordiv__(self, other: Any) -> Tensor: ...
        def __mod__(self, other: Any) -> Tensor: ...
        def __rmod__(self, other: Any) -> Tensor: ...
        def __pow__(self, other: Any) -> Tensor: ...
        def __rpow__(self, other: Any) -> Tensor: ...
        def __matmul__(self, other: Any) -> Tensor: ...
        def __rmatmul__(self, other: Any) -> Tensor: ...
        def __and__(self, other: Any) -> Tensor: ...
        def __or__(self, other: Any) -> Tensor: ...
        def __xor__(self, other: Any) -> Tensor: ...
        def __iadd__(self, other: Any) -> Tensor: ...
        def __isub__(self, other: Any) -> Tensor: ...
        def __imul__(self, other: Any) -> Tensor: ...
        def __itruediv__(self, other: Any) -> Tensor: ...
        def __ipow__(self, other: Any) -> Tensor: ...
        def __lt__(self, other: Any) -> Tensor: ...
        def __le__(self, other: Any) -> Tensor: ...
        def __gt__(self, other: Any) -> Tensor: ...
        def __ge__(self, other: Any) -> Tensor: ...
        def __eq__(self, other: Any) -> Tensor: ...  # type: ignore[override]
        def __ne__(self, other: Any) -> Tensor: ...  # type: ignore[override]
        def __neg__(self) -> Tensor: ...
        def __abs__(self) -> Tensor: ...
        def __invert__(self) -> Tensor: ...
        def __getitem__(self, index: Any) -> Tensor: ...
        def __setitem__(self, index: Any, value: Any) -> None: ...
        def __iter__(self) -> Iterator[Tensor]: ...
        def __getattr__(self, name: str) -> Any: ...


def wrap(data: Array, node: Node | None) -> Tensor:
    """A Tensor over this array, which is not copied."""
    t = _new(Tensor)
    t.data = data
    t.node = node
    t.link = None
    return t


def raw(x: Any) -> Any:
    """The array of a Tensor; anything else as it is."""
    return x.data if isinstance(x, Tensor) else x


def as_data(data: Any, dtype: Any = None, device: Any = None, copy: bool | None = None) -> Array:
    """Numbers, arrays, Tensors and nested lists of these as an array."""
    if isinstance(data, Tensor):
        data = data.data
    elif isinstance(data, (list, tuple)):
        data, copy = _from_list(data, dtype), False
    elif isinstance(data, (float, complex)) and not isinstance(data, np.generic) and dtype is None:
        dtype = weak_dtype(data)
    xp = arrays.namespace(type(data))
    a = arrays.asarray(data, dtype, xp)
    if device is not None:
        a = to_device(a, device)
    if copy and (a is data or arrays.holder(a) is (arrays.holder(data) if arrays.is_array(data) else None)):
        a = a.copy()
    return a


def weak_dtype(value: Any) -> Any:
    """The dtype of a Python number made a tensor: the default float, or the complex of that width."""
    d = default_dtype()
    return np.result_type(d, np.complex64) if isinstance(value, complex) else d


def _from_list(data: Any, dtype: Any) -> Array:
    strong = False

    def plain(v: Any) -> Any:
        nonlocal strong
        if isinstance(v, (list, tuple)):
            return [plain(i) for i in v]
        if isinstance(v, Tensor):
            v = v.numpy()
        strong = strong or isinstance(v, (np.ndarray, np.generic))
        return v

    a = arrays.asarray(plain(data))
    if dtype is None and not strong and a.dtype.kind in "fc":
        dtype = weak_dtype(1j if a.dtype.kind == "c" else 1.0)
    return a if dtype is None else a.astype(dtype, copy=False)


def describe(t: Tensor) -> str:
    """``Tensor(values, shape, dtype, device[, requires_grad | op][, NaN and Inf counts])``."""
    a = to_device(t.data, "cpu")
    body = np.array2string(a, separator=", ", prefix=f"{type(t).__name__}(", threshold=100, edgeitems=3)
    notes = [f"shape {t.shape}", str(t.dtype), str(t.device)]
    if t.node is not None:
        notes.append("requires_grad" if t.node.op is None else f"grad_fn {t.node.op.name}")
    if is_inexact(a.dtype) and a.size:
        for count, what in ((int(np.isnan(a).sum()), "NaN"), (int(np.isinf(a).sum()), "Inf")):
            if count:
                notes.append(f"{count} {what}")
    return f"{type(t).__name__}({body}, {', '.join(notes)})"


def _rebuild(kind: type, data: Array, requires_grad: bool, grad: Array | None) -> Tensor:
    t: Tensor = _new(kind)
    t.data, t.node, t.link = data, None, None
    if requires_grad:
        t.requires_grad_()
        if grad is not None:
            t.grad = wrap(grad, None)
    return t


__all__ = ["Tensor", "as_data", "describe", "raw", "wrap"]
