"""Devices by name: where an array lives and how it gets elsewhere."""

import importlib.util
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..errors import DeviceError
from .arrays import Array


@dataclass(frozen=True)
class Device:
    """``cpu`` or ``cuda:<index>``; compares equal to its name.

    Example:
        >>> import minigrad as mg
        >>> mg.Device("cuda", 1) == "cuda:1"
        True
    """

    type: str
    index: int = 0

    def __str__(self) -> str:
        return f"{self.type}:{self.index}" if self.type == "cuda" else self.type

    def __repr__(self) -> str:
        return f"device({str(self)!r})"

    def __eq__(self, other: object) -> bool:
        return str(self) == (str(device(other)) if isinstance(other, str) else str(other))

    def __hash__(self) -> int:
        return hash(str(self))


CPU = Device("cpu")
_others: dict[str, Any] = {}


def register_device(name: str, put: Any) -> None:
    """Let ``name`` be a device: arrays say it in their ``device``, and ``put`` copies a NumPy array there."""
    _others[name] = put


def device(name: Any) -> Device:
    """The device called ``name``: ``"cpu"``, ``"cuda"`` or ``"cuda:1"``.

    Raises:
        DeviceError: the name is none of these.

    Example:
        >>> import minigrad as mg
        >>> mg.device("cuda").index
        0
    """
    if isinstance(name, Device):
        return name
    kind, _, index = str(name).partition(":")
    if kind == "cpu" and index in ("", "0"):
        return CPU
    if kind == "cuda" and (not index or index.isdigit()):
        return Device("cuda", int(index or 0))
    if name in _others:
        return Device(kind)
    raise DeviceError(f"device: expected 'cpu', 'cuda' or 'cuda:<index>', got {name!r}")


def is_available(name: Any) -> bool:
    """Whether arrays can be put on this device here and now.

    Example:
        >>> import minigrad as mg
        >>> mg.is_available("cpu")
        True
    """
    if device(name).type != "cuda":
        return True
    if importlib.util.find_spec("cupy") is None:
        return False
    import cupy

    try:
        return cupy.cuda.runtime.getDeviceCount() > device(name).index
    except cupy.cuda.runtime.CUDARuntimeError:
        return False


def device_of(a: Array) -> Device:
    """The device on which the array lives.

    Example:
        >>> import minigrad as mg
        >>> import numpy as np
        >>> mg.backend.device_of(np.zeros(2))
        device('cpu')
    """
    if type(a) is np.ndarray:
        return CPU
    place = getattr(a, "device", "cpu")
    if isinstance(place, (str, Device)):
        return device(place)
    return Device("cuda", place.id)


def from_dlpack(x: Any) -> Array:
    """The array over the memory of another library's array, on the CPU or a CUDA device.

    Example:
        >>> import minigrad as mg
        >>> import numpy as np
        >>> a = np.zeros(2)
        >>> np.shares_memory(mg.backend.from_dlpack(a), a)
        True
    """
    if x.__dlpack_device__()[0] == 1:  # the CPU's number in DLPack
        return np.from_dlpack(x)
    import cupy

    return cupy.from_dlpack(x)


def to_device(a: Array, where: Any) -> Array:
    """The array on that device; itself if it is there already.

    Raises:
        ImportError: the device needs CuPy, which is not installed.

    Example:
        >>> import minigrad as mg
        >>> import numpy as np
        >>> a = np.zeros(2)
        >>> mg.backend.to_device(a, "cpu") is a
        True
    """
    target = device(where)
    if device_of(a) == target:
        return a
    if target.type == "cpu":
        return a.get()
    if target.type != "cuda":
        return _others[target.type](a)
    if importlib.util.find_spec("cupy") is None:
        raise ImportError(f"to_device: {target} needs CuPy; pip install 'minigrad[cuda12]' or 'minigrad[cuda13]'")
    import cupy

    with cupy.cuda.Device(target.index):
        return cupy.asarray(a)
