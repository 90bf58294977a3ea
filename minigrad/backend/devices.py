"""Devices by name: where an array lives and how it gets elsewhere."""

import importlib.util
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..errors import DeviceError
from .arrays import Array, namespace


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
_local = threading.local()


def register_device(name: str, put: Any) -> None:
    """Let ``name`` be a device: arrays say it in their ``device``, and ``put`` copies a NumPy array there."""
    _others[name] = put


def device(name: Any) -> Device:
    """The device called ``name``: ``"cpu"``, ``"cuda:1"``, or ``"cuda"``: the GPU that ``using`` chose for this thread, else the first.

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
        return Device("cuda", int(index) if index else getattr(_local, "index", 0))
    if name in _others:
        return Device(kind)
    raise DeviceError(f"device: expected 'cpu', 'cuda' or 'cuda:<index>', got {name!r}")


def is_available(name: Any) -> bool:
    """Whether arrays can be put on this device here and now; ``show_config`` says why not.

    Example:
        >>> import minigrad as mg
        >>> mg.is_available("cpu")
        True
    """
    place = device(name)
    return place.type != "cuda" or not obstacle(place.index)


def obstacle(index: int = 0) -> str:
    """Why ``cuda:<index>`` cannot be used here, and what to do about it; nothing if it can.

    Example:
        >>> from minigrad.backend.devices import obstacle
        >>> bool(obstacle(1000))
        True
    """
    if "cupy" not in sys.modules and importlib.util.find_spec("cupy") is None:
        return "it needs CuPy; pip install 'minigrad[cuda12]' or 'minigrad[cuda13]'"
    try:
        import cupy
    except (ImportError, OSError) as error:
        return f"CuPy is installed, but cannot be imported ({_line(error)}); install the one for your CUDA anew, and only that one"
    runtime = cupy.cuda.runtime
    try:
        count = runtime.getDeviceCount()
    except runtime.CUDARuntimeError as error:
        return _no_driver(runtime, error)
    if count == 0:
        return UNSEEN
    if index >= count:
        last = "there is cuda:0 alone" if count == 1 else f"there are cuda:0 to cuda:{count - 1}"
        return f"{last}; choose one of them, or let more be seen with CUDA_VISIBLE_DEVICES"
    try:
        cupy.cuda.nvrtc.getVersion()
    except (ImportError, OSError, RuntimeError) as error:
        wheel = f"cupy-cuda{runtime.runtimeGetVersion() // 1000}x[ctk]"
        return f"CuPy does not find the compiler of CUDA ({_line(error)}); install the CUDA toolkit, or pip install '{wheel}'"
    return ""


UNSEEN = "the driver sees no GPU; look at nvidia-smi and at the environment variable CUDA_VISIBLE_DEVICES"


def _no_driver(runtime: Any, error: Exception) -> str:
    """What is wrong where CUDA cannot even count its devices."""
    if "NoDevice" in str(error):
        return UNSEEN
    wants, knows = runtime.runtimeGetVersion(), runtime.driverGetVersion()
    if knows == 0:
        return "there is no NVIDIA driver; install it and look whether nvidia-smi finds the GPU (in a container, start it with --gpus all)"
    if knows // 1000 < wants // 1000:
        fits = f"install the CuPy for CUDA {knows // 1000}" + (", 'minigrad[cuda12]'" if knows // 1000 == 12 else "")
        return f"the driver is for CUDA {_version(knows)}, and this CuPy is built for {_version(wants)}; update the driver, or {fits}"
    return f"CUDA does not start ({_line(error)}); the driver is for CUDA {_version(knows)}, CuPy for {_version(wants)}; look at nvidia-smi"


def _version(number: int) -> str:
    """12090 as 12.9."""
    return f"{number // 1000}.{number % 1000 // 10}"


def _line(error: Exception) -> str:
    """The first line of an error's text."""
    return (str(error).strip() or type(error).__name__).splitlines()[0]


def _cupy(who: str, index: int) -> Any:
    """CuPy, where ``cuda:<index>`` can be used.

    Raises:
        ImportError: CuPy is not installed, or cannot be imported.
        DeviceError: there is no such device.
    """
    if why := obstacle(index):
        raise (DeviceError if "cupy" in sys.modules else ImportError)(f"{who}: cuda:{index} is not available: {why}")
    import cupy

    return cupy


