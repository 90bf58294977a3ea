"""A double of the package ``cudnn`` (nvidia-cudnn-frontend) that computes with NumPy on the CPU's memory, as its documentation says.

Operations take the arguments of the real ones, by the same names; tensors are read from raw addresses by the shapes and strides they were
described with; what the library has no plan for is refused as it refuses. While a graph is captured no plan is made.
"""

import enum
import types
from collections import Counter

import numpy as np

from minigrad.testing.double import double
from minigrad.testing.double.capture import launched

try:
    import ml_dtypes

    BFLOAT16 = np.dtype(ml_dtypes.bfloat16)
except ImportError:  # nothing is computed in bfloat16 then
    BFLOAT16 = None


class data_type(enum.Enum):
    FLOAT, HALF, BFLOAT16, NOT_SET = range(4)


class heur_mode(enum.Enum):
    A, B, FALLBACK, OPENSOURCE = range(4)


class diagonal_alignment(enum.Enum):
    TOP_LEFT, BOTTOM_RIGHT = range(2)


class numerical_note(enum.Enum):
    TENSOR_CORE, DOWN_CONVERT_INPUTS, REDUCED_PRECISION_REDUCTION, FFT, NONDETERMINISTIC, WINOGRAD = range(6)


class cudnnGraphNotSupportedError(Exception):
    pass


NUMPY = {data_type.FLOAT: np.dtype("f4"), data_type.HALF: np.dtype("f2"), data_type.BFLOAT16: BFLOAT16}
NOT_SET = data_type.NOT_SET


def supported(ok, why):
    if not ok:
        raise cudnnGraphNotSupportedError(why)


def need(ok, why):
    if not ok:
        raise RuntimeError(f"cudnn double: {why}")


class Tensor:
    def __init__(self, dim=None, stride=None, data_type=NOT_SET, uid=None):
        self.dim, self.stride, self.kind, self.uid, self.output = dim, stride, data_type, uid, False

    def _set(self, name, value):
        setattr(self, name, value)
        return self

    def set_output(self, value):
        return self._set("output", value)

    def set_uid(self, value):
        return self._set("uid", value)

    def set_data_type(self, value):
        return self._set("kind", value)

    def set_dim(self, value):
        return self._set("dim", value)

    def set_stride(self, value):
        return self._set("stride", value)

    def at(self, address):
        """The numbers at an address."""
        need(address and address % 16 == 0, f"tensor {self.uid} at {address}, which 16 does not divide")
        dtype = NUMPY[self.kind]
        reach = 1 + sum((n - 1) * s for n, s in zip(self.dim, self.stride, strict=True))
        raw = np.frombuffer((np.ctypeslib.ctypes.c_byte * (reach * dtype.itemsize)).from_address(address), np.uint8).view(dtype)
        return np.lib.stride_tricks.as_strided(raw, self.dim, [s * dtype.itemsize for s in self.stride])


class Package(types.SimpleNamespace):
    """The module. ``log`` has a line for each execution; ``made`` counts plans; ``refuse`` names operations that have none."""

    def __init__(self, refuse=(), broken=""):
        super().__init__(
            data_type=data_type, heur_mode=heur_mode, numerical_note=numerical_note, diagonal_alignment=diagonal_alignment,
            cudnnGraphNotSupportedError=cudnnGraphNotSupportedError, log=[], made=Counter(), handles=0, streams=[], refuse=refuse,
            broken=broken,
        )  # fmt: skip

    def backend_version(self):
        return 92800

    def create_handle(self):
        need(not double.cuda.get_current_stream().is_capturing(), "a handle is made while a graph is captured")
        self.handles += 1
        return f"handle {self.handles}"

    def set_stream(self, handle, stream, /):
        self.streams.append((handle, stream))

    def pygraph(self, name="", io_data_type=NOT_SET, intermediate_data_type=NOT_SET, compute_data_type=NOT_SET, handle=None):
        need(compute_data_type is intermediate_data_type is data_type.FLOAT, "sums are float32")
        return Graph(self, handle)


