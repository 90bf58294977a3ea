"""A double of libcublasLt that computes with NumPy on the CPU's memory, as NVIDIA's documentation of each function says.

Its functions are C functions (``CFUNCTYPE`` of the signatures that the library's are declared with), so that all arguments go the way
that those of the real ones go. Descriptors are handles; attributes are read from memory, with the sizes that cublasLt.h
documents; matrices are read column by column from the raw addresses. What the header forbids is refused with its status.
"""

import ctypes
import itertools
from collections import Counter

import numpy as np

from minigrad.backend.cuda.cublaslt import RETURNS, SIGNATURES
from minigrad.testing.double.capture import launched

INVALID_VALUE, INTERNAL_ERROR, NOT_SUPPORTED = 7, 14, 15
SIZES = {
    "MatmulDesc": {0: 4, 1: 4, 2: 4, 3: 4, 4: 4, 5: 4, 6: 4, 7: 4, 8: 8, 10: 8, 11: 8, 12: 8, 13: 8, 22: 4, 26: 4},
    "MatrixLayout": {0: 4, 1: 4, 2: 8, 3: 8, 4: 8, 5: 4, 6: 8, 7: 8},
    "MatmulPreference": {0: 4, 1: 8, 3: 4, 5: 4, 6: 4, 7: 4, 8: 4, 9: 4},
}
"""Bytes of each attribute, from the comments of the header."""
DTYPES = {0: "float32", 1: "float64", 2: "float16"}
COMPUTES = {0: (68, 75, 77), 1: (70,), 2: (68,), 14: (68,)}
SCALES = {0: 0, 1: 1, 2: 0, 14: 0}
try:
    import ml_dtypes

    DTYPES[14] = ml_dtypes.bfloat16
except ImportError:  # products of bfloat16 are not tested then
    pass
DEFAULT, BIAS = 1, 4


class Refused(Exception):
    def __init__(self, status, why=""):
        super().__init__(why)
        self.status = status


def need(ok, why):
    if not ok:
        raise Refused(INVALID_VALUE, why)