def devices() -> list[str]:
    """What can be computed on, a line each, and why there is no GPU where there is none.

    Example:
        >>> from minigrad.backend.devices import devices
        >>> devices()[0]
        'cpu'
    """
    if why := obstacle():
        return ["cpu", f"no cuda: {why}"]
    import cupy

    runtime = cupy.cuda.runtime
    versions = (
        f"driver for CUDA {_version(runtime.driverGetVersion())}, CuPy {cupy.__version__} for {_version(runtime.runtimeGetVersion())}"
    )
    found = [(i, runtime.getDeviceProperties(i)) for i in range(runtime.getDeviceCount())]
    return ["cpu", *[f"cuda:{i} {p['name'].decode()}, {p['totalGlobalMem'] / 2**30:.1f} GiB; {versions}" for i, p in found]]


def occupied(a: Array) -> str:
    """How full the memory of the device is on which the array lives; nothing is known of the CPU's.

    Example:
        >>> import numpy as np
        >>> from minigrad.backend.devices import occupied
        >>> occupied(np.zeros(2))
        ''
    """
    xp, place = namespace(type(a)), device_of(a)
    if place.type != "cuda":
        return ""
    with xp.cuda.Device(place.index):
        pool, (free, total) = xp.get_default_memory_pool(), xp.cuda.runtime.memGetInfo()
        used, held = pool.used_bytes(), pool.total_bytes()
    size = [f"{n / 2**20:,.0f} MiB" for n in (used, held, free, total)]
    return f"on {place} arrays take {size[0]} of the {size[1]} that CuPy holds, and {size[2]} of {size[3]} are free"


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
    return _cupy("from_dlpack", x.__dlpack_device__()[1]).from_dlpack(x)


@contextmanager
def using(where: Any) -> Iterator[Device]:
    """``with using("cuda:1"): ...`` makes a GPU this thread's current one, on which CuPy makes what is new, and which is called ``"cuda"``.

    Raises: as ``to_device``.

    Example:
        >>> from minigrad.backend.devices import using
        >>> with using("cpu") as place:
        ...     print(place)
        cpu
    """
    place = device(where)
    if place.type != "cuda":
        yield place
        return
    with _cupy("using", place.index).cuda.Device(place.index):
        before, _local.index = getattr(_local, "index", 0), place.index
        try:
            yield place
        finally:
            _local.index = before


def pinned(a: Array) -> Array:
    """The array, or a copy of it, in memory that is not moved about: a GPU can read it by itself, while others work.

    Raises:
        ImportError: it needs CuPy, which is not installed.
        DeviceError: there is no GPU, or the array is on one.
    """
    if type(a) is not np.ndarray:
        raise DeviceError(f"pin_memory: expected an array on the CPU, got one on {device_of(a)}; a GPU's memory needs no pinning")
    cupy = _cupy("pin_memory", 0)
    from .cuda import transfer

    return a if transfer.is_pinned(cupy, a) else transfer.pinned(cupy, a)


def is_pinned(a: Array) -> bool:
    """Whether the memory of an array is such memory.

    Example:
        >>> import numpy as np
        >>> from minigrad.backend.devices import is_pinned
        >>> is_pinned(np.zeros(2))
        False
    """
    if "cupy" not in sys.modules:
        return False
    from .cuda import transfer

    return transfer.is_pinned(sys.modules["cupy"], a)


def to_device(a: Array, where: Any, non_blocking: bool = False) -> Array:
    """The array on that device; itself if it is there already.

    ``non_blocking``: on its way to a GPU it is copied beside what that computes; see ``Tensor.to``.

    Raises:
        ImportError: the device needs CuPy, which is not installed.
        DeviceError: there is no driver, no such GPU, or the driver is too old for this CuPy; the error says which.

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
    cupy = _cupy("to_device", target.index)
    with cupy.cuda.Device(target.index):
        if non_blocking and type(a) is np.ndarray and a.size:
            from .cuda.transfer import send

            return send(cupy, a)
        return cupy.asarray(a)
