"""cuDNN, NVIDIA's library of convolutions and attention, by its Python package (``pip install nvidia-cudnn-frontend``).

What is to be computed is described as a graph of operations on tensors, by their shapes and strides. The library is asked once which of
its ways is best, and makes a plan; that is executed on addresses as often as one likes, takes no memory but a workspace, waits for
nothing and can be part of a CUDA graph. Where the package or the library is missing, or has no plan, other forms compute.
"""

import threading
import warnings
from functools import cache
from typing import Any, NamedTuple

KINDS = {"float32": "FLOAT", "float16": "HALF", "bfloat16": "BFLOAT16"}
"""By dtype: what the package calls it. All of them are summed in float32."""
ROOM = 256 << 20
"""Bytes that a plan may use besides."""
ALIGNED = 16
"""What divides the addresses, in bytes; the library takes it for granted."""
MOST = 4096
"""How many plans are made; what else there is to compute then is computed by other forms."""
_UNSEEN: Any = object()


class Attempt(NamedTuple):
    """What an operation is given besides tensors; which of the library's ways are not taken, and how much room they may have."""

    settings: tuple[tuple[str, Any], ...]
    notes: tuple[str, ...] = ()
    room: int = ROOM


class Plan(NamedTuple):
    """A graph that the library has made a plan for, and how much room that needs."""

    graph: Any
    room: int


class Library:
    """The library for one namespace: CuPy's, or that of its double in tests.

    Args:
        xp: the namespace.
        cudnn: the package.
        about: what graphs are told of the device, in place of a handle on it; so tests make plans without a GPU.
    """

    def __init__(self, xp: Any, cudnn: Any, about: dict[str, Any] | None = None):
        self.xp, self.cudnn, self.about = xp, cudnn, about
        self.handles: dict[int, Any] = {}
        self.streams: dict[int, int] = {}
        self.plans: dict[Any, Plan | None] = {}
        self.lock = threading.RLock()  # a handle is for one thread at a time

    def compute(self, name: str, given: dict[str, Any], results: list, attempts: tuple[Attempt, ...], bias: Any = None) -> bool:
        """Write ``name(**given)``, an operation of the library, to the results; False where it has no plan for that.

        Args:
            name, given: the operation, and its arrays by the names that it has for them.
            results: arrays.
            attempts: what else it is given: the first that the library has a plan for.
            bias: an array that is added to the result.
        """
        arrays = [*given.values(), *([] if bias is None else [bias]), *results]
        device = self.xp.cuda.runtime.getDevice()
        plan = self.plan((device, name, attempts, *[(a.shape, a.strides, a.dtype) for a in arrays]), given, results, bias)
        if plan is not None:
            self.run(plan, arrays, device)
        return plan is not None

    def plan(self, key: tuple, given: dict[str, Any], results: list, bias: Any) -> Plan | None:
        """The plan for arrays that lie like these, made if need be; None: there is none."""
        found = self.plans.get(key, _UNSEEN)
        if found is _UNSEEN:
            device, name, attempts, *_ = key
            with self.lock:
                if len(self.plans) >= MOST:  # none is dropped, as graphs that were captured may need it
                    return None
                made = (self._made(device, name, given, results, bias, a) for a in attempts)
                found = self.plans[key] = next((p for p in made if p is not None), None)
        return found

    def _made(self, device: int, name: str, given: dict[str, Any], results: list, bias: Any, attempt: Attempt) -> Plan | None:
        cudnn = self.cudnn
        single = cudnn.data_type.FLOAT
        settings = {k: list(v) if type(v) is tuple else v for k, v in attempt.settings}
        try:
            about = {"handle": self.handle(device)} if self.about is None else self.about
            graph = cudnn.pygraph(intermediate_data_type=single, compute_data_type=single, **about)
            tensors = {word: self._tensor(graph, i, a) for i, (word, a) in enumerate(given.items())}
            made = getattr(graph, name)(**tensors, **settings)
            made = list(made) if isinstance(made, (tuple, list)) else [made]
            if bias is not None:
                shape, strides = lies(results[0])
                made[0].set_dim(list(shape)).set_stride(list(strides))
                made = [graph.bias(input=made[0], bias=self._tensor(graph, len(given), bias))]
            for i, (tensor, a) in enumerate(zip(made, results, strict=True), len(given) + (bias is not None)):
                shape, strides = lies(a)
                tensor.set_output(True).set_uid(i + 1).set_data_type(self._kind(a)).set_dim(list(shape)).set_stride(list(strides))
            graph.validate()
            graph.build_operation_graph()
            graph.create_execution_plans([cudnn.heur_mode.A, cudnn.heur_mode.FALLBACK])
            graph.deselect_numeric_notes([getattr(cudnn.numerical_note, note) for note in attempt.notes])
            graph.deselect_workspace_greater_than(attempt.room)
            graph.check_support()
            graph.build_plans()
            return Plan(graph, graph.get_workspace_size())
        except cudnn.cudnnGraphNotSupportedError:
            return None
        except (RuntimeError, ValueError) as error:
            warnings.warn(f"cuDNN made no plan for {name}, so another form computes it: {error}", RuntimeWarning, stacklevel=2)
            return None

    def _tensor(self, graph: Any, i: int, a: Any) -> Any:
        shape, strides = lies(a)
        return graph.tensor(dim=list(shape), stride=list(strides), data_type=self._kind(a), uid=i + 1)

    def _kind(self, a: Any) -> Any:
        return getattr(self.cudnn.data_type, KINDS[a.dtype.name])

    def handle(self, device: int) -> Any:
        """The one of this device, which is the current one."""
        found = self.handles.get(device)
        if found is None:
            found = self.handles[device] = self.cudnn.create_handle()
        return found

    def run(self, plan: Plan, arrays: list, device: int) -> None:
        """Execute a plan on CuPy's current stream."""
        stream, addresses = self.xp.cuda.get_current_stream().ptr, {i: a.data.ptr for i, a in enumerate(arrays, 1)}
        room = self.xp.empty(plan.room, "uint8") if plan.room else None
        with self.lock:
            handle = self.handle(device)
            if self.streams.get(device) != stream:
                self.cudnn.set_stream(handle, stream)
                self.streams[device] = stream
            plan.graph.execute(addresses, 0 if room is None else room.data.ptr, handle=handle)