class Library:
    """``log`` has a line for each product; ``refusals`` says why something was refused; ``epilogues`` are those that it can do."""

    def __init__(self, epilogues=(DEFAULT, BIAS), version=120903):
        self.epilogues, self.version = epilogues, version
        self.text = ctypes.create_string_buffer(b"as the double says")
        self.numbers, self.live = itertools.count(0x1000, 16), {}
        self.calls, self.log, self.refusals = Counter(), [], []
        for name, takes in SIGNATURES.items():
            returns = RETURNS.get(name, ctypes.c_int)
            kind = ctypes.CFUNCTYPE(ctypes.c_void_p if returns is ctypes.c_char_p else returns, *takes)  # callbacks return no text
            f = kind(self._function(name))
            f.restype = returns
            setattr(self, f"cublasLt{name}", f)

    def _function(self, name):
        for end in ("Create", "Destroy", "SetAttribute", "GetAttribute"):
            if name.endswith(end) and name != end:
                kind = name.removesuffix(end)
                work = {"Create": self._create, "Destroy": self._destroy, "SetAttribute": self._set, "GetAttribute": self._get}[end]
                break
        else:
            kind, work = None, getattr(self, f"_{name}")

        def function(*args):
            self.calls[name] += 1
            try:
                return (work(kind, *args) if kind else work(*args)) or 0
            except Refused as refused:
                self.refusals.append(f"{name}: {refused}")
                return refused.status
            except Exception as error:  # which ctypes would only print
                self.refusals.append(f"{name}: {error!r}")
                return INTERNAL_ERROR

        return function

    # -- handles and descriptors --------------------------------------------------------------------------------------
    def _new(self, place, kind, values):
        number = next(self.numbers)
        self.live[number] = (kind, values)
        place[0] = number

    def _of(self, kind, number):
        need(number in self.live and self.live[number][0] == kind, f"{number} is no {kind}")
        return self.live[number][1]

    def _Create(self, place):
        self._new(place, "handle", {})

    def _GetVersion(self):
        return self.version

    def _GetStatusString(self, status):
        return ctypes.addressof(self.text)

    def _create(self, kind, place, *values):
        numbers = {"MatmulDesc": (0, 1), "MatrixLayout": (0, 2, 3, 4), "MatmulPreference": ()}[kind]
        defaults = {
            "MatmulDesc": {3: 0, 4: 0, 7: 1, 8: 0, 11: 0, 12: 0, 13: 0},
            "MatrixLayout": {1: 0, 5: 1, 6: 0},
            "MatmulPreference": {1: 0, 3: 7, 5: 256, 6: 256, 7: 256, 8: 256},
        }[kind]
        self._new(place, kind, defaults | dict(zip(numbers, values, strict=True)))

    def _destroy(self, kind, number):
        self._of(kind, number)
        del self.live[number]

    def _set(self, kind, number, attribute, place, size):
        need(SIZES[kind].get(attribute) == size, f"attribute {attribute} of {kind} has not {size} bytes")
        self._of(kind, number)[attribute] = int.from_bytes(ctypes.string_at(place, size), "little", signed=True)

    def _get(self, kind, number, attribute, place, size, written):
        need(SIZES[kind].get(attribute) == size, f"attribute {attribute} of {kind} has not {size} bytes")
        ctypes.memmove(place, self._of(kind, number)[attribute].to_bytes(size, "little", signed=True), size)
        written[0] = size

    # -- products -----------------------------------------------------------------------------------------------------
    def _shape(self, desc, a, b, c, d):
        """m, n, k and the count of a product whose descriptors fit together."""
        operation = self._of("MatmulDesc", desc)
        a, b, c, d = [self._of("MatrixLayout", x) for x in (a, b, c, d)]
        kind = a[0]
        need(all(x[0] == kind for x in (b, c, d)), "different types")
        need(kind in DTYPES and operation[0] in COMPUTES[kind] and operation[1] == SCALES[kind], "types that do not go together")
        for x in (a, b, c, d):
            need(x[2] > 0 and x[3] > 0 and x[4] >= x[2], f"ld {x[4]} of a matrix of {x[2]} rows")
            need(x[5] == d[5], "different counts")
            need(x[6] >= 0, "a negative stride")
        (m, k), (inner, n) = [(x[3], x[2]) if operation[t] else (x[2], x[3]) for x, t in ((a, 3), (b, 4))]
        need((d[2], d[3], inner) == (m, n, k) and (c[2], c[3]) == (m, n), f"{m}x{k} by {inner}x{n} into {d[2]}x{d[3]}")
        places = np.add.outer(np.add.outer(np.arange(d[5]) * d[6], np.arange(n) * d[4]), np.arange(m))
        need(np.unique(places).size == places.size, "results that overlap")
        if operation[7] not in self.epilogues:
            raise Refused(NOT_SUPPORTED, f"epilogue {operation[7]}")
        return operation, a, b, d, m, n, k, d[5]

    def _MatmulAlgoGetHeuristic(self, handle, desc, a, b, c, d, preference, wanted, found, number):
        self._of("handle", handle)
        operation, *_ = self._shape(desc, a, b, c, d)
        wishes = self._of("MatmulPreference", preference)
        need(wanted == 1, "one algorithm is asked for")
        aligned = min(wishes[5], wishes[6], wishes[7], wishes[8])
        if operation[7] == BIAS:
            aligned = min(aligned, operation[8] & -operation[8])
        found[0].algorithm[:] = [0xA160, desc, a, b, d, aligned, wishes[1], wishes[3]]
        found[0].workspace, found[0].state, number[0] = min(wishes[1], 1 << 20), 0, 1

    def _Matmul(self, handle, desc, alpha, pa, a, pb, b, beta, pc, c, pd, d, algorithm, workspace, room, stream):
        self._of("handle", handle)
        operation, of_a, of_b, of_d, m, n, k, count = self._shape(desc, a, b, c, d)
        chosen = (ctypes.c_uint64 * 8).from_address(algorithm)
        need(list(chosen[:5]) == [0xA160, desc, a, b, d], "an algorithm of another product")
        need(workspace and room >= 1 << 20, "no room")
        ctypes.memset(workspace, 0xAB, 64)
        extra = [operation[8]] if operation[7] == BIAS else []
        need(all(p and not p % chosen[5] for p in (pa, pb, pd, *extra)), f"an address that {chosen[5]} does not divide")
        dtype = np.dtype(DTYPES[of_a[0]])
        wide = np.float64 if dtype.itemsize == 8 else np.float32
        one = (ctypes.c_double if wide is np.float64 else ctypes.c_float).from_address
        need(one(alpha).value == 1 and one(beta).value == 0, "alpha and beta")

        def matrices(address, x):
            return strided(address, dtype, (count, x[2], x[3]), (x[6], 1, x[4]))

        now = dict(operation)  # the next product may have another bias

        def compute():
            self._compute(now, [matrices(p, q) for p, q in ((pa, of_a), (pb, of_b), (pd, of_d))], dtype, wide)

        launched(compute)
        shown = "".join("nt"[operation[t]] for t in (3, 4))
        self.log.append(f"{dtype.name} {shown} {m}x{n}x{k}*{count} compute {operation[0]} epilogue {operation[7]} stream {stream or 0}")

    @np.errstate(all="ignore")
    def _compute(self, operation, places, dtype, wide):
        *factors, d = places
        x, y = [np.array(v, wide) for v in factors]
        x, y = [v.transpose(0, 2, 1) if operation[t] else v for v, t in ((x, 3), (y, 4))]
        if operation[0] in (75, 77):
            x, y = rounded(x, operation[0]), rounded(y, operation[0])
        z = x @ y
        if operation[7] == BIAS:
            z += strided(operation[8], dtype, z.shape[1:2], (1,)).astype(wide)[:, None]
        d[...] = z.astype(dtype)


def strided(address, dtype, shape, strides):
    """The numbers at an address, as an array of that shape; strides count numbers."""
    reach = 1 + sum((n - 1) * s for n, s in zip(shape, strides, strict=True))
    raw = np.frombuffer((ctypes.c_byte * (reach * dtype.itemsize)).from_address(address), np.uint8).view(dtype)
    return np.lib.stride_tricks.as_strided(raw, shape, [s * dtype.itemsize for s in strides])


def rounded(x, compute):
    """float32 to TF32's or bfloat16's precision."""
    drop = 13 if compute == 77 else 16
    bits = x.view(np.uint32).astype(np.uint64) + (1 << (drop - 1))
    return (bits >> drop << drop).astype(np.uint32).view(np.float32)