class Graph:
    def __init__(self, package, handle):
        self.package, self.handle = package, handle
        self.inputs, self.outputs, self.operations, self.notes, self.limit = [], [], [], set(), 1 << 63
        self.room, self.steps = 64, []

    # -- description --------------------------------------------------------------------------------------------------
    def tensor(self, dim, stride=None, data_type=NOT_SET, uid=-1):
        need(type(dim) is list and type(stride) is list and len(dim) == len(stride) and min(dim + stride) > 0, f"{dim}, {stride}")
        self.inputs.append(Tensor(dim, stride, data_type, uid))
        return self.inputs[-1]

    def _operation(self, name, work, given, results=1):
        self.operations.append((name, work, given, made := [Tensor() for _ in range(results)]))
        self.outputs += made
        return made

    def conv_fprop(self, image, weight, pre_padding, post_padding, stride, dilation):
        return self._operation("conv_fprop", fprop, (image, weight, pre_padding, post_padding, stride, dilation))[0]

    def conv_dgrad(self, loss, filter, pre_padding, post_padding, stride, dilation):
        return self._operation("conv_dgrad", dgrad, (loss, filter, pre_padding, post_padding, stride, dilation))[0]

    def conv_wgrad(self, image, loss, pre_padding, post_padding, stride, dilation):
        return self._operation("conv_wgrad", wgrad, (image, loss, pre_padding, post_padding, stride, dilation))[0]

    def bias(self, input, bias):
        supported(self.operations[-1][0] == "conv_fprop", "a bias after something that is no convolution")
        return self._operation("bias", lambda made, x, b: x + b, (input, bias))[0]

    def sdpa(self, q, k, v, attn_scale, generate_stats, diagonal_alignment=None, diagonal_band_right_bound=None):
        need(type(attn_scale) is float and generate_stats is True, "a scale, and sums")
        causal = self._attention(q, k, v, diagonal_alignment, diagonal_band_right_bound)
        return self._operation("sdpa", sdpa, (q, k, v, attn_scale, causal), 2)

    def sdpa_backward(
        self, q, k, v, o, dO, stats, attn_scale, use_deterministic_algorithm=False, diagonal_alignment=None, diagonal_band_right_bound=None
    ):
        causal = self._attention(q, k, v, diagonal_alignment, diagonal_band_right_bound)
        need(o.kind is dO.kind is q.kind and stats.kind is data_type.FLOAT, "the kinds of what was kept")
        self.room = (1 << 30) * (q.dim[2] > 512) + 64 if use_deterministic_algorithm else 128
        return self._operation("sdpa_backward", sdpa_backward, (q, k, v, o, dO, stats, attn_scale, causal), 3)

    def _attention(self, q, k, v, alignment, bound):
        supported(all(t.kind in (data_type.HALF, data_type.BFLOAT16) for t in (q, k, v)), "attention in float32")
        supported(q.dim[3] % 8 == v.dim[3] % 8 == 0, "hidden_dim should be multiple of 8")
        supported(all(t.stride[3] == 1 and all(s % 8 == 0 for s in t.stride[:3]) for t in (q, k, v)), "features that lie apart")
        need(k.dim[1] == v.dim[1] and q.dim[1] % k.dim[1] == 0 and q.dim[0] == k.dim[0] == v.dim[0] and k.dim[2] == v.dim[2], "heads")
        need((alignment, bound) in ((None, None), (diagonal_alignment.TOP_LEFT, 0)), "a mask that is not causal")
        return bound == 0

    # -- plans --------------------------------------------------------------------------------------------------------
    def validate(self):
        self.steps.append("validate")
        *_, (_, _, _, asked) = self.operations
        for t in asked:
            need(t.output and t.dim and t.stride and t.uid and t.kind is not NOT_SET, "a result that nobody has described")
        uids = [t.uid for t in (*self.inputs, *asked)]
        need(len(set(uids)) == len(uids), "two tensors of one number")
        need(not self.package.broken, self.package.broken)
        for name, _, given, made in self.operations:
            if name.startswith("conv"):
                at = {"conv_fprop": (0, 1, None), "conv_dgrad": (None, 1, 0), "conv_wgrad": (0, None, 1)}[name]
                x, w, y = [made[0] if i is None else given[i] for i in at]
                before, after, stride, dilation = given[2:]
                need(all(type(v) is list and len(v) == len(x.dim) - 2 for v in given[2:]), "a number for each axis")
                supported(len(x.dim) in (4, 5) and min(before + after) >= 0, "cropping")
                axes = zip(x.dim[2:], w.dim[2:], before, after, stride, dilation, strict=True)
                out = [(m + lo + hi - d * (k - 1) - 1) // s + 1 for m, k, lo, hi, s, d in axes]
                need(y.dim == [x.dim[0], w.dim[0], *out] and x.dim[1] % w.dim[1] == 0, f"{x.dim} by {w.dim} makes no {y.dim}")

    def build_operation_graph(self):
        self.steps.append("graph")

    def create_execution_plans(self, heuristics, /):
        need(not double.cuda.get_current_stream().is_capturing(), "a plan is made while a graph is captured")
        need(heuristics == [heur_mode.A, heur_mode.FALLBACK], "which ways are looked for")
        self.steps.append("plans")

    def deselect_numeric_notes(self, notes, /):
        self.notes |= set(notes)

    def deselect_workspace_greater_than(self, limit, /):
        self.limit = limit

    def check_support(self):
        self.steps.append("support")
        supported(self.room <= self.limit, "no plan that needs so little room")
        supported(self.operations[0][0] not in self.package.refuse, "no engine")

    def build_plans(self):
        need(self.steps == ["validate", "graph", "plans", "support"], f"{self.steps} before a plan is made")
        self.steps.append("built")
        self.package.made["+".join(o[0] for o in self.operations)] += 1

    def get_workspace_size(self):
        return self.room

    def execute(self, addresses, workspace, /, handle=None):
        need(self.steps[-1:] == ["built"] and handle == self.handle and handle is not None, "a plan, and its handle")
        asked = self.operations[-1][3]
        need(set(addresses) == {t.uid for t in (*self.inputs, *asked)}, "an address for each tensor")
        need(all(type(v) is int for v in (*addresses.values(), workspace)) and workspace, "addresses")
        places = {t: t.at(addresses[t.uid]) for t in (*self.inputs, *asked)}

        def compute():
            np.ctypeslib.ctypes.memset(workspace, 0xAB, self.room)
            values = {t: self._rounded(np.array(places[t], "f4")) for t in self.inputs}
            with np.errstate(all="ignore"):
                for _, work, given, made in self.operations:
                    found = work(made, *[values[g] if isinstance(g, Tensor) else g for g in given])
                    values |= dict(zip(made, found if type(found) is tuple else (found,), strict=True))
            for t in asked:
                need(list(values[t].shape) == t.dim, f"{values[t].shape} where {t.dim} was described")
                places[t][...] = values[t].astype(places[t].dtype)

        launched(compute)
        names = "+".join(o[0] for o in self.operations)
        self.package.log.append(f"{names} {asked[0].kind.name} stream {self.package.streams[-1][1]}")

    def _rounded(self, x):
        """As TF32, where nobody has ruled that out."""
        if {numerical_note.TENSOR_CORE, numerical_note.DOWN_CONVERT_INPUTS} <= self.notes or self.operations[0][0].startswith("sdpa"):
            return x
        bits = x.view(np.uint32).astype(np.uint64) + (1 << 12)
        return (bits >> 13 << 13).astype(np.uint32).view(np.float32)


# -- what the operations compute --------------------------------------------------------------------------------------
def taps(x, w, y, pre, stride, dilation):
    """For each element of a kernel: its index, and the part of the padded input that it meets."""
    for tap in np.ndindex(*w[2:]):
        yield tap, (..., *[slice(t * d, t * d + (o - 1) * s + 1, s) for t, d, o, s in zip(tap, dilation, y[2:], stride, strict=True)])


def padded(x, pre, post):
    return np.pad(x, [(0, 0), (0, 0), *zip(pre, post, strict=True)])


def grouped(a, groups, axis):
    return a.reshape((*a.shape[:axis], groups, a.shape[axis] // groups, *a.shape[axis + 1 :]))


def fprop(made, x, w, pre, post, stride, dilation):
    groups, wide = x.shape[1] // w.shape[1], padded(x, pre, post)
    out = [(n - d * (k - 1) - 1) // s + 1 for n, k, s, d in zip(wide.shape[2:], w.shape[2:], stride, dilation, strict=True)]
    y = np.zeros((x.shape[0], groups, w.shape[0] // groups, *out), "f4")
    for tap, part in taps(x.shape, w.shape, (0, 0, *out), pre, stride, dilation):
        y += np.einsum("ngc...,goc->ngo...", grouped(wide[part], groups, 1), grouped(w[(..., *tap)], groups, 0))
    return y.reshape((x.shape[0], w.shape[0], *out))


def dgrad(made, y, w, pre, post, stride, dilation):
    shape, groups = made[0].dim, made[0].dim[1] // w.shape[1]
    wide = padded(np.zeros(shape, "f4"), pre, post)
    for tap, part in taps(shape, w.shape, y.shape, pre, stride, dilation):
        found = np.einsum("ngo...,goc->ngc...", grouped(y, groups, 1), grouped(w[(..., *tap)], groups, 0))
        wide[part] += found.reshape(wide[part].shape)
    return wide[(..., *[slice(p, p + n) for p, n in zip(pre, shape[2:], strict=True)])]


def wgrad(made, x, y, pre, post, stride, dilation):
    shape, groups, wide = made[0].dim, x.shape[1] // made[0].dim[1], padded(x, pre, post)
    w = np.zeros(shape, "f4")
    for tap, part in taps(x.shape, shape, y.shape, pre, stride, dilation):
        a, b = [grouped(v, groups, 1).reshape((v.shape[0], groups, v.shape[1] // groups, -1)) for v in (y, wide[part])]
        w[(..., *tap)] = np.einsum("ngop,ngcp->goc", a, b).reshape(shape[:2])
    return w


def scores(q, k, scale, causal):
    s = scale * q @ np.repeat(k, q.shape[1] // k.shape[1], 1).swapaxes(2, 3)
    return np.where(np.arange(s.shape[3]) > np.arange(s.shape[2])[:, None], -np.inf, s) if causal else s


def sdpa(made, q, k, v, scale, causal):
    s = scores(q, k, scale, causal)
    top = s.max(-1, keepdims=True)
    z = top + np.log(np.exp(s - top).sum(-1, keepdims=True))
    return np.exp(s - z) @ np.repeat(v, q.shape[1] // v.shape[1], 1), z


def sdpa_backward(made, q, k, v, o, g, z, scale, causal):
    p, groups = np.exp(scores(q, k, scale, causal) - z), q.shape[1] // k.shape[1]
    d = scale * p * (g @ np.repeat(v, groups, 1).swapaxes(2, 3) - (g * o).sum(-1, keepdims=True))
    dk, dv = d.swapaxes(2, 3) @ q, p.swapaxes(2, 3) @ g
    return d @ np.repeat(k, groups, 1), *[a.reshape((k.shape[0], k.shape[1], groups, *a.shape[2:])).sum(2) for a in (dk, dv)]