def lies(a: Any) -> tuple[tuple, tuple]:
    """The shape of an array, and how many numbers its elements are apart along each axis; along axes of length 1 that may be anything.

    Example:
        >>> import numpy as np
        >>> from minigrad.backend.cuda.cudnn import lies
        >>> lies(np.zeros((2, 3, 4)).swapaxes(0, 1)[:, :1])
        ((3, 1, 4), (4, 4, 1))
    """
    packed, strides = 1, []
    for n, s in zip(a.shape[::-1], a.strides[::-1], strict=True):
        strides.append(packed if n == 1 else s // a.dtype.itemsize)
        packed *= n
    return a.shape, tuple(strides[::-1])


def library_for(xp: Any, least: int, *arrays: Any) -> Library | None:
    """The library, if it is there and may have arrays like these: on the current GPU, all of one dtype that it has."""
    found, x = library(xp), arrays[0]
    if found is None or x.size < least or x.dtype.name not in KINDS:
        return None
    device = xp.cuda.runtime.getDevice()
    return found if all(a.dtype == x.dtype and a.size and a.data.device_id == device for a in arrays) else None


@cache
def library(xp: Any) -> Library | None:
    """The library for a namespace; None where there is none."""
    cudnn = load(xp)
    return None if cudnn is None else Library(xp, cudnn)


def load(xp: Any) -> Any:
    """The package, for this namespace; None where it is missing, or, which is told, finds no library."""
    if xp.__name__ != "cupy":
        return None
    try:
        import cudnn

        cudnn.backend_version()
        return cudnn
    except ImportError:
        return None
    except RuntimeError as error:
        why = f"the package cudnn finds no library, so it is not used ({error}); pip install nvidia-cudnn-cu12, or -cu13"
        warnings.warn(why, RuntimeWarning, stacklevel=2)
        return None
