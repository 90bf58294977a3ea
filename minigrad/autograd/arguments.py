"""What ops take as arguments, and how they complain."""

from typing import Any

import numpy as np

from ..backend.arrays import asarray, is_array
from ..backend.devices import device_of
from ..errors import AxisError, DeviceError, DTypeError, IndexRangeError, MinigradError, ShapeError
from .node import arrays_in
from .shortage import out_of_memory
from .tensor import raw

ndarray = np.ndarray


def operand(x: Any) -> Any:
    """A constant operand as a kernel can take it: a Python number stays weak, lists become arrays."""
    if isinstance(x, (bool, int, float, complex)) or is_array(x):
        return asarray(x) if type(x) is ndarray and x.dtype.kind not in "biufc" else x
    return asarray(x)


def settled(y: Any) -> Any:
    """A kernel's result as an array: NumPy gives scalars where an array of no dimensions is meant."""
    return np.asarray(y) if isinstance(y, np.generic) else y


def normal_axis(name: str, axis: Any, ndim: int) -> tuple[int, ...]:
    """``axis`` (None: all) as a tuple of axes counted from the front."""
    if axis is None:
        return tuple(range(ndim))
    if type(axis) is int and -ndim <= axis < ndim:
        return (axis % ndim,)
    if type(axis) is tuple:
        last = -1
        for i in axis:
            if type(i) is not int or not last < i < ndim:
                break
            last = i
        else:  # they are counted so, and in order
            return axis
    many = axis if isinstance(axis, (tuple, list)) else (axis,)
    out = []
    for i in many:
        if isinstance(i, (bool, np.bool_)) or not hasattr(i, "__index__"):
            raise DTypeError(f"{name}: axis must be an integer, got {i!r}")
        k = i.__index__()
        if not -ndim <= k < ndim:
            allowed = f"expected {-ndim} to {ndim - 1}" if ndim else "there is no axis to choose"
            raise AxisError(f"{name}: axis {k} is out of range for {ndim} dimensions ({allowed})")
        out.append(k % ndim)
    if len(set(out)) != len(out):
        raise ShapeError(f"{name}: axis {axis!r} names an axis twice")
    return tuple(out)


def number(who: str, what: str, value: Any) -> float:
    """A setting as a Python number, which is weak: a NumPy scalar would widen float32 arrays.

    Raises:
        DTypeError: it is no number. Truths and texts are none, though Python would make numbers of them.
    """
    if type(value) in (int, float):
        return value
    if not isinstance(value, (bool, np.bool_, str, bytes)):
        try:
            return float(value)
        except (TypeError, ValueError):
            pass
    raise DTypeError(f"{who}: {what} must be a number, got {value!r}")


def unexpected(name: str, other: dict) -> TypeError:
    """The error for keywords that are not there, with the right word for PyTorch's."""
    ours = {"dim": "axis", "keepdim": "keepdims", "dims": "axis", "input": "x", "other": "b"}
    hints = [f"{k!r}" + (f" (use {ours[k]}=)" if k in ours else "") for k in other]
    return TypeError(f"{name}: unexpected argument {', '.join(hints)}")


def shown(x: Any) -> str:
    """An operand in an error message: its dtype and shape, or itself if it is small."""
    if hasattr(x, "shape") and hasattr(x, "dtype"):
        return f"{x.dtype}{list(x.shape)}"
    text = repr(x)
    return text if len(text) < 60 else f"{type(x).__name__}"


def elsewhere(name: str, arrays: Any) -> DeviceError | None:
    """The error for arrays on different devices, with where each is; None if all are on one."""
    places = [str(device_of(a)) for a in arrays]
    if len(set(places)) < 2:
        return None
    came = ", ".join([f"{shown(a)} on {place}" for a, place in zip(arrays, places, strict=True)])
    there = next((p for p in places if p != "cpu"), places[0])
    return DeviceError(
        f"{name}: operands are on different devices, {' and '.join(sorted(set(places)))}: {came}; move with .to(device={there!r})"
    )


def together(name: str, *values: Any) -> None:
    """Raise DeviceError unless the Tensors and arrays are on one device: for functions that compute on arrays outside of ops."""
    for v in values:
        if v is not None and type(raw(v)) is not ndarray:
            break
    else:  # nearly always, and quickly told
        return
    if error := elsewhere(name, [a for a in map(raw, values) if hasattr(a, "dtype")]):
        raise error


def explained(op: Any, error: Exception, operands: Any, params: tuple = ()) -> Exception:
    """The error of a kernel as one of ours, with the op's name, what came, and what was expected."""
    if isinstance(error, (MinigradError, ImportError)):
        return error
    arrays = [a for a in operands if hasattr(a, "shape")]
    came = ", ".join([shown(a) for a in (*operands, *params)])
    if isinstance(error, MemoryError):
        return out_of_memory(op.name, error, f"got {came}", arrays[0] if arrays else None)
    if type(error).__name__ == "DynamicLibNotFoundError":
        return DeviceError(f"{op.name}: CuPy lacks a library of CUDA ({error}); pip install 'cupy-cuda12x[ctk]', or cuda13x")
    if mixed := elsewhere(op.name, [*arrays, *[a for p in params for a in arrays_in(p)]]):
        return mixed
    text = " ".join(str(error).split())
    if "broadcast" in text or "mismatch" in text or ("size" in text and isinstance(error, ValueError)):
        return ShapeError(f"{op.name}: shapes do not fit: got {came}; {text}")
    kinds: list[tuple[type, type]] = [(IndexError, IndexRangeError), (np.linalg.LinAlgError, np.linalg.LinAlgError)]
    kinds += [(ValueError, ShapeError), (TypeError, DTypeError)]
    for theirs, ours in kinds:
        if isinstance(error, theirs):
            return ours(f"{op.name}: got {came}; {text}")
    return type(error)(f"{op.name}: got {came}; {text}") if type(error).__module__ in ("builtins", "numpy.exceptions") else error
